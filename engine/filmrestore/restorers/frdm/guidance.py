"""The guidance branch: a 2D U-Net over all frames of a window, joined in time, that finds damage."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ...motion import AGREEMENT, NEXT, PREVIOUS, VALID
from .blocks import Block, GlobalFusion, GlobalTokens, PromptSocket, TemporalAttention, folded, modulate, zeroed
from .texture import TextureReconstruction

INPUTS = 16
ROUGHNESS = 15
"""Edge of the square, pixels, over which the neighbours' own disagreement is measured."""
QUIET = 1e-3
"""Net units, the least that neighbours are taken to disagree."""
DEVIATIONS = 5.0
"""Of a spike that is shown as 1."""


@dataclass(frozen=True)
class Guidance:
    """What the guidance branch says of every frame of its windows.

    Attributes:
        matte_logits: Sigmoid gives the confidence that a pixel is damaged.
        class_logits: Over the kinds of damage of the configuration.
        features: Maps at 1/2, 1/4 and 1/8, for the denoiser.
    """

    matte_logits: Float[Tensor, "b t 1 h w"]
    class_logits: Float[Tensor, "b t k h w"]
    features: list[Tensor]

    def features_of(self, windows: Int[Tensor, n], frames: Int[Tensor, n]) -> list[Tensor]:
        """Features of frame frames[i] of window windows[i], as the denoiser takes them."""
        return [feature[windows, frames] for feature in self.features]


class GuidanceBranch(nn.Module):
    """Features of every frame, and from them matte and kinds of damage."""

    def __init__(
        self,
        widths: tuple[int, ...],
        heads: tuple[int, ...],
        frames: int,
        kinds: int,
        prompts: tuple[int, ...],
        spikes: tuple[int, ...],
    ) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.spikes = spikes
        self.kinds = kinds
        self.prompt = PromptSocket(prompts, (fine, middle, coarse))
        self.stem = nn.Conv2d(4 * (INPUTS + len(spikes)), fine, 3, padding=1)
        self.fine_in = Block(fine)
        self.to_middle = nn.Conv2d(fine, middle, 2, stride=2)
        self.middle_in = Block(middle)
        self.to_coarse = nn.Conv2d(middle, coarse, 2, stride=2)
        self.coarse_in = Block(coarse)
        self.coarse_time = TemporalAttention(coarse, heads[1], frames=frames)
        self.tokens = GlobalTokens(coarse)
        self.whole = GlobalFusion(coarse, heads[1])
        self.coarse_lines = Block(coarse, vertical=True)
        self.coarse_time_shifted = TemporalAttention(coarse, heads[1], frames=frames, shifted=True)
        self.coarse_out = Block(coarse)
        self.from_coarse = nn.Conv2d(coarse, middle, 1)
        self.middle_lines = Block(middle, vertical=True)
        self.middle_time = TemporalAttention(middle, heads[0], frames=frames, shifted=True)
        self.from_middle = nn.Conv2d(middle, fine, 1)
        self.fine_out = Block(fine)
        self.texture = TextureReconstruction(fine, 12)
        self.last = Block(fine)
        self.head = nn.Conv2d(fine, 4 * (1 + kinds), 3, padding=1)
        zeroed(self.head)
        with torch.no_grad():
            self.head.bias[:4] = -3.0  # type: ignore[index]  # most pixels are clean
            self._enliven()

    def _enliven(self) -> None:
        """Larger first weights: inputs are small, and nothing normalises them on the way.

        Without it the features are near .05 and the nonlinearities near linear; on twelve fixed batches this start
        reached in 24 steps what that one reached in 72.
        """
        self.stem.weight.mul_(4.0)
        for module in self.modules():
            if isinstance(module, Block):
                module.first.weight.mul_(1.7)
                module.second.weight.mul_(5.0)

    def forward(
        self,
        window: Float[Tensor, "b t 3 h w"],
        evidence: Float[Tensor, "b t 10 h w"],
        present: Bool[Tensor, "b t"],
        overview: Float[Tensor, "b 3 64 64"],
        box: Float[Tensor, "b 4"],
        prompt: Int[Tensor, "b 3"] | None,
        without: Collection[str] = (),
    ) -> Guidance:
        count, frames = window.shape[:2]
        features = self._features(window.flatten(0, 1), evidence.flatten(0, 1), present, overview, box, prompt, without)
        out = functional.pixel_shuffle(self.head(functional.silu(features[0])), 2).float()
        out = out.view(count, frames, *out.shape[1:])
        return Guidance(
            matte_logits=out[:, :, :1],
            class_logits=out[:, :, 1:],
            features=[feature.view(count, frames, *feature.shape[1:]) for feature in features],
        )

    def _features(
        self,
        window: Float[Tensor, "bt 3 h w"],
        evidence: Float[Tensor, "bt 10 h w"],
        present: Bool[Tensor, "b t"],
        overview: Float[Tensor, "b 3 64 64"],
        box: Float[Tensor, "b 4"],
        prompt: Int[Tensor, "b 3"] | None,
        without: Collection[str],
    ) -> list[Tensor]:
        in_time = "temporal" not in without
        words = None if prompt is None else self.prompt(prompt)
        seen = folded(_inputs(window, evidence, self.spikes))
        fine = self.fine_in(_prompted(self.stem(seen), words, 0))
        middle = self.middle_in(_prompted(self.to_middle(fine), words, 1))
        coarse = self.coarse_in(_prompted(self.to_coarse(middle), words, 2))
        coarse = self.coarse_time(coarse, present) if in_time else coarse
        coarse = coarse if "fusion" in without else self.whole(coarse, self.tokens(overview, box))
        coarse = self.coarse_lines(coarse)
        coarse = self.coarse_time_shifted(coarse, present) if in_time else coarse
        coarse = self.coarse_out(coarse)
        middle = self.middle_lines(middle + functional.interpolate(self.from_coarse(coarse), scale_factor=2.0))
        middle = self.middle_time(middle, present) if in_time else middle
        fine = self.fine_out(fine + functional.interpolate(self.from_middle(middle), scale_factor=2.0))
        if "texture" not in without:
            fine = self.texture(fine, folded(window), overview, box)
        return [self.last(fine), middle, coarse]


