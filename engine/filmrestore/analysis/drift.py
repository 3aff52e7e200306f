"""Where the picture has gone sideways from one frame to another, as the strips of both show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Rows = NDArray[np.intp]

FARTHEST = 48
"""Columns that the picture as a whole may have gone; beyond, nothing is known, and it counts as gone."""
_REACH = 4  # columns that a part of it may be beside the whole
_DETAIL = 31  # columns: what is wider is light and no detail
_MOST = 0.03  # net: what differs by more is something else, and differs no more
_BESIDE, _LINE = 65, 11  # columns around a line that are looked at, and those of the line itself that are not
_PULL = 0.02  # share of the mean difference that a column beside the whole costs: over a sky, it goes as the whole


@dataclass(frozen=True)
class Drift:
    """Where a picture is in another frame.

    Attributes:
        whole: Columns that it has gone as a whole.
        first: Whole columns of the first of the ways that costs are known for; each further one is a column more.
        costs: What the frames differ by around each place for each way, (2 reach + 1, strips, columns).
    """

    whole: float
    first: int
    costs: Float32

    def beside(self, strips: Rows, columns: Rows) -> float:
        """Columns that the picture on both sides of a line has gone."""
        cost = self.costs[:, strips, columns].sum(axis=1, dtype=np.float64)
        aside = np.abs(np.arange(len(cost)) - _REACH)
        cost += _PULL * cost.mean() * aside
        return self.first + _lowest(cost)


def drifts_of(strips: Sequence[Float32], here: int) -> list[Drift]:
    """From frame `here` to each.

    Args:
        strips: Net luminance of each frame, (strips, columns).
        here: Place of the one that the others are held against.
    """
    details = [_detail(frame) for frame in strips]
    return [_drift(details[here], detail) for detail in details]


def _detail(strips: Float32) -> Float32:
    return np.asarray(strips - cv2.blur(strips, (_DETAIL, 1), borderType=cv2.BORDER_REFLECT), np.float32)


def _drift(one: Float32, other: Float32) -> Drift:
    farthest = min(FARTHEST, one.shape[1] // 4)
    ways = np.arange(-farthest, farthest + 1)
    # Strip by strip: the mean of all would be a few objects' way. Every third says it.
    whole = int(ways[np.argmin([_apart(one[::3], other[::3], int(way)).mean() for way in ways])])
    near = [_apart(one, other, whole + way) for way in range(-_REACH, _REACH + 1)]
    costs = [
        cv2.blur(plane, (_BESIDE, 1)) * np.float32(_BESIDE) - cv2.blur(plane, (_LINE, 1)) * np.float32(_LINE)
        for plane in near
    ]
    place = _lowest(np.array([plane.mean(dtype=np.float64) for plane in near]))
    return Drift(whole - _REACH + place, whole - _REACH, np.stack(costs))


def _apart(one: Float32, other: Float32, way: int) -> Float32:
    """What the frames differ by where the picture has gone `way` columns to the right."""
    moved = np.roll(other, -way, axis=1)
    return np.asarray(np.minimum(np.abs(one - moved), np.float32(_MOST)), np.float32)


def _lowest(cost: NDArray[np.float64]) -> float:
    """Place of the minimum, between the samples by the parabola through it."""
    at = int(cost.argmin())
    if at in (0, len(cost) - 1):
        return float(at)
    before, least, after = cost[at - 1 : at + 2]
    bend = before - 2 * least + after
    return at + (0.5 * float(before - after) / float(bend) if bend > 0 else 0.0)
