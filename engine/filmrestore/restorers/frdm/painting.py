"""The sampler over the frames of a patch: in blocks where marks are few, and only where no neighbour shows a pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...frame import Box
from .base import MARGIN as WIDER
from .base import Base, spread
from .exported import ExportedNet
from .guidance import Guidance
from .network import FrdmNet
from .sampler import sample_bridge
from .view import View

CORE, MARGIN = 32, 16
"""The sampler runs in blocks of `CORE` pixels with `MARGIN` around them."""
AT_ONCE = 256 * 256
"""Pixels of blocks that the sampler is given at once: those of a whole patch."""
LIKELY = 0.2
"""Confidence from which the sampler is asked: a restore node at its defaults lays in no fainter mark."""
SHOWN, UNSHOWN = 0.95, 0.85
"""The neighbours' share in the base from which it stays as it is, and up to which the sampler's picture replaces it."""


@dataclass(frozen=True)
class Block:
    """A part of one frame of the window: what is wanted of it, and what the sampler sees for that."""

    frame: int
    core: Box
    around: Box


def painted(
    net: FrdmNet | ExportedNet,
    view: View,
    guidance: Guidance,
    confidence: Float[Tensor, "t 1 h w"],
    bases: Mapping[int, Base],
) -> dict[int, Float[Tensor, "1 3 h w"]]:
    """Every base's picture, and of what the sampler makes of it a share, block by block where that is above 0."""
    shares = {index: _unseen(base, confidence[index : index + 1]) for index, base in bases.items()}
    blocks = [Block(index, core, around) for index, share in shares.items() for core, around in _parts(share[0, 0] > 0)]
    asked = {block.frame for block in blocks}
    pictures = {index: base.picture.clone() if index in asked else base.picture for index, base in bases.items()}
    for some in _batches(blocks, bases):
        for block, clean in zip(some, _walked(net, view, guidance, bases, some), strict=True):
            core, around = block.core, block.around
            top, left = core.y0 - around.y0, core.x0 - around.x0
            inner = clean[:, top : top + core.height, left : left + core.width]
            target = pictures[block.frame][(..., *core.slices)]
            target.copy_(torch.lerp(target, inner, shares[block.frame][(..., *core.slices)]))
    return pictures


def _unseen(base: Base, confidence: Float[Tensor, "1 1 h w"]) -> Float[Tensor, "1 1 h w"]:
    """0..1, how much of a pixel's clean picture is the sampler's: what is likely damaged and no neighbour shows."""
    share = ((SHOWN - base.trust) / (SHOWN - UNSHOWN)).clamp(0, 1) * base.inside
    return share * spread(confidence >= LIKELY, WIDER)


def _parts(inside: Bool[Tensor, "h w"]) -> list[tuple[Box, Box]]:
    """Boxes that hold some of it: (core, core and margin), these of one size; the whole patch where that is less."""
    height, width = inside.shape
    edge = CORE + 2 * MARGIN
    parts = []
    for y in range(0, height, CORE):
        for x in range(0, width, CORE):
            core = Box(x0=x, y0=y, x1=min(x + CORE, width), y1=min(y + CORE, height))
            if bool(inside[core.slices].any()):
                left, top = (max(0, min(at - MARGIN, size - edge)) for at, size in ((x, width), (y, height)))
                parts.append((core, Box(x0=left, y0=top, x1=min(left + edge, width), y1=min(top + edge, height))))
    area = sum(around.width * around.height for _, around in parts)
    whole = Box(x0=0, y0=0, x1=width, y1=height)
    return parts if area < width * height else [(whole, whole)]


def _batches(blocks: Sequence[Block], bases: Mapping[int, Base]) -> Iterator[list[Block]]:
    """The blocks, together those of one size that all have a coarse picture, or none of them."""

    def kind(block: Block) -> tuple[int, int, bool]:
        return block.around.height, block.around.width, bases[block.frame].coarse is None

    for (height, width, _), alike in groupby(sorted(blocks, key=kind), key=kind):
        some, most = list(alike), max(1, AT_ONCE // (height * width))
        for start in range(0, len(some), most):
            yield some[start : start + most]


def _walked(
    net: FrdmNet | ExportedNet, view: View, guidance: Guidance, bases: Mapping[int, Base], blocks: Sequence[Block]
) -> Float[Tensor, "n 3 h2 w2"]:
    """The end of the bridge in blocks of one size."""

    def cut(plane: Callable[[int], Tensor], step: int = 1) -> Tensor:
        """Each block's part of what its frame has, at 1 / step of the frame's size."""
        parts = []
        for block in blocks:
            rows, columns = (slice(pixels.start // step, pixels.stop // step) for pixels in block.around.slices)
            parts.append(plane(block.frame)[..., rows, columns])
        return torch.cat(parts)

    def seen(feature: Tensor, step: int) -> Tensor:
        part = cut(lambda n: feature[:, n], step)
        return torch.zeros_like(part) if "guidance" in view.without else part

    scan, start = cut(lambda n: view.window[:, n]), cut(lambda n: bases[n].picture)
    hole, trust = cut(lambda n: bases[n].inside), cut(lambda n: bases[n].trust)
    if view.known is not None:  # nobody has to ask whether it is damage, and the scan would be painted again
        known = spread(view.known[0] > 0, WIDER)
        scan = torch.where(cut(lambda n: known[n : n + 1]), start, scan)
    features = [seen(feature, step) for feature, step in zip(guidance.features, (2, 4, 8), strict=True)]

    def model(x: Tensor, sigma: Tensor) -> Tensor:
        clean: Tensor = net.denoise(x, sigma, scan, start, hole.float(), trust, features)
        return clean

    drawn = torch.cat([view.noise(block.frame, block.around) for block in blocks])
    led = {index: base.coarse for index, base in bases.items() if base.coarse is not None}
    coarse = cut(led.__getitem__) if blocks[0].frame in led else None
    return sample_bridge(model, scan, start, hole, drawn, coarse)
