"""Lasting vertical scratches: lines that stay in their column while the picture moves under them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from ..frame import Codes
from ..scenes import averageable

Float32 = NDArray[np.float32]

BANDS = 8
"""Horizontal strips of a frame that must all agree: a scratch runs through, a pole or a door frame ends."""


class LastingScratch(msgspec.Struct, frozen=True, kw_only=True):
    """One vertical scratch.

    Attributes:
        first, last: Frames between which it was seen.
        columns: Where it is in every frame from first to last that was read, pixels from the left.
        width: Pixels.
        polarity: "light" or "dark" against the picture.
        strength: Mean difference to the picture beside it, net, never negative.
        certain: The picture moved under it or changed at a cut. Where the camera stood still, a thin upright edge of
            the picture looks the same.
    """

    first: int
    last: int
    columns: tuple[float, ...]
    width: float
    polarity: str
    strength: float
    certain: bool


@dataclass
class _Track:
    sign: int
    first: int
    last: int
    columns: list[float]
    reach: int
    hits: int = 1
    unseen: int = 0
    width: float = 0.0
    strength: float = 0.0


class ScratchFinder:
    """Follows lasting scratches through a stream of frames; its memory grows with the scratches, not the frames.

    Each frame is averaged to 8 strips. What is thinner than a narrow median is kept and averaged over about eight
    frames, in which a moving picture washes out and a scratch stays. A column counts when all strips show it with
    one sign.
    """

    MEMORY = 1 / 8  # weight of the newest frame
    SEEN = 2.5  # standard deviations of a strip
    LASTS = 12  # frames; anything shorter is left to the restorer
    GAP = 6  # frames that a scratch may be lost for

    def __init__(self, width: int) -> None:
        self._reach = max(3, round(width / 2048 * 8))  # half window of the median: twice the widest scratch
        self._drift = max(2.0, width / 2048 * 3)  # pixels that a scratch may wander between two frames
        self._margin = max(self._reach, width // 50)  # the gate's edge is a line that stays, too
        self._mean: Float32 | None = None
        self._count = 0
        self._tracks: list[_Track] = []
        self._done: list[_Track] = []

    def add(self, number: int, strips: Float32) -> None:
        """The next frame as its strips, net luminance, shape (8, width)."""
        detail = _thin(strips, self._reach)
        self._count += 1
        weight = max(self.MEMORY, 1 / self._count)
        self._mean = detail if self._mean is None else (1 - weight) * self._mean + weight * detail
        if self._count >= round(1 / self.MEMORY):
            self._follow(number, self._marks(self._mean))

    def finish(self, path: Mapping[int, float], cuts: Collection[int]) -> tuple[LastingScratch, ...]:
        """The scratches, by first frame and column.

        Args:
            path: Where the picture has moved to in each frame, pixels from the left.
            cuts: First frame of every new shot.
        """
        for track in self._tracks:
            self._close(track)
        self._tracks = []
        made = [_scratch(track, path, cuts) for track in self._done]
        return tuple(sorted(made, key=lambda scratch: (scratch.first, scratch.columns[0])))

    def _marks(self, mean: Float32) -> list[tuple[int, float, float, float]]:
        """(sign, column, width, strength) of every column that stands out in all strips."""
        noise = 1.4826 * np.median(np.abs(mean), axis=1, keepdims=True) + 1e-5
        ranked = np.sort(mean / noise, axis=0)
        ranked[:, : self._margin] = ranked[:, -self._margin :] = 0
        marks = []
        for sign, score in ((1, ranked[0]), (-1, -ranked[-1])):
            peaks = np.flatnonzero(score > self.SEEN)
            for run in np.split(peaks, np.flatnonzero(np.diff(peaks) > 1) + 1) if len(peaks) else ():
                if len(run) <= self._reach:
                    weight = score[run]
                    column = float((run * weight).sum() / weight.sum())
                    marks.append((sign, column, float(len(run)), float(abs(mean[:, run].mean()))))
        # The median leaves an echo of the other sign beside a strong line.
        return [m for m in marks if not any(abs(m[1] - o[1]) <= 2 * self._reach and 3 * m[3] < o[3] for o in marks)]

    def _follow(self, number: int, marks: list[tuple[int, float, float, float]]) -> None:
        free = sorted(marks, key=lambda mark: -mark[3])
        for track in self._tracks:
            near = [m for m in free if m[0] == track.sign and abs(m[1] - track.columns[-1]) <= self._drift]
            if near:
                mark = min(near, key=lambda m: abs(m[1] - track.columns[-1]))
                free.remove(mark)
                track.hits, track.unseen, track.last = track.hits + 1, 0, number
                track.width, track.strength = track.width + mark[2], track.strength + mark[3]
                track.columns.append(mark[1])
            else:
                track.unseen += 1
                track.columns.append(track.columns[-1])
        for track in [track for track in self._tracks if track.unseen > self.GAP]:
            self._tracks.remove(track)
            self._close(track)
        for sign, column, width, strength in free:
            self._tracks.append(_Track(sign, number, number, [column], self._reach, width=width, strength=strength))

    def _close(self, track: _Track) -> None:
        if track.unseen:
            del track.columns[-track.unseen :]
        if track.hits >= self.LASTS:
            self._done.append(track)


def _scratch(track: _Track, path: Mapping[int, float], cuts: Collection[int]) -> LastingScratch:
    passed = [place for number, place in path.items() if track.first <= number <= track.last]
    picture = max(passed, default=0.0) - min(passed, default=0.0)
    line = max(track.columns) - min(track.columns)
    return LastingScratch(
        first=track.first,
        last=track.last,
        columns=tuple(round(column, 1) for column in track.columns),
        width=round(track.width / track.hits, 1),
        polarity="light" if track.sign > 0 else "dark",
        strength=round(track.strength / track.hits, 5),
        certain=any(track.first < cut < track.last for cut in cuts) or bool(picture > max(2 * line, 3 * track.reach)),
    )


def strips_of(picture: Codes) -> Codes:
    """The frame averaged to 8 strips, shape (8, width, c): codes as float32."""
    source = averageable(picture)
    height, width = picture.shape[:2]
    edges = np.linspace(0, height, min(BANDS, height) + 1).astype(int)
    strips = [source[top:bottom].reshape(bottom - top, -1) for top, bottom in pairwise(edges)]
    rows = [cv2.reduce(strip, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F) for strip in strips]
    return np.stack(rows).reshape(len(rows), width, -1)


def _thin(strips: Float32, reach: int) -> Float32:
    """What is left of each row after a median over 2 * reach + 1 columns is taken away."""
    padded = np.pad(strips, ((0, 0), (reach, reach)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1)
    return strips - np.median(windows, axis=2).astype(np.float32)
