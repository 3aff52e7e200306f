"""Repeated frames: a telecine, a step printer or an editor showed one frame of the film several times."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..colour import Colour
from ..frame import Codes
from ..scenes import averageable

Float32 = NDArray[np.float32]
Apart = tuple[float, float]
"""Differences that 95 % and 99.5 % of the samples of two frames stay below, net."""


class RepeatFinder:
    """Tells the copies in a stream of frames from the frame that they repeat; holds four frames, whatever the reel.

    A copy differs from its original by the codec's noise alone; the next frame of the film, even of a picture that
    stands still, has grain and dirt of its own. 256 x 256 single pixels are compared, in net, and only where those say
    "copy", the whole picture. Every copy is held against the original and not against the copy before it, so that a
    slow fade is no repeat; and a chain lies between steps much larger than those within it, so that film with hardly
    any grain or motion is none. The numbers are of Market Street (1906), which has six repeats among 60 frames.
    """

    SAMPLES = 256  # along each edge
    MOST = 0.01  # difference that 95 % of the samples stay below; copies 0.005, others 0.039
    NEARLY_ALL = 0.025  # and that 99.5 % do; copies 0.014, others 0.103
    SPOT = 0.1  # and every 3 x 3 pixels on average: one speck tells two frames apart; copies 0.056, others 0.25
    STEP = 3.0  # how much more than its copies the frames before and after a chain differ from it; 22
    COPIES = 3
    """Longest chain: what follows is another original, so that a freeze or a title of any length needs no more memory
    than four frames for one."""

    def __init__(self, colour: Colour) -> None:
        self._colour = colour
        self._recent: deque[_Seen] = deque(maxlen=self.COPIES)
        self._frames: list[_Facts] = []

    def add(self, number: int, picture: Codes) -> None:
        """The next frame of the stream, codes, shape (h, w, c); a gap in the numbers ends a chain."""
        rows, columns = (
            np.linspace(0, edge - 1, min(edge, self.SAMPLES)).round().astype(int) for edge in picture.shape[:2]
        )
        seen = _Seen(number, picture, self._net(picture[rows[:, None], columns]))
        if self._recent and self._recent[-1].number != number - 1:
            self._recent.clear()
        step = seen.apart(self._recent[-1]) if self._recent else None
        self._frames.append(_Facts(number, step, self._copied(seen)))
        self._recent.append(seen)

    def finish(self, cuts: Collection[int]) -> tuple[int, ...]:
        """The frames that repeat the one before them, rising.

        Args:
            cuts: First frame of every new shot, which repeats nothing.
        """
        found: set[int] = set()
        at = 0
        while at < len(self._frames):
            count = next((count for count in range(self.COPIES, 0, -1) if self._is_chain(at, count)), 0)
            found.update(frame.number for frame in self._frames[at + 1 : at + 1 + count])
            at += 1 + count
        return tuple(sorted(found.difference(cuts)))

    def _copied(self, seen: _Seen) -> tuple[Apart | None, ...]:
        """How far the frame is from the one before, the one before that ...; None where it is no copy of it."""
        found: list[Apart | None] = []
        for back, original in enumerate(reversed(self._recent)):
            is_open = back == 0 or self._frames[-1].copied[back - 1] is not None  # else no chain reaches so far
            found.append(self._as_copy(seen, original) if is_open else None)
        return tuple(found)

    def _as_copy(self, seen: _Seen, original: _Seen) -> Apart | None:
        most, nearly_all = seen.apart(original)
        if most >= self.MOST or nearly_all >= self.NEARLY_ALL:
            return None
        for frame in (seen, original):
            if frame.whole is None:
                frame.whole = self._net(frame.picture)
        assert seen.whole is not None and original.whole is not None
        spots = np.abs(cv2.blur(seen.whole - original.whole, (3, 3)))
        return (most, nearly_all) if float(spots.max()) < self.SPOT else None

    def _is_chain(self, at: int, count: int) -> bool:
        """Whether the frames after the one at index `at` repeat it, `count` of them and no more."""
        copies = self._frames[at + 1 : at + 1 + count]
        if len(copies) < count or any(len(frame.copied) <= back for back, frame in enumerate(copies)):
            return False
        within = [apart for back, frame in enumerate(copies) if (apart := frame.copied[back]) is not None]
        beside = (self._frames[at], *self._frames[at + count + 1 : at + count + 2])
        steps = [frame.step for frame in beside if frame.step is not None]
        if len(within) < count:
            return False
        # Where a side is missing, the other has to say it the more clearly; where both are, only equal frames do.
        needed = self.STEP if len(steps) == 2 else self.STEP**2
        sides = [min((step[part] for step in steps), default=0.0) for part in (0, 1)]
        return all(sides[part] >= needed * max(apart[part] for apart in within) for part in (0, 1))

    def _net(self, codes: Codes) -> Float32:
        """Mean of the channels in net, shape (h, w); 0 where light is not finite."""
        return np.asarray(self._colour.to_net(averageable(np.ascontiguousarray(codes))).mean(axis=2), np.float32)


@dataclass
class _Seen:
    """A frame that others are compared with: its codes, its samples, and its net once that was needed."""

    number: int
    picture: Codes
    samples: Float32
    whole: Float32 | None = None

    def apart(self, other: _Seen) -> Apart:
        most, nearly_all = np.percentile(np.abs(self.samples - other.samples), (95, 99.5))
        return float(most), float(nearly_all)


@dataclass(frozen=True)
class _Facts:
    """What is kept of a frame: its distance to the one before, and to those of the last three that it may repeat."""

    number: int
    step: Apart | None
    copied: tuple[Apart | None, ...]
