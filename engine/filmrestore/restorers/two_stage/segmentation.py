"""DefectNet: the three segmentation nets of From Dust to Detail, on one frame or with its neighbours as evidence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ...motion import CHANNELS

KINDS = ("unet", "attention", "r2attention")
PUBLISHED = (64, 128, 256, 512, 1024)
"""Channels of the report's larger size, level by level."""
SHIPPED = (24, 48, 96, 192)
LOW, HIGH = -0.5, 1.5
"""Net units between which the nets look; what lies beyond looks the same as the bound."""


class DefectNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Logits of damage for each pixel.

    Args:
        kind: Of `KINDS`: U-Net, Attention U-Net, or that with recurrent residual blocks.
        widths: Channels, level by level; each level is half the size of the one before.
        frames: 1 sees the frame alone, 3 its motion-compensated neighbours too.

    Source: O. Ronneberger et al., "U-Net", 2015; O. Oktay et al., "Attention U-Net", 2018; M. Z. Alom et al.,
    "Recurrent Residual Convolutional Neural Network based on U-Net", 2018.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, kind: str = "attention", widths: Sequence[int] = SHIPPED, frames: int = 3) -> None:
        super().__init__()
        if kind not in KINDS or frames not in (1, 3):
            raise ValueError(f"kind {kind!r} with {frames} frames: expected one of {', '.join(KINDS)} with 1 or 3")
        block: type[nn.Module] = Recurrent if kind == "r2attention" else Double
        first = 3 if frames == 1 else 3 + CHANNELS
        steps = list(pairwise(widths))
        self.down = nn.ModuleList(block(before, width) for before, width in pairwise((first, *widths)))
        self.grow = nn.ModuleList(Unit(coarse, fine) for fine, coarse in steps)
        self.gates = nn.ModuleList(Gate(fine) if kind != "unet" else nn.Identity() for fine, _ in steps)
        self.up = nn.ModuleList(block(2 * fine, fine) for fine, _ in steps)
        self.head = nn.Conv2d(widths[0], 1, 1)

    @property
    def multiple(self) -> int:
        """Height and width must be multiples of this."""
        return int(2 ** (len(self.config.widths) - 1))

    def forward(self, frame: Float[Tensor, "n 3 h w"], evidence: Float[Tensor, "n 10 h w"]) -> Float[Tensor, "n 1 h w"]:
        """Logits.

        Args:
            frame: Net encoding, finite.
            evidence: As `filmrestore.motion.evidence` gives it, zeros where there is none; a net of one frame does
                not read it.
        """
        x = frame.clamp(LOW, HIGH) - 0.4
        if self.config.frames == 3:
            x = torch.cat([x, evidence.clamp(LOW, HIGH)], dim=1)
        x = x.contiguous(memory_format=torch.channels_last)
        skips = []
        for level, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for level in reversed(range(len(self.up))):
            x = self.grow[level](functional.interpolate(x, scale_factor=2.0))
            gate = self.gates[level]
            skip = gate(skips[level], x) if isinstance(gate, Gate) else skips[level]
            x = self.up[level](torch.cat([skip, x], dim=1))
        logits: Tensor = self.head(x)
        return logits.float()


class Unit(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class Double(nn.Sequential):
    """Two units in turn."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(Unit(before, after), Unit(after, after))


class Recurrent(nn.Module):
    """Two units that see their own answer again twice, around them a residual path."""

    TURNS = 2

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(before, after, 1)
        self.units = nn.ModuleList((Unit(after, after), Unit(after, after)))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        start: Tensor = self.enter(x)
        x = start
        for unit in self.units:
            answer = unit(x)
            for _ in range(self.TURNS):
                answer = unit(x + answer)
            x = answer
        return start + x


class Gate(nn.Module):
    """Holds back what the coarser level does not ask for."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.skip, self.asked = nn.Conv2d(channels, inner, 1), nn.Conv2d(channels, inner, 1)
        self.norm = nn.BatchNorm2d(inner)
        self.out = nn.Conv2d(inner, 1, 1)

    def forward(self, skip: Float[Tensor, "n c h w"], asked: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        share = self.out(functional.relu(self.norm(self.skip(skip) + self.asked(asked))))
        return skip * torch.sigmoid(share)
