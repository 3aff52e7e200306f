"""The last word for what was measured: conjugate gradients until nothing is left of it but its noise."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..prior.consistency import Operator

SOLVED = 1e-16
"""Square of the slope, against its first, at which nothing is left to solve."""


def closed(
    estimate: Float[Tensor, "t c h w"],
    measured: Tensor,
    operator: Operator,
    steps: int,
    noise: float = 0.0,
    gauge: Tensor | float = 1.0,
) -> Float[Tensor, "t c h w"]:
    """The estimate with what contradicts the measurement taken out, in at most `steps` conjugate gradients.

    What A says nothing of stays as the estimate has it. Where A can be inverted and nothing is noise, that is the
    inverse. With noise it stops where what is left is as strong as that: beyond, noise would be fitted, which the
    inverse of a blur makes large.

    Args:
        estimate: Where it begins.
        measured: y.
        operator: A.
        steps: At most.
        noise: Root mean square of what was added to y.
        gauge: What y is multiplied by where it is compared with the noise.

    Source: CGLS, M. Hestenes and E. Stiefel, 1952; where to stop: V. Morozov's discrepancy principle, 1966.
    """
    x = estimate
    left = measured - operator.forward(x)
    enough = noise**2 * left.numel()
    slope = operator.adjoint(left)
    direction, size = slope, _square(slope)
    goal = SOLVED * size
    for _ in range(steps):
        if size <= goal or _square(gauge * left) <= enough:
            break
        moved = operator.forward(direction)
        curvature = _square(moved)
        if curvature <= 0:
            break
        length = size / curvature
        x = x + length * direction
        left = left - length * moved
        slope = operator.adjoint(left)
        before, size = size, _square(slope)
        direction = slope + (size / before) * direction
    return x


def _square(x: Tensor) -> float:
    return float(torch.sum(x.double().square()))
