"""The motion guard: a mark that the neighbour frames show again, moved along, is picture and not dirt."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frame import Box

F32 = NDArray[np.float32]
_BORDER = 4  # pixels of surroundings that move with a mark
_RIM = np.float32(0.55)  # weight of the one pixel around a mark; matchTemplate squares it
_WIDEST = 160  # a longer mark is no thrown ball; it is judged by the network alone


def is_moving_picture(
    now: F32,
    box: Box,
    mark: NDArray[np.bool_],
    clean: F32,
    neighbours: Sequence[F32],
    *,
    guard: float,
    reach: int,
) -> bool:
    """Whether a would-be defect is seen again, displaced, in every neighbour frame.

    Dirt lies on one frame. A ball, a bird or a blinking eye's lid lies on several, each time somewhere else.
    What stays in the same place (a scratch, a hair in the gate) is not judged here: both film and picture
    do that, and only the network's wider view tells them apart.

    Args:
        now: Luma of the frame, net encoding, shape (h, w).
        box: Bounding box of the mark.
        mark: The mark's pixels in the box, shape (box.height, box.width).
        clean: Luma of the proposed repair in the box.
        neighbours: Luma of the previous and of the next frame, those that belong to the same shot.
        guard: 0 never takes a fix back; 1 does at the faintest likeness.
        reach: How far a mark may have moved, pixels.

    Returns:
        True where the fix is to be taken back.
    """
    if guard <= 0 or not neighbours or max(box.width, box.height) > _WIDEST:
        return False
    contrast = float(np.abs(now[box.slices] - clean)[mark].mean())
    if contrast <= 1e-4:
        return False
    limit = 0.7 * guard  # share of the mark's contrast that may remain when it is laid over its likeness
    shifts = [_likeness(now, box, mark, other, contrast * limit, reach) for other in neighbours]
    if any(shift is None for shift in shifts):
        return False
    if len(shifts) == 1:
        return True
    (ax, ay), (bx, by) = shifts[0], shifts[1]  # type: ignore[misc]
    # One path through three frames: the way back mirrors the way forth, give or take a bend.
    bend = float(np.hypot(ax + bx, ay + by))
    return bend <= 2.0 + 0.5 * max(float(np.hypot(ax, ay)), float(np.hypot(bx, by)))


def _likeness(
    now: F32, box: Box, mark: NDArray[np.bool_], other: F32, most: float, reach: int
) -> tuple[int, int] | None:
    """The displacement (x, y) at which `other` shows the mark, or None.

    A displacement counts when the mark laid there differs by less than `most` on average, and by clearly less
    than in its old place (else it did not move).
    """
    height, width = now.shape
    y0, y1 = max(box.y0 - _BORDER, 0), min(box.y1 + _BORDER, height)
    x0, x1 = max(box.x0 - _BORDER, 0), min(box.x1 + _BORDER, width)
    weight = np.zeros((y1 - y0, x1 - x0), np.uint8)
    weight[box.y0 - y0 : box.y1 - y0, box.x0 - x0 : box.x1 - x0] = mark
    # The rim tells a mark from a piece of something larger; it counts less, for what lies behind changes.
    rim = cv2.dilate(weight, np.ones((3, 3), np.uint8)) - weight
    importance = np.where(weight > 0, np.float32(1), _RIM * rim.astype(np.float32))
    sy0, sy1 = max(y0 - reach, 0), min(y1 + reach, height)
    sx0, sx1 = max(x0 - reach, 0), min(x1 + reach, width)
    error = cv2.matchTemplate(
        np.ascontiguousarray(other[sy0:sy1, sx0:sx1]),
        np.ascontiguousarray(now[y0:y1, x0:x1]),
        cv2.TM_SQDIFF,
        mask=importance,
    )
    error = np.sqrt(np.maximum(error, 0) / float((importance**2).sum()))
    still = error[y0 - sy0, x0 - sx0]
    near = error[max(y0 - sy0 - 1, 0) : y0 - sy0 + 2, max(x0 - sx0 - 1, 0) : x0 - sx0 + 2]
    moved = error.copy()
    moved[max(y0 - sy0 - 1, 0) : y0 - sy0 + 2, max(x0 - sx0 - 1, 0) : x0 - sx0 + 2] = np.inf
    row, column = np.unravel_index(int(np.argmin(moved)), moved.shape)
    best = moved[row, column]
    if not best < most or not best < 0.6 * min(still, near.min()):
        return None
    return int(column) - (x0 - sx0), int(row) - (y0 - sy0)
