"""ADMM-TV: the classical peer of svi, total variation over time, rows and columns."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ...restorers.prior.consistency import Operator, project

ROUNDS, INNER = 30, 20
"""ADMM's and, in each, conjugate gradients': the counts of the paper that svi follows, and of DiffusionMBIR."""


def differences(x: Float[Tensor, "t c h w"]) -> Float[Tensor, "3 t c h w"]:
    """From each place to the next along time, rows and columns; 0 at the ends."""
    steps = torch.zeros(3, *x.shape, dtype=x.dtype)
    steps[0, :-1] = x[1:] - x[:-1]
    steps[1, :, :, :-1] = x[:, :, 1:] - x[:, :, :-1]
    steps[2, :, :, :, :-1] = x[..., 1:] - x[..., :-1]
    return steps


def gathered(steps: Float[Tensor, "3 t c h w"]) -> Float[Tensor, "t c h w"]:
    """The adjoint of `differences`."""
    x = torch.zeros_like(steps[0])
    x[1:] += steps[0, :-1]
    x[:-1] -= steps[0, :-1]
    x[:, :, 1:] += steps[1, :, :, :-1]
    x[:, :, :-1] -= steps[1, :, :, :-1]
    x[..., 1:] += steps[2, ..., :-1]
    x[..., :-1] -= steps[2, ..., :-1]
    return x


def shrunk(steps: Float[Tensor, "3 t c h w"], amount: float) -> Float[Tensor, "3 t c h w"]:
    """Each place's vector of three differences shortened by `amount`."""
    length = steps.square().sum(dim=0, keepdim=True).sqrt()
    return steps * ((length - amount) / length.clamp(min=1e-12)).clamp(min=0)


def objective(x: Float[Tensor, "t c h w"], measured: Tensor, operator: Operator, weight: float) -> float:
    """|A x - y|^2 / 2 + weight * sum over places of the length of their differences."""
    misfit = (operator.forward(x) - measured).double().square().sum() / 2
    return float(misfit + weight * differences(x).double().square().sum(dim=0).sqrt().sum())


def admm_tv(
    measured: Tensor,
    operator: Operator,
    *,
    weight: float,
    penalty: float,
    rounds: int = ROUNDS,
    watch: Callable[[Tensor], None] | None = None,
) -> Float[Tensor, "t c h w"]:
    """The volume that agrees with what was measured and varies little, from a start of zeros.

    Args:
        measured: y.
        operator: A.
        weight: Of the variation: lambda.
        penalty: Of the split: rho.
        rounds: Of ADMM.
        watch: Told the volume after each.

    Source: S. Boyd et al., "Distributed Optimization and Statistical Learning via ADMM", 2011, section 6.4; as in
    Solving Video Inverse Problems, appendix A.3.
    """
    x = torch.zeros_like(operator.adjoint(measured))
    split = differences(x)
    scaled = torch.zeros_like(split)
    root = penalty**0.5
    count, shape = measured.numel(), split.shape
    both = Operator(
        lambda v: torch.cat([operator.forward(v).flatten(), root * differences(v).flatten()]),
        lambda y: operator.adjoint(y[:count].view(measured.shape)) + root * gathered(y[count:].view(shape)),
    )
    for _ in range(rounds):
        x = project(x, torch.cat([measured.flatten(), root * (split - scaled).flatten()]), both, INNER)
        steps = differences(x)
        split = shrunk(steps + scaled, weight / penalty)
        scaled = scaled + steps - split
        if watch is not None:
            watch(x)
    return x
