"""Between net encoding, which has no bounds, and the -1..1 that the prior was trained on."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..frdm.fill import fill

LOW, HIGH = -0.1, 1.1
"""Net values at -1 and 1; 1.1 is light of 2.5, over a stop above scene white."""
DARKEST, LIGHTEST = 0.05, 0.95
"""Local means, net units, beyond which a place is moved back into the range."""
SURROUNDINGS = 8
"""px; local means are taken over about this."""


@dataclass(frozen=True)
class Range:
    """The prior's range around a picture: each place is moved by how far its surroundings lie beyond it.

    Where the surroundings are between `DARKEST` and `LIGHTEST`, as nearly everywhere, the prior sees what it was
    trained on; a sun or a lamp is shown to it darker by what it is too bright, and gets that back afterwards. So
    nothing is clipped, and what is generated is as bright as what is around it.
    """

    shift: Float[Tensor, "n 3 h w"]

    @classmethod
    def around(cls, net: Float[Tensor, "n 3 h w"], unknown: Float[Tensor, "n 1 h w"]) -> Range:
        """Of pictures in net encoding, blind to what is `unknown` (0..1)."""
        known = fill(net, unknown)
        radius = min(SURROUNDINGS, *(edge - 1 for edge in net.shape[-2:]))
        wide = functional.pad(known, (radius,) * 4, mode="replicate") if radius else known
        mean = functional.avg_pool2d(wide, 2 * radius + 1, stride=1)
        return cls(mean - mean.clamp(DARKEST, LIGHTEST))

    def encoded(self, net: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
        """-1..1 for what lies in the range; beyond it otherwise."""
        return (net - self.shift - LOW) * (2.0 / (HIGH - LOW)) - 1.0

    def decoded(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
        """The inverse of `encoded`."""
        return (x + 1.0) * ((HIGH - LOW) / 2.0) + LOW + self.shift
