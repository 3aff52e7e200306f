"""What a run of a one-network method is asked to do, and what such a method must bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError
from .footage import Footage
from .objective import Losses

Drawn = dict[str, Tensor]
"""What one draw gives: tensors whose first axis is stacked."""


@dataclass(frozen=True, kw_only=True)
class Patches:
    """A stretch of a run with patches of one size.

    Attributes:
        share: Of all draws.
        size: Edge, pixels.
        draws: An optimizer step learns from this many.
    """

    share: float
    size: int
    draws: int


@dataclass(frozen=True, kw_only=True)
class Method:
    """A network with what it learns from.

    Attributes:
        new: The network of a configuration.
        stages: Patches, from small to large.
        draw: (footage, seed, number, size, configuration) -> always the same draw.
        loss: (network, stacked draws, generator for noise) -> losses.
        figures: (network, data, cache, count) -> figures of a held-out set.
        pixels: (network, data, cache, count) -> logits and truth of held-out pixels, other ones than the figures'.
        rate: Highest learning rate.
    """

    new: Callable[..., Any]
    stages: tuple[Patches, ...]
    draw: Callable[[Footage, int, int, int, Mapping[str, Any]], Drawn]
    loss: Callable[[Any, Drawn, torch.Generator], Losses]
    figures: Callable[[Any, Path, Path, int], dict[str, Any]]
    pixels: Callable[[Any, Path, Path, int], tuple[Tensor, Tensor]]
    rate: float


@dataclass(frozen=True, kw_only=True)
class MethodJob:
    """A training run.

    Attributes:
        model: A name of `methods.METHODS`.
        data: Folder with train/stills and train/video.
        out: Folder for checkpoints, the curve and the settings; a run found there goes on.
        cache: Folder for decoded footage; inside `out` where none is given.
        samples: Draws of the whole schedule.
        budget_s: Stop after this much time and leave a checkpoint; None runs to the schedule's end.
        start: Weights (safetensors) to start from instead of chance.
        network: Settings of the network that differ from its small size.
        rate: Highest learning rate; the method's own where none is given.
        warm_up: Optimizer steps until it is reached.
        seed: Of draws and noise.
        checkpoint_s: Time between checkpoints.
        device: "cpu", "cuda" ...
        half: Compute in bfloat16 where that is safe; weights stay float32. On CPUs it gained nothing.
        threads: Of the training process.
        workers: Processes that draw; 0 draws in the training process.
        validation: Windows of the held-out set that each checkpoint is measured on; 0 for none.
        stages: Instead of the method's own.
    """

    model: str
    data: Path
    out: Path
    cache: Path | None = None
    samples: int = 40000
    budget_s: float | None = None
    start: Path | None = None
    network: Mapping[str, Any] = field(default_factory=dict)
    rate: float | None = None
    warm_up: int = 200
    seed: int = 1
    checkpoint_s: float = 240.0
    device: str = "cpu"
    half: bool = False
    threads: int = 1
    workers: int = 1
    validation: int = 24
    stages: tuple[Patches, ...] = ()

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise UsageError(f"samples is {self.samples}: give at least 1")
        if self.budget_s is not None and self.budget_s <= 0:
            raise UsageError(f"the budget is {self.budget_s:g} s: give a time above 0")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the run's record."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One optimizer step of a schedule: its stage, and the number of its first draw."""

    stage: Patches
    first: int


class Schedule:
    """The steps of a run, by number.

    Args:
        stages: In order; each gets its share of the draws.
        samples: All draws.
    """

    def __init__(self, stages: tuple[Patches, ...], samples: int) -> None:
        self._steps = [(stage, max(1, round(stage.share * samples / stage.draws))) for stage in stages]

    def __len__(self) -> int:
        return sum(count for _, count in self._steps)

    def __getitem__(self, number: int) -> Step:
        drawn = 0
        for stage, count in self._steps:
            if number < count:
                return Step(stage=stage, first=drawn + number * stage.draws)
            number -= count
            drawn += count * stage.draws
        raise IndexError(f"the schedule has {len(self)} steps")

    def drawn(self, steps: int) -> int:
        """Draws that so many steps have learned from."""
        return self[steps].first if steps < len(self) else sum(stage.draws * count for stage, count in self._steps)
