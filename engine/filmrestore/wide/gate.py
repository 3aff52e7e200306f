"""Gate: how each frame lies against the frame before, by many small places that are followed from one to the other."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..motion import luma8

F64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Step = tuple[float, float, float]

EDGE = 960
"""Long edge of the pictures that are compared, pixels."""
_PLACES = 400
_FEWEST = 12  # places that agree, below which nothing is said
_ROUNDS = 10  # of reweighting
_DOUBT = 0.05  # px: what a place may miss for the noise of following it
_REACH = 3.0  # standard deviations beyond which a place has moved by itself


class GateMeter:
    """Compares each frame of a stream with the one before it; holds one frame.

    Attributes:
        steps: (x, y, turn) of each frame: how far the picture has moved, px, and turned about the middle of the frame,
            degrees, clockwise; zeros for the first, and where the two have nothing in common.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._scale = max(width, height) / min(EDGE, max(width, height))
        self._last: NDArray[np.uint8] | None = None
        self.steps: list[Step] = []

    def add(self, picture: Float32) -> None:
        """The next frame, net, shape (h, w, 3), at `edge` or smaller."""
        luma = luma8(picture)
        last, self._last = self._last, luma
        self.steps.append((0.0, 0.0, 0.0) if last is None else self._step(last, luma))

    def small(self) -> tuple[int, int]:
        """(width, height) of the pictures that `add` takes."""
        return round(self._size[0] / self._scale), round(self._size[1] / self._scale)

    def _step(self, last: NDArray[np.uint8], now: NDArray[np.uint8]) -> Step:
        there = cv2.goodFeaturesToTrack(last, _PLACES, 0.01, max(4.0, max(last.shape) / 48))
        if there is None or len(there) < _FEWEST:
            return 0.0, 0.0, 0.0
        window = (21, 21)
        ends = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 0.003)
        here, found, _ = cv2.calcOpticalFlowPyrLK(last, now, there, np.empty_like(there), winSize=window, criteria=ends)
        back, known, _ = cv2.calcOpticalFlowPyrLK(now, last, here, np.empty_like(there), winSize=window, criteria=ends)
        miss = np.abs(back - there).reshape(-1, 2).max(axis=1)
        good = (found.ravel() > 0) & (known.ravel() > 0) & (miss < 0.5)
        centre = (np.array(last.shape[::-1]) - 1) / 2.0
        x, y, turn, count = _rigid(there.reshape(-1, 2)[good] - centre, here.reshape(-1, 2)[good] - centre)
        if count < _FEWEST:
            return 0.0, 0.0, 0.0
        return round(x * self._scale, 3), round(y * self._scale, 3), round(float(np.degrees(turn)), 5)


def _rigid(there: NDArray[np.float32], here: NDArray[np.float32]) -> tuple[float, float, float, int]:
    """(x, y, turn in radians, places that agree) of the small motion that most places share."""
    if len(there) < _FEWEST:
        return 0.0, 0.0, 0.0, 0
    place, move = there.astype(np.float64), (here - there).astype(np.float64)
    x, y = np.median(move, axis=0)
    turn = 0.0
    weight = np.ones(len(place))
    for _ in range(_ROUNDS):
        rest = move - (x, y) - turn * np.column_stack((-place[:, 1], place[:, 0]))
        miss = np.hypot(rest[:, 0], rest[:, 1])
        scale = _REACH * max(float(np.median(miss)), _DOUBT)
        weight = np.clip(1 - (miss / scale) ** 2, 0, 1) ** 2
        if weight.sum() < _FEWEST / 2:
            return 0.0, 0.0, 0.0, 0
        middle = (weight[:, None] * place).sum(axis=0) / weight.sum()
        mean = (weight[:, None] * move).sum(axis=0) / weight.sum()
        arm, rest = place - middle, move - mean
        inertia = (weight * (arm**2).sum(axis=1)).sum()
        turn = float((weight * (arm[:, 0] * rest[:, 1] - arm[:, 1] * rest[:, 0])).sum() / max(inertia, 1e-9))
        x, y = mean - turn * np.array((-middle[1], middle[0]))
    return float(x), float(y), turn, int((weight > 0.1).sum())
