"""What tells a scratch from an upright edge of the picture: how a line behaves while the picture goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .paths import Path

Float32 = NDArray[np.float32]

WEIGHTS = {
    "height": 4.819,
    "sum": 0.496,
    "here": 1.591,
    "seen": -0.476,
    "least": -0.778,
    "wander": -0.236,
    "wobble": -4.581,
    "lean": -3.301,
    "unrest": 1.183,
    "stirred": 1.012,
    "moved": 0.189,
    "even": 0.069,
    "texture": -0.019,
    "wide": -0.636,
}
BIAS = -3.438
"""Of a logistic regression on lines of known kind, which `tests/benchmarks/lines.py` fits."""
TRAITS = tuple(WEIGHTS)
"""Names of the traits, in their order."""
CLIP = 4.0
"""Standard deviations beyond which a strip says no more."""
_REACH = 3  # columns that a line may have wandered to a frame of the same window
_STAY = 0.2  # what a column of wandering costs
_BESIDE = np.r_[-12:-3, 4:13]  # columns whose picture is watched
_FLOOR = 1e-3  # net: what no scan is quieter than


@dataclass(frozen=True)
class Look:
    """One frame as the finder keeps it: strips, their deviation and contrast; see `ridges`."""

    strips: Float32
    deviation: Float32
    contrast: Float32
    widths: Float32


def support(looks: Sequence[Look], here: int, sign: int) -> Float32:
    """Evidence for lines of one sign that stay near their place: the mean over the window, nearer frames stricter."""
    total = np.zeros_like(looks[here].deviation)
    for place, look in enumerate(looks):
        stands = np.clip(sign * look.deviation, -1, CLIP)
        away = abs(place - here)
        reach = 1 if away == 0 else 3 if away <= 2 else 5
        total += stands if reach == 1 else cv2.dilate(stands, np.ones((1, reach), np.uint8))
    return np.asarray(total / np.float32(len(looks)), np.float32)


def traits(looks: Sequence[Look], here: int, path: Path) -> NDArray[np.float64]:
    """The traits of a path in frame `here` of a window, in the order of `TRAITS`.

    height: share of the frame's strips. sum: log of its score. here, seen, least: mean deviation in its own frame, in
    all, and in the two frames that show it least. wander: standard deviation of its way, columns. wobble, lean: mean
    bend and slope, columns a strip. unrest: log of how much its contrast changes from frame to frame, against its
    contrast. stirred: log of the same against the change beside it. moved: log of the change beside it against its
    contrast. even: what four strips in five stand out by. texture: log of what the picture beside it differs by,
    against its contrast. wide: columns.
    """
    strips, columns = path.strips, path.columns
    last = looks[here].strips.shape[1] - 1
    stands, contrasts, besides, ways = [], [], [], []
    for look in looks:
        way = _way(look, path)
        at = np.clip(columns + way, 0, last)
        ways.append(way)
        stands.append(np.clip(path.sign * look.deviation[strips, at], -1, CLIP))
        contrasts.append(look.contrast[strips, at])
        beside = look.strips[strips[:, None], np.clip(columns[:, None] + _BESIDE, 0, last)]
        besides.append(beside - np.median(beside, axis=1, keepdims=True))
    stand, contrast, beside = np.stack(stands), np.stack(contrasts), np.stack(besides)
    others = np.arange(len(looks)) != here
    # Medians: a speck on the line is no unrest of the line.
    change = np.median(np.abs(contrast - contrast[here])[others]) + _FLOOR
    stir = np.median(np.abs(beside - beside[here])[others]) + _FLOOR
    size = np.median(np.abs(contrast)) + _FLOOR
    return np.array(
        [
            len(columns) / len(looks[here].strips),
            np.log(path.score),
            stand[here].mean(),
            stand.mean(),
            np.sort(stand.mean(axis=1))[:2].mean(),
            np.std(ways),
            np.abs(np.diff(columns, 2)).mean() if len(columns) > 2 else 1.0,
            abs(int(columns[-1] - columns[0])) / max(1, len(columns) - 1),
            np.log(change / size),
            np.log(change / stir),
            np.log(stir / size),
            np.quantile(stand.mean(axis=0), 0.2),
            np.log((np.median(np.abs(beside)) + _FLOOR) / size),
            looks[here].widths[strips, columns].mean(),
        ]
    )


def _way(look: Look, path: Path) -> int:
    """Columns that the whole path lies further right in this frame."""
    last = look.deviation.shape[1] - 1
    sums = {
        way: float(
            np.clip(path.sign * look.deviation[path.strips, np.clip(path.columns + way, 0, last)], -1, CLIP).sum()
        )
        - _STAY * abs(way)
        for way in range(-_REACH, _REACH + 1)
    }
    return max(sums, key=lambda way: (sums[way], -abs(way), way))


def certainty(mean_traits: NDArray[np.float64]) -> float:
    """Probability that a line with these traits is a scratch."""
    return float(1 / (1 + np.exp(-(mean_traits @ np.array(list(WEIGHTS.values())) + BIAS))))
