"""The diffusion: of the change that takes the blur away, not of the picture, so that light above one stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

SCALE = 16.0
"""Of the change: net units to the diffusion's, where noise has deviation 1. Blur changes .02 to .1 where it shows."""
LARGEST = 8.0
"""What the diffusion may say of a change, in its own units: half a net unit."""
STEPS = 8
LEARNED_STEPS = 1000

Model = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, ...]]
"""(noisy, blurred, step, present) -> (prediction, logits of the blur)."""


def learning_schedule(prediction: str) -> Any:
    """The scheduler that adds noise in training: diffusers' DDPMScheduler."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(num_train_timesteps=LEARNED_STEPS, **_facts(prediction))


def shown(schedule: Any, noisy: Float[Tensor, "b t 3 h w"], step: Int[Tensor, b]) -> Float[Tensor, "b t 3 h w"]:
    """The noisy change as the network is shown it: weaker, the less of the change is left in it.

    From noise alone it is asked for the change; noise that says nothing would only be in the way. Where noise is
    predicted, as published, it is shown as it is.
    """
    if schedule.config.prediction_type != "sample":
        return noisy
    signal: Tensor = schedule.alphas_cumprod.to(noisy.device)[step].sqrt()
    return noisy * signal[:, None, None, None, None].to(noisy.dtype)


def taken_steps(prediction: str, steps: int = STEPS) -> list[int]:
    """The steps that `deblur` takes, from noise on."""
    return [int(step) for step in _sampling_schedule(prediction, steps).timesteps]


def _sampling_schedule(prediction: str, steps: int) -> Any:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(num_train_timesteps=LEARNED_STEPS, **_facts(prediction))
    scheduler.set_timesteps(steps)
    return scheduler


def _facts(prediction: str) -> dict[str, Any]:
    """Betas as in DDPM. A step of nothing but noise is learned only where the prediction tells something there."""
    last = prediction == "sample"
    return {
        "beta_schedule": "linear",
        "prediction_type": prediction,
        "rescale_betas_zero_snr": last,
        "timestep_spacing": "trailing" if last else "leading",
        "clip_sample": True,
        "clip_sample_range": LARGEST,
    }


def deblur(
    model: Model,
    blurred: Float[Tensor, "b t 3 h w"],
    present: Bool[Tensor, "b t"],
    drawn: Float[Tensor, "b t 3 h w"],
    *,
    prediction: str,
    steps: int = STEPS,
) -> tuple[Float[Tensor, "b t 3 h w"], Float[Tensor, "b t 1 h w"]]:
    """The sharp frames, and the logits of where there was blur, as the last step sees it.

    Args:
        model: Takes one step.
        drawn: Normal noise.
        prediction: As the network was trained for.
        steps: 1 gives the mean of all that might have been there: soft, and quick.

    Source: J. Song et al., "Denoising Diffusion Implicit Models", 2020, with no noise added, by diffusers' scheduler.
    """
    scheduler = _sampling_schedule(prediction, steps)
    x, logits = drawn, torch.zeros_like(drawn[:, :, :1])
    for step in scheduler.timesteps:
        everywhere = step.to(blurred.device).expand(len(blurred))
        told, logits = model(shown(scheduler, x, everywhere), blurred, everywhere, present)
        x = scheduler.step(told, step, x, return_dict=False)[0]
    return blurred + x / SCALE, logits
