"""What two_stage's segmentation nets learn: damage in the middle frames of damaged windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...frame import Box
from ...motion import CHANNELS
from ...restorers.base import Context, Restorer
from ...restorers.prior.model import Prior
from ...restorers.prior.network import new_prior
from ...restorers.stored import Stored
from ...restorers.two_stage.restorer import TwoStageRestorer
from ...restorers.two_stage.segmentation import DefectNet
from ...settings import RestoreSettings
from ..calibrate import fit_one, some
from ..footage import Footage
from ..job import TrainJob
from ..losses import matte_loss, motion_of
from ..task import SEED, Figures, Losses, Recipe, Samples, Stage, Task
from ..validation import KEPT, Answer, classical, measure, validation_set
from ..windows import Recipe as Windows
from ..windows import Sample, draw_sample


class SegmentationTask(Task):
    """Three samples a draw: the middle frames of a window, each with its neighbours' evidence."""

    name: ClassVar[str] = "two_stage"
    recipe: ClassVar[Recipe] = Recipe(samples=90_000, stages=(Stage(size=96, batch=6),), rate=1e-3, validation=16)
    per_draw: ClassVar[int] = 3

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """A `DefectNet`."""
        network: nn.Module = DefectNet(**settings).to(memory_format=torch.channels_last)
        return network

    def draw(self, footage: Footage, seed: int, number: int, stage: Stage, settings: Mapping[str, Any]) -> Samples:
        """The three middle frames of a window, with evidence, matte, weight and motion."""
        sample = draw_sample(footage, seed, number, Windows(size=stage.size))
        return {
            "frame": sample.scan[KEPT],
            "evidence": sample.evidence[KEPT, :CHANNELS],
            "matte": sample.matte[KEPT],
            "weight": sample.weight[KEPT],
            "motion": motion_of(sample.truth[None])[0, KEPT],
        }

    def loss(self, network: DefectNet, samples: Samples, noise: torch.Generator, stage: Stage) -> Losses:
        """Cross entropy, dearer where things move, and Dice."""
        logits = network(samples["frame"], samples["evidence"])
        return Losses.of(matte=matte_loss(logits, samples["matte"], samples["weight"], samples["motion"]))

    def held_out(self, footage: Footage, job: TrainJob, count: int, seed: int = SEED) -> list[Sample]:
        """Damaged windows, and half as many clean ones."""
        return validation_set(footage, count, seed)

    def figures(
        self, network: DefectNet, held_out: list[Sample], job: TrainJob, calibration: Mapping[str, Any] | None = None
    ) -> Figures:
        """With fills from the surroundings: the prior has figures of its own. See `validation.measure`."""
        cpu = torch.device("cpu")
        no_prior = Prior.of_film(new_prior("prior-test"), "", cpu)  # a preview asks none
        card = {"calibration": calibration} if calibration else {}
        restorer = TwoStageRestorer(Stored(net=network, card=card, digest=""), no_prior, cpu)
        answer = restorer_answer(restorer, RestoreSettings(method="two_stage", quality="preview"))
        return measure(held_out, answer).to_dict()

    @torch.no_grad()
    def calibration(self, network: DefectNet, held_out: list[Sample]) -> dict[str, Any]:
        """One temperature and one shift."""
        told = (network(sample.scan[KEPT], sample.evidence[KEPT, :CHANNELS]) for sample in held_out)
        return fit_one(
            some(logits, sample.matte[KEPT], sample.weight[KEPT], number)
            for number, (logits, sample) in enumerate(zip(told, held_out, strict=True))
        )

    def measured(
        self, network: DefectNet, held_out: list[Sample], job: TrainJob, calibration: Mapping[str, Any] | None
    ) -> dict[str, Figures]:
        """Against the classical method."""
        return {
            "classical": measure(held_out, classical).to_dict(),
            "preview": self.figures(network, held_out, job, calibration),
        }


def restorer_answer(restorer: Restorer, settings: RestoreSettings) -> Answer:
    """What a restorer of three frames says of the middle frames of a validation sample."""

    def answer(sample: Sample) -> tuple[Tensor, Tensor]:
        matte, picture = torch.zeros_like(sample.matte), sample.scan.clone()
        height, width = sample.scan.shape[-2:]
        for index in range(KEPT.start, KEPT.stop):
            around = slice(index - 1, index + 2)
            context = Context(
                frames=(index - 1, index, index + 1),
                present=sample.present[around],
                box=Box(x0=0, y0=0, x1=width, y1=height),
                full=(height, width),
                overview=sample.overview,
                settings=settings,
            )
            told = restorer(sample.scan[around], context)
            matte[index], picture[index] = told.matte[0], told.picture[0]
        return matte, picture

    return answer
