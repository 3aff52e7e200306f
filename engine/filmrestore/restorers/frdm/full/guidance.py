"""The Restoration-Guidance Network at full size: what it adds to a frozen video model, level by level."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import Block, GlobalFusion, TemporalAttention, position_mask, zeroed
from ..denoiser import SIGMA_FREQUENCIES, waves
from .spectrum import SpectrumFusion


@dataclass(frozen=True)
class Told:
    """What the guidance network is told of a patch beside the noisy latents; the same at every step.

    Attributes:
        scan, base: Latents of the degraded patch, and of what was recovered.
        inside, trust: 0..1 at the latents' size: where to paint, and the neighbours' share in the base.
        whole: Latents of the patch as the shrunk whole frame shows it.
        text: CLIP tokens of the prompt; None where the model has no text encoder.
        image: CLIP tokens of the whole frame, a square grid of them.
        box: The patch in the whole frame: x0, y0, x1, y1, each 0..1.
        present: Which frames are real.
    """

    scan: Float[Tensor, "t l h w"]
    base: Float[Tensor, "t l h w"]
    inside: Float[Tensor, "t 1 h w"]
    trust: Float[Tensor, "t 1 h w"]
    whole: Float[Tensor, "t l h w"]
    text: Float[Tensor, "1 n d"] | None
    image: Float[Tensor, "1 g e"]
    box: Float[Tensor, "1 4"]
    present: Bool[Tensor, "1 t"]


@dataclass(frozen=True)
class Residuals:
    """What is added to the backbone's skips, in its order, and to its middle."""

    down: tuple[Tensor, ...]
    middle: Tensor


class FullGuidance(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Copies no encoder of the backbone: a narrower one of the paper's blocks, tied to it by zero convolutions.

    Untrained it changes nothing: every convolution towards the backbone starts as zero.

    Args:
        latents: Channels of the latents.
        widths: Channels of each level.
        backbone_widths: Channels of the backbone's levels, as many.
        layers: Blocks of each of the backbone's levels.
        heads: Of every attention.
        text, image: Channels of the CLIP tokens.
        frames: Longest window, odd.

    Source: HaineiFRDM: self-attention, Global Prompt Fusion, Global Frame Fusion, Texture Reconstruction, Temporal
    Module, in this order; ControlNet's zero convolutions. Its temporal module is a VideoMamba, ours attention.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        latents: int = 4,
        widths: Sequence[int] = (64, 128, 256, 256),
        backbone_widths: Sequence[int] = (320, 640, 1280, 1280),
        layers: Sequence[int] = (2, 2, 2, 2),
        heads: int = 8,
        text: int = 768,
        image: int = 1280,
        frames: int = 5,
    ) -> None:
        super().__init__()
        if not len(widths) == len(backbone_widths) == len(layers):
            raise ValueError(f"{len(widths)} widths, {len(backbone_widths)} of the backbone and {len(layers)} layers")
        self.stem = nn.Conv2d(3 * latents + 2, widths[0], 3, padding=1)
        self.time = nn.Sequential(nn.Linear(2 * SIGMA_FREQUENCIES, 64), nn.SiLU(), nn.Linear(64, widths[0]))
        self.cover, self.place = nn.Linear(1, image), nn.Linear(4, image)
        self.levels = nn.ModuleList(Level(width, heads, text, image, latents, frames) for width in widths)
        self.shrink = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairwise(widths))
        self.ties = nn.ModuleList(
            zeroed(nn.Conv2d(own, backbone, 1)) for own, backbone in _ties(widths, backbone_widths, layers)
        )
        self.middle = zeroed(nn.Conv2d(widths[-1], backbone_widths[-1], 1))

    def forward(
        self, noisy: Float[Tensor, "t l h w"], sigma: float, told: Told, without: Collection[str] = ()
    ) -> Residuals:
        """Of one step.

        Args:
            noisy: As the scheduler scales them for the backbone.
            sigma: 1 at the first step, towards 0 at the last.
            told: The rest.
            without: Modules to leave out: prompt, fusion, texture, temporal.
        """
        x = self.stem(torch.cat([noisy, told.scan, told.base, told.inside, told.trust], dim=1))
        angle = waves(torch.full((1,), sigma, device=x.device)).to(x.dtype)
        x = x + self.time(angle)[:, :, None, None]
        image = self._positioned(told.image, told.box)
        skips = [x]
        for level, module in enumerate(self.levels):
            x = module(x, told, image, without)
            skips += [x] * self.config.layers[level]
            if level < len(self.shrink):
                x = self.shrink[level](x)
                skips.append(x)
        down = tuple(tie(skip) for tie, skip in zip(self.ties, skips, strict=True))
        return Residuals(down, self.middle(x))

    def _positioned(self, image: Float[Tensor, "1 g e"], box: Float[Tensor, "1 4"]) -> Float[Tensor, "1 g e"]:
        """The tokens, told how far the patch covers each and where it lies: position-aware, after PatchVSR's mask."""
        edge = round(image.shape[1] ** 0.5)
        cover = functional.adaptive_avg_pool2d(position_mask(box.float()), edge).flatten(2).transpose(1, 2)
        told: Tensor = image + self.cover(cover.to(image.dtype)) + self.place(box.to(image.dtype))[:, None]
        return told


def _ties(widths: Sequence[int], backbone: Sequence[int], layers: Sequence[int]) -> list[tuple[int, int]]:
    """(own, backbone's) channels of every skip, in the order in which the backbone makes them."""
    pairs = [(widths[0], backbone[0])]
    for level, count in enumerate(layers):
        pairs += [(widths[level], backbone[level])] * count
        if level + 1 < len(layers):
            pairs.append((widths[level + 1], backbone[level]))
    return pairs


class Level(nn.Module):
    """One block of the paper, at one size."""

    def __init__(self, width: int, heads: int, text: int, image: int, latents: int, frames: int) -> None:
        super().__init__()
        self.block = Block(width)
        self.itself = GlobalFusion(width, heads)
        self.text, self.prompt = nn.Linear(text, width), GlobalFusion(width, heads)
        self.image, self.fusion = nn.Linear(image, width), GlobalFusion(width, heads)
        self.texture = SpectrumFusion(width, latents)
        self.temporal = TemporalAttention(width, heads, frames=frames, window=1)

    def forward(
        self, x: Float[Tensor, "t c h w"], told: Told, image: Float[Tensor, "1 g e"], without: Collection[str]
    ) -> Float[Tensor, "t c h w"]:
        x = self.block(x)
        x = self.itself(x, x.flatten(2).transpose(1, 2))
        if told.text is not None and "prompt" not in without:
            x = self.prompt(x, self.text(told.text))
        if "fusion" not in without:
            x = self.fusion(x, self.image(image))
        if "texture" not in without:
            size = (x.shape[-2], x.shape[-1])
            scan, whole = (functional.adaptive_avg_pool2d(z, size) for z in (told.scan, told.whole))
            x = self.texture(x, scan, whole)
        return self.temporal(x, told.present) if "temporal" not in without else x
