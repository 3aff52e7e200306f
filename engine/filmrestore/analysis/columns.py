"""Lasting vertical scratches: lines that stay in their column while the picture goes on under them."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from . import bundles
from .drift import Drift, drifts_of
from .paths import Path, find_paths
from .ridges import reduction, ridges
from .traits import Look, certainty, support, traits, ways_of

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

KNOTS = 5
"""Heights, evenly from the top of the frame to its bottom, at which a scratch's column is kept."""
STAYED = 12.0
"""Times that a line is likelier to be a scratch once the picture has moved on and it has not."""
ECHO = 6
"""Columns at 2K beside a strong line in which a faint one of the other sign is its rim."""
CERTAIN = 0.9
"""Probability from which on a line counts as a scratch."""


class LastingScratch(msgspec.Struct, frozen=True, kw_only=True):
    """One vertical scratch.

    Attributes:
        first, last: Frames between which it was seen.
        frames: Those in which it was measured, ascending.
        columns: For each of them its column at `KNOTS` heights, pixels from the left.
        top, bottom: Rows between which it was seen in any of them.
        width: Pixels.
        beside: Pixels left and right of it up to which other hairlines of its bundle run.
        polarity: "light" or "dark" against the picture.
        strength: Mean difference to the picture beside it, net, never negative.
        certainty: Probability that it is none of the picture's own edges.
    """

    first: int
    last: int
    frames: tuple[int, ...]
    columns: tuple[tuple[float, ...], ...]
    top: int
    bottom: int
    width: float
    polarity: str
    strength: float
    certainty: float
    beside: tuple[float, float] = (0.0, 0.0)

    @property
    def certain(self) -> bool:
        """Whether it is taken for a scratch where nobody says otherwise."""
        return self.certainty >= CERTAIN

    def columns_at(self, number: int) -> Float64:
        """Its column at `KNOTS` heights of a frame, between measurements on a straight way."""
        after = bisect_right(self.frames, number)
        near = slice(max(after - 1, 0), after + 1)  # of a long reel's thousands, those on either side
        return np.array([np.interp(number, self.frames[near], way) for way in np.array(self.columns[near]).T])


@dataclass
class _Track:
    sign: int
    frames: list[int] = field(default_factory=list)
    knots: list[Float64] = field(default_factory=list)
    strips: set[int] = field(default_factory=set)  # of the newest frame
    top: int = 0
    bottom: int = 0
    paths: int = 0
    unseen: int = 0
    traits: list[Float64] = field(default_factory=list)  # of every path
    stirred: Float64 = field(default_factory=lambda: np.zeros(2 * bundles.REACH + 1))
    width: float = 0.0
    strength: float = 0.0


