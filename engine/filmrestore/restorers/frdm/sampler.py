"""The few-step bridge from the base estimate to clean film, inside the matte only."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

SIGMAS = (1.0, 0.5)
"""Points of the bridge at which the denoiser is asked. Two did as well as four."""

KAPPA = 0.1
"""Noise at the start of the bridge, net units: about the contrast of strong grain."""

LARGE = 33  # px; a matte that fills a square of this edge is large

Model = Callable[[Tensor, Tensor], Tensor]
"""(x, sigma) -> the clean picture."""


def sample_bridge(
    model: Model,
    scan: Float[Tensor, "n 3 h w"],
    base: Float[Tensor, "n 3 h w"],
    inside: Bool[Tensor, "n 1 h w"],
    drawn: Float[Tensor, "n 3 h w"],
    coarse: Float[Tensor, "n 3 h w"] | None = None,
) -> Float[Tensor, "n 3 h w"]:
    """Walks from base + kappa noise to the clean picture inside the matte; outside, x is the scan throughout.

    Args:
        model: Estimates the clean picture.
        drawn: Normal noise.
        coarse: The picture restored at a lower resolution, which leads inside large mattes at first.

    Source: a straight path, integrated as by diffusers' FlowMatchEulerDiscreteScheduler with these sigmas, whose import
    takes longer than a small shot.
    """
    lead = torch.zeros_like(base[:, :1]) if coarse is None else large(inside)
    x = torch.where(inside, base + KAPPA * drawn, scan)
    for sigma, following in pairwise((*SIGMAS, 0.0)):
        if coarse is not None:
            share = lead * global_share(sigma) ** 3
            x = x * (1 - share) + (coarse + sigma * KAPPA * drawn) * share
        clean = model(x, x.new_full((len(x),), sigma))
        x = torch.where(inside, x + (following - sigma) * ((x - clean) / sigma), scan)
    return x


def global_share(sigma: float) -> float:
    """Cosine fall from 1 at the bridge's start to 0 at its end.

    Source: DemoFusion's skip residual; HaineiFRDM's global residual.
    """
    return (1 + math.cos(math.pi * (1 - sigma))) / 2


def large(inside: Bool[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """1 where the matte fills its surroundings, 0 where it is thin or small."""
    half = LARGE // 2
    counts = functional.pad(inside.float(), (half + 1, half, half + 1, half))
    for axis in (-1, -2):
        sums = counts.cumsum(axis)
        counts = sums.narrow(axis, LARGE, inside.shape[axis]) - sums.narrow(axis, 0, inside.shape[axis])
    return ((counts / LARGE**2 - 0.75) * 4).clamp(0, 1) * inside
