"""FilmPrior: a small convolutional U-Net that tells noise from clean film, in diffusers' form.

Nothing in it normalises over the picture: what lies far away in a patch changes no pixel, so that overlapping
windows agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

TRAIN_STEPS = 1000
"""Of the noise schedule: cosine (`alphas_of`)."""
FREQUENCIES = 16

SIZES: dict[str, dict[str, tuple[int, ...]]] = {
    "prior-s": {"widths": (48, 96, 192)},
    "prior-m": {"widths": (64, 128, 224)},
    "prior-test": {"widths": (8, 8, 16)},
}
"""Configurations by name; the last is for tests."""


class FilmPrior(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Predicts v = sqrt(a) noise - sqrt(1 - a) picture of a noisy picture.

    Args:
        widths: Channels at 1/2, 1/4 and 1/8 of the size (one level for each).
        blocks: Residual blocks a level on the way down, and as many on the way up.
        middle: More of them at the coarsest level.

    Source: J. Ho et al., "Denoising Diffusion Probabilistic Models", 2020; v as in T. Salimans and J. Ho,
    "Progressive Distillation", 2022.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, widths: Sequence[int] = SIZES["prior-s"]["widths"], blocks: int = 2, middle: int = 2) -> None:
        super().__init__()
        hidden = 4 * widths[0]
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.stem = nn.Conv2d(12, widths[0], 3, padding=1)
        self.down = nn.ModuleList(level_of(width, blocks, hidden) for width in widths)
        self.shrink = nn.ModuleList(
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths)
        )
        self.bottom = level_of(widths[-1], middle, hidden)
        self.up = nn.ModuleList(level_of(width, blocks, hidden) for width in widths)
        self.join = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in widths)
        self.grow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.head = nn.Conv2d(widths[0], 12, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    @property
    def multiple(self) -> int:
        """Height and width must be multiples of this."""
        return int(2 ** len(self.config.widths))

    def forward(self, sample: Float[Tensor, "n 3 h w"], timestep: Float[Tensor, n]) -> Float[Tensor, "n 3 h w"]:
        """v of noisy pictures, -1..1 where they are clean.

        Args:
            sample: sqrt(a) picture + sqrt(1 - a) noise.
            timestep: Place in the schedule, 0..`TRAIN_STEPS` - 1; between two places too.
        """
        time = self.time(waves(timestep / TRAIN_STEPS))
        x = functional.pixel_unshuffle(sample, 2).contiguous(memory_format=torch.channels_last)
        x = self.stem(x)
        skips = []
        for level, blocks in enumerate(self.down):
            x = through(blocks, x, time)
            skips.append(x)
            if level < len(self.shrink):
                x = self.shrink[level](x)
        x = through(self.bottom, x, time)
        for level in reversed(range(len(self.up))):
            if level < len(self.grow):
                x = functional.interpolate(self.grow[level](x), scale_factor=2.0)
            x = self.join[level](torch.cat([x, skips[level]], dim=1))
            x = through(self.up[level], x, time)
        v: Tensor = functional.pixel_shuffle(self.head(normed(x)), 2)
        return v.float()


class Block(nn.Module):
    """Residual block whose channels are scaled and shifted by the time; starts as the identity."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.time = nn.Linear(hidden, 2 * channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "n c h w"], time: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        scale, shift = self.time(time)[:, :, None, None].to(x.dtype).chunk(2, dim=1)
        hidden = self.first(functional.silu(normed(x)))
        hidden = functional.silu(normed(hidden) * (1 + scale) + shift)
        out: Tensor = x + self.second(hidden)
        return out


def alphas_of() -> Float[Tensor, steps]:
    """How much of the picture is left, as a share of the variance, at each place of the schedule: 1 falls to 0.

    Source: A. Nichol and P. Dhariwal, "Improved Denoising Diffusion Probabilistic Models", 2021, as in diffusers'
    "squaredcos_cap_v2".
    """
    from diffusers import DDPMScheduler

    alphas: Tensor = DDPMScheduler(TRAIN_STEPS, beta_schedule="squaredcos_cap_v2").alphas_cumprod
    return alphas


def new_prior(size: str = "prior-s") -> FilmPrior:
    """An untrained network of one of the `SIZES`, initialised from torch's current random state."""
    net: FilmPrior = FilmPrior(**SIZES[size])
    return net


def level_of(width: int, blocks: int, hidden: int) -> nn.ModuleList:
    """Blocks of one level."""
    return nn.ModuleList(Block(width, hidden) for _ in range(blocks))


def through(blocks: nn.Module, x: Tensor, time: Tensor) -> Tensor:
    """Block after block."""
    for block in blocks:  # type: ignore[attr-defined]
        x = block(x, time)
    return x


def normed(x: Tensor) -> Tensor:
    """Root mean square over the channels of each pixel brought to 1."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-5)


def waves(time: Float[Tensor, n]) -> Float[Tensor, "n 32"]:
    """Cosines and sines of the time, from an eighth of a turn up to 1000 turns."""
    turns = torch.logspace(-0.9, 3.0, FREQUENCIES, device=time.device)
    angles = 2 * math.pi * time.float()[:, None] * turns
    return torch.cat([angles.cos(), angles.sin()], dim=1)
