"""Data consistency: the picture nearest to an estimate that agrees with what was measured.

One step serves every method on the prior. Where the operator is a mask it has a closed form, which is RePaint's
and DDNM's projection; any other linear operator is given as a pair (A, A^T) and solved by conjugate gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Operator:
    """A linear operator on a volume "t 3 h w": what was done to the film.

    Attributes:
        forward: A: the clean volume to what is measured.
        adjoint: A^T: <A x, y> = <x, A^T y> for all x and y.
    """

    forward: Map
    adjoint: Map

    def then(self, after: Operator) -> Operator:
        """This operator followed by another."""
        return Operator(
            lambda x: after.forward(self.forward(x)),
            lambda y: self.adjoint(after.adjoint(y)),
        )


IDENTITY = Operator(lambda x: x, lambda y: y)


def masked(keep: Float[Tensor, "t 1 h w"]) -> Operator:
    """A = diag(keep): what is measured of each pixel, 0..1. It is its own adjoint."""
    return Operator(lambda x: keep * x, lambda y: keep * y)


def project_masked(
    estimate: Float[Tensor, "t c h w"], measured: Float[Tensor, "t c h w"], keep: Float[Tensor, "t 1 h w"]
) -> Float[Tensor, "t c h w"]:
    """The closed form for A = diag(keep) with keep 0 or 1; a keep between mixes the two.

    Source: DDNM (Y. Wang et al., 2023), x - A^+ (A x - y); line 8 of RePaint's algorithm 1 (A. Lugmayr et al., 2022).
    """
    return torch.lerp(estimate, measured, keep)


def project(
    estimate: Float[Tensor, "t c h w"], measured: Tensor, operator: Operator, steps: int
) -> Float[Tensor, "t c h w"]:
    """`steps` conjugate gradients on A^T A x = A^T y, from the estimate; in float64 sums, stops where it is solved.

    Source: DDS (H. Chung et al., 2024), algorithm 2; Solving Video Inverse Problems, equation 18.
    """

    def normal(x: Tensor) -> Tensor:
        return operator.adjoint(operator.forward(x))

    x = estimate
    residual = operator.adjoint(measured) - normal(x)
    direction, size = residual, _dot(residual, residual)
    goal = 1e-12 * max(_dot(measured, measured), 1e-12)
    for _ in range(steps):
        if size <= goal:
            break
        moved = normal(direction)
        curvature = _dot(direction, moved)
        if curvature <= 0:
            break
        length = size / curvature
        x = x + length * direction
        residual = residual - length * moved
        before, size = size, _dot(residual, residual)
        direction = residual + (size / before) * direction
    return x


def _dot(a: Tensor, b: Tensor) -> float:
    return float(torch.sum(a.double() * b.double()))
