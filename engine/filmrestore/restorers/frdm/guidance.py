"""The guidance branch: a 2D U-Net over all frames of a window, joined in time, that finds damage."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from .blocks import Block, GlobalFusion, GlobalTokens, PromptSocket, TemporalAttention, folded, modulate, zeroed
from .inputs import Shown, seen
from .texture import TextureReconstruction


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
        shown: Shown,
    ) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.shown = shown
        self.kinds = kinds
        self.prompt = PromptSocket(prompts, (fine, middle, coarse))
        self.stem = nn.Conv2d(4 * shown.count, fine, 3, padding=1)
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
        evidence: Float[Tensor, "b t e h w"],
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
        evidence: Float[Tensor, "bt e h w"],
        present: Bool[Tensor, "b t"],
        overview: Float[Tensor, "b 3 64 64"],
        box: Float[Tensor, "b 4"],
        prompt: Int[Tensor, "b 3"] | None,
        without: Collection[str],
    ) -> list[Tensor]:
        in_time = "temporal" not in without
        words = None if prompt is None else self.prompt(prompt)
        planes = seen(window, evidence, self.shown)
        fine = self.fine_in(_prompted(self.stem(planes), words, 0))
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


def _prompted(x: Tensor, words: list[Tensor] | None, level: int) -> Tensor:
    return x if words is None else modulate(x, words[level])
