"""Texture reconstruction in latents: the degraded input's high band and the whole frame's low band, by 3D FFT."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional

from ..blocks import GlobalFusion, unmixed, zeroed

EDGE = 8
"""Latent pixels of a block's edge; all frames of the patch are transformed together."""
HIGH_FROM, LOW_TO = 0.25, 0.125
"""Cycles a latent pixel: the input's band begins, the whole frame's ends."""


class SpectrumFusion(nn.Module):
    """Features look, frequency by frequency, at what the input has in its high band; starts as the identity.

    Source: HaineiFRDM's texture reconstruction module; blocks and limits of the bands are ours.
    """

    def __init__(self, channels: int, latents: int, inner: int = 8, heads: int = 2) -> None:
        super().__init__()
        self.feature = nn.Conv2d(channels, inner, 1)
        self.input = nn.Conv2d(latents, inner, 1)
        self.whole = nn.Conv2d(latents, inner, 1)
        self.look = GlobalFusion(2 * inner, heads)  # of real and imaginary parts
        self.low_gain = nn.Parameter(torch.zeros(inner, 1, 1, 1))
        self.out = zeroed(nn.Conv2d(inner, channels, 1))

    def forward(
        self, x: Float[Tensor, "t c h w"], scan: Float[Tensor, "t l h w"], whole: Float[Tensor, "t l h w"]
    ) -> Float[Tensor, "t c h w"]:
        """Of one patch.

        Args:
            x: Features.
            scan: The degraded input's latents, at the features' size.
            whole: The same patch as the shrunk whole frame shows it.
        """
        height, width = x.shape[-2:]
        parts = (self.feature(x), self.input(scan), self.whole(whole))
        with unmixed(x.device):  # there is no transform of half precision
            own, detail, colour = (
                torch.fft.rfftn(_blocks(part.float()), dim=(2, 3, 4), norm="ortho") for part in parts
            )
            radius = _radius(x.device)
            seen = self._looked(own, detail * (radius >= HIGH_FROM), x.dtype)
            seen = seen + self.low_gain.float() * colour * (radius <= LOW_TO)
            fused = torch.fft.irfftn(seen, s=(x.shape[0], EDGE, EDGE), dim=(2, 3, 4), norm="ortho")
        update: Tensor = self.out(_unblocked(fused, height, width).to(x.dtype))
        return x + update

    def _looked(
        self, own: Complex[Tensor, "n i t e f"], detail: Complex[Tensor, "n i t e f"], dtype: torch.dtype
    ) -> Complex[Tensor, "n i t e f"]:
        """The spectrum, and what cross-attention over frequencies adds to it."""
        query, told = (torch.cat([part.real, part.imag], dim=1).flatten(2).to(dtype) for part in (own, detail))
        answer = self.look(query[..., None], told.transpose(1, 2))[..., 0].float()
        real, imaginary = answer.reshape(len(own), -1, *own.shape[2:]).chunk(2, dim=1)
        return torch.complex(real, imaginary)


def _radius(device: torch.device) -> Float[Tensor, "8 5"]:
    down = torch.fft.fftfreq(EDGE, device=device)[:, None]
    radius: Tensor = (down**2 + torch.fft.rfftfreq(EDGE, device=device) ** 2).sqrt()
    return radius


def _blocks(x: Float[Tensor, "t i h w"]) -> Float[Tensor, "n i t 8 8"]:
    frames, inner, height, width = x.shape
    wide = functional.pad(x, (0, -width % EDGE, 0, -height % EDGE), mode="replicate")
    down, across = wide.shape[2] // EDGE, wide.shape[3] // EDGE
    cut = wide.reshape(frames, inner, down, EDGE, across, EDGE).permute(2, 4, 1, 0, 3, 5)
    return cut.reshape(down * across, inner, frames, EDGE, EDGE)


def _unblocked(blocks: Float[Tensor, "n i t 8 8"], height: int, width: int) -> Float[Tensor, "t i h w"]:
    _, inner, frames, _, _ = blocks.shape
    down, across = -(-height // EDGE), -(-width // EDGE)
    whole = blocks.reshape(down, across, inner, frames, EDGE, EDGE).permute(3, 2, 0, 4, 1, 5)
    return whole.reshape(frames, inner, down * EDGE, across * EDGE)[..., :height, :width]
