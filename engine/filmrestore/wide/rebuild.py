"""A lost frame made from the frames around it: both carried along the motion to where the picture was in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray as Array

from ..grain import GrainModel, synthesise
from ..motion import compensate, flow, luma8

LIKE = 1.5
"""px by which the motion of a place may differ from that of what is fetched for it and still weigh 1/e."""
UNLIKE = 0.08
"""Net units by which the two sides may differ where they count as agreeing."""
_LEAST = 1e-3  # keeps the mean defined where neither side is trusted
_FETCHED = 0.8  # share of the grain's power that is left after a picture was fetched between pixels
_HOLE = 2.0  # px: blur by which motion flows into places that nothing moved to
_QUIET = 2.0  # px: blur that takes grain away before its new strength is read off the picture

Guess = Callable[[Float32[Array, "h w 3"], Bool[Array, "h w"]], Float32[Array, "h w 3"]]
"""A frame made from its neighbours, net, and where it is seen -> what it looks like, at least elsewhere."""


@dataclass(frozen=True)
class Rebuilt:
    """A frame made from its neighbours.

    Attributes:
        picture: Net encoding, with grain where a model was given.
        seen: Where at least one side shows it and nothing contradicts; elsewhere it is a guess.
    """

    picture: Float32[Array, "h w 3"]
    seen: Bool[Array, "h w"]


def rebuild(
    before: Float32[Array, "h w 3"],
    after: Float32[Array, "h w 3"],
    share: float,
    *,
    guess: Guess | None = None,
    grain: GrainModel | None = None,
    amount: float = 1.0,
    seed: int = 0,
    frame: int = 0,
) -> Rebuilt:
    """The frame that lies `share` of the way from `before` to `after`.

    The motion from one side to the other is laid where it passes at that moment, and each pixel is fetched from both
    sides. A side counts as far as what it shows there moves as the pixel does: of a thing that covers another one, only
    the side counts on which it is not covered. A mean of two grains is weaker than grain: what is missing is added new,
    so that the frame neither stands nor calms down among its neighbours.

    Args:
        before, after: Net encoding, finite.
        share: Above 0 and below 1.
        guess: Says what the places look like where the sides contradict each other; None leaves their mean.
        grain: The reel's; None adds none.
        amount: Grain against the model's.
        seed, frame: As for `grain.synthesise`.
    """
    forth, back = flow(luma8(before), luma8(after)), flow(luma8(after), luma8(before))
    motion = _between(forth, back, share)
    left, left_inside = compensate(before, np.float32(-share) * motion, cubic=True)
    right, right_inside = compensate(after, np.float32(1 - share) * motion, cubic=True)
    own_left, _ = compensate(forth, np.float32(-share) * motion)
    own_right, _ = compensate(back, np.float32(1 - share) * motion)
    trust_left, trust_right = _alike(own_left - motion) * left_inside, _alike(own_right + motion) * right_inside
    weight_left = np.float32(1 - share) * (trust_left + np.float32(_LEAST))
    weight_right = np.float32(share) * (trust_right + np.float32(_LEAST))
    part = (weight_left / (weight_left + weight_right))[..., None]
    picture = part * left + (1 - part) * right
    differs = np.abs(cv2.blur(left - right, (5, 5))).max(axis=2) > UNLIKE
    both = (trust_left > 0.5) & (trust_right > 0.5)
    seen = (np.maximum(trust_left, trust_right) > 0.5) & ~(both & differs)
    kept = np.float32(_FETCHED) * (part**2 + (1 - part) ** 2)
    if guess is not None and not seen.all():
        picture = np.where(seen[..., None], picture, guess(picture, seen))
        kept = kept * seen[..., None]  # what is guessed has no grain
    if grain is not None and amount > 0:
        quiet = cv2.GaussianBlur(picture, (0, 0), _QUIET)
        picture = picture + np.float32(amount) * np.sqrt(1 - kept) * synthesise(grain, quiet, seed, frame)
    return Rebuilt(picture.astype(np.float32), seen)


def _between(forth: Float32[Array, "h w 2"], back: Float32[Array, "h w 2"], share: float) -> Float32[Array, "h w 2"]:
    """The motion from before to after, of what passes each pixel at that moment."""
    total = np.zeros((*forth.shape[:2], 3))
    for field, sign, part in ((forth, 1.0, share), (back, -1.0, 1.0 - share)):
        other = back if sign > 0 else forth
        returned, _ = compensate(other, field)
        sure = _alike(field + returned) + np.float32(_LEAST)
        total += (1.0 - part) * _laid(np.float32(sign) * field, np.float32(part) * field, sure)
    spread = total.astype(np.float32)
    for _ in range(3):  # holes fill from around, wide ones from farther
        wider = cv2.GaussianBlur(spread, (0, 0), _HOLE)
        spread = np.where(spread[..., 2:] > 0.05, spread, wider + 0.1 * spread)
    motion: Float32[Array, "h w 2"] = spread[..., :2] / np.maximum(spread[..., 2:], 1e-6)
    return motion


def _laid(motion: Float32[Array, "h w 2"], way: Float32[Array, "h w 2"], sure: Float32[Array, "h w"]) -> Array:
    """Motion times weight, and weight, moved by `way`: each pixel shared out among the four that it falls between."""
    height, width = sure.shape
    x = np.arange(width) + way[..., 0].astype(np.float64)
    y = np.arange(height)[:, None] + way[..., 1].astype(np.float64)
    left, top = np.floor(x), np.floor(y)
    out = np.zeros((height * width, 3))
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = sure * (1 - np.abs(x - left - column)) * (1 - np.abs(y - top - row))
        at_x, at_y = (left + column).astype(np.int64), (top + row).astype(np.int64)
        inside = (at_x >= 0) & (at_x < width) & (at_y >= 0) & (at_y < height)
        place, weight = (at_y * width + at_x)[inside], weight[inside]
        for channel, value in enumerate((motion[..., 0][inside], motion[..., 1][inside], 1.0)):
            out[:, channel] += np.bincount(place, weight * value, minlength=height * width)
    return out.reshape(height, width, 3)


def _alike(difference: Float32[Array, "h w 2"]) -> Float32[Array, "h w"]:
    """1 where two motions are the same, 1/e where they differ by `LIKE`."""
    square = (difference[..., 0] ** 2 + difference[..., 1] ** 2) / np.float32(LIKE**2)
    alike: Float32[Array, "h w"] = np.exp(-square)
    return alike
