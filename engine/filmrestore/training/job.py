"""What a training run is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .schedule import Schedule
from .task import Stage
from .tasks import task_of


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """A training run; `job_of` fills in what the model's recipe says.

    Attributes:
        model: A name of `tasks.TASKS`.
        data: Folder with train/stills and train/video.
        out: Folder for checkpoints, the curve and the settings; a run found there goes on.
        cache: Folder for decoded footage; inside `out` where none is given.
        samples: Length of the whole schedule.
        budget_s: Stop after this much time and leave a checkpoint; None runs to the schedule's end.
        start: Weights (safetensors) to start from instead of chance.
        hard: Folder of hard examples to learn from besides, see `training.mine`; frdm alone takes them.
        network: Settings of the network that differ from the recipe's.
        stages: In order.
        rate: Highest learning rate.
        warm_up: Optimizer steps until it is reached.
        muon: Whether Muon steps the matrices, see `optimizer`.
        decay: Of the weights' moving average.
        seed: Of samples and noise.
        checkpoint_s: Time between checkpoints.
        device: "cpu", "cuda" ...
        half: Compute in bfloat16 where that is safe; weights stay float32.
        threads: Of the training process.
        workers: Processes that draw samples; 0 draws them in the training process.
        validation: Held-out windows or samples that each checkpoint is measured on; 0 for none.
    """

    model: str
    data: Path
    out: Path
    cache: Path | None = None
    samples: int
    budget_s: float | None = None
    start: Path | None = None
    hard: Path | None = None
    network: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[Stage, ...]
    rate: float
    warm_up: int
    muon: bool
    decay: float
    seed: int = 1
    checkpoint_s: float = 240.0
    device: str = "cpu"
    half: bool
    threads: int = 1
    workers: int = 1
    validation: int

    def __post_init__(self) -> None:
        if self.samples < 1 or any(stage.batch < 1 for stage in self.stages):
            raise UsageError(
                f"samples is {self.samples} and batch {[stage.batch for stage in self.stages]}: give at least 1 of each"
            )
        if self.budget_s is not None and self.budget_s <= 0:
            raise UsageError(f"the budget is {self.budget_s:g} s: give a time above 0")
        if self.hard is not None and self.model != "frdm":
            raise UsageError(
                f"--hard is not for --model {self.model}: only frdm learns from hard examples; leave it out"
            )

    @cached_property
    def schedule(self) -> Schedule:
        """Its steps."""
        return Schedule(self.stages, self.samples)

    @property
    def footage(self) -> Path:
        """Where decoded footage lies."""
        return self.cache or self.out / "cache"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the run's record."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


def job_of(model: str, *, size: int | None = None, batch: int | None = None, **given: Any) -> TrainJob:
    """A job as the model's recipe has it.

    Args:
        model: A name of `tasks.TASKS`.
        size, batch: Of every stage, instead of the recipe's.
        given: What else differs: attributes of `TrainJob`.

    Raises:
        UsageError: there is no such model, or its stages differ in what is to be the same for all.
    """
    recipe = task_of(model).recipe
    named = {entry.name for entry in fields(TrainJob)} & {entry.name for entry in fields(recipe)}
    filled: dict[str, Any] = {**{name: getattr(recipe, name) for name in named}, **given}
    for name, value in (("size", size), ("batch", batch)):
        if value is not None:
            filled["stages"] = _all_stages(model, filled["stages"], name, value)
    return TrainJob(model=model, **filled)


def _all_stages(model: str, stages: tuple[Stage, ...], name: str, value: int) -> tuple[Stage, ...]:
    found = [getattr(stage, name) for stage in stages]
    if len(set(found)) > 1:
        said = ", ".join(map(str, found))
        raise UsageError(
            f"--{name} is not for --model {model}: its stages have {said}, one after the other; leave it out"
        )
    changed: dict[str, Any] = {name: value}
    return tuple(replace(stage, **changed) for stage in stages)


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
