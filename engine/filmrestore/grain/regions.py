"""A mask in parts: what lies close together is worked on together, so that a frame costs what is marked in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frame import Box

_COARSE = 8  # edge of the squares in which the mask is gathered into regions
_LARGEST = 128  # edge of a region, in those squares


@dataclass(frozen=True)
class Region:
    """One connected part of the mask: its box grown by the surroundings, and where in the box it lies."""

    box: Box
    inside: NDArray[np.bool_]


def regions(taken: NDArray[np.bool_], reach: int) -> list[Region]:
    """Parts of the mask within one or two coarse squares of each other; large ones are cut, to bound memory.

    Args:
        taken: The mask, (h, w).
        reach: Pixels by which each part's box is wider than the part.
    """
    height, width = taken.shape
    rows, columns = -(-height // _COARSE), -(-width // _COARSE)
    padded = np.zeros((rows * _COARSE, columns * _COARSE), bool)
    padded[:height, :width] = taken
    squares = np.asarray(padded.reshape(rows, _COARSE, columns, _COARSE).any(axis=(1, 3)))
    found = []
    for top in range(0, rows, _LARGEST):
        for left in range(0, columns, _LARGEST):
            found += _connected(squares[top : top + _LARGEST, left : left + _LARGEST], left, top, taken, reach)
    return found


def _connected(squares: NDArray[np.bool_], left: int, top: int, taken: NDArray[np.bool_], reach: int) -> list[Region]:
    """Regions of one window of the coarse mask, whose first square is (left, top)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(squares.astype(np.uint8), connectivity=8)
    height, width = taken.shape
    found = []
    for label in range(1, count):
        x, y, w, h = (int(value) for value in stats[label, :4])
        x0, y0 = (left + x) * _COARSE, (top + y) * _COARSE
        x1, y1 = min(x0 + w * _COARSE, width), min(y0 + h * _COARSE, height)
        box = Box(x0=max(x0 - reach, 0), y0=max(y0 - reach, 0), x1=min(x1 + reach, width), y1=min(y1 + reach, height))
        own = np.zeros((box.height, box.width), bool)
        mine = (labels[y : y + h, x : x + w] == label).repeat(_COARSE, axis=0).repeat(_COARSE, axis=1)
        own[y0 - box.y0 : y1 - box.y0, x0 - box.x0 : x1 - box.x0] = mine[: y1 - y0, : x1 - x0]
        found.append(Region(box, own & taken[box.slices]))
    return found
