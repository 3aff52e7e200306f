"""What plain runs train: the prior, and the segmentation nets of two_stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..colour import encode_net
from ..errors import UsageError
from ..restorers.prior.encoding import HIGH, LOW
from ..restorers.prior.network import TRAIN_STEPS, FilmPrior, alphas_of
from ..restorers.two_stage.segmentation import DefectNet
from .clips import TO_LINEAR, Linear, texture
from .footage import Footage
from .look import grade, soften
from .losses import matte_loss, motion_of
from .plain import Samples, Task
from .windows import Recipe, draw_sample


@dataclass(frozen=True)
class PriorTask:
    """Tells noise from clean frames: no damage, no added grain, the look of many films."""

    name: str = "prior"
    per_draw: int = 1

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """A `FilmPrior`."""
        network: nn.Module = FilmPrior(**settings).to(memory_format=torch.channels_last)
        return network

    def draw(self, footage: Footage, seed: int, step: int, size: int) -> Samples:
        """ "picture" (1, 3, size, size), -1..1."""
        rng = np.random.default_rng((seed, step))
        light = _still(footage, rng, size) if rng.random() < 0.6 else _clip_frame(footage, rng, size)
        graded, _ = grade(rng, light[None], light)
        net = encode_net(np.ascontiguousarray(soften(rng, graded)[0], np.float32))
        x = np.clip((net - LOW) * (2.0 / (HIGH - LOW)) - 1.0, -1.0, 1.0)
        if rng.random() < 0.5:
            x = x[:, ::-1]
        return {"picture": torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, 2, 0), np.float32))[None]}

    def loss(self, network: nn.Module, samples: Samples, noise: torch.Generator) -> Tensor:
        """Mean squared error of v, with the places of the schedule spread evenly over the batch."""
        picture = samples["picture"]
        count = len(picture)
        spread = (torch.arange(count) + torch.rand(count, generator=noise)) / count
        times = (spread * TRAIN_STEPS).long().clamp(max=TRAIN_STEPS - 1)
        drawn = torch.randn(picture.shape, generator=noise).to(picture.device)
        alpha = _alphas()[times][:, None, None, None].to(picture.device)
        noisy = alpha.sqrt() * picture + (1 - alpha).sqrt() * drawn
        v = alpha.sqrt() * drawn - (1 - alpha).sqrt() * picture
        told = network(noisy, times.to(picture.device).float())
        return functional.mse_loss(told, v)


@dataclass(frozen=True)
class SegmentationTask:
    """Finds damage in the middle frames of damaged windows."""

    name: str = "two_stage"
    per_draw: int = 3

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """A `DefectNet`."""
        network: nn.Module = DefectNet(**settings).to(memory_format=torch.channels_last)
        return network

    def draw(self, footage: Footage, seed: int, step: int, size: int) -> Samples:
        """The three middle frames of a window, with evidence, matte, weight and motion."""
        sample = draw_sample(footage, seed, step, Recipe(size=size))
        kept = slice(1, 4)
        return {
            "frame": sample.scan[kept],
            "evidence": sample.evidence[kept],
            "matte": sample.matte[kept],
            "weight": sample.weight[kept],
            "motion": motion_of(sample.truth[None])[0, kept],
        }

    def loss(self, network: nn.Module, samples: Samples, noise: torch.Generator) -> Tensor:
        """Cross entropy, dearer where things move, and Dice."""
        logits = network(samples["frame"], samples["evidence"])
        return matte_loss(logits, samples["matte"], samples["weight"], samples["motion"])


TASKS: dict[str, Task] = {"prior": PriorTask(), "two_stage": SegmentationTask()}
"""By the name that `filmrestore train --model` takes."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "prior": {"samples": 1_200_000, "size": 64, "batch": 16, "rate": 4e-4, "decay": 0.9995, "validation": 256},
    "two_stage": {"samples": 90_000, "size": 96, "batch": 6, "rate": 1e-3, "validation": 96},
}
"""The recipe of each, as `PlainJob` takes it."""


def task_of(name: str) -> Task:
    """The task of that name.

    Raises:
        UsageError: no such task.
    """
    if name not in TASKS:
        raise UsageError(f"nothing is called {name!r}: plain runs train {', '.join(TASKS)}")
    return TASKS[name]


@cache
def _alphas() -> Tensor:
    return alphas_of()


def _still(footage: Footage, rng: np.random.Generator, size: int) -> Linear:
    piece = texture(footage, rng, size, float(np.exp(rng.uniform(np.log(0.8), np.log(4.0)))))
    return piece if piece.shape[:2] == (size, size) else _resized(piece, size)


def _clip_frame(footage: Footage, rng: np.random.Generator, size: int) -> Linear:
    clip = footage.clip(int(rng.integers(1 << 30)))
    frame = clip[int(rng.integers(len(clip)))]
    height, width = frame.shape[:2]
    edge = min(round(size * rng.uniform(0.8, 2.0)), height, width)
    top, left = int(rng.integers(height - edge + 1)), int(rng.integers(width - edge + 1))
    piece = _resized(np.ascontiguousarray(frame[top : top + edge, left : left + edge]), size)
    return np.asarray(TO_LINEAR[piece], np.float32)


def _resized(picture: Any, size: int) -> Any:
    way = cv2.INTER_AREA if picture.shape[0] > size else cv2.INTER_CUBIC
    return cv2.resize(picture, (size, size), interpolation=way)
