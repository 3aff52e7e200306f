"""RePaint: what is missing in a picture, drawn from the prior step by step and fitted to its surroundings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from torch import Tensor

from .consistency import project_masked
from .draws import Draw
from .model import Prior

ETA = 1.0
"""Share of fresh noise in a step: 1 is DDPM's, as RePaint has it."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The way down through the noise.

    Attributes:
        steps: Levels of noise.
        jump_length: Levels that a jump goes back up.
        resampling: Times that each stretch is walked; 1 never jumps.
        start: Share of the noise with which the walk begins: 1 is noise alone.
    """

    steps: int
    jump_length: int
    resampling: int
    start: float = 1.0

    def path(self, prior: Prior) -> list[int]:
        """Places in the schedule that the sample passes, from the noisiest to just below place 0.

        Source: the order is that of diffusers' RePaintScheduler.
        """
        from diffusers import RePaintScheduler

        count = len(prior.alphas)
        stride = count // min(self.steps, count)
        scheduler = RePaintScheduler(trained_betas=np.zeros(count, np.float32), num_train_timesteps=count)
        scheduler.set_timesteps(self.steps, self.jump_length, self.resampling)
        path = [int(scheduler.timesteps[0])]
        for time in scheduler.timesteps:
            path.append(path[-1] + (stride if time > path[-1] else -stride))
        top = max(stride * (int(self.start * count - 1) // stride), stride)
        lower = [min(place, top) for place in path]
        return [lower[0], *(place for before, place in pairwise(lower) if place != before)]


def repaint(
    prior: Prior,
    known: Float[Tensor, "t 3 h w"],
    keep: Float[Tensor, "t 1 h w"],
    walk: Walk,
    draw: Draw,
) -> Float[Tensor, "t 3 h w"]:
    """The pictures with what is not kept drawn anew.

    A step back up adds the noise between the two levels at once, from the level where the sample stands; diffusers'
    `undo_step` takes the betas of the stretch above it.

    Args:
        prior: Of clean film.
        known: In the prior's range; where `keep` is 0, a guess, of which the more is left the lower the walk starts.
        keep: 1 where the pixel is right.
        walk: Settings.
        draw: Noise.

    Source: A. Lugmayr et al., "RePaint", 2022, algorithm 1, with DDIM's form of the step as in diffusers. Starting from
    a guess: H. Chung et al., "Come-Closer-Diffuse-Faster", 2022.
    """
    path = walk.path(prior)
    x = draw(0) if walk.start == 1 else noised(prior, known, path[0], draw(0))
    for number, (place, following) in enumerate(pairwise(path), start=1):
        noise = draw(number)
        if following > place:
            x = raised(prior, x, place, following, noise)
        else:
            x = stepped(prior, x, known, keep, place, following, noise)
    return x


def stepped(
    prior: Prior, x: Tensor, known: Tensor, keep: Tensor, time: int, before: int, noise: Tensor
) -> Float[Tensor, "t 3 h w"]:
    """One step down: the unknown part from the prior, the known part noised to the same level."""
    clean, direction = prior.estimate(x, time)
    alpha, target = alpha_at(prior, time), alpha_at(prior, before)
    spread = ETA * ((1 - target) / (1 - alpha) * (1 - alpha / target)).clamp(min=0).sqrt()
    unknown = target.sqrt() * clean + (1 - target - spread**2).clamp(min=0).sqrt() * direction + spread * noise
    seen = noised(prior, known, before, noise)
    return project_masked(unknown, seen, keep)


def noised(prior: Prior, clean: Tensor, time: int, noise: Tensor) -> Float[Tensor, "t 3 h w"]:
    """A picture with the noise of a place of the schedule."""
    alpha = alpha_at(prior, time)
    return alpha.sqrt() * clean + (1 - alpha).sqrt() * noise


def raised(prior: Prior, x: Tensor, level: int, target: int, noise: Tensor) -> Float[Tensor, "t 3 h w"]:
    """A sample with the noise between two levels added."""
    share = alpha_at(prior, target) / alpha_at(prior, level)
    return share.sqrt() * x + (1 - share).sqrt() * noise


def alpha_at(prior: Prior, time: int) -> Float[Tensor, ""]:
    """The picture's share at a place of the schedule; all of it below place 0."""
    return prior.alphas[time] if time >= 0 else prior.alphas.new_ones(())
