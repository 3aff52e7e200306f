"""What restormer learns: marks on single frames, found and painted over in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...restorers.calibrated import Calibrated
from ...restorers.restormer.network import RestormerNet, new_net
from ..calibrate import fit_one, some
from ..footage import Footage
from ..job import TrainJob
from ..losses import matte_loss, motion_of
from ..objective import PICTURE
from ..task import SEED, Figures, Losses, Recipe, Samples, Stage, Task
from ..validation import classical, measure, validation_set
from ..windows import Recipe as Windows
from ..windows import Sample, draw_sample

OUTSIDE = 0.5
"""Weight of the picture outside the mask. Source: From Dust to Detail's masked L1."""


class RestormerTask(Task):
    """A sample is a damaged window, each real frame of which is learned from by itself."""

    name: ClassVar[str] = "restormer"
    recipe: ClassVar[Recipe] = Recipe(
        samples=12_000,
        stages=(
            Stage(name="64", share=0.65, size=64, batch=2),
            Stage(name="96", share=0.25, size=96, batch=1),
            Stage(name="128", share=0.1, size=128, batch=1),
        ),
        rate=1e-3,
        warm_up=40,
        half=False,
    )
    """Patches that grow while batches shrink, as published, for CPUs."""

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """A small `RestormerNet`, with what differs from it."""
        return new_net("restormer-s", **settings)

    def draw(self, footage: Footage, seed: int, number: int, stage: Stage, settings: Mapping[str, Any]) -> Samples:
        """The real frames of one damaged window."""
        sample = draw_sample(footage, seed, number, Windows(size=stage.size))
        real = torch.tensor(sample.present)
        return {
            "scan": sample.scan[real],
            "truth": sample.truth[real],
            "matte": sample.matte[real],
            "weight": sample.weight[real],
            "motion": motion_of(sample.truth[None])[0][real],
        }

    def loss(self, network: RestormerNet, samples: Samples, noise: torch.Generator, stage: Stage) -> Losses:
        """The matte's, and the masked L1."""
        picture, logits = network(samples["scan"])
        return Losses.of(
            matte=matte_loss(logits, samples["matte"], samples["weight"], samples["motion"]),
            picture=PICTURE * masked_l1(picture, samples["truth"], samples["matte"]),
        )

    def held_out(self, footage: Footage, job: TrainJob, count: int, seed: int = SEED) -> list[Sample]:
        """Damaged windows, and half as many clean ones."""
        return validation_set(footage, count, seed)

    def figures(
        self, network: RestormerNet, held_out: list[Sample], job: TrainJob, calibration: Mapping[str, Any] | None = None
    ) -> Figures:
        """See `validation.measure`."""
        calibrated = Calibrated.from_card({"calibration": calibration or {}})

        @torch.inference_mode()
        def answer(sample: Sample) -> tuple[Tensor, Tensor]:
            picture, logits = network(sample.scan)
            return calibrated.confidence(logits), picture

        return measure(held_out, answer).to_dict()

    @torch.no_grad()
    def calibration(self, network: RestormerNet, held_out: list[Sample]) -> dict[str, Any]:
        """One temperature and one shift."""
        return fit_one(
            some(network(sample.scan)[1], sample.matte, sample.weight, number) for number, sample in enumerate(held_out)
        )

    def measured(
        self, network: RestormerNet, held_out: list[Sample], job: TrainJob, calibration: Mapping[str, Any] | None
    ) -> dict[str, Figures]:
        """Against the classical method, which sees the neighbours."""
        return {
            "classical": measure(held_out, classical).to_dict(),
            "restormer": self.figures(network, held_out, job, calibration),
        }


def masked_l1(
    picture: Float[Tensor, "n 3 h w"], truth: Float[Tensor, "n 3 h w"], matte: Float[Tensor, "n 1 h w"]
) -> Float[Tensor, ""]:
    """Mean absolute error inside the mask, and `OUTSIDE` times the mean elsewhere.

    One mean over all would be of what is untouched: marks are a few pixels in a hundred, and nothing outside them is
    laid over the scan. The network would learn to hand the scan back.
    """
    error = (picture - truth).abs().mean(dim=1, keepdim=True)
    inside = (error * matte).sum() / matte.sum().clamp_min(1.0)
    outside = (error * (1.0 - matte)).sum() / (1.0 - matte).sum().clamp_min(1.0)
    return inside + OUTSIDE * outside
