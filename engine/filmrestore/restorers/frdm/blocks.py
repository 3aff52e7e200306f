"""Parts of the networks: convolution block, temporal attention in windows, global tokens, prompt socket.

Nothing here normalises over a patch: a pixel's value must not depend on what lies far away in its patch,
or overlapping patches would disagree where they are blended.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Pre-activated residual block of two convolutions; `vertical` makes the second one 9 x 1, for scratches."""

    def __init__(self, channels: int, *, vertical: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = (
            nn.Conv2d(channels, channels, (9, 1), padding=(4, 0))
            if vertical
            else nn.Conv2d(channels, channels, 3, padding=1)
        )
        with torch.no_grad():
            self.second.weight.mul_(0.2)  # no normalisation: depth must not grow the signal
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        hidden = self.first(functional.silu(x))
        out: Tensor = x + self.second(functional.silu(hidden))
        return out


class TemporalAttention(nn.Module):
    """All frames of an M x M window attend to each other; starts as the identity.

    Source: DIVD's window-based temporal self-attention with frame codes and relative bias; here the bias
    also knows how far apart two frames are.
    """

    def __init__(self, channels: int, heads: int, *, frames: int = 5, window: int = 4, shifted: bool = False) -> None:
        super().__init__()
        self.heads, self.frames, self.window = heads, frames, window
        self.shift = window // 2 if shifted else 0
        self.norm = nn.LayerNorm(channels)
        self.codes = nn.Parameter(0.02 * torch.randn(frames, 1, 1, channels))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = zeroed(nn.Linear(channels, channels))
        self.bias = nn.Parameter(torch.zeros(heads, (2 * frames - 1) * (2 * window - 1) ** 2))

    def forward(self, x: Float[Tensor, "bt c h w"], present: Bool[Tensor, "b t"]) -> Float[Tensor, "bt c h w"]:
        count, frames = present.shape
        shift, edge = self.shift, self.window
        padded = functional.pad(x, (shift,) * 4, mode="replicate") if shift else x
        _, channels, height, width = padded.shape
        down, across = height // edge, width // edge
        tokens = padded.permute(0, 2, 3, 1).reshape(count, frames, height, width, channels)
        first = (self.frames - frames) // 2
        tokens = self.norm(tokens) + self.codes[first : first + frames]
        tokens = tokens.view(count, frames, down, edge, across, edge, channels)
        tokens = tokens.permute(0, 2, 4, 1, 3, 5, 6).reshape(count, down * across, frames * edge * edge, channels)
        tokens = self.out(self._attend(tokens, present))
        tokens = tokens.view(count, down, across, frames, edge, edge, channels).permute(0, 3, 1, 4, 2, 5, 6)
        update: Tensor = tokens.reshape(count * frames, height, width, channels).permute(0, 3, 1, 2)
        return x + (update[..., shift : height - shift, shift : width - shift] if shift else update)

    def _attend(self, tokens: Float[Tensor, "b n l c"], present: Bool[Tensor, "b t"]) -> Float[Tensor, "b n l c"]:
        count, windows, length, channels = tokens.shape
        per_head = channels // self.heads
        qkv = self.qkv(tokens).view(count, windows, length, 3, self.heads, per_head).permute(3, 0, 1, 4, 2, 5)
        query, key, value = qkv.flatten(1, 2).unbind(0)
        frames = present.shape[1]
        absent = torch.zeros(present.shape, device=query.device).masked_fill(~present, -1e4)
        absent = absent.repeat_interleave(length // frames, dim=1)[:, None, None, None, :]
        bias = (self._relative(frames) + absent).to(query.dtype).expand(-1, windows, -1, -1, -1)
        found = attended(query, key, value, bias.flatten(0, 1))
        return found.transpose(1, 2).reshape(count, windows, length, channels)

    def _relative(self, frames: int) -> Float[Tensor, "heads l l"]:
        span, edge = 2 * self.window - 1, self.window
        device = self.bias.device
        time, row, column = torch.meshgrid(
            *(torch.arange(n, device=device) for n in (frames, edge, edge)), indexing="ij"
        )
        place = torch.stack([time.flatten(), row.flatten(), column.flatten()])
        apart = place[:, :, None] - place[:, None, :]
        index = ((apart[0] + self.frames - 1) * span + apart[1] + edge - 1) * span + apart[2] + edge - 1
        return self.bias[:, index]


def attended(
    query: Float[Tensor, "n heads l d"],
    key: Float[Tensor, "n heads l d"],
    value: Float[Tensor, "n heads l d"],
    bias: Float[Tensor, "n heads l l"],
) -> Float[Tensor, "n heads l d"]:
    """Attention with a bias: fused where nothing learns.

    With a bias that learns, torch's fused attention takes up to twice as long on CPUs as what is written out; without,
    half as long.
    """
    if not torch.is_grad_enabled():
        fused: Tensor = functional.scaled_dot_product_attention(query, key, value, bias)
        return fused
    likeness = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    found: Tensor = (likeness + bias).softmax(dim=-1).to(value.dtype) @ value
    return found


class GlobalTokens(nn.Module):
    """64 tokens of the whole frame, which know where the patch lies in it.

    Source: HaineiFRDM's global frame fusion; the position mask is that of PatchVSR.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(4, channels, 8, stride=8)
        self.place = nn.Parameter(0.02 * torch.randn(64, channels))
        self.box = nn.Linear(4, channels)

    def forward(self, overview: Float[Tensor, "b 3 64 64"], box: Float[Tensor, "b 4"]) -> Float[Tensor, "b 64 c"]:
        picture = torch.cat([overview, position_mask(box)], dim=1)
        tokens: Tensor = self.embed(picture).flatten(2).transpose(1, 2) + self.place + self.box(box)[:, None]
        return tokens


def position_mask(box: Float[Tensor, "b 4"]) -> Float[Tensor, "b 1 64 64"]:
    """How much of each of 64 x 64 cells the box (x0, y0, x1, y1, each 0..1) covers."""
    start = torch.arange(64, device=box.device, dtype=box.dtype)
    low, high = box[:, :2, None] * 64, box[:, 2:, None] * 64
    cover = (torch.minimum(high, start + 1) - torch.maximum(low, start)).clamp(0, 1)
    return (cover[:, 1, :, None] * cover[:, 0, None, :])[:, None]


class GlobalFusion(nn.Module):
    """Every pixel of a patch looks at the tokens of the whole frame; starts as the identity."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.token_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.query, self.key_value = nn.Linear(channels, channels), nn.Linear(channels, 2 * channels)
        self.out = zeroed(nn.Linear(channels, channels))

    def forward(self, x: Float[Tensor, "bt c h w"], tokens: Float[Tensor, "b l c"]) -> Float[Tensor, "bt c h w"]:
        count, channels = tokens.shape[0], x.shape[1]
        pixels = x.permute(0, 2, 3, 1)
        query = self.query(self.norm(pixels)).reshape(count, -1, self.heads, channels // self.heads).transpose(1, 2)
        pair = self.key_value(self.token_norm(tokens)).view(count, -1, 2, self.heads, channels // self.heads)
        key, value = pair.permute(2, 0, 3, 1, 4).unbind(0)
        found = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        update: Tensor = self.out(found.reshape(pixels.shape))
        return x + update.permute(0, 3, 1, 2)


class PromptSocket(nn.Module):
    """Damage class, polarity and stock, each 0 where nothing is said, to a scale and shift for each level.

    The null prompt changes nothing: embedding 0 is zero and stays so.
    """

    def __init__(self, sizes: tuple[int, ...], widths: tuple[int, ...], channels: int = 32) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, channels, padding_idx=0) for size in sizes)
        self.out = zeroed(nn.Linear(channels, 2 * sum(widths), bias=False))
        self.widths = widths

    def forward(self, prompt: Int[Tensor, "b k"]) -> list[Float[Tensor, "b c2"]]:
        words = torch.stack([table(prompt[:, index]) for index, table in enumerate(self.tables)]).sum(0)
        return list(self.out(words).split([2 * width for width in self.widths], dim=1))


def folded(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c4 h2 w2"]:
    """Two by two pixels as channels, in the order of `pixel_unshuffle`, for a convolution: a fifth of its time on CPUs.

    Channels last, and in the precision that autocast would give the convolution anyway.
    """
    pixels = mixed(x).permute(0, 2, 3, 1)
    corners = [pixels[:, down::2, across::2] for down in (0, 1) for across in (0, 1)]
    return torch.stack(corners, dim=-1).flatten(-2).permute(0, 3, 1, 2)


def modulate(x: Float[Tensor, "bt c h w"], scale_shift: Float[Tensor, "b c2"]) -> Float[Tensor, "bt c h w"]:
    """x (1 + scale) + shift, the same for all frames of a window."""
    frames = x.shape[0] // scale_shift.shape[0]
    scale, shift = scale_shift.repeat_interleave(frames, dim=0)[:, :, None, None].to(x.dtype).chunk(2, dim=1)
    return x * (1 + scale) + shift


def mixed(x: Tensor) -> Tensor:
    """As autocast hands it to a convolution."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if device != "meta" and torch.is_autocast_enabled(device) else x


def unmixed(device: torch.device) -> AbstractContextManager[object]:
    """Within, what is float32 stays so; the device of shapes alone, where memory is counted, knows no other way."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def zeroed(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """The layer with weight and bias 0: what follows it starts unchanged."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
