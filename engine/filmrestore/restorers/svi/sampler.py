"""Batch-consistent decomposed diffusion sampling: frames are the batch, the data term holds them together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ..prior.consistency import project_masked
from ..prior.draws import Draw
from ..prior.encoding import Range
from ..prior.model import Prior
from ..prior.repaint import alpha_at

Agree = Callable[[Tensor], Tensor]
"""A clean estimate, net encoding -> the estimate that agrees with what was measured."""


@dataclass(frozen=True, kw_only=True)
class Solved:
    """What the sampler ends with, net encoding.

    Attributes:
        picture: Agrees with what was measured.
        estimate: What the prior alone made of it in the last step.
    """

    picture: Float[Tensor, "t 3 h w"]
    estimate: Float[Tensor, "t 3 h w"]


def solve(prior: Prior, agree: Agree, span: Range, draw: Draw, *, steps: int, eta: float) -> Solved:
    """Samples frames that the prior finds likely and that agree with what was measured.

    Args:
        prior: Of single frames.
        agree: Data consistency.
        span: The prior's range around the frames.
        draw: Noise, the same for every frame.
        steps: Levels of noise.
        eta: Share of fresh noise: .15 for operators of time alone, .8 where the frame is blurred or reduced too.

    Source: Solving Video Inverse Problems Using Image Diffusion Models, algorithm 1.
    """
    times = prior.times(steps)
    x = draw(0)
    for index, time in enumerate(times):
        clean, direction = prior.estimate(x, time)
        estimate = span.decoded(clean)
        picture = agree(estimate)
        if index + 1 == len(times):
            break
        target = alpha_at(prior, times[index + 1])
        noise = eta * draw(index + 1) + (1 - eta**2) ** 0.5 * direction
        x = target.sqrt() * span.encoded(picture) + (1 - target).sqrt() * noise
    return Solved(picture=picture, estimate=estimate)


def agree_masked(scan: Float[Tensor, "t 3 h w"], keep: Float[Tensor, "t 1 h w"]) -> Agree:
    """Closed form: the scan where it is right."""
    return lambda estimate: project_masked(estimate, scan, keep)
