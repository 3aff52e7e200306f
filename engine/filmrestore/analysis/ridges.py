"""Thin upright ridges of one frame: how far each place stands out from what is left and right of it."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from ..colour import Colour
from ..frame import Codes
from ..motion import channel_mean
from ..scenes import averageable

Float32 = NDArray[np.float32]

ROWS = 16
"""Rows that are averaged to one strip, at 2K: grain goes, and a line that leans stays a line."""
WIDEST = 2560
"""Columns from which on neighbours are averaged, so that lines are as wide as at 2K."""
WIDTHS = (1, 2, 3, 5)
CLIP = 6.0  # standard deviations
_FLANK, _GAP = 3, 1  # columns that a line is compared with, and those between that the scanner's blur fills
_AROUND = (65, 3)  # columns and strips over which what is usual is measured


def reduction(width: int) -> int:
    """Columns that become one."""
    return 1 if width <= WIDEST else round(width / 2048)


def reduced(picture: Codes, step: int) -> Codes:
    """The picture with `step` squared pixels averaged to one."""
    if step == 1:
        return picture
    size = (picture.shape[1] // step, picture.shape[0] // step)
    whole = averageable(picture)[: size[1] * step, : size[0] * step]
    small: Codes = cv2.resize(whole, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    return small


def strips_of(picture: Codes) -> Codes:
    """The frame averaged to strips of about 16 rows at 2K, shape (strips, columns, c): codes as float32."""
    source = averageable(picture)
    height, width = picture.shape[:2]
    step = reduction(width)
    edges = np.linspace(0, height, max(1, round(height / (ROWS * step))) + 1).astype(int)
    rows = [cv2.reduce(source[a:b].reshape(b - a, -1), 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F) for a, b in pairwise(edges)]
    strips = np.stack(rows).reshape(len(rows), width, -1)
    whole = width // step * step
    return np.asarray(strips[:, :whole].reshape(len(rows), whole // step, step, -1).mean(axis=2), np.float32)


def luma_of(picture: Codes, step: int, colour: Colour) -> Float32:
    """Net luminance of a frame or a part of it, finite, at the size at which marks are looked for: `reduced`."""
    net = channel_mean(colour.to_net(reduced(picture, step)))
    return np.asarray(np.nan_to_num(net, posinf=0, neginf=0), np.float32)


def usual(size: Float32, around: tuple[int, int]) -> Float32:
    """How much stands out around each place, what stands out far left aside; half of the median at least.

    Args:
        size: How much each place stands out, >= 0, (h, w).
        around: Columns and rows that are looked at.
    """
    middle = np.float32(np.median(size[size > 0])) if (size > 0).any() else np.float32(0)
    mean = cv2.blur(np.minimum(size, 4 * middle), around, borderType=cv2.BORDER_REFLECT)
    return np.asarray(np.maximum(mean, middle / 2), np.float32)


def ridges(strips: Float32) -> tuple[Float32, Float32, Float32]:
    """What stands out from both of its sides, light or dark, at the width at which it does most.

    Args:
        strips: Net luminance, (strips, columns).

    Returns:
        Deviation in units of what is usual around, -6..6, positive where light; contrast in net units; width, columns.
    """
    count, width = strips.shape
    margin = max(WIDTHS) + _GAP + _FLANK
    padded = np.pad(strips.astype(np.float64), ((0, 0), (margin, margin)), mode="edge")
    sums = np.pad(np.cumsum(padded, axis=1), ((0, 0), (1, 0)))

    def mean(first: int, last: int) -> Float32:
        part = sums[:, margin + last : margin + last + width] - sums[:, margin + first : margin + first + width]
        return np.asarray(part / (last - first), np.float32)

    best: Float32 = np.zeros((count, width), np.float32)
    widths: Float32 = np.ones((count, width), np.float32)
    for wide in WIDTHS:
        first = -(wide // 2)
        last = first + wide
        line = mean(first, last)
        left, right = mean(first - _GAP - _FLANK, first - _GAP), mean(last + _GAP, last + _GAP + _FLANK)
        light = np.maximum(line - np.maximum(left, right), 0)
        contrast = light - np.maximum(np.minimum(left, right) - line, 0)
        contrast *= np.float32(np.sqrt(wide))  # grain of that many columns averages out
        more = np.abs(contrast) > np.abs(best)
        best, widths = np.where(more, contrast, best), np.where(more, np.float32(wide), widths)
    deviation = best / (np.float32(1.3) * usual(np.abs(best), _AROUND) + np.float32(1e-4))
    return np.clip(deviation, -CLIP, CLIP).astype(np.float32), np.asarray(best / np.sqrt(widths), np.float32), widths
