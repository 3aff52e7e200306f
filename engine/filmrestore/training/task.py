"""What the trainer is told of a model: its network, what it learns from, what that costs, and how it is measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

if TYPE_CHECKING:
    from .footage import Footage
    from .job import TrainJob
    from .schedule import Step

Samples = dict[str, Tensor]
"""Some samples, stacked: name -> tensor whose first axis counts them."""
Figures = dict[str, Any]
"""By name: numbers, None where there was nothing to measure, mappings of such."""

SEED, CALIBRATION_SEED = 90210, 90211
"""Of what is measured on held-out footage, and of what calibrates."""


@dataclass(frozen=True, kw_only=True)
class Losses:
    """What one batch cost: the sum to go down on, and its parts for the curve."""

    total: Float[Tensor, ""]
    figures: dict[str, float]

    @classmethod
    def of(cls, **terms: Tensor) -> Losses:
        """The sum of weighted terms."""
        total = torch.stack(list(terms.values())).sum()
        return cls(total=total, figures={name: float(term.detach()) for name, term in terms.items()})


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of a run.

    Attributes:
        name: As the curve and the task name it.
        share: Of all samples.
        size: Edge of the samples, pixels.
        batch: Samples an optimizer step.
        rate: Factor on the learning rate.
    """

    name: str = "all"
    share: float = 1.0
    size: int
    batch: int
    rate: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model is trained unless it is told otherwise; see `TrainJob` for what is not said here.

    Attributes:
        samples: Length of the whole schedule.
        stages: In order.
        rate: Highest learning rate.
        warm_up: Optimizer steps until it is reached.
        muon: Whether Muon steps the matrices, see `optimizer`.
        decay: Of the weights' moving average, which is what is shipped.
        half: Whether to compute in bfloat16 where that is safe.
        validation: Held-out windows or samples that each checkpoint is measured on.
        windows: Held-out windows or samples that published weights are calibrated on, and as many to measure them on.
    """

    samples: int
    stages: tuple[Stage, ...]
    rate: float
    warm_up: int = 200
    muon: bool = False
    decay: float = 0.998
    half: bool = True
    validation: int = 24
    windows: int = 48


class Task(ABC):
    """A model as the trainer sees it. What is not abstract here is for tasks that need it."""

    name: ClassVar[str]
    """As `filmrestore train --model` takes it; its page is docs/models/NAME.md."""
    recipe: ClassVar[Recipe]
    per_draw: ClassVar[int] = 1
    """Samples that a draw counts as; above 1, what is over in a batch is cut off."""

    @abstractmethod
    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """Untrained, in diffusers' form, with the settings that differ from the recipe's; parts may come trained."""

    @abstractmethod
    def draw(self, footage: Footage, seed: int, number: int, stage: Stage, settings: Mapping[str, Any]) -> Samples:
        """Draw number `number` of that seed: always the same."""

    @abstractmethod
    def loss(self, network: Any, samples: Samples, noise: torch.Generator, stage: Stage) -> Losses:
        """Of a batch. `noise` is on the CPU and the same for the same step."""

    def drawing(self, footage: Footage, job: TrainJob) -> Callable[[Step], Samples]:
        """What makes the batch of a step, always the same: draws, stacked."""
        return partial(self._stacked, footage, job)

    def frozen(self, stage: Stage) -> tuple[str, ...]:
        """How the names of those parameters begin that do not learn in a stage."""
        return ()

    def before_stage(self, stage: Stage, network: Any, average: Mapping[str, Tensor]) -> None:  # noqa: B027
        """Called once, before the first step of a stage, with the weights' moving average."""

    def held_out(self, footage: Footage, job: TrainJob, count: int, seed: int = SEED) -> list[Any]:
        """What `figures` are measured on, of footage that is never trained on: here batches of the last stage."""
        stage = job.stages[-1]
        return [self._batch(footage, seed, first, stage, job) for first in range(0, count, stage.batch)]

    def figures(
        self, network: Any, held_out: list[Any], job: TrainJob, calibration: Mapping[str, Any] | None = None
    ) -> Figures:
        """What a network in evaluation mode, on the CPU, does to the held-out set: here the mean of each loss."""
        sums: dict[str, float] = {}
        for number, samples in enumerate(held_out):
            noise = torch.Generator().manual_seed(SEED + number)
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=job.half):
                losses = self.loss(network, samples, noise, job.stages[-1])
            for name, value in {**losses.figures, "loss": float(losses.total)}.items():
                sums[name] = sums.get(name, 0.0) + value
        return {name: round(total / len(held_out), 5) for name, total in sums.items()}

    def calibration(self, network: Any, held_out: list[Any]) -> dict[str, Any] | None:
        """The "calibration" of the card; None where nothing is to be calibrated."""
        return None

    def measured(
        self, network: Any, held_out: list[Any], job: TrainJob, calibration: Mapping[str, Any] | None
    ) -> dict[str, Figures]:
        """Figures for the card, by what they are figures of; what it is to be compared with beside it."""
        return {"held out": self.figures(network, held_out, job, calibration)}

    def shipped(self, network: Any) -> Any:
        """The part of the network that is published, in diffusers' form."""
        return network

    def _stacked(self, footage: Footage, job: TrainJob, step: Step) -> Samples:
        return self._batch(footage, job.seed, step.first, step.stage, job)

    def _batch(self, footage: Footage, seed: int, first: int, stage: Stage, job: TrainJob) -> Samples:
        """Draws that no other batch uses."""
        numbers = range(first, first + -(-stage.batch // self.per_draw))
        draws = [self.draw(footage, seed, number, stage, job.network) for number in numbers]
        together = {name: torch.cat([drawn[name] for drawn in draws]) for name in draws[0]}
        return {name: part[: stage.batch] for name, part in together.items()} if self.per_draw > 1 else together
