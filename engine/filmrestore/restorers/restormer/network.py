"""The restormer network in diffusers' form: a U of transformer blocks, with a matte beside the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .blocks import Down, TransformerBlock, Up

SIZES: dict[str, dict[str, Any]] = {
    "restormer": {"dim": 48, "blocks": (4, 6, 6, 8), "refinement": 4},
    "restormer-s": {"dim": 16, "blocks": (2, 3, 3, 4), "refinement": 2, "shrink": 2},
    "restormer-test": {"dim": 8, "blocks": (1, 1, 1, 1), "refinement": 1, "heads": (1, 2, 2, 4), "shrink": 1},
}
"""Configurations by name: as published (26 M parameters), for CPUs, and for tests."""

DARKEST, BRIGHTEST, MIDDLE = -0.5, 1.5, 0.45
"""Net units: what the blocks are shown lies between the first two, less the third."""
RESIDUAL = 1.0
"""Net units by which the network may leave what it was given."""


class RestormerNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """One pass over single frames.

    Args:
        dim: Channels at full size; they double with each of the three halvings.
        blocks: Transformer blocks at each size, from full to an eighth.
        refinement: Blocks after the U, at full size.
        heads: Of attention, at each size.
        ffn: Factor of the feed-forward's channels.
        norm_bias: Layer norm with mean and offset, instead of the bias-free one.
        shrink: Pixels that are folded into channels before the U, along each edge; 1 as published.

    Source: S. Zamir et al., "Restormer", 2022, section 3 and figure 2. The matte and the bound of the change are ours:
    docs/decisions/restormer.md.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        dim: int = 48,
        blocks: Sequence[int] = (4, 6, 6, 8),
        refinement: int = 4,
        heads: Sequence[int] = (1, 2, 4, 8),
        ffn: float = 2.66,
        norm_bias: bool = False,
        shrink: int = 1,
    ) -> None:
        super().__init__()

        def stack(channels: int, level: int, count: int) -> nn.Sequential:
            made = (TransformerBlock(channels, heads[level], ffn, norm_bias=norm_bias) for _ in range(count))
            return nn.Sequential(*made)

        widths = [dim * 2**level for level in range(4)]
        self.embed = nn.Conv2d(3 * shrink**2, dim, 3, padding=1, bias=False)
        self.encoders = nn.ModuleList(stack(widths[level], level, blocks[level]) for level in range(3))
        self.downs = nn.ModuleList(Down(widths[level]) for level in range(3))
        self.latent = stack(widths[3], 3, blocks[3])
        self.ups = nn.ModuleList(Up(widths[level + 1]) for level in range(3))
        self.merges = nn.ModuleList(
            nn.Conv2d(2 * widths[level], widths[level], 1, bias=False) if level else nn.Identity() for level in range(3)
        )
        self.decoders = nn.ModuleList(
            stack(widths[level] if level else 2 * dim, level, blocks[level]) for level in range(3)
        )
        self.refine = stack(2 * dim, 0, refinement)
        self.head = nn.Conv2d(2 * dim, 4 * shrink**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.head.bias[3 * shrink**2 :] = -3.0  # type: ignore[index]  # most pixels are clean

    @property
    def multiple(self) -> int:
        """Height and width of a picture must be multiples of this."""
        return int(8 * self.config.shrink)

    def forward(self, scan: Float[Tensor, "n 3 h w"]) -> tuple[Float[Tensor, "n 3 h w"], Float[Tensor, "n 1 h w"]]:
        """The clean picture and the logits of the matte.

        Args:
            scan: Net encoding, finite; h and w multiples of `multiple`.
        """
        shrink: int = self.config.shrink
        x = scan.clamp(DARKEST, BRIGHTEST) - MIDDLE
        x = self.embed(functional.pixel_unshuffle(x, shrink))
        kept = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            kept.append(x)
            x = down(x)
        x = self.latent(x)
        for level in (2, 1, 0):
            x = torch.cat([self.ups[level](x), kept[level]], dim=1)
            x = self.decoders[level](self.merges[level](x))
        x = self.head(self.refine(x))
        change, logits = (functional.pixel_shuffle(part, shrink) for part in x.split([3 * shrink**2, shrink**2], dim=1))
        return scan + RESIDUAL * torch.tanh(change.float()), logits.float()


def new_net(size: str = "restormer-s", **changes: Any) -> RestormerNet:
    """An untrained network of one of the `SIZES`, initialised from torch's current random state."""
    net: RestormerNet = RestormerNet(**{**SIZES[size], **changes})
    return net
