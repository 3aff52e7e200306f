"""ADMM-TV: the classical peer of svi, total variation over time, rows and columns."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ...restorers.prior.consistency import Operator
from ...restorers.svi.variation import Balance, differences, smooth

ROUNDS, INNER = 30, 20
"""ADMM's and, in each, conjugate gradients': the counts of the paper that svi follows, and of DiffusionMBIR."""


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

    Source: as in Solving Video Inverse Problems, appendix A.3.
    """
    zeros = torch.zeros_like(operator.adjoint(measured))
    balance = Balance(weight=weight, penalty=penalty)
    return smooth(lambda _: (operator, measured), zeros, balance, rounds=rounds, inner=INNER, watch=watch)
