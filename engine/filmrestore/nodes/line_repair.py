"""Takes a thin line out of a picture: its sides joined across it, and what still shines through it kept."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Indices = NDArray[np.integer]

WIDEST = 24
"""Columns: the sides of anything wider know nothing of its middle."""
ALONG = 15
"""Rows over which what a line adds to the picture is taken to change slowly."""
RUNS = 0.8
"""Share of these rows that a line must run through to be known by its mean."""
OPAQUE = 0.1
"""Net units: half of it as a line's contrast still lets all of the picture through, half as much again nothing."""


def join(picture: F32, lines: Mask) -> tuple[F32, Mask]:
    """The picture with its lines filled from the pixels on either side, across them: where they are narrowest.

    Args:
        picture: Net encoding, (h, w, 3).
        lines: (h, w).

    Returns:
        A new picture, and where it is filled: lines wider than `WIDEST` are left.
    """
    rows, columns = np.nonzero(lines)
    aside, widths = _across(picture, lines, rows, columns)
    along, heights = _across(np.swapaxes(picture, 0, 1), lines.T, columns, rows)
    fits = np.minimum(widths, heights) <= WIDEST
    joined, filled = picture.copy(), np.zeros_like(lines)
    at = rows[fits], columns[fits]
    joined[at] = np.where((widths <= heights)[:, None], aside, along)[fits]
    filled[at] = True
    return joined, filled


def _across(picture: F32, lines: Mask, rows: Indices, at: Indices) -> tuple[F32, Indices]:
    """What is left and right of pixels of lines, joined, (n, 3), and how wide the lines are there, (n,)."""
    width = lines.shape[1]
    columns = np.arange(width, dtype=np.int32)
    first = np.maximum.accumulate(np.where(lines, np.int32(-1), columns), axis=1)[rows, at]
    after = np.minimum.accumulate(np.where(lines, np.int32(width), columns)[:, ::-1], axis=1)[:, ::-1][rows, at]
    share = ((at - first) / (after - first)).astype(np.float32)
    share[first < 0], share[after >= width] = 1, 0  # at the frame's border there is one side
    one, other = picture[rows, np.maximum(first, 0)], picture[rows, np.minimum(after, width - 1)]
    widths = np.where((first < 0) & (after >= width), WIDEST + 2 * max(lines.shape), after - first - 1)
    return one * (1 - share[:, None]) + other * share[:, None], widths


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
    share = cv2.blur(weight, size)
    added = cv2.blur((scan - clean) * weight[..., None], size)
    added /= np.maximum(share, np.float32(1e-3))[..., None]
    strongest = np.maximum.reduce(cv2.split(np.abs(added)))
    through = np.clip(np.float32(1.5) - strongest / np.float32(OPAQUE), 0, 1) * weight
    through[share < np.float32(RUNS)] = 0  # of a spot, what it adds is its own shape
    return np.asarray(clean + through[..., None] * (scan - added - clean), np.float32)
