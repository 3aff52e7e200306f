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
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray as Array

from .motion import channel_mean, compensate, flow, luma8, match_level, match_tone, repeated

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


@dataclass(frozen=True)
class Side:
    """One of two frames that are compared.

    Attributes:
        whole: Net encoding, its holes filled.
        hole: Where it is damaged.
        luma: `luma8` of it.
    """

    whole: Float32[Array, "h w 3"]
    hole: Bool[Array, "h w"]
    luma: UInt8[Array, "h w"]


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
    whole = frames.copy()
    whole[holes] = fills[holes]
    lumas = [luma8(frame) for frame in whole]
    for centre in wanted:
        neighbours = [
            b
            for b in range(max(0, centre - REACH), min(len(frames), centre + REACH + 1))
            if b != centre and present[b] and present[centre]
        ]
        frame = Side(whole[centre], holes[centre], lumas[centre])
        total, weight = LEAST * fills[centre], np.full(holes.shape[1:], LEAST, np.float32)
        for b in neighbours:
            seen, share = brought(Side(whole[b], holes[b], lumas[b]), frame)
            share *= np.float32(1.0 if abs(b - centre) == 1 else FAR)
            total += seen * repeated(share)
            weight += share
        trust = weight / (weight + np.float32(DOUBT))
        picture = total / repeated(weight) * repeated(trust) + fills[centre] * repeated(1 - trust)
        yield Recovered(picture, trust)


def brought(neighbour: Side, frame: Side) -> tuple[Float32[Array, "h w 3"], Float32[Array, "h w"]]:
    """A neighbour brought onto a frame, in its light, and how far it is to be believed, 0..1, for each pixel."""
    field = flow(frame.luma, neighbour.luma)
    seen, inside = compensate(neighbour.whole, field, cubic=True)
    damaged, _ = compensate(neighbour.hole.astype(np.float32)[..., None], field)
    seen = match_level(match_tone(seen, frame.whole, inside), frame.whole, inside)
    share = inside * np.clip(1 - 2 * damaged[..., 0], 0, 1) * _agreement(seen, frame.whole, frame.hole)
    return seen, share


def _agreement(
    seen: Float32[Array, "h w 3"], frame: Float32[Array, "h w 3"], hole: Bool[Array, "h w"]
) -> Float32[Array, "h w"]:
    """exp(-e^2), e the mean difference to the frame around the hole, in units of `AGREES`."""
    sound = (~hole).astype(np.float32)
    size = (SURROUNDINGS, SURROUNDINGS)
    miss = cv2.blur(channel_mean(np.abs(seen - frame)) * sound, size) / np.maximum(cv2.blur(sound, size), 1e-3)
    agreement: Float32[Array, "h w"] = np.exp(-((miss / np.float32(AGREES)) ** 2))
    return agreement