def _inputs(
    window: Float[Tensor, "bt 3 h w"], evidence: Float[Tensor, "bt 10 h w"], spikes: Collection[int]
) -> Float[Tensor, "bt c h w"]:
    """The frame, its differences to both neighbours, where these can be trusted, and spikes, all about 1 in size.

    Bounded, so that a highlight far above one cannot shake the features around it.
    """
    valid = evidence[:, VALID]
    before = ((window - evidence[:, PREVIOUS]) * valid[:, :1]).clamp(-1, 1)
    after = ((window - evidence[:, NEXT]) * valid[:, 1:]).clamp(-1, 1)
    spike = torch.minimum(before, after).clamp(min=0) + torch.maximum(before, after).clamp(max=0)
    centred = window.clamp(-0.5, 1.5) - 0.45
    planes = [centred, 4 * before, 4 * after, valid, evidence[:, AGREEMENT], 4 * spike]
    return torch.cat([*planes, spikes_against_grain(before, after, spikes)] if spikes else planes, dim=1)


def spikes_against_grain(
    before: Float[Tensor, "bt 3 h w"], after: Float[Tensor, "bt 3 h w"], edges: Collection[int]
) -> Float[Tensor, "bt e h w"]:
    """The spike of the luma's mean over each square, in deviations of what the two neighbours disagree by around it.

    Neighbours disagree by their grain, and where motion was not found: a faint mark in fine grain counts for as much
    as a strong one in coarse grain, and neither counts where things move out of step.
    """
    luma = torch.stack([before.mean(1), after.mean(1)], dim=1)
    means = torch.stack([_mean_of(luma, edge) for edge in edges], dim=1)
    back, forth = means.unbind(2)
    power = _mean_of((back - forth).square(), ROUGHNESS)
    spike = torch.minimum(back, forth).clamp(min=0) + torch.maximum(back, forth).clamp(max=0)
    return (spike / (DEVIATIONS * (power + QUIET**2).sqrt())).clamp(-2, 2)


def _mean_of(planes: Float[Tensor, "*n h w"], edge: int) -> Float[Tensor, "*n h w"]:
    """Over squares around each pixel; beyond the patch's edge nothing counts."""
    half = edge // 2
    sums = functional.pad(planes, (half, half, half, half))
    for axis in (-1, -2):
        sums = _sums(sums, axis, edge)
    down, across = (_sums(functional.pad(sums.new_ones(n), (half, half)), 0, edge) for n in planes.shape[-2:])
    return sums * ((1 / down)[:, None] * (1 / across))


def _sums(x: Tensor, axis: int, edge: int) -> Tensor:
    """Of `edge` neighbours along an axis, factor by factor: of threes, then of five of these.

    On CPUs it takes a third of the time of pooling.
    """
    apart = 1
    for factor in _factors(edge):
        length = x.shape[axis] - (factor - 1) * apart
        out = x.narrow(axis, 0, length).clone()
        for place in range(1, factor):
            out += x.narrow(axis, place * apart, length)
        x, apart = out, apart * factor
    return x


def _factors(number: int) -> list[int]:
    """Prime ones, the smallest first."""
    for factor in range(2, number + 1):
        if number % factor == 0:
            return [factor, *_factors(number // factor)]
    return []


def _prompted(x: Tensor, words: list[Tensor] | None, level: int) -> Tensor:
    return x if words is None else modulate(x, words[level])
