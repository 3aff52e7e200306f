"""IideNet: a small latent diffusion network with a control branch, in diffusers' form."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..prior.network import FREQUENCIES, TRAIN_STEPS, level_of, normed, through, waves
from .coder import FACTOR, Coder

HIDDEN = 128
"""Channels of the time's code."""

SIZES: dict[str, dict[str, object]] = {
    "iide-s": {"channels": 4, "coding": (32, 96, 3), "widths": (48, 96, 160), "blocks": (2, 2, 1)},
    "iide-test": {"channels": 4, "coding": (4, 8, 1), "widths": (8, 8, 16), "blocks": (1, 1, 1)},
}
"""Configurations by name; the last is for tests."""

Features = tuple[Tensor, ...]
"""What the control branch adds: to each skip, from fine to coarse, and last to the bottom."""


class IideNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Coder, latent U-Net and control branch; each is trained with the ones before it held still.

    Args:
        channels: Of the latents.
        coding: Of the coder: channels at 1/2 and 1/4 of the picture's size, and residual blocks at 1/4, each way.
        widths: Channels of the U-Net at 1/4, 1/8 and 1/16 of the picture's size (one level for each).
        blocks: Residual blocks of each level on the way down, and as many on the way up.

    Source: R. Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", 2022; L. Zhang et al.,
    "Adding Conditional Control to Text-to-Image Diffusion Models", 2023.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        channels: int = 4,
        coding: Sequence[int] = (32, 96, 3),
        widths: Sequence[int] = (48, 96, 160),
        blocks: Sequence[int] = (2, 2, 1),
    ) -> None:
        super().__init__()
        self.coder = Coder(channels, *coding)
        self.unet = LatentUNet(channels, widths, blocks)
        self.control = Control(channels, widths, blocks)

    @property
    def multiple(self) -> int:
        """Height and width of pictures must be multiples of this."""
        return int(FACTOR * 2 ** (len(self.config.widths) - 1))


class Way(nn.Module):
    """The way down of a U-Net, and its bottom."""

    def __init__(self, channels: int, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU())
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(level_of(*each, HIDDEN) for each in zip(widths, blocks, strict=True))
        self.shrink = nn.ModuleList(
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths)
        )
        self.bottom = level_of(widths[-1], 1, HIDDEN)

    def told(self, timestep: Float[Tensor, n]) -> Float[Tensor, "n d"]:
        """The time's code."""
        code: Tensor = self.time(waves(timestep / TRAIN_STEPS))
        return code

    def forward(
        self, z: Float[Tensor, "n c h w"], time: Float[Tensor, "n d"], hint: Tensor | float = 0.0
    ) -> tuple[list[Tensor], Tensor]:
        """Skips from fine to coarse, and the bottom; `hint` is added behind the first convolution."""
        x = self.stem(z.contiguous(memory_format=torch.channels_last)) + hint
        skips = []
        for level, blocks in enumerate(self.down):
            x = through(blocks, x, time)
            skips.append(x)
            if level < len(self.shrink):
                x = self.shrink[level](x)
        return skips, through(self.bottom, x, time)


class LatentUNet(nn.Module):
    """Predicts v = sqrt(a) noise - sqrt(1 - a) latent of noisy latents."""

    def __init__(self, channels: int, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.way = Way(channels, widths, blocks)
        self.up = nn.ModuleList(level_of(*each, HIDDEN) for each in zip(widths, blocks, strict=True))
        self.join = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in widths)
        self.grow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.head = nn.Conv2d(widths[0], channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(
        self, z: Float[Tensor, "n c h w"], timestep: Float[Tensor, n], features: Features = ()
    ) -> Float[Tensor, "n c h w"]:
        """v of noisy latents.

        Args:
            z: sqrt(a) latent + sqrt(1 - a) noise.
            timestep: Place in the schedule, 0..`TRAIN_STEPS` - 1.
            features: Of the control branch; nothing is added where there are none.
        """
        time = self.way.told(timestep)
        skips, x = self.way(z, time)
        if features:
            skips = [skip + added for skip, added in zip(skips, features[:-1], strict=True)]
            x = x + features[-1]
        for level in reversed(range(len(self.up))):
            if level < len(self.grow):
                x = functional.interpolate(self.grow[level](x), scale_factor=2.0)
            x = self.join[level](torch.cat([x, skips[level]], dim=1))
            x = through(self.up[level], x, time)
        v: Tensor = self.head(normed(x))
        return v.float()


class Control(nn.Module):
    """A copy of the way down that sees the scan's latent and the matte too, behind convolutions that start as zero."""

    def __init__(self, channels: int, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.hint = nn.Sequential(
            nn.Conv2d(channels + FACTOR**2, widths[0], 3, padding=1),
            nn.SiLU(),
            _zero(widths[0], widths[0]),
        )
        self.way = Way(channels, widths, blocks)
        self.out = nn.ModuleList(_zero(width, width) for width in (*widths, widths[-1]))

    def forward(
        self,
        z: Float[Tensor, "n c h w"],
        timestep: Float[Tensor, n],
        scan: Float[Tensor, "n c h w"],
        hole: Float[Tensor, "n 1 h4 w4"],
    ) -> Features:
        """What leads the U-Net.

        Args:
            z: Noisy latents.
            timestep: Place in the schedule.
            scan: Latents of the scan.
            hole: 1 where the scan is not to be trusted, in pixels.
        """
        cells = functional.pixel_unshuffle(hole, FACTOR)
        skips, bottom = self.way(z, self.way.told(timestep), self.hint(torch.cat([scan, cells], dim=1)))
        return tuple(zero(part) for zero, part in zip(self.out, (*skips, bottom), strict=True))


def hidden_share(hole: Float[Tensor, "n 1 h w"], factor: int = FACTOR) -> Float[Tensor, "n 1 h4 w4"]:
    """Share of each latent's cell that is hidden."""
    return functional.avg_pool2d(hole, factor)


def laid_over(
    clean: Float[Tensor, "n c h w"], scan: Float[Tensor, "n c h w"], hidden: Float[Tensor, "n 1 h w"]
) -> Float[Tensor, "n c h w"]:
    """The degradation done again, in latents: the scan's own where it is hidden, the estimate elsewhere."""
    return torch.lerp(clean, scan, hidden)


def new_net(size: str = "iide-s", **changes: object) -> IideNet:
    """An untrained network of one of the `SIZES`, initialised from torch's current random state."""
    net: IideNet = IideNet(**{**SIZES[size], **changes})
    return net


def _zero(before: int, after: int) -> nn.Conv2d:
    conv = nn.Conv2d(before, after, 1)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv
