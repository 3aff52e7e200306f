"""A volume that agrees with the measurement, varies little, and that the prior finds clean: solved, not sampled."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from ...settings import RestoreSettings
from ..prior.encoding import Range
from ..prior.model import Prior
from .evidence import Evidence
from .sampler import Solved
from .variation import Balance, smooth

COARSE, FINE = Balance(weight=1e-4, penalty=3e-3), Balance(weight=1e-5, penalty=1e-3, pull=1e-2)
"""Of the first rounds and of the last ones, for measurements without noise; the prior pulls in the last ones only."""
LAST = 0.3
"""Share of the rounds that are the last ones."""
PER_NOISE = 0.03
"""Weight of variation for each unit of noise, where that is more: what keeps a blur's inverse from fitting grain."""
FROM, TO = 0.2, 0.05
"""Noise that the prior is told lies on the volume, against its range of -1..1, in the first and the last of these."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long is worked.

    Attributes:
        rounds: Of splitting.
        inner: Conjugate gradients in each.
        closing: Conjugate gradients at the end, at most.
    """

    rounds: int
    inner: int
    closing: int

    @classmethod
    def of(cls, settings: RestoreSettings) -> Effort:
        """What the settings ask for."""
        return cls(rounds=settings.steps, inner=settings.inner_steps, closing=settings.closing_steps)


def balanced(
    evidence: Evidence,
    start: Float[Tensor, "t 3 h w"],
    effort: Effort,
    *,
    noise: float = 0.0,
    prior: Prior | None = None,
    span: Range | None = None,
) -> Solved:
    """Solves without drawing anything: the same every time, and never far from what was measured.

    The prior is asked for a clean volume and told of little noise, though none was added: what is left of the operator
    counts as noise. It sees frames, total variation sees time as well; each alone does worse.

    Args:
        evidence: What was measured.
        start: A first guess.
        effort: How long.
        noise: Root mean square in the measurement, net units.
        prior: None leaves it out.
        span: The prior's range; needed with it.
    """
    last = round(effort.rounds * LAST)
    seen = start

    def opinion(number: int, x: Tensor) -> Tensor:
        nonlocal seen
        assert prior is not None and span is not None
        seen = denoised(prior, span, x, FROM * (TO / FROM) ** (number / max(last - 1, 1)))
        return seen

    least = PER_NOISE * noise
    coarse, fine = (replace(balance, weight=max(balance.weight, least)) for balance in (COARSE, FINE))
    found = smooth(evidence.around, start, coarse, rounds=effort.rounds - last, inner=effort.inner)
    asked = opinion if prior is not None else None
    found = smooth(evidence.around, found, fine, rounds=last, inner=effort.inner, opinion=asked)
    return Solved(picture=evidence.closed(found, effort.closing, noise), estimate=seen if prior else found)


def denoised(prior: Prior, span: Range, x: Float[Tensor, "t 3 h w"], noise: float) -> Float[Tensor, "t 3 h w"]:
    """What the prior makes of frames that it is told are noisy, each by itself.

    Args:
        prior: Of clean film.
        span: Its range around the frames.
        x: Net encoding, on any device.
        noise: Standard deviation, in the prior's range.
    """
    levels = ((1 - prior.alphas) / prior.alphas).sqrt()
    time = int((levels - noise).abs().argmin())
    hidden = prior.alphas[time].sqrt() * span.encoded(x.to(prior.device))
    return span.decoded(prior.estimate(hidden, time)[0]).to(x.device)
