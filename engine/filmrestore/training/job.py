"""What a training run is asked to do, and its stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .windows import Recipe


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of a run with its own task.

    Attributes:
        name: As the curve names it.
        share: Of all samples.
        sampler: Whether the denoiser is trained, or the guidance.
        recipe: What samples are drawn.
        rate: Factor on the learning rate.
    """

    name: str
    share: float
    sampler: bool
    recipe: Recipe
    rate: float = 1.0


STAGES = (
    Stage(name="guidance", share=0.75, sampler=False, recipe=Recipe(size=128)),
    Stage(name="sampler", share=0.25, sampler=True, recipe=Recipe(size=128, lookalikes=0.3, clean=0.0), rate=5.0),
)


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """A training run.

    Attributes:
        data: Folder with train/stills and train/video.
        out: Folder for checkpoints, the curve and the settings; a run found there goes on.
        cache: Folder for decoded footage; inside `out` where none is given.
        samples: Length of the whole schedule; each drawn window counts twice, since it is learned from twice.
        budget_s: Stop after this much time and leave a checkpoint; None runs to the schedule's end.
        start: Weights (safetensors) to start from instead of chance.
        network: Settings of the network that differ from its own.
        stages: In order.
        batch: Samples an optimizer step.
        rate: Highest learning rate.
        warm_up: Optimizer steps until it is reached.
        seed: Of samples and noise.
        checkpoint_s: Time between checkpoints.
        device: "cpu", "cuda" ...
        half: Compute in bfloat16 where that is safe; weights stay float32.
        threads: Of the training process.
        workers: Processes that draw samples; 0 draws them in the training process.
        validation: Windows of the fixed held-out set that each checkpoint is measured on; 0 for none.
    """

    data: Path
    out: Path
    cache: Path | None = None
    samples: int = 20000
    budget_s: float | None = None
    start: Path | None = None
    network: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[Stage, ...] = STAGES
    batch: int = 4
    rate: float = 1e-3
    warm_up: int = 200
    seed: int = 1
    checkpoint_s: float = 240.0
    device: str = "cpu"
    half: bool = True
    threads: int = 1
    workers: int = 1
    validation: int = 48

    def __post_init__(self) -> None:
        if self.samples < 1 or self.batch < 1:
            raise UsageError(f"samples is {self.samples} and batch {self.batch}: give at least 1 of each")
        if self.budget_s is not None and self.budget_s <= 0:
            raise UsageError(f"the budget is {self.budget_s:g} s: give a time above 0")

    def stage(self, step: int) -> Stage:
        """The stage that sample number `step` belongs to."""
        end = 0.0
        for stage in self.stages:
            end += stage.share * self.samples
            if step < end:
                return stage
        return self.stages[-1]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the run's record."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


def seconds(text: str) -> float:
    """A time as people write it: "90", "90s", "25m", "1.5h".

    Raises:
        UsageError: it is none.
    """
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        return float(number) * units[unit]
    except ValueError as error:
        raise UsageError(f"the time is {text!r}: write it like 90s, 25m or 1.5h") from error
