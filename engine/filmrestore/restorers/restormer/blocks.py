"""The transformer's blocks: norm over channels, attention between channels, gated feed-forward.

Source: S. Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration", 2022, sections 3.1
and 3.2.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

NORM_FLOOR = 1e-5


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel.

    Args:
        channels: Of the features.
        bias: Whether the mean is taken off and an offset added. Without, what is published as bias-free: features
            are divided by their deviation and keep their mean.
    """

    def __init__(self, channels: int, *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1)) if bias else None

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        centred = x - x.mean(dim=1, keepdim=True)
        spread = (centred.square().mean(dim=1, keepdim=True) + NORM_FLOOR).rsqrt()
        if self.bias is None:
            return x * spread * self.weight
        return centred * spread * self.weight + self.bias


class TransposedAttention(nn.Module):
    """MDTA: channels attend to each other; how much two are alike is summed over all pixels of the patch.

    The cost is linear in the pixels. The price is that every pixel depends on the whole patch.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.local = nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=False)
        self.out = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        count, channels, height, width = x.shape
        shape = (count, self.heads, channels // self.heads, height * width)
        query, key, value = (part.reshape(shape) for part in self.local(self.qkv(x)).chunk(3, dim=1))
        query, key = functional.normalize(query, dim=-1), functional.normalize(key, dim=-1)
        likeness = (query @ key.transpose(-2, -1)) * self.temperature
        found = likeness.softmax(dim=-1) @ value
        out: Tensor = self.out(found.reshape(count, channels, height, width))
        return out


class GatedFeedForward(nn.Module):
    """GDFN: of two halves, one opens and shuts the other."""

    def __init__(self, channels: int, factor: float) -> None:
        super().__init__()
        hidden = int(channels * factor)
        self.widen = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.local = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.out = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        gate, held = self.local(self.widen(x)).chunk(2, dim=1)
        out: Tensor = self.out(functional.gelu(gate) * held)
        return out


class TransformerBlock(nn.Module):
    """Attention between channels, then the feed-forward, each added to what it was given."""

    def __init__(self, channels: int, heads: int, factor: float, *, norm_bias: bool) -> None:
        super().__init__()
        self.attention_norm = ChannelNorm(channels, bias=norm_bias)
        self.attention = TransposedAttention(channels, heads)
        self.forward_norm = ChannelNorm(channels, bias=norm_bias)
        self.feed_forward = GatedFeedForward(channels, factor)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        x = x + self.attention(self.attention_norm(x))
        out: Tensor = x + self.feed_forward(self.forward_norm(x))
        return out


class Down(nn.Module):
    """Half the size, twice the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels // 2, 3, padding=1, bias=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        return functional.pixel_unshuffle(self.conv(x), 2)


class Up(nn.Module):
    """Twice the size, half the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        return functional.pixel_shuffle(self.conv(x), 2)
