"""What far frames of the shot show of the places that a lasting mark hides in one frame."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from ..colour import Colour
from ..fixes import RecordedFix
from ..frame import Box, Frame
from ..motion import flow, luma8
from ..recovery import AGREES, Side, brought
from .far import FarPlan
from .line_repair import join
from .lines import lines_in
from .windows import Unit

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Shares = NDArray[np.uint8]
"""(h, w), bit n set where the n-th far frame of a window has a part in a pixel; 0 where none has."""

_MARGIN = 64
"""Pixels at 2K around the holes that are compared, and within which what moves by itself is found."""
_RIM = 1
"""Pixels at 2K around a mark that its blur reaches: neither compared nor copied."""
_LEAST = 0.3
"""Of the belief that one frame may have: together far frames must have as much."""


class FarFrames:
    """The far frames of one window, their own marks found when first asked for; safe to share by threads."""

    def __init__(self, unit: Unit, frames: Mapping[int, Frame], plan: FarPlan, colour: Colour) -> None:
        self._numbers, self._frames, self._plan, self._colour = unit.far, frames, plan, colour
        self._marks: dict[int, Mask] = {}
        self._lock = threading.Lock()

    def fill(self, number: int, net: F32, holes: Mask) -> Shares:
        """Fills the holes of a frame, in place, where far frames agree with what is around them and with each other.

        Args:
            number: The frame.
            net: Net encoding, (h, w, 3), finite; all but the holes is sound.
            holes: (h, w).

        Returns:
            Which far frames had a part in which pixel.
        """
        by: Shares = np.zeros(holes.shape, np.uint8)
        for box in _regions(holes, round(_MARGIN * max(1.0, holes.shape[1] / 2048))):
            part, hole = net[box.slices], holes[box.slices]
            sides = [self._brought(number, other, box, part, hole) for other in self._numbers]
            values, shares = _agreed(np.stack([seen for seen, _ in sides]), np.stack([share for _, share in sides]))
            part[hole] = np.where((shares > 0)[:, None], values, part[hole])
            by[box.slices][hole] = shares
        return by

    def _brought(self, number: int, other: int, box: Box, net: F32, hole: Mask) -> tuple[F32, F32]:
        """The hole's pixels as another frame has them, (n, 3), and how far that is to be believed, (n,)."""
        x, y = (round(step) for step in self._plan.moved(number, other))
        frame = self._frames[other]
        height, width = frame.codes.shape[:2]
        rows, columns = np.arange(box.y0 + y, box.y1 + y), np.arange(box.x0 + x, box.x1 + x)
        there = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        if not there.any():
            nothing = np.zeros(int(hole.sum()), np.float32)
            return np.zeros((len(nothing), 3), np.float32), nothing
        at = np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))
        codes = np.ascontiguousarray(frame.codes[at][:, :, list(frame.format.picture)])
        marks = self._marks_of(other)[at] | ~there | ~np.isfinite(codes).all(axis=2)
        wide = _rimmed(hole, width)
        neighbour, side = _side(self._colour.to_net(codes), marks), _side(net, wide)
        seen, share = brought(neighbour, side, flow(luma8(side.whole), luma8(neighbour.whole)))
        return seen[hole], share[hole]

    def _marks_of(self, number: int) -> Mask:
        """Where lasting marks lie in a far frame."""
        with self._lock:
            if number not in self._marks:
                frame = self._frames[number]
                lines = lines_in(frame, self._plan.certain, self._colour)
                nothing = np.zeros(frame.codes.shape[:2], np.bool_)
                self._marks[number] = nothing if lines is None else _rimmed(lines.plane > 0, frame.codes.shape[1])
            return self._marks[number]


def with_far(fixes: Sequence[RecordedFix], by: Shares, numbers: Sequence[int]) -> list[RecordedFix]:
    """The fixes of a frame, each with the far frames that had a part in it.

    Args:
        fixes: All of them.
        by: As `FarFrames.fill` says.
        numbers: The far frames of the window.
    """
    told = []
    for fix, pixels in fixes:
        bits = int(np.bitwise_or.reduce(by[fix.where.slices][pixels.mask], initial=0))
        far = tuple(number for place, number in enumerate(numbers) if bits >> place & 1)
        told.append(RecordedFix(structs.replace(fix, far=far), pixels))
    return told


def _rimmed(marks: Mask, width: int) -> Mask:
    """The marks of a part of a frame of that width, with what their blur reaches."""
    size = 2 * round(_RIM * max(1.0, width / 2048)) + 1
    return np.asarray(cv2.dilate(marks.astype(np.uint8), np.ones((size, size), np.uint8)) > 0)


def _side(net: F32, hole: Mask) -> Side:
    return Side(join(net, hole)[0], hole)


def _regions(holes: Mask, margin: int) -> Iterator[Box]:
    """Boxes around the holes, each with a margin; columns of holes that lie nearer than that share one."""
    columns = np.flatnonzero(holes.any(axis=0))
    if not len(columns):
        return
    for group in np.split(columns, np.flatnonzero(np.diff(columns) > 2 * margin) + 1):
        rows = np.flatnonzero(holes[:, group[0] : group[-1] + 1].any(axis=1))
        tight = Box(x0=int(group[0]), y0=int(rows[0]), x1=int(group[-1]) + 1, y1=int(rows[-1]) + 1)
        yield tight.grown(margin, *holes.shape)


def _agreed(values: F32, shares: F32) -> tuple[F32, Shares]:
    """What the frames agree on for each pixel: the mean of those that come near to their median.

    Args:
        values: (frames, n, 3).
        shares: (frames, n), 0..1, how far each is to be believed.

    Returns:
        (n, 3), and which frames had a part, a bit each; zeros where they do not agree.
    """
    light = values.mean(axis=2)
    order = light.argsort(axis=0, kind="stable")
    below = np.take_along_axis(shares, order, axis=0).cumsum(axis=0)
    middle = np.take_along_axis(order, (below >= below[-1:] / 2).argmax(axis=0)[None], axis=0)
    median = np.take_along_axis(values, middle[..., None], axis=0)
    weight = shares * np.exp(-((np.abs(values - median).mean(axis=2) / np.float32(AGREES)) ** 2))
    total = weight.sum(axis=0)
    mean = (values * weight[..., None]).sum(axis=0) / np.maximum(total, np.float32(1e-6))[:, None]
    seen = total >= np.float32(_LEAST)
    bits = (np.uint8(1) << np.arange(len(values), dtype=np.uint8))[:, None]
    by = np.bitwise_or.reduce(np.where(weight >= np.float32(_LEAST / len(values)), bits, np.uint8(0)), axis=0)
    return np.where(seen[:, None], mean, np.float32(0)), np.where(seen, by, np.uint8(0))
