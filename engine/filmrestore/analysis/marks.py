"""Lasting marks: hairs, lint and dirt that the film runs past, followed from look to look."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Shifts = NDArray[np.int_]
T = TypeVar("T")

CERTAIN = 0.9
"""Probability from which on a mark counts as one."""
CHANCE = 0.3
"""How often a look takes a part of the picture for a mark, at most; seen k times, it is one but for the k-th power."""
_SAME = 0.3  # share of the smaller of two marks that lies on the other where they are one
_NEAR = 3  # pixels that a mark may have changed by from one look to the next


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A mark as one frame shows it, and where it lies in those around.

    Attributes:
        number: The frame.
        x, y, width, height: The box of its crest, pixels.
        bits: Its crest in that box, one bit a pixel, rows after one another, deflated, in base 64.
        frames: Frames around that show it too, ascending.
        shifts: For each of them (x, y) of the mark against this frame, pixels.
        is_whole: Whether the bits are all of it and not its crest alone.
    """

    number: int
    x: int
    y: int
    width: int
    height: int
    bits: str
    frames: tuple[int, ...]
    shifts: tuple[tuple[int, int], ...]
    is_whole: bool = False

    @classmethod
    def of(
        cls,
        number: int,
        rows: Rows,
        columns: Rows,
        frames: tuple[int, ...],
        shifts: Shifts,
        *,
        is_whole: bool = False,
    ) -> View:
        """From the pixels of a crest, or of a whole mark."""
        y, x = int(rows.min()), int(columns.min())
        crest = np.zeros((int(rows.max()) + 1 - y, int(columns.max()) + 1 - x), np.bool_)
        crest[rows - y, columns - x] = True
        packed = base64.b64encode(zlib.compress(np.packbits(crest).tobytes(), 9)).decode()
        pairs = tuple((int(dx), int(dy)) for dx, dy in shifts)
        height, width = crest.shape
        return cls(
            number=number,
            x=x,
            y=y,
            width=width,
            height=height,
            bits=packed,
            frames=frames,
            shifts=pairs,
            is_whole=is_whole,
        )

    @property
    def rests(self) -> bool:
        """Whether it was in its very place in all of several frames."""
        return len(self.frames) > 1 and all(shift == (0, 0) for shift in self.shifts)

    def crest(self) -> tuple[Rows, Rows]:
        """Rows and columns of its pixels in the frame `number`."""
        bits = np.frombuffer(zlib.decompress(base64.b64decode(self.bits)), np.uint8)
        rows, columns = np.nonzero(np.unpackbits(bits, count=self.width * self.height).reshape(self.height, self.width))
        return rows + self.y, columns + self.x


class LastingMark(msgspec.Struct, frozen=True, kw_only=True):
    """A mark that does not move with the picture.

    Attributes:
        first, last: Frames between which it was seen.
        polarity: "light" or "dark" against the picture.
        views: How it looked, by frame.
        step: Pixels of the frame that are one of the views'.
        certainty: Probability that it is none of the picture.
    """

    first: int
    last: int
    polarity: str
    views: tuple[View, ...]
    step: int = 1
    certainty: float

    @property
    def is_whole(self) -> bool:
        """Whether its pixels are all of it: a crest has more beside it."""
        return any(view.is_whole for view in self.views)

    @property
    def certain(self) -> bool:
        """Whether it is taken for a mark where nobody says otherwise."""
        return self.certainty >= CERTAIN

    def pixels_at(self, number: int) -> tuple[Rows, Rows]:
        """Rows and columns of its crest in a frame, in the views' pixels, as all views that know have it."""
        known = [view for view in self.views if number in view.frames]
        if not known and self.first <= number <= self.last:
            nearest = min(self.views, key=lambda view: (abs(view.number - number), view.number))
            if nearest.rests:
                return nearest.crest()
        if not known:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        seen = []
        for view in known:
            x, y = view.shifts[view.frames.index(number)]
            seen.append(np.stack(view.crest()) + np.array([[y], [x]]))
        rows, columns = np.unique(np.concatenate(seen, axis=1), axis=1)
        return rows, columns


@dataclass(frozen=True)
class Seen:
    """A mark in one look: its sign (1 light, -1 dark), how much it stands out, and how that look has it."""

    sign: int
    size: float
    view: View


@dataclass
class Marks:
    """Links what the looks see to marks."""

    _tracks: list[list[Seen]] = field(default_factory=list)

    def add(self, seen: list[Seen]) -> None:
        """What one look saw; looks come in the order of the film."""
        link(self._tracks, seen, _is_seen_again)

    def finish(self, step: int) -> tuple[LastingMark, ...]:
        """The marks; `step` is said of them."""
        return tuple(_mark(track, step) for track in self._tracks)


def link(tracks: list[list[T]], seen: Iterable[T], is_same: Callable[[list[T], T], bool]) -> None:
    """Adds what one look saw to the tracks: each to the first that it is the same as, or to a new one."""
    for one in seen:
        track = next((track for track in tracks if is_same(track, one)), None)
        if track is None:
            tracks.append([one])
        else:
            track.append(one)


def certainty_of(looks: int) -> float:
    """Of a mark that so many looks saw."""
    return round(1 - CHANCE**looks, 3)


def _mark(track: list[Seen], step: int) -> LastingMark:
    """A mark of all that was seen of it; of the other sign, now and then, only its rim was."""
    sign = max(track, key=lambda one: one.size).sign
    return LastingMark(
        first=min(one.view.frames[0] for one in track),
        last=max(one.view.frames[-1] for one in track),
        polarity="light" if sign > 0 else "dark",
        views=tuple(one.view for one in track if one.sign == sign),
        step=step,
        certainty=certainty_of(len({one.view.number for one in track})),
    )


def _is_seen_again(track: list[Seen], one: Seen) -> bool:
    """Whether it is a mark of that track: any part of it that one of its last two looks saw."""
    looks = sorted({seen.view.number for seen in track})[-2:]
    return any(_is_same(seen.view, one.view) for seen in track if seen.view.number in looks)


def _is_same(before: View, view: View) -> bool:
    """Whether two views are of one mark: in both, much of the smaller lies near the other.

    Two of one frame may be: where a mark was seen in two parts, each may have been followed to the whole.
    """
    gap_x = max(before.x, view.x) - min(before.x + before.width, view.x + view.width)
    gap_y = max(before.y, view.y) - min(before.y + before.height, view.y + view.height)
    if max(gap_x, gap_y) > _NEAR:
        return False
    small, large = sorted((np.stack(one.crest()) for one in (before, view)), key=lambda pixels: pixels.shape[1])
    corner = large.min(axis=1, keepdims=True) - _NEAR
    plane = np.zeros((large - corner).max(axis=1) + _NEAR + 1, np.uint8)
    plane[tuple(large - corner)] = 1
    near = cv2.dilate(plane, np.ones((2 * _NEAR + 1, 2 * _NEAR + 1), np.uint8)) > 0
    at = small - corner
    inside = ((at >= 0) & (at < np.array([plane.shape]).T)).all(axis=0)
    return bool(near[tuple(at[:, inside])].sum() >= _SAME * len(inside))
