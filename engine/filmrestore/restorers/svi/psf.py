"""Blind estimation of a PSF in time: first from the grain, which blends along, then from a restored volume."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from .operators import gaussian, uniform

LONGEST = 13
"""Frames of the longest PSF that is looked for."""
CALM = 0.5
"""Share of the pixels, those that change least in time, that grain is measured on: the others move."""
BLOCK = 9
"""px around a pixel that say whether it is calm."""
LEAN = 1e-4
"""How much a refined PSF leans on the first one, against what the volume says."""
ROUNDS = 2000
"""Of accelerated projected gradient for the refined PSF, of a dozen weights."""

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
    change = (fine[1:] - fine[:-1]).double()
    calm = change.permute(2, 3, 0, 1)[_calm(change)].transpose(0, 1).flatten(1)
    lags = min(LONGEST, len(change) - 1)
    found = [float((calm[: len(calm) - lag] * calm[lag:]).mean()) for lag in range(lags + 1)]
    if found[0] <= 1e-14:
        return CANDIDATES[0]
    likeness = torch.tensor(found, dtype=torch.float64) / found[0]
    misses = [float((_likeness(psf, lags) - likeness).square().sum()) for psf in CANDIDATES]
    return CANDIDATES[misses.index(min(misses))]


def _calm(change: Float[Tensor, "t 3 h w"]) -> Bool[Tensor, "h w"]:
    """Where little changes around: judged by the surroundings, for a pixel's own grain would choose itself."""
    size = change.square().mean(dim=(0, 1))[None, None]
    around = functional.avg_pool2d(size, BLOCK, stride=1, padding=BLOCK // 2, count_include_pad=False)[0, 0]
    ranked = around.flatten().sort().values
    return around <= ranked[int(CALM * (len(ranked) - 1))]


def refined_psf(
    restored: Float[Tensor, "t 3 h w"], scan: Float[Tensor, "t 3 h w"], first: Sequence[float], reach: int
) -> tuple[float, ...]:
    """The PSF, not negative and of sum 1, that best turns the restored volume into the scan.

    Args:
        restored: The prior's own estimate; one that agrees with the scan already would give back the PSF it was made
            with.
        scan: What was measured.
        first: The PSF so far, which stands where the volume says little.
        reach: Frames on each side.

    Source: Solving Video Inverse Problems, algorithm 2; least squares on the simplex by FISTA
    (A. Beck and M. Teboulle, 2009).
    """
    count = len(scan)
    places = torch.arange(count)
    shifted = torch.stack(
        [restored[(places + offset).clamp(0, count - 1)].flatten() for offset in range(-reach, reach + 1)]
    ).double()
    level = shifted.mean()
    shifted, target = shifted - level, scan.flatten().double() - level
    start = torch.tensor(_padded(first, reach), dtype=torch.float64)
    lean = LEAN * float(shifted.square().sum()) / len(start) + 1e-9
    gram = shifted @ shifted.mT + lean * torch.eye(len(start), dtype=torch.float64)
    aim = shifted @ target + lean * start
    rate = 1.0 / float(torch.linalg.matrix_norm(gram, 2))
    psf, ahead, pace = start, start, 1.0
    for _ in range(ROUNDS):
        before, psf = psf, on_simplex(ahead - rate * (gram @ ahead - aim))
        last, pace = pace, (1 + math.sqrt(1 + 4 * pace**2)) / 2
        ahead = psf + (last - 1) / pace * (psf - before)
    return tuple(psf.tolist())


def _padded(psf: Sequence[float], reach: int) -> list[float]:
    """The same PSF over `reach` places on each side, at least its own."""
    more = reach - len(psf) // 2
    assert more >= 0
    return [0.0] * more + list(psf) + [0.0] * more


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
