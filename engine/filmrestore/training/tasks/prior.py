"""What the prior learns: to tell noise from clean film frames."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...colour import encode_net
from ...restorers.prior.encoding import HIGH, LOW
from ...restorers.prior.network import TRAIN_STEPS, FilmPrior, alphas_of
from ..clips import TO_LINEAR, Linear, texture
from ..footage import Footage
from ..look import grade, soften
from ..task import Losses, Recipe, Samples, Stage, Task


class PriorTask(Task):
    """No damage, no added grain, the look of many films."""

    name: ClassVar[str] = "prior"
    recipe: ClassVar[Recipe] = Recipe(
        samples=1_200_000,
        stages=(Stage(size=64, batch=16),),
        rate=4e-4,
        decay=0.9995,
        validation=256,
        windows=256,
    )

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """A `FilmPrior`."""
        network: nn.Module = FilmPrior(**settings).to(memory_format=torch.channels_last)
        return network

    def draw(self, footage: Footage, seed: int, number: int, stage: Stage, settings: Mapping[str, Any]) -> Samples:
        """ "picture" (1, 3, size, size), -1..1."""
        rng, size = np.random.default_rng((seed, number)), stage.size
        light = _still(footage, rng, size) if rng.random() < 0.6 else _clip_frame(footage, rng, size)
        graded, _ = grade(rng, light[None], light)
        net = encode_net(np.ascontiguousarray(soften(rng, graded)[0], np.float32))
        x = np.clip((net - LOW) * (2.0 / (HIGH - LOW)) - 1.0, -1.0, 1.0)
        if rng.random() < 0.5:
            x = x[:, ::-1]
        return {"picture": torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, 2, 0), np.float32))[None]}

    def loss(self, network: FilmPrior, samples: Samples, noise: torch.Generator, stage: Stage) -> Losses:
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
        return Losses.of(error=functional.mse_loss(told, v))


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
