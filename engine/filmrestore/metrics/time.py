"""Steadiness of repairs from frame to frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .defects import Mask, Picture


@dataclass(frozen=True)
class Flicker:
    """Sums of absolute frame differences inside and outside of repairs, over their sample counts."""

    inside_sum: float = 0.0
    inside_count: int = 0
    outside_sum: float = 0.0
    outside_count: int = 0

    def __add__(self, other: Flicker) -> Flicker:
        return Flicker(
            self.inside_sum + other.inside_sum,
            self.inside_count + other.inside_count,
            self.outside_sum + other.outside_sum,
            self.outside_count + other.outside_count,
        )

    @property
    def inside(self) -> float:
        return self.inside_sum / self.inside_count if self.inside_count else math.nan

    @property
    def outside(self) -> float:
        return self.outside_sum / self.outside_count if self.outside_count else math.nan

    @property
    def ratio(self) -> float:
        """Inside over outside: 1 is as steady as the picture around, above 1 the repairs flicker."""
        return self.inside / self.outside if self.outside > 0 else math.nan


def flicker(frame: Picture, previous: Picture, repair: Mask, valid: Mask | None = None) -> Flicker:
    """Difference of a frame to its motion-compensated predecessor, inside repairs against outside.

    Args:
        frame: A restored frame.
        previous: The restored frame before it, compensated to this one.
        repair: Pixels repaired in `frame`.
        valid: Where the compensation can be trusted; None is everywhere.
    """
    difference = np.abs(np.asarray(frame, np.float64) - np.asarray(previous, np.float64))
    trusted = np.ones(repair.shape, bool) if valid is None else valid
    inside, outside = difference[repair & trusted], difference[~repair & trusted]
    return Flicker(float(inside.sum()), inside.size, float(outside.sum()), outside.size)
