"""What restormer learns: marks on single frames, found and painted over in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..restorers.restormer.network import SIZES, RestormerNet
from .calibrate import some
from .footage import Footage
from .losses import matte_loss, motion_of
from .method_job import Drawn, Method, Patches
from .objective import PICTURE, Losses
from .validation import CALIBRATION_SEED, measure, validation_set
from .windows import Recipe, Sample, draw_sample

OUTSIDE = 0.5
"""Weight of the picture outside the mask. Source: From Dust to Detail's masked L1."""

STAGES = (
    Patches(share=0.5, size=64, draws=2),
    Patches(share=0.25, size=96, draws=1),
    Patches(share=0.15, size=128, draws=1),
    Patches(share=0.1, size=192, draws=1),
)
"""Patches that grow while batches shrink, as published, for CPUs; each draw is five frames."""


def new_network(**changes: Any) -> RestormerNet:
    """The small network, with what differs from it."""
    net: RestormerNet = RestormerNet(**{**SIZES["restormer-s"], **changes})
    return net


def draw(footage: Footage, seed: int, number: int, size: int, _: Mapping[str, Any]) -> Drawn:
    """The real frames of one damaged window, each by itself."""
    sample = draw_sample(footage, seed, number, Recipe(size=size))
    real = torch.tensor(sample.present)
    return {
        "scan": sample.scan[real],
        "truth": sample.truth[real],
        "matte": sample.matte[real],
        "weight": sample.weight[real],
        "motion": motion_of(sample.truth[None])[0][real],
    }


def loss(network: RestormerNet, drawn: Drawn, _: torch.Generator) -> Losses:
    """The matte's, and the masked L1."""
    picture, logits = network(drawn["scan"])
    terms = {
        "matte": matte_loss(logits, drawn["matte"], drawn["weight"], drawn["motion"]),
        "picture": PICTURE * masked_l1(picture, drawn["truth"], drawn["matte"]),
    }
    total = torch.stack(list(terms.values())).sum()
    return Losses(total=total, figures={name: float(term.detach()) for name, term in terms.items()})


def masked_l1(
    picture: Float[Tensor, "n 3 h w"], truth: Float[Tensor, "n 3 h w"], matte: Float[Tensor, "n 1 h w"]
) -> Float[Tensor, ""]:
    """Mean absolute error, weight 1 inside the mask and `OUTSIDE` elsewhere."""
    cost = OUTSIDE + (1.0 - OUTSIDE) * matte
    return ((picture - truth).abs() * cost).sum() / (3.0 * cost.sum())


def figures(network: RestormerNet, data: Path, cache: Path, count: int) -> dict[str, Any]:
    """What it does to the held-out set, see `validation.measure`."""

    @torch.inference_mode()
    def answer(sample: Sample) -> tuple[Tensor, Tensor]:
        picture, logits = network(sample.scan)
        return logits.sigmoid(), picture

    return measure(validation_set(data, cache, count), answer).to_dict()


@torch.no_grad()
def pixels(network: RestormerNet, data: Path, cache: Path, count: int) -> tuple[Float[Tensor, n], Float[Tensor, n]]:
    """What the matte is calibrated on."""
    samples = validation_set(data, cache, count, seed=CALIBRATION_SEED)
    chosen = [
        some(network(sample.scan)[1], sample.matte, sample.weight, number) for number, sample in enumerate(samples)
    ]
    logits, truth = zip(*chosen, strict=True)
    return torch.cat(logits), torch.cat(truth)


METHOD = Method(new=new_network, stages=STAGES, draw=draw, loss=loss, figures=figures, pixels=pixels, rate=8e-4)
