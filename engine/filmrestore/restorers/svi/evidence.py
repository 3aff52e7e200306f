"""What was measured, for volumes in net encoding, whether the operator acted on light or on the encoding itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...colour import decode_net, encode_net
from ..prior.consistency import Operator, project
from .closing import closed

STEP = 1e-3
"""Net units over which the slope of light is taken; a millionth of it is lost."""

FINE = (1.0, -6.0, 15.0, -20.0, 15.0, -6.0, 1.0)
"""Of a row or column, what is finest."""
NORMAL_MEDIAN = 0.6745
"""Of the absolute value of normal noise of deviation 1."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """y = A x.

    Attributes:
        operator: A, blind to what is not known.
        values: y: of light where A acted on light, else net encoding.
        light: Whether it did.
    """

    operator: Operator
    values: Tensor
    light: bool

    def around(self, x: Float[Tensor, "t 3 h w"]) -> tuple[Operator, Tensor]:
        """A and y for volumes near to x, all in net encoding.

        Light goes through its slope on both sides: else what is bright would count a hundred times as much as what is
        dark, and the dark parts would be solved last.
        """
        if not self.light:
            return self.operator, self.values
        slope, even = slope_of(x), 1 / slope_of(encode_net(self.values))
        operator = Operator(
            lambda v: even * self.operator.forward(slope * v), lambda y: slope * self.operator.adjoint(even * y)
        )
        return operator, even * (self.values - self.operator.forward(decode_net(x) - slope * x))

    def agreed(self, x: Float[Tensor, "t 3 h w"], steps: int) -> Float[Tensor, "t 3 h w"]:
        """x after a few conjugate gradients on y = A x as it stands: the step of the published method."""
        if self.light:
            return encode_net(project(decode_net(x), self.values, self.operator, steps))
        return project(x, self.values, self.operator, steps)

    def closed(self, x: Float[Tensor, "t 3 h w"], steps: int, noise: float) -> Float[Tensor, "t 3 h w"]:
        """x with what contradicts the measurement taken out, in float64: the inverse of a blend wants its digits.

        Args:
            x: A volume.
            steps: Conjugate gradients, at most.
            noise: Root mean square in y, net units.
        """
        exact, values = x.double(), self.values.double()
        if not self.light:
            return closed(exact, values, self.operator, steps, noise).to(x.dtype)
        operator, seen = Evidence(operator=self.operator, values=values, light=True).around(exact)
        moved = closed(exact, seen, operator, steps, noise) - exact
        light = decode_net(exact) + slope_of(exact) * moved  # what is solved there is solved: light is linear
        even = 1 / slope_of(encode_net(values))
        # Each pixel's own slope makes a blend of frames slow to invert; without, all pixels are one small problem.
        return encode_net(closed(light, values, self.operator, steps, noise, even)).to(x.dtype)


def slope_of(net: Tensor) -> Tensor:
    """How much light a little more of the net encoding is."""
    return (decode_net(net + STEP) - decode_net(net - STEP)) / (2 * STEP)


def finest(scan: Float[Tensor, "t 3 h w"], known: Float[Tensor, "t 1 h w"]) -> float:
    """Standard deviation of the finest detail of a scan: of its noise, where a blur left nothing else there.

    Args:
        scan: Net encoding.
        known: 1 where it counts.

    Source: J. Immerkaer, "Fast Noise Variance Estimation", 1996, whose mask is blind to edges along rows and columns;
    longer here, for less of what a small blur lets pass, and the median, which the edges that are left do not move.
    """
    if min(scan.shape[-2:]) < len(FINE):
        return 0.0
    line = torch.tensor(FINE, device=scan.device)
    mask = line[:, None] * line / line.square().sum()
    planes = functional.conv2d(scan.flatten(0, 1)[:, None], mask[None, None]).view(*scan.shape[:2], -1)
    there = functional.max_pool2d(1 - known, len(FINE), stride=1).flatten(1)[:, None].expand_as(planes) == 0
    found = planes[there].abs()
    return float(found.median()) / NORMAL_MEDIAN if len(found) else 0.0
