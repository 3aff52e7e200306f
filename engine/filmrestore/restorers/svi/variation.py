"""Total variation over time, rows and columns, and the volume that varies little and agrees with what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..prior.consistency import IDENTITY, Operator, project


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What counts how much against what was measured, which counts 1.

    Attributes:
        weight: Of the variation: lambda.
        penalty: Of the split: rho; changes how fast it is solved, not what is solved.
        pull: Of the opinion.
    """

    weight: float
    penalty: float
    pull: float = 0.0


Measured = Callable[[Tensor], tuple[Operator, Tensor]]
"""A volume -> A and y, or what they are to first order around that volume."""
Opinion = Callable[[int, Tensor], Tensor]
"""Number of the round and a volume -> the volume as it should rather look."""


def smooth(
    measured: Measured,
    start: Float[Tensor, "t c h w"],
    balance: Balance,
    *,
    rounds: int,
    inner: int,
    opinion: Opinion | None = None,
    watch: Callable[[Tensor], None] | None = None,
) -> Float[Tensor, "t c h w"]:
    """ADMM on |A x - y|^2 / 2 + weight TV(x), drawn towards the opinion of each round.

    Args:
        measured: A and y.
        start: Where it begins; zeros for ADMM as it is published.
        balance: Weights.
        rounds: Of ADMM.
        inner: Conjugate gradients in each.
        opinion: Asked at the beginning of each round; a denoiser makes this a plug-and-play prior.
        watch: Told the volume after each round.

    Source: S. Boyd et al., "Distributed Optimization and Statistical Learning via ADMM", 2011, section 6.4; the opinion
    enters as in S. Venkatakrishnan et al., "Plug-and-Play Priors", 2013.
    """
    x, split = start, differences(start)
    scaled = torch.zeros_like(split)
    for number in range(rounds):
        operator, values = measured(x)
        wanted = [values, balance.penalty**0.5 * (split - scaled)]
        parts = [operator, _weighed(Operator(differences, gathered), balance.penalty)]
        if opinion is not None:
            wanted.append(balance.pull**0.5 * opinion(number, x))
            parts.append(_weighed(IDENTITY, balance.pull))
        x = project(x, _flat(wanted), _stacked(parts, [part.shape for part in wanted]), inner)
        steps = differences(x)
        split = shrunk(steps + scaled, balance.weight / balance.penalty)
        scaled = scaled + steps - split
        if watch is not None:
            watch(x)
    return x


def differences(x: Float[Tensor, "t c h w"]) -> Float[Tensor, "3 t c h w"]:
    """From each place to the next along time, rows and columns; 0 at the ends."""
    steps = x.new_zeros(3, *x.shape)
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


def _weighed(operator: Operator, weight: float) -> Operator:
    root = weight**0.5
    return Operator(lambda x: root * operator.forward(x), lambda y: root * operator.adjoint(y))


def _stacked(operators: list[Operator], shapes: list[torch.Size]) -> Operator:
    """All of them on one volume; their values one after the other."""
    sizes = [shape.numel() for shape in shapes]

    def adjoint(y: Tensor) -> Tensor:
        parts = zip(operators, torch.split(y, sizes), shapes, strict=True)
        return torch.stack([operator.adjoint(part.view(shape)) for operator, part, shape in parts]).sum(dim=0)

    return Operator(lambda x: _flat([operator.forward(x) for operator in operators]), adjoint)


def _flat(values: list[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in values])
