"""The denoiser: a small U-Net over single frames that walks the bridge from the base estimate to clean film."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .blocks import Block, folded, modulate, zeroed

RESIDUAL = 0.5  # net units by which the clean picture may leave the base
SIGMA_FREQUENCIES = 8


class Denoiser(nn.Module):
    """Predicts the clean picture from a point of the bridge; starts by answering the base estimate."""

    def __init__(self, widths: tuple[int, ...], guidance_widths: tuple[int, ...]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.widths = widths
        self.time = nn.Sequential(nn.Linear(2 * SIGMA_FREQUENCIES, 48), nn.SiLU(), nn.Linear(48, 2 * sum(widths)))
        self.guides = nn.ModuleList(
            nn.Conv2d(guide, width, 1) for guide, width in zip(guidance_widths, widths, strict=True)
        )
        self.stem = nn.Conv2d(4 * 11, fine, 3, padding=1)
        self.fine_in = Block(fine)
        self.to_middle = nn.Conv2d(fine, middle, 2, stride=2)
        self.middle_in = Block(middle)
        self.to_coarse = nn.Conv2d(middle, coarse, 2, stride=2)
        self.coarse_in = Block(coarse)
        self.coarse_out = Block(coarse)
        self.from_coarse = nn.Conv2d(coarse, middle, 1)
        self.middle_out = Block(middle)
        self.from_middle = nn.Conv2d(middle, fine, 1)
        self.fine_out = Block(fine)
        self.last = Block(fine)
        self.head = nn.Conv2d(fine, 12, 3, padding=1)
        zeroed(self.head)

    def forward(
        self,
        x: Float[Tensor, "n 3 h w"],
        sigma: Float[Tensor, n],
        scan: Float[Tensor, "n 3 h w"],
        base: Float[Tensor, "n 3 h w"],
        matte: Float[Tensor, "n 1 h w"],
        trust: Float[Tensor, "n 1 h w"],
        features: list[Tensor],
    ) -> Float[Tensor, "n 3 h w"]:
        times = self.time(waves(sigma)).split([2 * width for width in self.widths], dim=1)
        guides = [guide(functional.silu(feature)) for guide, feature in zip(self.guides, features, strict=True)]
        walked, damage = (4 * (x - base)).clamp(-4, 4), (4 * (scan - base)).clamp(-4, 4)
        seen = torch.cat([walked, damage, base.clamp(-0.5, 1.5) - 0.45, matte, trust], dim=1)
        seen = folded(seen)
        fine = self.fine_in(modulate(self.stem(seen) + guides[0], times[0]))
        middle = self.middle_in(modulate(self.to_middle(fine) + guides[1], times[1]))
        coarse = self.coarse_in(modulate(self.to_coarse(middle) + guides[2], times[2]))
        coarse = self.coarse_out(coarse)
        middle = self.middle_out(middle + functional.interpolate(self.from_coarse(coarse), scale_factor=2.0))
        fine = self.fine_out(fine + functional.interpolate(self.from_middle(middle), scale_factor=2.0))
        change = functional.pixel_shuffle(self.head(functional.silu(self.last(fine))), 2).float()
        return base + RESIDUAL * torch.tanh(change)


def waves(sigma: Float[Tensor, n]) -> Float[Tensor, "n 16"]:
    """Cosines and sines of sigma from half a turn up, octave by octave."""
    angles = sigma[:, None] * math.pi * 2.0 ** torch.arange(SIGMA_FREQUENCIES, device=sigma.device)
    return torch.cat([angles.cos(), angles.sin()], dim=1)
