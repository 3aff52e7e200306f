"""Parts of the denoiser: residual block told the time, and window-based temporal self-attention (WTSA) with MRPE."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

ABSENT = -1e4
"""Added to the likeness of a frame that is not there: its share is exactly 0."""


class PixelNorm(nn.Module):
    """Layer norm over the channels of each pixel, where the paper's backbone has group norm.

    A statistic over the patch would make overlapping patches disagree where they are blended.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        normal: Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return normal


class TimedBlock(nn.Module):
    """Two convolutions, a scale and a shift by the diffusion's step between them; starts as the identity."""

    def __init__(self, channels: int, times: int) -> None:
        super().__init__()
        self.first_norm, self.second_norm = PixelNorm(channels), PixelNorm(channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.time = nn.Linear(times, 2 * channels)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "n c h w"], time: Float[Tensor, "n k"]) -> Float[Tensor, "n c h w"]:
        scale, shift = self.time(time)[:, :, None, None].chunk(2, dim=1)
        hidden = self.first(functional.silu(self.first_norm(x)))
        hidden = self.second_norm(hidden) * (1 + scale) + shift
        out: Tensor = x + self.second(functional.silu(hidden))
        return out


class WindowAttention(nn.Module):
    """WTSA: all frames of an M x M window attend to each other, told apart by MRPE; starts as the identity.

    Args:
        channels, heads: Of the features.
        frames: F.
        window: M.
        shifted: Windows begin half a window earlier, so that what two windows part meets.
        frame_codes: MRPE's first half, a learned code for each frame.
        relative_bias: MRPE's second half, a learned bias for each offset of two pixels, shared by all pairs of frames.

    Source: H. Long et al., "DIVD", 2024, WTSA and MRPE; the shift is that of Swin (Z. Liu et al., 2021).
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        *,
        frames: int,
        window: int,
        shifted: bool,
        frame_codes: bool,
        relative_bias: bool,
    ) -> None:
        super().__init__()
        self.heads, self.frames, self.window = heads, frames, window
        self.shift = window // 2 if shifted else 0
        self.norm = nn.LayerNorm(channels)
        self.codes = nn.Parameter(0.02 * torch.randn(frames, 1, 1, channels)) if frame_codes else None
        self.bias = nn.Parameter(torch.zeros(heads, (2 * window - 1) ** 2)) if relative_bias else None
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.offsets: Tensor
        self.register_buffer("offsets", _offsets(frames, window), persistent=False)

    def forward(self, x: Float[Tensor, "bt c h w"], present: Bool[Tensor, "b t"]) -> Float[Tensor, "bt c h w"]:
        frames, edge, shift = self.frames, self.window, self.shift
        around = (shift, edge - shift) * 2
        padded = functional.pad(x, around, mode="replicate") if shift else x
        _, channels, height, width = padded.shape
        down, across = height // edge, width // edge
        tokens = self.norm(padded.permute(0, 2, 3, 1)).view(-1, frames, height, width, channels)
        if self.codes is not None:
            tokens = tokens + self.codes
        tokens = tokens.view(-1, frames, down, edge, across, edge, channels).permute(0, 2, 4, 1, 3, 5, 6)
        tokens = self._attend(tokens.reshape(-1, down * across, frames * edge * edge, channels), present)
        tokens = self.out(tokens).view(-1, down, across, frames, edge, edge, channels).permute(0, 3, 1, 4, 2, 5, 6)
        update: Tensor = tokens.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        return x + (update[..., shift : height - edge + shift, shift : width - edge + shift] if shift else update)

    def _attend(self, tokens: Float[Tensor, "b n l c"], present: Bool[Tensor, "b t"]) -> Float[Tensor, "b n l c"]:
        _, windows, length, channels = tokens.shape
        per_head = channels // self.heads
        qkv = self.qkv(tokens).view(-1, windows, length, 3, self.heads, per_head).permute(3, 0, 1, 4, 2, 5)
        query, key, value = qkv.unbind(0)
        absent = (~present).to(query.dtype) * ABSENT
        mask = absent.repeat_interleave(self.window**2, dim=1)[:, None, None, None, :]
        if self.bias is not None:
            mask = mask + self.bias[:, self.offsets]
        # Written out: with a bias that learns, torch's fused attention is slower on CPU.
        likeness = (query * per_head**-0.5) @ key.transpose(-1, -2) + mask
        found: Tensor = likeness.softmax(dim=-1) @ value
        return found.transpose(2, 3).reshape(-1, windows, length, channels)


def _offsets(frames: int, window: int) -> Int[Tensor, "l l"]:
    """For every pair of a window's tokens, the place of their offset in the table of biases."""
    row, column = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    place = torch.stack([row.flatten(), column.flatten()])
    apart = place[:, :, None] - place[:, None, :] + window - 1
    return (apart[0] * (2 * window - 1) + apart[1]).repeat(frames, frames)


def step_code(steps: Int[Tensor, b], size: int) -> Float[Tensor, "b size"]:
    """Cosines and sines of the diffusion's step.

    Source: A. Vaswani et al., "Attention Is All You Need", 2017, as DDPM takes it.
    """
    half = size // 2
    pace = torch.exp(-math.log(10000.0) * torch.arange(half, device=steps.device) / half)
    angles = steps[:, None].float() * pace
    return torch.cat([angles.cos(), angles.sin()], dim=1)
