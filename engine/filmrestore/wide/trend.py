"""The trend of a curve over a shot: what is slow, or sudden and stays, is the picture's; the rest is unrest."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

REACHES = (0, 1, 2, 3, 5, 8, 12, 18, 24)
"""Frames to a side over which a straight line is laid."""
WIDTH = 3.0
"""Standard deviations to a side of an interval of confidence."""
SUDDEN = 5.5
"""Standard deviations of unrest that a flash or a switch of the light exceeds."""
AGAIN = 0.2
"""Unrest that is left after the lines of one frame and the next reach differently far, against what there was."""
_STEADY = 9  # frames in which a flash stands out, and over which a trend is straight
_SIDE = 5  # frames before and after a switch that are compared
_AT_ONCE = 0.6  # share of the difference that comes in one step; of a fade it comes in many


def trend(curves: F64, guide: F64, least: float) -> F64:
    """The trend of every column of `curves`.

    The shot is parted where the guide steps and stays (a lamp is switched on), and frames that stand out alone
    (lightning, a flash frame) are left as they are. Within a part straight lines are laid around each frame over more
    and more frames, to the left, to the right and to both sides. A line grows while its value agrees with all shorter
    ones within what the unrest explains, so that it never reaches over the begin of a fade. What the three say is
    averaged by how sure they are. Where nothing agrees, the trend is the curve, and nothing is undone.

    Args:
        curves: Shape (n, k).
        guide: Shape (n,): the curve that says how far lines may reach.
        least: Unrest that is always there (noise of measurement), in units of the guide.

    Source: A. Goldenshluger and A. Nemirovski, "On spatially adaptive estimation of nonparametric regression" (1997);
    V. Katkovnik, "A new method for varying adaptive bandwidth selection" (1999): intersection of confidence intervals.
    """
    rest = guide - _running_median(guide)
    unrest = max(_unrest(guide), least)
    calm = np.flatnonzero(np.abs(rest) <= SUDDEN * unrest)
    found = curves.copy()
    for first, last in pairwise((0, *_switches(guide[calm], unrest), len(calm))):
        part = calm[first:last]
        if len(part):
            once = _smooth(np.column_stack((guide[part], curves[part])), guide[part], unrest)
            found[part] = _smooth(once[:, 1:], once[:, 0], AGAIN * unrest)
    return found


def _switches(guide: F64, unrest: float) -> list[int]:
    """The first frame of every new level: where the lines before and after miss each other, and one step makes it."""
    found: list[int] = []
    index = np.arange(len(guide))
    before, _ = _lines(guide[:, None], np.maximum(index - _SIDE, 0), np.maximum(index - 1, 0), index - 0.5)
    after, _ = _lines(guide[:, None], index, np.minimum(index + _SIDE - 1, len(guide) - 1), index - 0.5)
    for at in range(2, len(guide) - 1):
        change, step = float(after[at, 0] - before[at, 0]), float(guide[at] - guide[at - 1])
        is_switch = abs(change) > SUDDEN * unrest and step * change > 0 and abs(step) > _AT_ONCE * abs(change)
        if is_switch and (not found or at - found[-1] > 1):
            found.append(at)
    return found


def _smooth(curves: F64, guide: F64, unrest: float) -> F64:
    """The trend of a part without switches."""
    total, weight = np.zeros_like(curves), np.zeros((len(guide), 1))
    for left, right in ((1, 1), (1, 0), (0, 1)):
        value, spread = _longest(curves, guide, left, right, unrest)
        share = 1.0 / (spread[:, None] ** 2)
        total, weight = total + value * share, weight + share
    return np.asarray(total / weight)


def _longest(curves: F64, guide: F64, left: int, right: int, unrest: float) -> tuple[F64, F64]:
    """(values (n, k), their spread (n,)) of the longest lines that agree; lines reach `left`, `right` or both ways."""
    count = len(guide)
    index = np.arange(count)
    low, high = np.full(count, -np.inf), np.full(count, np.inf)
    value, spread = curves.copy(), np.ones(count)
    agrees = np.ones(count, np.bool_)
    both = np.column_stack((guide, curves))
    for reach in REACHES:
        first, last = np.maximum(index - left * reach, 0), np.minimum(index + right * reach, count - 1)
        lines, shares = _lines(both, first, last, index)
        low = np.maximum(low, lines[:, 0] - WIDTH * unrest * shares)
        high = np.minimum(high, lines[:, 0] + WIDTH * unrest * shares)
        agrees &= low <= high
        better = agrees & (shares < spread)
        value[better], spread[better] = lines[better, 1:], shares[better]
    return value, spread


def _lines(
    curves: F64, first: NDArray[np.int64], last: NDArray[np.int64], at: NDArray[np.floating] | NDArray[np.int64]
) -> tuple[F64, F64]:
    """Straight lines over first..last by least squares: (values at `at`, their deviation for an unrest of 1)."""
    place = np.arange(len(curves), dtype=np.float64)
    sums = np.vstack((np.zeros(curves.shape[1]), np.cumsum(curves, axis=0)))
    leans = np.vstack((np.zeros(curves.shape[1]), np.cumsum(curves * place[:, None], axis=0)))
    number = (last - first + 1).astype(np.float64)
    middle = (first + last) / 2.0
    mean = (sums[last + 1] - sums[first]) / number[:, None]
    lean = (leans[last + 1] - leans[first]) - middle[:, None] * (sums[last + 1] - sums[first])
    inertia = number * (number * number - 1.0) / 12.0
    away = at - middle
    share = np.where(inertia > 0, away / np.maximum(inertia, 1e-9), 0.0)
    return mean + share[:, None] * lean, np.sqrt(1.0 / number + share * away)


def _unrest(guide: F64) -> float:
    """Standard deviation of a frame against the frames around it, however steeply the curve goes."""
    reach = min(_STEADY // 2, (len(guide) - 1) // 2)
    if reach < 1:
        return 0.0
    place = np.arange(reach, len(guide) - reach)
    pairs = [(guide[place - step] + guide[place + step]) / 2 for step in range(1, reach + 1)]
    # The median of four means of two has by itself 0.44 of the unrest.
    return float(1.4826 * np.median(np.abs(guide[place] - np.median(pairs, axis=0))) / 1.09)


def _running_median(guide: F64) -> F64:
    """The median of the frames around each; beyond the ends the curve goes on, turned about them."""
    reach = min(_STEADY // 2, len(guide) - 1)
    before, after = 2 * guide[0] - guide[reach:0:-1], 2 * guide[-1] - guide[-2 : -2 - reach : -1]
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate((before, guide, after)), 2 * reach + 1)
    return np.asarray(np.median(windows, axis=1))
