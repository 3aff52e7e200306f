"""Whether a confidence of 0.8 is right eight times in ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .defects import Mask, Picture


@dataclass(frozen=True)
class Reliability:
    """Confidences in equal bins of 0..1, against what was true.

    Attributes:
        confidence_sums: Sum of the confidences in each bin.
        true_counts: How many of them were right.
        counts: How many there were.
    """

    confidence_sums: NDArray[np.float64]
    true_counts: NDArray[np.int64]
    counts: NDArray[np.int64]

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(
            self.confidence_sums + other.confidence_sums,
            self.true_counts + other.true_counts,
            self.counts + other.counts,
        )

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Mean confidence of each bin; nan where it is empty."""
        return _ratio(self.confidence_sums, self.counts)

    @property
    def observed(self) -> NDArray[np.float64]:
        """Share of each bin that was right; nan where it is empty."""
        return _ratio(self.true_counts.astype(np.float64), self.counts)

    @property
    def expected_error(self) -> float:
        """Mean gap of confidence and observed share, weighted by the bins' counts; nan for no samples."""
        if not self.counts.sum():
            return float("nan")
        return float(np.abs(self.confidence_sums - self.true_counts).sum() / self.counts.sum())


def reliability(confidence: Picture, truth: Mask, bins: int = 10) -> Reliability:
    """Reliability of a matte against the known mask, by pixel.

    Args:
        confidence: 0..1, any shape.
        truth: Same shape: where the pixel is damaged indeed.
        bins: Equal bins; a confidence of 1 falls into the last.

    Raises:
        ValueError: a confidence outside 0..1 or nan.

    Source: Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks", section 2.
    """
    values = np.asarray(confidence, np.float64).ravel()
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("confidences lie in 0..1: a value outside or nan came")
    index = np.minimum((values * bins).astype(np.int64), bins - 1)
    return Reliability(
        np.bincount(index, values, bins).astype(np.float64),
        np.bincount(index[np.asarray(truth).ravel()], minlength=bins),
        np.bincount(index, minlength=bins),
    )


def _ratio(sums: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))
