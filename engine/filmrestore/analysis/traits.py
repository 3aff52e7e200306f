"""What tells a scratch from an upright edge of the picture: how a line behaves while the picture goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .drift import Drift
from .paths import Path

Float32 = NDArray[np.float32]

WEIGHTS = {
    "height": 4.454,
    "sum": 0.8,
    "here": 1.438,
    "seen": 0.831,
    "least": -0.982,
    "wander": -0.559,
    "wobble": -2.265,
    "lean": -1.139,
    "unrest": 1.317,
    "stirred": 1.366,
    "moved": 0.466,
    "even": -0.134,
    "texture": -0.187,
    "wide": -0.471,
    "apart": 2.601,
    "renewed": 3.018,
}
BIAS = -6.296
"""Of a logistic regression on lines of known kind, which `tests/benchmarks/lines.py` fits."""
LEAST = 0.5
"""Of log odds, what the lesser half of a scratch's looks is below all of them."""
TRAITS = tuple(WEIGHTS)
"""Names of the traits, in their order."""
CLIP = 4.0
"""Standard deviations beyond which a strip says no more."""
_REACH = 3  # columns that a line may have wandered to a frame of the same window
_WAYS = np.array(sorted(range(-_REACH, _REACH + 1), key=abs))  # of two that fit as well, the nearer
_STAY = 0.2  # what a column of wandering costs
_BESIDE = np.r_[-12:-3, 4:13]  # columns whose picture is watched
_FLOOR = 1e-3  # net: what no scan is quieter than
_RENEWED = 0.8  # from which on a line is renewed beyond doubt
_WIDTH = np.arange(-1, 2)  # columns in which the contrast of a line lies
_HALF = np.array([-0.5, 0.0, 0.5])  # columns within which the picture's way is known


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


def traits(
    looks: Sequence[Look], drifts: Sequence[Drift], ways: Sequence[int], here: int, path: Path
) -> NDArray[np.float64]:
    """The traits of a path in frame `here` of a window, in the order of `TRAITS`.

    `drifts` says where the picture of that frame is in each, `ways` where the path is: `ways_of`.

    height: share of the frame's strips. sum: log of its score. here, seen, least: mean deviation in its own frame, in
    all, and in the two frames that show it least. wander: standard deviation of its way, columns. wobble, lean: mean
    bend and slope, columns a strip. unrest: log of how much its contrast changes from frame to frame, against its
    contrast. stirred: log of the same against the change beside it. moved: log of the change beside it against its
    contrast. even: what four strips in five stand out by. texture: log of what the picture beside it differs by,
    against its contrast. wide: columns. apart: share of what all frames show that is lost where the line is looked for
    where the picture has gone, beside it or as a whole. renewed: how much of the line is another in every frame while
    the picture beside it is not, 0 to `_RENEWED`, times its height.
    """
    strips, columns = path.strips, path.columns
    last = looks[here].strips.shape[1] - 1
    stands, contrasts, besides, followed = [], [], [], []
    for look, drift, way in zip(looks, drifts, ways, strict=True):
        followed.append(_followed(look, path, drift))
        at = np.clip(columns + way, 0, last)
        stands.append(np.clip(path.sign * look.deviation[strips, at], -1, CLIP))
        # All of its width, or what is left of a step by half a column would be a change.
        near = look.contrast[strips[:, None], np.clip(at[:, None] + _WIDTH, 0, last)]
        contrasts.append(near.mean(axis=1))
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
            abs(np.polyfit(strips, columns, 1)[0]) if len(columns) > 1 else 0.0,
            np.log(change / size),
            np.log(change / stir),
            np.log(stir / size),
            np.quantile(stand.mean(axis=0), 0.2),
            np.log((np.median(np.abs(beside)) + _FLOOR) / size),
            looks[here].widths[strips, columns].mean(),
            1 - np.clip(np.mean(followed) / max(float(stand.mean()), 0.1), 0, 1),
            _renewed(contrast, beside, here) * len(columns) / len(looks[here].strips),
        ]
    )


def _renewed(contrast: Float32, beside: Float32, here: int) -> float:
    """How much of a line is new in every frame, against its contrast and against the picture beside it, the smaller.

    A lamp that blinks does so in all of its length: what strips do apiece, against the frame's median, has to be half.

    Args:
        contrast: Of the line, (frames, strips).
        beside: The picture next to it, (frames, strips, columns).
        here: Place of the frame that the others are held against.
    """
    others = np.arange(len(contrast)) != here
    own = contrast - np.median(contrast, axis=1, keepdims=True)
    change, alone = (np.median(np.abs(part - part[here])[others], axis=0) for part in (contrast, own))
    stir = np.median(np.abs(beside - beside[here])[others], axis=(0, 2))
    of_itself = np.log((np.median(change) + _FLOOR) / (np.median(np.abs(contrast)) + _FLOOR))
    of_picture = np.quantile(np.log((change + _FLOOR) / (stir + _FLOOR)), 0.25)
    apiece = min(1.0, 2 * float(np.median(alone) / (np.median(change) + _FLOOR)))
    return apiece * float(np.clip(min(of_itself + 1.2, of_picture + 0.3), 0, _RENEWED))


def ways_of(looks: Sequence[Look], path: Path) -> list[int]:
    """Columns that the whole path lies further right in each frame."""
    last = looks[0].deviation.shape[1] - 1
    at = np.clip(path.columns + _WAYS[:, None], 0, last)
    found = []
    for look in looks:
        sums = np.clip(path.sign * look.deviation[path.strips, at], -1, CLIP).sum(axis=1, dtype=np.float64)
        found.append(int(_WAYS[(sums - _STAY * np.abs(_WAYS)).argmax()]))
    return found


def _followed(look: Look, path: Path, drift: Drift) -> float:
    """What the path stands out by in this frame where the picture has gone, beside it or as a whole, the larger."""
    last = look.deviation.shape[1] - 1
    tries = np.concatenate([drift.beside(path.strips, path.columns) + _HALF, drift.whole + _HALF])
    at = np.clip(path.columns + tries[:, None], 0, last)
    left = np.minimum(at.astype(np.intp), last - 1)
    share = at - left
    rows = look.deviation[path.strips[None], left], look.deviation[path.strips[None], left + 1]
    seen = np.clip(path.sign * (rows[0] * (1 - share) + rows[1] * share), -1, CLIP)
    return float(seen.mean(axis=1).max())


def certainty(each: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> float:
    """Probability that a line is a scratch, by its traits in every look, (looks, traits).

    By the half of the looks that speak least for it: a post that a scratch passes once looks like one that once.

    Args:
        each: The traits.
        weights: Of each trait, then the bias; those that were fitted when None.
    """
    weights = np.array([*WEIGHTS.values(), BIAS]) if weights is None else weights
    odds = np.sort(each @ weights[:-1] + weights[-1])
    return float(1 / (1 + np.exp(-(odds[: (len(odds) + 1) // 2].mean() + LEAST))))
