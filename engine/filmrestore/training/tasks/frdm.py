"""What frdm learns: to find damage and to tell its kind; then its sampler, on what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...restorers.frdm.calibration import Calibration
from ...restorers.frdm.network import FrdmNet, new_net
from ..answers import network_answer
from ..batches import CLASSES, RECIPES, Batch, Windows, stack
from ..calibrate import fit_calibration, fit_marks
from ..footage import Footage
from ..hard import found
from ..job import TrainJob
from ..objective import objective
from ..schedule import Step
from ..task import SEED, Figures, Losses, Recipe, Samples, Stage, Task
from ..validation import classical, measure, validation_set
from ..windows import Sample, draw_sample


class FrdmTask(Task):
    """Guidance branch first, denoiser last. A drawn window counts twice, since it is learned from twice."""

    name: ClassVar[str] = "frdm"
    recipe: ClassVar[Recipe] = Recipe(
        samples=20000,
        stages=(
            Stage(name="guidance", share=0.85, size=128, batch=4),
            Stage(name="sampler", share=0.15, size=128, batch=4, rate=5.0),
        ),
        rate=1e-3,
        muon=True,
        validation=48,
        windows=64,
    )

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """A small `FrdmNet`, with what differs from it."""
        return new_net("frdm-s", **settings)

    def draw(self, footage: Footage, seed: int, number: int, stage: Stage, settings: Mapping[str, Any]) -> Samples:
        """One window, as `batches.Batch` holds it."""
        return vars(stack([draw_sample(footage, seed, number, replace(RECIPES[stage.name], size=stage.size))]))

    def drawing(self, footage: Footage, job: TrainJob) -> Callable[[Step], Samples]:
        """Each window twice, see `batches.Windows`."""
        return Windows(footage, job.seed, job.schedule, found(job.hard) if job.hard else ())

    def loss(self, network: FrdmNet, samples: Samples, noise: torch.Generator, stage: Stage) -> Losses:
        """See `objective`."""
        return objective(network, Batch(**samples), sampler=stage.name == "sampler", noise=noise)

    def frozen(self, stage: Stage) -> tuple[str, ...]:
        """The branch that the stage is not about."""
        return ("guidance.",) if stage.name == "sampler" else ("denoiser.",)

    def before_stage(self, stage: Stage, network: FrdmNet, average: Mapping[str, Tensor]) -> None:
        """The sampler works on what will be shipped."""
        if stage.name == "sampler":
            network.load_state_dict(average)

    def held_out(self, footage: Footage, job: TrainJob, count: int, seed: int = SEED) -> list[Sample]:
        """Damaged windows, and half as many clean ones."""
        return validation_set(footage, count, seed)

    def figures(
        self, network: FrdmNet, held_out: list[Sample], job: TrainJob, calibration: Mapping[str, Any] | None = None
    ) -> Figures:
        """Of what is recovered, without the sampler; see `validation.measure`."""
        return measure(held_out, network_answer(network, _fitted(calibration))).to_dict()

    def calibration(self, network: FrdmNet, held_out: list[Sample]) -> dict[str, Any]:
        """One temperature and shift for each kind of damage, and what marks are worth by their strongest pixel."""
        of_pixels: dict[str, Any] = fit_calibration(network, held_out)
        fitted = Calibration.from_card({"calibration": of_pixels}, CLASSES)
        return of_pixels | {"marks": fit_marks(fitted, network, held_out)}

    def measured(
        self, network: FrdmNet, held_out: list[Sample], job: TrainJob, calibration: Mapping[str, Any] | None
    ) -> dict[str, Figures]:
        """The classical method, what is recovered, and what the sampler makes of it."""
        final = network_answer(network, _fitted(calibration), sampler=True)
        return {
            "classical": measure(held_out, classical).to_dict(),
            "preview": self.figures(network, held_out, job, calibration),
            "final": measure(held_out, final).to_dict(),
        }


def _fitted(calibration: Mapping[str, Any] | None) -> Calibration | None:
    return Calibration.from_card({"calibration": calibration}, CLASSES) if calibration else None
