"""An observer who knows a mark's shape and the picture under it, and has to tell it from grain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from .light import Floats

F64 = NDArray[np.float64]

NEIGHBOURS = 4
"""Frames from whose mean the picture under a mark is known: a quarter of one frame's grain is in it."""
BUDGET = 0.001
"""Share of the clean pixels that false alarms may touch."""
SCANNER = 0.5 / 255
"""Noise beside the grain, display units: with none at all the sharpness of a drawn edge would give any mark away."""

_NORMAL = NormalDist()
_LAG = 7  # pixels beyond which grain is not correlated
_AXES = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]]) / np.sqrt([[3], [2], [6]])  # brightness and two colours


@dataclass(frozen=True)
class Observer:
    """Knows the grain of a sequence.

    Attributes:
        covariances: Of brightness and two colours, (15, 15) by lag, lag 0 in the middle.
    """

    covariances: tuple[F64, ...]

    @classmethod
    def of(cls, grain: Sequence[Floats]) -> Observer:
        """Looks at the grain alone, frame by frame, (h, w, 3), in units of its own strength."""
        found = np.zeros((3, 2 * _LAG + 1, 2 * _LAG + 1))
        for frame in grain:
            for axis, plane in enumerate(_turned(frame)):
                power = np.abs(np.fft.rfft2(plane - plane.mean())) ** 2 / plane.size
                lags = np.fft.fftshift(np.fft.irfft2(power, plane.shape))
                y, x = (edge // 2 for edge in plane.shape)
                found[axis] += lags[y - _LAG : y + _LAG + 1, x - _LAG : x + _LAG + 1] / len(grain)
        return cls(tuple(found * (1 + 1 / NEIGHBOURS)))

    def chances(self, mark: Floats, area: int, strength: float) -> tuple[float, float]:
        """The chances that a mark is told from grain, while all the places without one stay within the budget.

        The first by laying its shape over the difference, the second by weighing fine and coarse detail as the grain's
        spectrum has it: then a sharp edge, which soft grain cannot have, is seen below any grain.

        Args:
            mark: What it adds, (h, w, 3), in units of the grain's strength; 0 outside it.
            area: Its pixels: each false alarm touches as many.
            strength: Of the grain, display units.

        Source: the matched filter, without and with whitening (North 1943; Wiener 1949).
        """
        shape = (mark.shape[0] + 2 * _LAG, mark.shape[1] + 2 * _LAG)
        at = np.arange(-_LAG, _LAG + 1)
        plain = whitened = 0.0
        for covariance, plane in zip(self.covariances, _turned(mark), strict=True):
            lags = np.zeros(shape)
            np.add.at(lags, np.ix_(at % shape[0], at % shape[1]), covariance)
            noise = np.maximum(np.fft.fft2(lags).real, 0) + (SCANNER / strength) ** 2
            power = np.abs(np.fft.fft2(plane, shape)) ** 2
            plain += float(power.mean() ** 2 / max((power * noise).mean(), 1e-30))
            whitened += float((power / noise).mean())
        limit = _NORMAL.inv_cdf(1 - min(BUDGET / area, 0.5))
        return _NORMAL.cdf(plain**0.5 - limit), _NORMAL.cdf(whitened**0.5 - limit)


def marks(damage: Floats, labels: NDArray[np.int32], count: int) -> Iterator[tuple[Floats, int, tuple[int, int]]]:
    """Each object's damage in its bounding box, 0 beside it; its area, and one of its pixels."""
    rows, columns = np.nonzero(labels)
    order = np.argsort(labels[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    ends = np.cumsum(np.bincount(labels[rows, columns], minlength=count + 1)[1:])
    for start, end in zip((0, *ends[:-1]), ends, strict=True):
        y, x = rows[start:end], columns[start:end]
        part = np.zeros((int(np.ptp(y)) + 1, int(np.ptp(x)) + 1, 3), np.float32)
        part[y - y.min(), x - x.min()] = damage[y, x]
        yield part, int(end - start), (int(y[0]), int(x[0]))


def _turned(pixels: Floats) -> Iterator[F64]:
    for axis in _AXES:
        yield np.asarray((pixels * axis).sum(axis=2), np.float64)
