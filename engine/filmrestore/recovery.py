"""What stood under a defect, recovered from neighbouring frames: patch-local, deterministic, without a network.

The holes of all frames are filled from their surroundings first, so that damage no longer bends the motion found
between them. Then every neighbour within two frames is brought onto the frame, and each pixel is the mean of those
that are whole there and agree with what is around the hole. docs/decisions/recovery.md has the measurements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray as Array

from .motion import compensate, flow, luma8, match_level, match_tone

REACH = 2
"""Frames to either side that are asked."""
FAR = 0.5
"""Weight of a neighbour that is not the next one."""
AGREES = 0.05
"""Net units: a neighbour that misses the surroundings by this much weighs 1/e."""
SURROUNDINGS = 13
"""Edge of the square, pixels, in which a neighbour is compared with the frame around the hole."""
DOUBT = 0.01
"""Weight of the fill from the surroundings against a neighbour's 1."""
LEAST = 1e-12  # keeps the mean defined where no neighbour counts


@dataclass(frozen=True)
class Recovered:
    """A frame as its neighbours show it.

    Attributes:
        picture: Net encoding, unclipped; where no neighbour counts it is the fill.
        trust: 0..1, the neighbours' share in it.
    """

    picture: Float32[Array, "h w 3"]
    trust: Float32[Array, "h w"]


def recover(
    frames: Float32[Array, "t h w 3"],
    fills: Float32[Array, "t h w 3"],
    holes: Bool[Array, "t h w"],
    present: Sequence[bool],
    wanted: Sequence[int],
) -> Iterator[Recovered]:
    """The wanted frames of a window, each as its neighbours show it.

    Args:
        frames: Net encoding, finite.
        fills: What the surroundings suggest for the holes; elsewhere it is not read.
        holes: Where frames are damaged: neither compared nor copied from.
        present: Which frames are real; the others give nothing.
        wanted: Frames to recover, by their place in the window.
    """
    whole = np.where(holes[..., None], fills, frames)
    lumas = [luma8(frame) for frame in whole]
    for centre in wanted:
        neighbours = [
            b
            for b in range(max(0, centre - REACH), min(len(frames), centre + REACH + 1))
            if b != centre and present[b] and present[centre]
        ]
        total, weight = LEAST * fills[centre], np.full(holes.shape[1:], LEAST, np.float32)
        for b in neighbours:
            field = flow(lumas[centre], lumas[b])
            seen, inside = compensate(whole[b], field, cubic=True)
            damaged, _ = compensate(holes[b].astype(np.float32)[..., None], field)
            seen = match_level(match_tone(seen, whole[centre], inside), whole[centre], inside)
            share = inside * np.clip(1 - 2 * damaged[..., 0], 0, 1) * _agreement(seen, whole[centre], holes[centre])
            share *= np.float32(1.0 if abs(b - centre) == 1 else FAR)
            total += seen * share[..., None]
            weight += share
        trust = weight / (weight + np.float32(DOUBT))
        picture = total / weight[..., None] * trust[..., None] + fills[centre] * (1 - trust[..., None])
        yield Recovered(picture, trust)


def _agreement(
    seen: Float32[Array, "h w 3"], frame: Float32[Array, "h w 3"], hole: Bool[Array, "h w"]
) -> Float32[Array, "h w"]:
    """exp(-e^2), e the mean difference to the frame around the hole, in units of `AGREES`."""
    sound = (~hole).astype(np.float32)
    size = (SURROUNDINGS, SURROUNDINGS)
    miss = cv2.blur(np.abs(seen - frame).mean(axis=2) * sound, size) / np.maximum(cv2.blur(sound, size), 1e-3)
    agreement: Float32[Array, "h w"] = np.exp(-((miss / np.float32(AGREES)) ** 2))
    return agreement
