"""Blind estimation of a PSF in time: first from the grain, which blends along, then from a restored volume."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from .operators import gaussian, uniform

LONGEST = 13
"""Frames of the longest PSF that is looked for."""
CALM = 0.5
"""Share of the pixels, those that change least in time, that grain is measured on: the others move."""
ROUNDS = 200
"""Of projected gradient for the refined PSF."""

CANDIDATES: tuple[tuple[float, ...], ...] = (
    *(uniform(length) for length in range(1, LONGEST + 1, 2)),
    *(gaussian(sigma) for sigma in (0.5, 0.75, 1.0, 1.5, 2.0)),
)


def psf_from_grain(scan: Float[Tensor, "t 3 h w"]) -> tuple[float, ...]:
    """The candidate whose blend leaves grain as alike from frame to frame as it is.

    New grain lies on every frame. Frames that were averaged share it: n frames apart as much as the PSF overlaps
    itself shifted by n. What stands still is taken out by looking at changes from frame to frame only.

    Args:
        scan: Light or net encoding; with fewer than 4 frames nothing can be said, and the PSF is that of no blend.
    """
    if len(scan) < 4:
        return CANDIDATES[0]
    fine = scan - functional.avg_pool2d(scan, 3, stride=1, padding=1, count_include_pad=False)
    change = (fine[1:] - fine[:-1]).flatten(1).double()
    size = change.square().mean(dim=0)
    calm = change[:, size <= size.quantile(CALM)] if size.numel() < 1 << 24 else change
    lags = min(LONGEST, len(change) - 1)
    found = [float((calm[: len(calm) - lag] * calm[lag:]).mean()) for lag in range(lags + 1)]
    if found[0] <= 1e-14:
        return CANDIDATES[0]
    likeness = torch.tensor(found, dtype=torch.float64) / found[0]
    misses = [float((_likeness(psf, lags) - likeness).square().sum()) for psf in CANDIDATES]
    return CANDIDATES[misses.index(min(misses))]


def refined_psf(restored: Float[Tensor, "t 3 h w"], scan: Float[Tensor, "t 3 h w"], reach: int) -> tuple[float, ...]:
    """The PSF, not negative and of sum 1, that best turns the restored volume into the scan.

    Args:
        restored: The prior's own estimate; one that agrees with the scan already would give back the PSF it was made
            with.
        scan: What was measured.
        reach: Frames on each side.

    Source: Solving Video Inverse Problems, algorithm 2; least squares on the simplex by projected gradient.
    """
    count = len(scan)
    reach = min(reach, count - 1)
    offsets = range(-reach, reach + 1)
    shifted = torch.stack(
        [restored[[min(max(place + offset, 0), count - 1) for place in range(count)]].flatten() for offset in offsets]
    ).double()
    target = scan.flatten().double()
    gram, aim = shifted @ shifted.mT, shifted @ target
    rate = 1.0 / max(float(torch.linalg.matrix_norm(gram, 2)), 1e-12)
    psf = torch.full((len(offsets),), 1.0 / len(offsets), dtype=torch.float64)
    for _ in range(ROUNDS):
        psf = on_simplex(psf - rate * (gram @ psf - aim))
    return tuple(psf.tolist())


def on_simplex(values: Float[Tensor, n]) -> Float[Tensor, n]:
    """The nearest weights that are not negative and of sum 1.

    Source: J. Duchi et al., "Efficient Projections onto the l1-Ball", 2008.
    """
    falling = values.sort(descending=True).values
    excess = (falling.cumsum(0) - 1) / torch.arange(1, len(values) + 1, dtype=values.dtype)
    last = int((falling > excess).sum()) - 1
    return (values - excess[last]).clamp(min=0)


def _likeness(psf: Sequence[float], lags: int) -> Float[Tensor, n]:
    """Correlation of changes at each lag, of white grain that was blended by the PSF."""
    kernel = torch.tensor(psf, dtype=torch.float64)
    change = functional.pad(kernel, (0, 1)) - functional.pad(kernel, (1, 0))
    reach = len(change)
    long = functional.pad(change, (0, lags))
    full = torch.stack([(change * long[lag : lag + reach]).sum() for lag in range(lags + 1)])
    return full / full[0]
