"""The estimate that the sampler starts from: damage seen through by motion, or filled from its surroundings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ...recovery import recover
from .fill import fill
from .sampler import large

FIRES = 0.05
"""Confidence from which a pixel is given a clean picture; the restore node decides what of it is laid in."""
DAMAGED = 0.3
"""Confidence from which a pixel is not copied from."""
SPREAD = 2
"""Pixels that damage is taken to be wider than the matte: the scanner's blur spreads a defect's edge."""
MARGIN = 3
"""Pixels that the clean picture is wider than the matte: as far as the restore node keeps it."""
COARSER = 4
"""The factor by which a patch is shrunk for the picture that leads inside large mattes."""


@dataclass(frozen=True)
class Base:
    """The estimate that the sampler starts from.

    Attributes:
        picture: Recovered from neighbours, or filled from the surroundings.
        trust: 0..1, the neighbours' share in it.
        inside: Where a clean picture is wanted; elsewhere it is the scan.
        coarse: The same estimate made at a quarter of the size, where large defects want it.
    """

    picture: Float[Tensor, "1 3 h w"]
    trust: Float[Tensor, "1 1 h w"]
    inside: Bool[Tensor, "1 1 h w"]
    coarse: Float[Tensor, "1 3 h w"] | None = None


def bases(
    window: Float[Tensor, "t 3 h w"],
    confidence: Float[Tensor, "t 1 h w"],
    present: Bool[Tensor, t],
    wanted: Sequence[int],
    *,
    coarse: bool,
    neighbours: bool = True,
) -> Iterator[Base]:
    """What neighbours and surroundings say of the wanted frames, where the confidence calls for it.

    Args:
        window: Net encoding, finite.
        confidence: 0..1, that a pixel is damaged.
        present: Which frames are real.
        wanted: Frames by their place in the window.
        coarse: Whether large defects get `Base.coarse` too.
        neighbours: Whether other frames are asked at all.
    """
    inside, damaged = spread(confidence >= FIRES, MARGIN), spread(confidence >= DAMAGED, SPREAD)
    asked = [index for index in wanted if bool(inside[index].any())]
    holes = damaged.clone()
    holes[asked] |= inside[asked]
    if not neighbours:
        present = torch.zeros_like(present)
    answers = _recovered(window, fill(window, holes.float()), damaged, present, asked) if asked else iter(())
    wide = [index for index in asked if coarse and bool(large(inside[index : index + 1]).any())]
    led = _coarse(window, damaged, present, wide) if wide else iter(())
    for index in wanted:
        scan, hole = window[index : index + 1], inside[index : index + 1]
        if index not in asked:
            yield untouched(scan)
            continue
        picture, trust = next(answers)
        small = next(led) if index in wide else None
        yield Base(torch.where(hole, picture.to(scan.device), scan), trust.to(scan.device) * hole, hole, small)


def untouched(scan: Float[Tensor, "1 3 h w"]) -> Base:
    """Of a frame that wants nothing."""
    nothing = torch.zeros_like(scan[:, :1])
    return Base(scan, nothing, nothing > 0)


def _recovered(
    window: Float[Tensor, "t 3 h w"],
    fills: Float[Tensor, "t 3 h w"],
    damaged: Bool[Tensor, "t 1 h w"],
    present: Bool[Tensor, t],
    wanted: Sequence[int],
) -> Iterator[tuple[Float[Tensor, "1 3 h w"], Float[Tensor, "1 1 h w"]]]:
    """`recovery.recover` on tensors: picture and trust of each wanted frame, on the CPU."""
    frames, filled = (part.permute(0, 2, 3, 1).contiguous().cpu().numpy() for part in (window, fills))
    for answer in recover(frames, filled, damaged[:, 0].cpu().numpy(), present.tolist(), wanted):
        yield torch.from_numpy(answer.picture).permute(2, 0, 1)[None], torch.from_numpy(answer.trust)[None, None]


def spread(mask: Bool[Tensor, "t 1 h w"], radius: int) -> Bool[Tensor, "t 1 h w"]:
    """The mask, wider by so many pixels on each side."""
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    planes = mask[:, 0].cpu().numpy().view(np.uint8)
    wider = np.stack([np.asarray(cv2.dilate(plane, kernel)) for plane in planes])  # by far faster than max_pool2d
    return torch.from_numpy(wider.view(np.bool_))[:, None].to(mask.device)


def _coarse(
    window: Float[Tensor, "t 3 h w"], damaged: Bool[Tensor, "t 1 h w"], present: Bool[Tensor, t], wanted: Sequence[int]
) -> Iterator[Float[Tensor, "1 3 h w"]]:
    """The wanted frames recovered at a quarter of their size: motion across holes that are wider than its search."""
    small, holes = functional.avg_pool2d(window, COARSER), functional.max_pool2d(damaged.float(), COARSER)
    for picture, _ in _recovered(small, fill(small, holes), holes > 0, present, wanted):
        yield functional.interpolate(picture.to(window.device), scale_factor=COARSER, mode="bilinear")
