"""Coder: pictures to latents of a quarter of the size, and back.

Nothing in it normalises over the picture, so that overlapping regions agree; and nothing is drawn, so that the same
picture has the same latents.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..prior.network import normed

FACTOR = 4
"""Pixels along an edge of a latent's cell."""


class Coder(nn.Module):
    """A plain autoencoder.

    Args:
        channels: Of the latents.
        fine, wide: Channels at 1/2 and 1/4 of the size.
        blocks: Residual blocks at 1/4, each way.
    """

    def __init__(self, channels: int, fine: int, wide: int, blocks: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(12, fine, 3, padding=1),
            Plain(fine),
            nn.Conv2d(fine, wide, 3, stride=2, padding=1),
            *(Plain(wide) for _ in range(blocks)),
            nn.Conv2d(wide, channels, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(channels, wide, 3, padding=1),
            *(Plain(wide) for _ in range(blocks)),
            nn.Conv2d(wide, 4 * fine, 1),
            nn.PixelShuffle(2),
            Plain(fine),
            nn.Conv2d(fine, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def encode(self, picture: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c h4 w4"]:
        """Latents, of mean 0 and deviation 1 over much film.

        Args:
            picture: -1..1 where it is film; edges are multiples of `FACTOR`.
        """
        z: Tensor = self.encoder(picture.contiguous(memory_format=torch.channels_last))
        return z.float()

    def decode(self, z: Float[Tensor, "n c h4 w4"]) -> Float[Tensor, "n 3 h w"]:
        """Pictures."""
        picture: Tensor = self.decoder(z.contiguous(memory_format=torch.channels_last))
        return picture.float()


class Plain(nn.Module):
    """Residual block of two convolutions; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        hidden = self.first(functional.silu(normed(x)))
        out: Tensor = x + self.second(functional.silu(hidden))
        return out
