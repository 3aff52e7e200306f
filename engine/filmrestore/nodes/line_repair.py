"""Takes a thin upright line out of a picture: its sides joined across it, and what still shines through it kept."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

WIDEST = 24
"""Columns: the sides of anything wider know nothing of its middle."""
ALONG = 15
"""Rows over which what a line adds to the picture is taken to change slowly."""
OPAQUE = 0.1
"""Net units: half of it as a line's contrast still lets all of the picture through, half as much again nothing."""


def join(picture: F32, lines: Mask) -> tuple[F32, Mask]:
    """The picture with its lines filled from the pixels left and right of them, row by row.

    Args:
        picture: Net encoding, (h, w, 3).
        lines: (h, w).

    Returns:
        A new picture, and where it is filled: lines wider than `WIDEST` are left.
    """
    width = lines.shape[1]
    columns = np.arange(width)
    left = np.maximum.accumulate(np.where(lines, -1, columns), axis=1)
    right = np.minimum.accumulate(np.where(lines, width, columns)[:, ::-1], axis=1)[:, ::-1]
    filled = lines & (right - left - 1 <= WIDEST) & ((left >= 0) | (right < width))
    rows, at = np.nonzero(filled)
    first, last = left[rows, at], right[rows, at]
    share = ((at - first) / (last - first)).astype(np.float32)
    share[first < 0], share[last >= width] = 1, 0  # at the frame's border there is one side
    one, other = picture[rows, np.maximum(first, 0)], picture[rows, np.minimum(last, width - 1)]
    joined = picture.copy()
    joined[rows, at] = one * (1 - share[:, None]) + other * share[:, None]
    return joined, filled


def shine(scan: F32, clean: F32, lines: Mask) -> F32:
    """The clean picture with the detail that a line let through, where it is faint enough to have let any.

    What a line adds is the mean difference along it; the scan without that keeps its own grain and edges. In net
    encoding, near a logarithm, a share of light that is lost is such a difference.

    Args:
        scan: Net encoding, (h, w, 3), with the lines.
        clean: An estimate without them.
        lines: (h, w); elsewhere the answer is `clean`.
    """
    weight = lines.astype(np.float32)
    size = (1, ALONG)
    added = cv2.blur((scan - clean) * weight[..., None], size)
    added /= np.maximum(cv2.blur(weight, size), np.float32(1e-3))[..., None]
    through = np.clip(np.float32(1.5) - np.abs(added).max(axis=2) / np.float32(OPAQUE), 0, 1) * weight
    return np.asarray(clean + through[..., None] * (scan - added - clean), np.float32)