class ScratchFinder:
    """Follows lines through a stream of frames; its memory grows with the lines, not the frames.

    In every fourth frame the lines that nine frames around it show near one place are looked for, and linked to those
    found before. How a line behaves while the picture goes on tells a scratch; see `traits`.

    Args:
        height, width: Of the frames, pixels.
    """

    WINDOW = 9  # frames
    EVERY = 4  # frames
    LASTS = 2  # such frames; what is shorter is left to the restorer
    GAP = 3  # such frames that a line may be lost for
    DRIFT = 4.0  # columns that a line may wander from one such frame to the next
    FAINT = 0.3  # a line less certain is not worth a word
    WIDE = 24  # columns at 2K by which the picture must move for a line to have stayed behind

    def __init__(self, height: int, width: int) -> None:
        self._height, self._step = height, reduction(width)
        self._looks: deque[Look] = deque(maxlen=self.WINDOW)
        self._numbers: list[int] = []
        self._next = self.EVERY // 2
        self._count = 0
        self._tracks: list[_Track] = []
        self._done: list[LastingScratch] = []
        self._reel: tuple[int, int] = (0, 0)

    def add(self, number: int, strips: Float32) -> None:
        """The next frame as its strips, net luminance, shape (strips, columns); see `strips_of`."""
        self._looks.append(Look(strips, *ridges(strips)))
        self._numbers = [*self._numbers[1 - self.WINDOW :], number]
        self._reel = (self._reel[0] if self._count else number, number)
        self._count += 1
        if self._count >= max(self.WINDOW, self._next + self.WINDOW // 2 + 1):
            self._look()

    def finish(self, path: Mapping[int, float], cuts: Collection[int]) -> tuple[LastingScratch, ...]:
        """The lines, by first frame and column.

        Args:
            path: Where the picture has moved to in each frame, pixels from the left.
            cuts: First frame of every new shot.
        """
        while self._next < self._count:
            self._look()
        for track in self._tracks:
            self._close(track)
        self._tracks = []
        self._done = [_against_picture(line, path, cuts, self.WIDE * self._step) for line in self._done]
        self._done = [line for line in self._done if line.certainty >= self.FAINT]
        alone = [line for line in self._done if not any(_is_echo(line, other, self._step) for other in self._done)]
        return tuple(sorted(alone, key=lambda scratch: (scratch.first, scratch.columns[0])))

    def _look(self) -> None:
        """Lines of the next frame that is due, which lies in the window."""
        here = self._next - (self._count - len(self._looks))
        self._next += self.EVERY
        looks = list(self._looks)
        shortest = max(4, len(looks[0].strips) // 5)
        margin = max(3, looks[0].strips.shape[1] // 50)  # the gate's edge is a line that stays, too
        found: list[Path] = []
        for sign in (1, -1):
            evidence = support(looks, here, sign)
            evidence[:, :margin] = evidence[:, -margin:] = -1
            found += find_paths(evidence, sign, shortest)
        for track in self._tracks:
            track.strips, track.unseen = set(), track.unseen + 1
        drifts = drifts_of([look.strips for look in looks], here) if found else []
        for path in sorted(found, key=lambda path: -path.score):
            self._link(path, looks, drifts, here)
        for track in [track for track in self._tracks if track.unseen > self.GAP]:
            self._tracks.remove(track)
            self._close(track)

    def _link(self, path: Path, looks: list[Look], drifts: list[Drift], here: int) -> None:
        """Gives the path to the nearest line of its sign; a line in pieces takes several."""
        columns = path.columns - 0.5 * (looks[here].widths[path.strips, path.columns] % 2 == 0)
        heights = np.linspace(0, len(looks[0].strips) - 1, KNOTS)
        away = {
            index: float(np.abs(np.interp(path.strips, heights, track.knots[-1]) - columns).mean())
            for index, track in enumerate(self._tracks)
            if track.sign == path.sign and not track.strips & set(path.strips.tolist())
        }
        nearest = min(away, key=lambda index: (away[index], index), default=None)
        if nearest is None or away[nearest] > self.DRIFT:
            self._tracks.append(_Track(path.sign, top=path.top, bottom=path.top))
            nearest = len(self._tracks) - 1
        track, number = self._tracks[nearest], self._numbers[here - len(looks)]
        if track.frames[-1:] == [number]:  # another piece of it in this frame: knots beside the longer one stay
            inside = (heights >= path.top) & (heights <= path.strips[-1])
            track.knots[-1] = np.where(inside, np.interp(heights, path.strips, _smooth(columns)), track.knots[-1])
        else:
            track.frames.append(number)
            track.knots.append(np.interp(heights, path.strips, _smooth(columns)))
        track.strips |= set(path.strips.tolist())
        track.unseen, track.paths = 0, track.paths + 1
        track.top, track.bottom = min(track.top, path.top), max(track.bottom, int(path.strips[-1]) + 1)
        ways = ways_of(looks, path)
        track.traits.append(traits(looks, drifts, ways, here, path))
        track.stirred = track.stirred + bundles.stir([look.strips for look in looks], ways, here, path)
        track.width += float(looks[here].widths[path.strips, path.columns].mean())
        track.strength += float(np.abs(looks[here].contrast[path.strips, path.columns]).mean())

    def _close(self, track: _Track) -> None:
        sure = certainty(np.array(track.traits))
        if len(track.frames) < self.LASTS or sure < self.FAINT / 4:
            return
        strips = len(self._looks[0].strips)
        width = track.width / track.paths
        left, right = (max(0.0, side - width / 2) for side in bundles.extent(track.stirred / track.paths))
        reach = 2 * self.EVERY - 1  # it may begin and end before it is seen: where it shows, each frame says
        self._done.append(
            LastingScratch(
                first=max(self._reel[0], track.frames[0] - reach),
                last=min(self._reel[1], track.frames[-1] + reach),
                frames=tuple(track.frames),
                columns=tuple(tuple(round(float(c), 1) for c in self._full(knots)) for knots in track.knots),
                top=self._height * track.top // strips,
                bottom=self._height * track.bottom // strips,
                width=round(width * self._step, 1),
                beside=(round(left * self._step, 1), round(right * self._step, 1)),
                polarity="light" if track.sign > 0 else "dark",
                strength=round(track.strength / track.paths, 5),
                certainty=round(sure, 3),
            )
        )

    def _full(self, columns: Float64) -> Float64:
        """Columns of the strips as pixels of the frame."""
        return (columns + 0.5) * self._step - 0.5


def _against_picture(
    line: LastingScratch, path: Mapping[int, float], cuts: Collection[int], wide: float
) -> LastingScratch:
    """The line, more certain where the picture was panned or cut under it."""
    passed = [place for number, place in path.items() if line.frames[0] <= number <= line.frames[-1]]
    picture = max(passed, default=0.0) - min(passed, default=0.0)
    middles = [way[KNOTS // 2] for way in line.columns]
    stayed = picture > max(2 * (max(middles) - min(middles)), wide)
    if not stayed and not any(line.frames[1] < cut <= line.frames[-2] for cut in cuts):
        return line
    odds = line.certainty / max(1 - line.certainty, 1e-3) * STAYED
    return msgspec.structs.replace(line, certainty=round(odds / (1 + odds), 3))


def _is_echo(line: LastingScratch, other: LastingScratch, step: int) -> bool:
    """Whether a line is only the rim of a much stronger one of the other sign beside it."""
    if line.polarity == other.polarity or 3 * line.strength > other.strength:
        return False
    common = range(max(line.first, other.first), min(line.last, other.last) + 1)
    if not common:
        return False
    middle = (common[0] + common[-1]) // 2
    return float(np.abs(line.columns_at(middle) - other.columns_at(middle)).mean()) <= ECHO * step


def _smooth(columns: Float64) -> Float64:
    """Columns averaged over five strips: steps of a whole one are the grid's."""
    padded = np.pad(columns.astype(np.float64), 2, mode="edge")
    return np.convolve(padded, np.full(5, 0.2), mode="valid")
