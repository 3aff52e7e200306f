"""Bundles of hairlines: how far beside a line the film is scratched along with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .paths import Path

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

REACH = 28
"""Columns on either side of a line that are looked at."""
WIDEST = 14
"""Columns on either side of a line that a bundle may reach to; beyond them is the picture that it is told from."""
_STIRRED = 2.0
"""Times what the picture beside it changes by, from which a column is of the bundle."""
_GAP = 2
"""Columns between two hairlines of one bundle that change no more than the picture."""
_FLOOR = 1e-3  # net: what no scan is quieter than
_OFFSETS = np.arange(-REACH, REACH + 1)


def stir(strips: Sequence[Float32], ways: Sequence[int], here: int, path: Path) -> Float64:
    """What each column beside a path changes by from frame to frame, net, (2 `REACH` + 1,).

    Args:
        strips: Net luminance of each frame, (strips, columns).
        ways: Columns that the path lies further right in each.
        here: Place of the frame that the path is of.
        path: The line.
    """
    last = strips[0].shape[1] - 1
    far = np.abs(_OFFSETS) > WIDEST
    tubes = []
    for frame, way in zip(strips, ways, strict=True):
        tube = frame[path.strips[:, None], np.clip(path.columns[:, None] + way + _OFFSETS, 0, last)]
        tubes.append(tube - np.median(tube[:, far], axis=1, keepdims=True))  # a lamp or a cloud is no change of a line
    stack = np.stack(tubes)
    others = np.arange(len(stack)) != here
    return np.asarray(np.median(np.abs(stack - stack[here])[others], axis=0).mean(axis=0), np.float64)


def extent(stirred: Float64) -> tuple[int, int]:
    """Columns left and right of a line up to which the film changes as the line does and the picture does not.

    Args:
        stirred: What `stir` measured.
    """
    usual = float(np.median(stirred[np.abs(_OFFSETS) > WIDEST])) + _FLOOR
    busy = stirred > _STIRRED * usual
    left, right = (_run(side) for side in (busy[REACH - WIDEST : REACH][::-1], busy[REACH + 1 : REACH + 1 + WIDEST]))
    return left, right


def _run(busy: NDArray[np.bool_]) -> int:
    """How many columns hang together from the first on, gaps passed over."""
    reached = 0
    for column in np.flatnonzero(busy).tolist():
        if column - reached > _GAP:
            break
        reached = column + 1
    return reached
