"""The full-size sampler: from the noised base to clean latents inside the matte, led by the whole frame at first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..sampler import global_share

Predict = Callable[[Tensor, Tensor, float], Tensor]
"""(scaled latents, the scheduler's time, 1 at the first step to 0) -> the backbone's answer."""


def walk(
    predict: Predict,
    pattern: Any,
    base: Float[Tensor, "t l h w"],
    scan: Float[Tensor, "t l h w"],
    inside: Bool[Tensor, "t 1 h w"],
    drawn: Float[Tensor, "t l h w"],
    *,
    steps: int,
    whole: Float[Tensor, "t l h w"] | None = None,
) -> Float[Tensor, "t l h w"]:
    """Clean latents inside, the scan's outside.

    Args:
        predict: Asks the backbone.
        pattern: A scheduler of diffusers, of which a fresh one is made.
        base: Where it starts.
        scan: What stands outside at every step, with the noise of that step.
        drawn: Normal noise, the same at every step.
        steps: Questions to the backbone.
        whole: The low-resolution result, which leads: its share at step t of T is the cube of
            (1 + cos(pi (T - t) / T)) / 2.

    Source: DemoFusion's skip residual, as HaineiFRDM's global residual.
    """
    scheduler = type(pattern).from_config(pattern.config)
    scheduler.set_timesteps(steps, device=base.device)
    times = scheduler.timesteps
    z = scheduler.add_noise(torch.where(inside, base, scan), drawn, times[:1])
    for index, time in enumerate(times):
        sigma = 1.0 - index / len(times)
        if whole is not None:
            share = global_share(sigma) ** 3
            noised = scheduler.add_noise(whole, drawn, times[index : index + 1])
            z = torch.where(inside, z * (1 - share) + noised * share, z)
        answer = predict(scheduler.scale_model_input(z, time), time, sigma)
        z = scheduler.step(answer.float(), time, z, return_dict=False)[0]
        last = index + 1 == len(times)
        around = scan if last else scheduler.add_noise(scan, drawn, times[index + 1 : index + 2])
        z = torch.where(inside, z, around)
    assert isinstance(z, Tensor)
    return z
