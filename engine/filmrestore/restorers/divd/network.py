"""The divd network in diffusers' form: a 2D U-Net over single frames, joined in time by WTSA at every size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from .blocks import TimedBlock, WindowAttention, step_code

SIZES: dict[str, dict[str, Any]] = {
    "divd": {"widths": (96, 192, 288, 384), "blocks": 2, "shrink": 1},
    "divd-s": {"widths": (24, 40, 64, 96), "shrink": 2, "bands": 3},
    "divd-test": {"widths": (8, 8, 8, 16), "windows": (3, 2, 1, 1), "shrink": 1, "bands": 1},
}
"""Configurations by name: of a published network's size, for CPUs, and for tests."""

BAND_GAIN = 16.0
"""Of the bands, which are as small as the change that sharpens: the same as that one's."""
CODE = 64
TIMES = 96


class DivdNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Takes one step of the diffusion for all frames of a window.

    Args:
        frames: F, frames seen at once.
        widths: Channels at full size and after each halving.
        blocks: Residual blocks at each size, on the way down and on the way up.
        windows: M at each size; 0 leaves the attention out.
        per_head: Channels of an attention head.
        frame_codes, relative_bias: The two halves of MRPE.
        prediction: What is predicted: "sample", the change itself, or "epsilon" as published.
        shrink: Pixels that are folded into channels before the U, along each edge; 1 as published.
        bands: Octaves of the scan's detail that are shown besides, from the finest; where the change is predicted, each
            comes back with a gain of its own at each pixel: blur is undone where some detail is left. 0 as published.

    Source: H. Long et al., "DIVD: Deblurring with Improved Video Diffusion Model", 2024. What is ours:
    docs/decisions/divd.md.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        frames: int = 4,
        widths: Sequence[int] = (24, 40, 64, 96),
        blocks: int = 1,
        windows: Sequence[int] = (6, 4, 3, 2),
        per_head: int = 8,
        frame_codes: bool = True,
        relative_bias: bool = True,
        prediction: str = "sample",
        shrink: int = 1,
        bands: int = 0,
    ) -> None:
        super().__init__()

        def level(place: int, *, shifted: bool) -> _Level:
            width = widths[place]
            attention = (
                WindowAttention(
                    width,
                    width // per_head,
                    frames=frames,
                    window=windows[place],
                    shifted=shifted and windows[place] > 1,
                    frame_codes=frame_codes,
                    relative_bias=relative_bias,
                )
                if windows[place]
                else None
            )
            return _Level(width, blocks, attention)

        last = len(widths) - 1
        self.time = nn.Sequential(nn.Linear(CODE, TIMES), nn.SiLU(), nn.Linear(TIMES, TIMES), nn.SiLU())
        self.stem = nn.Conv2d((6 + 3 * bands) * shrink**2, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(level(place, shifted=False) for place in range(last))
        self.downs = nn.ModuleList(nn.Conv2d(widths[place], widths[place + 1], 2, stride=2) for place in range(last))
        self.middle = nn.ModuleList(level(last, shifted=shifted) for shifted in (False, True))
        self.ups = nn.ModuleList(nn.Conv2d(widths[place + 1], widths[place], 1) for place in range(last))
        self.decoders = nn.ModuleList(level(place, shifted=True) for place in range(last))
        self.head = nn.Conv2d(widths[0], (4 + bands) * shrink**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    @property
    def multiple(self) -> int:
        """Height and width of a window must be multiples of this: whole attention windows at every size."""
        edges = [max(1, edge) * 2**place for place, edge in enumerate(self.config.windows)]
        return int(math.lcm(*edges) * self.config.shrink)

    def forward(
        self,
        noisy: Float[Tensor, "b t 3 h w"],
        blurred: Float[Tensor, "b t 3 h w"],
        step: Int[Tensor, b],
        present: Bool[Tensor, "b t"],
    ) -> tuple[Float[Tensor, "b t 3 h w"], Float[Tensor, "b t 1 h w"]]:
        """The prediction, and the logits of where there is blur.

        Args:
            noisy: The change that sharpens, scaled, with the noise of that step.
            blurred: The scan, net encoding, finite; h and w multiples of `multiple`, t = `frames`.
            step: Of the diffusion, 0 clean to 999 noise.
            present: Frames that may be looked at by others; another's own pixels are always seen.
        """
        shrink: int = self.config.shrink
        frames: int = self.config.frames
        time = self.time(step_code(step, CODE)).repeat_interleave(frames, dim=0)
        scan = blurred.flatten(0, 1).clamp(-0.5, 1.5)
        bands = _bands(scan, self.config.bands)
        seen = torch.cat([noisy.flatten(0, 1), 2 * (scan - 0.45), *bands], dim=1)
        x = self.stem(functional.pixel_unshuffle(seen, shrink))
        kept = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x, time, present)
            kept.append(x)
            x = down(x)
        for middle in self.middle:
            x = middle(x, time, present)
        for place in range(len(kept) - 1, -1, -1):
            x = kept[place] + functional.interpolate(self.ups[place](x), scale_factor=2.0, mode="nearest")
            x = self.decoders[place](x, time, present)
        x = functional.pixel_shuffle(self.head(functional.silu(x)).float(), shrink)
        prediction, logits, gains = x[:, :3], x[:, 3:4], x[:, 4:]
        if self.config.prediction == "sample":
            for place, band in enumerate(bands):
                prediction = prediction + gains[:, place : place + 1] * band
        return prediction.view(noisy.shape), logits.view(noisy[:, :, :1].shape)


def _bands(scan: Float[Tensor, "n 3 h w"], count: int) -> list[Float[Tensor, "n 3 h w"]]:
    """The scan's detail finer than 1, from 1 to 2, from 2 to 4 pixels ... deviation, scaled as the change is."""
    bands, left = [], scan
    for place in range(count):
        coarser = _soft(scan, 2.0**place)
        bands.append(BAND_GAIN * (left - coarser))
        left = coarser
    return bands


def _soft(x: Float[Tensor, "n 3 h w"], sigma: float) -> Float[Tensor, "n 3 h w"]:
    """Gaussian blur, edges repeated."""
    reach = math.ceil(2.5 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=x.device) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(x.dtype).expand(3, 1, 2 * reach + 1)
    padded = functional.pad(x, (reach,) * 4, mode="replicate")
    along_x = functional.conv2d(padded, kernel[:, :, None, :], groups=3)
    return functional.conv2d(along_x, kernel[:, :, :, None], groups=3)


class _Level(nn.Module):
    """What happens at one size: residual blocks, then attention over the frames."""

    def __init__(self, width: int, blocks: int, attention: WindowAttention | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TimedBlock(width, TIMES) for _ in range(blocks))
        self.attention = attention

    def forward(
        self, x: Float[Tensor, "bt c h w"], time: Float[Tensor, "bt k"], present: Bool[Tensor, "b t"]
    ) -> Float[Tensor, "bt c h w"]:
        for block in self.blocks:
            x = block(x, time)
        return x if self.attention is None else self.attention(x, present)


def new_net(size: str = "divd-s", **changes: Any) -> DivdNet:
    """An untrained network of one of the `SIZES`, initialised from torch's current random state."""
    net: DivdNet = DivdNet(**{**SIZES[size], **changes})
    return net
