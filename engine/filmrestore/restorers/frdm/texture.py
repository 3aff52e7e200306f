"""Texture reconstruction: features and input are weighed against each other by 3D spatial frequency."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .blocks import unmixed, zeroed

FRAMES, EDGE = 5, 16
BANDS = EDGE // 2 + 1  # columns of a real signal's spectrum


class TextureReconstruction(nn.Module):
    """Fuses, in windows of 5 x 16 x 16, the spectrum of the damaged input into that of the features.

    High bands may come from the input; the low band also from the whole frame, which keeps colour. The
    transform is the exact 3D DFT as one matrix a dimension, so it can be exported. Starts as the identity.

    Source: HaineiFRDM's texture reconstruction module; gains a band and channel are ours.
    """

    def __init__(self, channels: int, inputs: int, inner: int = 4) -> None:
        super().__init__()
        self.inner = inner
        self.feature = nn.Conv2d(channels, inner, 1)
        self.input = nn.Conv2d(inputs, inner, 1)
        self.overview = nn.Conv2d(3, inner, 1)
        self.gain = nn.Parameter(torch.zeros(2, inner, FRAMES * EDGE * BANDS))
        with torch.no_grad():
            self.gain[0] = 1.0
        self.out = zeroed(nn.Conv2d(inner, channels, 1))
        self.columns: Tensor
        self.rows: Tensor
        self.times: Tensor
        self.columns_back: Tensor
        self.rows_back: Tensor
        self.times_back: Tensor
        for name, matrix in dft_matrices().items():
            self.register_buffer(name, matrix, persistent=False)

    def forward(
        self,
        x: Float[Tensor, "bt c h w"],
        picture: Float[Tensor, "bt p h w"],
        overview: Float[Tensor, "b 3 64 64"],
        box: Float[Tensor, "b 4"],
    ) -> Float[Tensor, "bt c h w"]:
        count, (_, _, height, width) = overview.shape[0], x.shape
        low = functional.interpolate(
            self.overview(cropped(overview, box, height // EDGE, width // EDGE)), size=(height, width), mode="bilinear"
        )
        pair = torch.stack([self.feature(x), self.input(picture)], dim=1)
        with unmixed(x.device):
            fused = self._fuse(_windows(pair.float(), count))
        fused = _unwindows(fused, x.shape[0] // count, height, width)
        update: Tensor = self.out(fused + low.float().repeat_interleave(x.shape[0] // count, dim=0))
        return x + update

    def _fuse(self, pair: Float[Tensor, "n 2 i 5 16 16"]) -> Float[Tensor, "n i 5 16 16"]:
        spectrum = dft(pair, self.columns, self.rows, self.times)
        gain = self.gain.view(2, self.inner, 1, FRAMES, EDGE, BANDS)  # real and imaginary parts alike
        fused = (spectrum * gain).sum(1)
        return inverse_dft(fused, self.columns_back, self.rows_back, self.times_back)


def dft(
    block: Float[Tensor, "*n 5 16 16"],
    columns: Float[Tensor, "16 18"],
    rows: Float[Tensor, "32 32"],
    times: Float[Tensor, "10 10"],
) -> Float[Tensor, "*n 2 5 16 9"]:
    """3D DFT of real blocks: the 9 column bands that are not mirrored, real then imaginary part."""
    batch = block.shape[:-3]
    across = (block @ columns).view(*batch, FRAMES, EDGE, 2, BANDS).transpose(-3, -2)
    down = rows @ across.reshape(*batch, FRAMES, 2 * EDGE, BANDS)
    along = down.view(*batch, FRAMES, 2, EDGE * BANDS).transpose(-3, -2)
    return (times @ along.reshape(*batch, 2 * FRAMES, EDGE * BANDS)).view(*batch, 2, FRAMES, EDGE, BANDS)


def inverse_dft(
    spectrum: Float[Tensor, "*n 2 5 16 9"],
    columns: Float[Tensor, "18 16"],
    rows: Float[Tensor, "32 32"],
    times: Float[Tensor, "10 10"],
) -> Float[Tensor, "*n 5 16 16"]:
    """The real blocks that `dft` came from."""
    batch = spectrum.shape[:-4]
    along = times @ spectrum.reshape(*batch, 2 * FRAMES, EDGE * BANDS)
    down = along.view(*batch, 2, FRAMES, EDGE * BANDS).transpose(-3, -2)
    down = rows @ down.reshape(*batch, FRAMES, 2 * EDGE, BANDS)
    across = down.view(*batch, FRAMES, 2, EDGE, BANDS).transpose(-3, -2)
    return across.reshape(*batch, FRAMES, EDGE, 2 * BANDS) @ columns


def dft_matrices() -> dict[str, Tensor]:
    """The six matrices of `dft` and `inverse_dft`, float32 from float64."""
    angle = 2 * math.pi / EDGE * torch.arange(EDGE, dtype=torch.float64)[:, None] * torch.arange(BANDS)
    columns = torch.cat([torch.cos(angle), -torch.sin(angle)], dim=1)
    mirrored = torch.full((BANDS,), 2.0, dtype=torch.float64)
    mirrored[[0, -1]] = 1.0
    matrices = {
        "columns": columns,
        "rows": _complex(EDGE, inverse=False),
        "times": _complex(FRAMES, inverse=False),
        "columns_back": (columns * mirrored.repeat(2) / EDGE).T,
        "rows_back": _complex(EDGE, inverse=True),
        "times_back": _complex(FRAMES, inverse=True),
    }
    return {name: matrix.float().contiguous() for name, matrix in matrices.items()}


def _complex(size: int, *, inverse: bool) -> Tensor:
    """The complex DFT matrix as a real one over (real parts, imaginary parts)."""
    order = torch.arange(size, dtype=torch.float64)
    angle = 2 * math.pi / size * order[:, None] * order
    cosine, sine = torch.cos(angle), torch.sin(angle) * (-1 if inverse else 1)
    matrix = torch.cat([torch.cat([cosine, sine], dim=1), torch.cat([-sine, cosine], dim=1)])
    return matrix / size if inverse else matrix


def _windows(pair: Float[Tensor, "bt 2 i h w"], count: int) -> Float[Tensor, "n 2 i 5 16 16"]:
    """Blocks of 16 x 16 over all frames; fewer than five frames are repeated at both ends."""
    frames, (_, kinds, inner, height, width) = pair.shape[0] // count, pair.shape
    first = (FRAMES - frames) // 2
    order = (torch.arange(FRAMES, device=pair.device) - first).clamp(0, frames - 1)
    blocks = pair.view(count, frames, kinds, inner, height // EDGE, EDGE, width // EDGE, EDGE)[:, order]
    return blocks.permute(0, 4, 6, 2, 3, 1, 5, 7).reshape(-1, kinds, inner, FRAMES, EDGE, EDGE)


def _unwindows(blocks: Float[Tensor, "n i 5 16 16"], frames: int, height: int, width: int) -> Float[Tensor, "bt i h w"]:
    first, inner = (FRAMES - frames) // 2, blocks.shape[1]
    whole = blocks[:, :, first : first + frames].view(-1, height // EDGE, width // EDGE, inner, frames, EDGE, EDGE)
    return whole.permute(0, 4, 1, 5, 2, 6, 3).reshape(-1, height, width, inner).permute(0, 3, 1, 2)


def cropped(
    overview: Float[Tensor, "b 3 down across"], box: Float[Tensor, "b 4"], height: int, width: int
) -> Float[Tensor, "b 3 h w"]:
    """The box (x0, y0, x1, y1, each 0..1) of the whole frame, bilinear, one sample a window."""
    across = (torch.arange(width, device=box.device, dtype=box.dtype) + 0.5) / width
    down = (torch.arange(height, device=box.device, dtype=box.dtype) + 0.5) / height
    x = box[:, 0, None] + (box[:, 2] - box[:, 0])[:, None] * across
    y = box[:, 1, None] + (box[:, 3] - box[:, 1])[:, None] * down
    grid = torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1)
    return functional.grid_sample(overview, grid * 2 - 1, mode="bilinear", padding_mode="border", align_corners=False)
