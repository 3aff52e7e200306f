"""The patch grid of a frame, the weights that blend overlapping patches, and the frame's small overview."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .frame import Box

OVERVIEW = 64  # cells along each edge
_SAMPLES = 8  # samples along each edge of a cell
_STEP = 1.0 / 16.0  # quantum of the overview, net encoding

F32 = NDArray[np.float32]


def starts(size: int, patch: int, overlap: int) -> tuple[int, ...]:
    """Where patches begin along one edge of `size` pixels; the last one ends with the edge."""
    if size <= patch:
        return (0,)
    regular = range(0, size - patch, patch - overlap)
    return (*regular, size - patch)


def patch_grid(height: int, width: int, patch: int, overlap: int) -> tuple[Box, ...]:
    """Boxes that cover the frame row by row. They depend on the frame's size alone, never on a region or span."""
    return tuple(
        Box(x0=x, y0=y, x1=min(x + patch, width), y1=min(y + patch, height))
        for y in starts(height, patch, overlap)
        for x in starts(width, patch, overlap)
    )


def _ramp(start: int, stop: int, size: int, overlap: int) -> F32:
    """1 in the middle, falling to 0 over `overlap` pixels at ends that are not the frame's own edge."""
    position = np.arange(start, stop, dtype=np.float32) + 0.5
    rise = np.ones(stop - start, np.float32) if start == 0 else (position - start) / max(overlap, 1)
    fall = np.ones(stop - start, np.float32) if stop == size else (stop - position) / max(overlap, 1)
    return np.clip(np.minimum(rise, fall), 0.0, 1.0).astype(np.float32)


def blend_weight(box: Box, full: tuple[int, int], overlap: int) -> F32:
    """Weight of a patch at each of its pixels, shape (h, w), above 0 and at most 1."""
    height, width = full
    return np.outer(_ramp(box.y0, box.y1, height, overlap), _ramp(box.x0, box.x1, width, overlap))


class Blend:
    """Adds weighted patches of `channels` planes into one frame.

    Sums are taken in the order of the calls: call in the grid's order and the result does not depend on which
    patch was ready first.
    """

    def __init__(self, full: tuple[int, int], channels: int) -> None:
        self._sum = np.zeros((*full, channels), np.float32)
        self._weight = np.zeros(full, np.float32)

    def add(self, box: Box, values: F32, weight: F32) -> None:
        """Adds `values` (h, w, channels) with `weight` (h, w); a weight of 0 leaves the pixel out."""
        self._sum[box.slices] += values * weight[:, :, None]
        self._weight[box.slices] += weight

    def result(self) -> F32:
        """The weighted mean, shape (height, width, channels); 0 where nothing was added."""
        np.divide(self._sum, self._weight[:, :, None], out=self._sum, where=self._weight[:, :, None] > 0)
        return self._sum


def overview_samples(height: int, width: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns to sample for the overview: 512 of each, spread evenly (repeated in small frames)."""
    count = OVERVIEW * _SAMPLES
    rows = (np.arange(count) * height) // count
    columns = (np.arange(count) * width) // count
    return rows, columns


def overview(samples: Sequence[F32]) -> F32:
    """A window's small picture that a speck, even a blotch, does not change.

    Args:
        samples: One array (512, 512, 3) a frame, net encoding, taken at `overview_samples`.

    Returns:
        Shape (3, 64, 64): the median over each cell, then over the frames, rounded to sixteenths.
    """
    cells = [
        np.median(
            frame.reshape(OVERVIEW, _SAMPLES, OVERVIEW, _SAMPLES, 3)
            .transpose(0, 2, 1, 3, 4)
            .reshape(OVERVIEW, OVERVIEW, _SAMPLES * _SAMPLES, 3),
            axis=2,
        )
        for frame in samples
    ]
    middle = np.median(np.stack(cells), axis=0)
    return np.ascontiguousarray((np.round(middle / _STEP) * _STEP).transpose(2, 0, 1), dtype=np.float32)
