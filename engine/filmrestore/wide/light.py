"""Light: how much the brightness of each frame differs from that of the frame before, moved along with the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..colour import Colour
from ..frame import Codes, Format
from ..motion import compensate, flow, luma8
from ..scenes import averageable
from .record import Law

F64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

GRID = (3, 4)
"""Rows and columns of the field of uneven light."""
EDGE = 112
"""Long edge of the pictures that are compared, pixels."""
_ROUNDS = 4  # of reweighting
_DOUBT = 0.002  # difference that the noise of such small pictures explains, share of full scale
_REACH = 3.0  # standard deviations beyond which a pixel has changed for another reason
_STIFF = 1e-3  # what a second coefficient costs, so that a flat picture does not make one up
_CLIPPED = (0.02, 0.98)  # integer codes beyond, as shares of full scale, do not follow the light


def law_of(colour: Colour, format: Format) -> Law:
    """What a change of light does to the codes: "offset" where they are logarithmic, "gain" where they are not."""
    if not format.is_integer:
        return "gain"
    ramp = np.array([0.4, 0.5, 0.6, 0.7]) * format.white
    codes = np.repeat(np.rint(ramp).astype(format.dtype)[None, :, None], len(format.picture), axis=2)
    light = np.log(np.maximum(colour.to_linear(codes)[0, :, 1].astype(np.float64), 1e-9))
    steps = np.diff(light)
    # Of logarithmic codes equal steps are equal ratios; of a power law they fall with the code, here to 0.69.
    return "offset" if steps[-1] > 0.85 * steps[0] else "gain"


class LightMeter:
    """Compares each frame of a stream with the one before it; holds one small frame.

    Attributes:
        steps: A row for each frame: offset and log gain of each channel, then `GRID` row by row; zeros for the first.
    """

    def __init__(self, format: Format, law: Law) -> None:
        self._format, self._law = format, law
        self._last: tuple[Float32, NDArray[np.uint8]] | None = None
        self.steps: list[tuple[float, ...]] = []

    def add(self, picture: Codes, small: Float32) -> None:
        """The next frame.

        Args:
            picture: Codes, shape (h, w, c).
            small: Its thumbnail, net, shape (h, w, 3).
        """
        size = _fitted(*picture.shape[:2])
        codes = cv2.resize(averageable(picture), size, interpolation=cv2.INTER_AREA).astype(np.float32)
        shares = codes.reshape(size[1], size[0], -1) / np.float32(self._format.white)
        luma = luma8(cv2.resize(small, size, interpolation=cv2.INTER_AREA))
        last, self._last = self._last, (shares, luma)
        nothing = np.zeros(2 * shares.shape[2] + GRID[0] * GRID[1])
        step = nothing if last is None else self._step(last, (shares, luma))
        self.steps.append(tuple(round(float(value), 5) for value in step))

    def _step(self, last: tuple[Float32, NDArray[np.uint8]], now: tuple[Float32, NDArray[np.uint8]]) -> F64:
        before, valid = compensate(last[0], flow(now[1], last[1]))
        middle, change = 0.5 * (before + now[0]), (now[0] - before).astype(np.float64)
        sound = valid > 0
        if self._format.is_integer:
            sound &= ((middle > _CLIPPED[0]) & (middle < _CLIPPED[1])).all(axis=2)
        if sound.sum() < 64:
            return np.zeros(2 * change.shape[2] + GRID[0] * GRID[1])
        levels = middle.astype(np.float64)
        pairs = [self._affine(levels[..., c][sound], change[..., c][sound]) for c in range(change.shape[2])]
        offset, gain = np.array(pairs).T
        rest = (change - offset - gain * levels).mean(axis=2)
        field = _cells(rest, levels.mean(axis=2) if self._law == "gain" else np.ones_like(rest), sound)
        return np.concatenate((offset, gain, field))

    def _affine(self, level: F64, change: F64) -> tuple[float, float]:
        """(offset, gain) of a channel's n pixels by weighted least squares that leave out what does not fit."""
        # Light, not codes, has even noise where codes are linear: highlights must not outweigh all else.
        even = np.ones_like(level) if self._format.is_integer else 1.0 / (np.abs(level) + 0.05)
        offset = gain = 0.0
        for _ in range(_ROUNDS):
            kept = even * even * _trust((change - offset - gain * level) * even)
            total = kept.sum()
            if total <= 0:
                break
            s1, s2 = (kept * level).sum() / total, (kept * level * level).sum() / total
            c0, c1 = (kept * change).sum() / total, (kept * change * level).sum() / total
            stiff = (0.0, _STIFF) if self._law == "offset" else (_STIFF, 0.0)
            matrix = np.array(((1.0 + stiff[0], s1), (s1, s2 + stiff[1])))
            offset, gain = np.linalg.solve(matrix + 1e-12 * np.eye(2), np.array((c0, c1)))
        return float(offset), float(gain)


def _cells(rest: F64, basis: F64, sound: NDArray[np.bool_]) -> F64:
    """How much each cell of `GRID` differs from what holds for the whole frame."""
    values = []
    for rows in np.array_split(np.arange(rest.shape[0]), GRID[0]):
        for columns in np.array_split(np.arange(rest.shape[1]), GRID[1]):
            cell = np.ix_(rows, columns)
            own, base = rest[cell][sound[cell]], basis[cell][sound[cell]]
            value = 0.0
            for _ in range(_ROUNDS):
                kept = _trust(own - value * base)
                power = (kept * base * base).sum()
                value = float((kept * own * base).sum() / power) if power > 1e-6 else 0.0
            values.append(value)
    return np.array(values)


def _trust(rest: F64) -> F64:
    """Tukey's biweight of what is left, 0..1."""
    if not rest.size:
        return rest
    scale = _REACH * max(1.4826 * float(np.median(np.abs(rest))), _DOUBT)
    return np.asarray(np.clip(1.0 - (rest / scale) ** 2, 0.0, 1.0) ** 2)


def _fitted(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, EDGE / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))
