"""The optimizer steps of a run, by number."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .task import Stage

LAST_RATE = 0.03
"""Where the cosine ends, against the highest learning rate."""
LONGEST_WARM_UP = 0.05
"""Of all steps."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One optimizer step.

    Attributes:
        number: From 0.
        first: Number of its first sample.
        stage: It belongs to.
        begins: Whether it is the stage's first.
    """

    number: int
    first: int
    stage: Stage
    begins: bool


class Schedule:
    """The steps of a run.

    Args:
        stages: In order; each gets its share of the samples, and one step at least.
        samples: All samples.
    """

    def __init__(self, stages: tuple[Stage, ...], samples: int) -> None:
        self._steps = [(stage, max(1, round(stage.share * samples / stage.batch))) for stage in stages]

    def __len__(self) -> int:
        return sum(count for _, count in self._steps)

    def __getitem__(self, number: int) -> Step:
        before = first = 0
        for stage, count in self._steps:
            if number < before + count:
                place = number - before
                return Step(number=number, first=first + place * stage.batch, stage=stage, begins=place == 0)
            before, first = before + count, first + count * stage.batch
        raise IndexError(f"the schedule has {len(self)} steps")

    def stage_of(self, sample: int) -> Stage:
        """The stage that a sample belongs to; the last one's for any beyond the end."""
        end = 0
        for stage, count in self._steps:
            end += count * stage.batch
            if sample < end:
                return stage
        return self._steps[-1][0]

    def drawn(self, steps: int) -> int:
        """Samples that so many steps have learned from."""
        return self[steps].first if steps < len(self) else sum(stage.batch * count for stage, count in self._steps)

    def share(self, step: int, warm_up: int) -> float:
        """Of the highest learning rate: linear warm-up, a cosine down to `LAST_RATE`, and the stage's factor.

        A short schedule warms up in a shorter time: it has no hundreds of steps to spare.
        """
        warm = min(1.0, (step + 1) / max(1.0, min(warm_up, LONGEST_WARM_UP * len(self))))
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / len(self))))
        return warm * (LAST_RATE + (1.0 - LAST_RATE) * cosine) * self[step].stage.rate
