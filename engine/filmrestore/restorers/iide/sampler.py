"""The sampler: DDIM in latents, each estimate held to the scan's condition and to the pixels that are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..prior.model import clean_of, spaced
from .latents import LatentModel, Seen, Words
from .network import Features

FURTHEST = 0.5
"""Deviations of a latent by which an estimate is moved at most to agree with its condition."""

Agree = Callable[[Tensor], Tensor]
"""A picture -> the nearest one that says what is known."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the sampler walks.

    Attributes:
        steps: Levels of noise.
        guidance: Of the prompt; 1 does not guide.
        internal_detail: Share of the step that would make the estimate's condition the scan's; 0 is without.
        start: Share of the noise with which the walk begins: 1 is noise alone.
    """

    steps: int
    guidance: float
    internal_detail: float
    start: float = 1.0


def sample(
    model: LatentModel,
    seen: Seen,
    agree: Agree,
    noise: Float[Tensor, "1 c a b"],
    guess: Float[Tensor, "1 c a b"],
    way: Way,
    words: Words | None,
) -> Float[Tensor, "1 3 h w"]:
    """A clean picture, drawn; what is known of it is as `agree` has it only as far as latents can say it.

    Args:
        model: Small or full-size.
        seen: The scan.
        agree: Told each estimate's picture.
        noise: The start.
        guess: Latent of a fill, of which the more is left the lower the walk starts.
        way: Settings.
        words: Of the prompts.

    Source: J. Song et al., "Denoising Diffusion Implicit Models", 2021, equation 12 without fresh noise.
    """
    count = len(model.alphas)
    times = [time for time in spaced(count, way.steps) if time < way.start * count] or [0]
    alpha = model.alphas[times[0]]
    x = noise if way.start == 1 else alpha.sqrt() * guess + (1 - alpha).sqrt() * noise
    clean = guess
    for time, after in pairwise([*times, -1]):
        alpha = model.alphas[time]
        told, features = _told(model, x, time, seen, way, words)
        clean = clean_of(x, told, alpha, model.prediction)
        direction = (x - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        if way.internal_detail > 0 and features and model.consistent:
            asked = None if words is None else words.asked
            clean = consistent(model, x, time, clean, seen, features, asked, way.internal_detail)
        clean = agreed(model, clean, agree)
        left = model.alphas[after] if after >= 0 else model.alphas.new_ones(())
        x = left.sqrt() * clean + (1 - left).sqrt() * direction
    return model.decode(clean)


def consistent(
    model: LatentModel,
    x: Tensor,
    time: int,
    clean: Float[Tensor, "1 c a b"],
    seen: Seen,
    features: Features,
    words: Tensor | None,
    share: float,
) -> Float[Tensor, "1 c a b"]:
    """Internal detail enhancement: the estimate moved so that, degraded again, it leads as the scan does.

    One step down the slope of |c - c'|^2, as long as would bring it to 0 if it were a line, times `share`.

    Source: Restoring Real-World Images with an Internal Detail Enhancement Diffusion Model, section III.B; B. Polyak,
    "Introduction to Optimization", 1987, for the length of the step.
    """
    with torch.enable_grad():
        guess = clean.detach().requires_grad_()
        again = model.control(x, time, seen.degraded(guess), words)
        off = condition_loss(features, again)
        (slope,) = torch.autograd.grad(off, guess)
    steep = slope.double().square().sum()
    if not bool(steep > 1e-20):
        return clean
    move = slope * (share * off.detach().double() / steep).float()
    return clean - move.clamp(-FURTHEST, FURTHEST)


def condition_loss(features: Features, again: Features) -> Float[Tensor, ""]:
    """|c - c'|^2, each level's mean."""
    levels = [functional.mse_loss(one.float(), other.float()) for one, other in zip(features, again, strict=True)]
    return torch.stack(levels).sum()


def agreed(model: LatentModel, clean: Float[Tensor, "1 c a b"], agree: Agree) -> Float[Tensor, "1 c a b"]:
    """The estimate with what its picture gets wrong put right; what the coder itself loses is not added up."""
    picture = model.decode(clean)
    return clean + model.encode(agree(picture)) - model.encode(picture)


def _told(
    model: LatentModel, x: Tensor, time: int, seen: Seen, way: Way, words: Words | None
) -> tuple[Tensor, Features]:
    """The network's answer, guided, and the features that led it.

    Source: J. Ho and T. Salimans, "Classifier-Free Diffusion Guidance", 2022.
    """
    asked = None if words is None else words.asked
    features = model.control(x, time, seen, asked)
    told = model.predict(x, time, features, asked)
    if words is None or way.guidance == 1:
        return told, features
    against = model.control(x, time, seen, words.avoided)
    without = model.predict(x, time, against, words.avoided)
    return without + way.guidance * (told - without), features
