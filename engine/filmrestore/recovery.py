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

from .motion import LUMA_GAIN, channel_mean, compensate, flow, luma8, match_level, match_tone, repeated

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
    """

    whole: Float32[Array, "h w 3"]
    hole: Bool[Array, "h w"]


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
    masks = holes.view(np.uint8)
    whole = [cv2.copyTo(fill, mask, frame.copy()) for fill, mask, frame in zip(fills, masks, frames, strict=True)]
    motion = _Motion([luma8(frame) for frame in whole], present)
    for centre in wanted:
        neighbours = [
            b
            for b in range(max(0, centre - REACH), min(len(frames), centre + REACH + 1))
            if b != centre and present[b] and present[centre]
        ]
        frame = Side(whole[centre], holes[centre])
        total, weight = LEAST * fills[centre], np.full(holes.shape[1:], LEAST, np.float32)
        for b in neighbours:
            seen, share = brought(Side(whole[b], holes[b]), frame, motion.between(centre, b))
            share *= np.float32(1.0 if abs(b - centre) == 1 else FAR)
            total += seen * repeated(share)
            weight += share
        trust = weight / (weight + np.float32(DOUBT))
        picture = total / repeated(weight) * repeated(trust) + fills[centre] * repeated(1 - trust)
        yield Recovered(picture, trust)


class _Motion:
    """Motion between the frames of a window: searched for between next ones, and put together of these beyond.

    It asks nothing of which frames are wanted, so that a frame's answer does not depend on the others'.
    """

    def __init__(self, lumas: Sequence[UInt8[Array, "h w"]], present: Sequence[bool]) -> None:
        self._lumas, self._present = lumas, present
        self._fields: dict[tuple[int, int], Float32[Array, "h w 2"]] = {}
        self._same: dict[tuple[int, int], bool] = {}

    def between(self, a: int, b: int) -> Float32[Array, "h w 2"]:
        """As `flow` gives it."""
        field = self._fields.get((a, b))
        if field is None:
            via = (a + b) // 2
            leads = abs(a - b) == 2 and self._present[via] and self._follows(a, via) and self._follows(via, b)
            field = self._by_way_of(a, via, b) if leads else flow(self._lumas[a], self._lumas[b])
            self._fields[a, b] = field
        return field

    def _by_way_of(self, a: int, via: int, b: int) -> Float32[Array, "h w 2"]:
        """What left the patch on the way goes on as its edge does; `_agreement` is asked of it as of all."""
        there = self.between(a, via)
        onward, _ = compensate(self.between(via, b), there)
        return np.asarray(there + onward)

    def _follows(self, a: int, b: int) -> bool:
        """Whether a frame shows what another one does, as a whole: half of it at least, and on the mean nearly so."""
        same = self._same.get((a, b))
        if same is None:
            here, there = (self._lumas[n].astype(np.float32)[..., None] for n in (a, b))
            seen, inside = compensate(there, self.between(a, b))
            miss = float((np.abs(seen - here)[..., 0] * inside).sum() / max(float(inside.sum()), 1.0))
            same = bool(inside.mean() >= 0.5) and miss < AGREES * LUMA_GAIN
            self._same[a, b] = same
        return same


def brought(
    neighbour: Side, frame: Side, field: Float32[Array, "h w 2"]
) -> tuple[Float32[Array, "h w 3"], Float32[Array, "h w"]]:
    """A neighbour brought onto a frame, in its light, and how far it is to be believed, 0..1, for each pixel.

    Args:
        field: Motion from the frame to it.
    """
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
