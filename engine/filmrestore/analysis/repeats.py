"""Repeated frames: a telecine, a step printer or an editor showed one frame of the film several times."""

from __future__ import annotations

from collections.abc import Collection

import cv2
import numpy as np
from numpy.typing import NDArray

from ..colour import Colour
from ..frame import Codes
from ..scenes import averageable

Float32 = NDArray[np.float32]


class RepeatFinder:
    """Tells the copies in a stream of frames from the frame that they repeat; holds one frame, whatever the reel.

    A copy differs from its original by the codec's noise alone; the next frame of the film, even of a picture that
    stands still, has grain and dirt of its own. 256 x 256 single pixels are compared, in net, and only where those say
    "copy", the whole picture. Every copy is held against the original and not against the copy before it, so that a
    slow fade is no repeat.
    """

    SAMPLES = 256  # along each edge
    MOST = 0.01  # difference that 95 % of the samples stay below; copies 0.005, others 0.039 (Market Street, 1906)
    NEARLY_ALL = 0.025  # and that 99.5 % do; copies 0.014, others 0.103
    SPOT = 0.1  # and every 3 x 3 pixels on average: a speck tells two frames apart; copies 0.056, others 0.25
    COPIES = 3
    """Longest chain: what follows is another original, so that a freeze or a title of any length needs no more memory
    than four frames for one."""

    def __init__(self, colour: Colour) -> None:
        self._colour = colour
        self._original: tuple[Codes, Float32] | None = None
        self._whole: Float32 | None = None  # the original's net, made once there is something to compare it with
        self._last = 0
        self._copies = 0
        self._found: list[int] = []

    def add(self, number: int, picture: Codes) -> None:
        """The next frame of the stream, codes, shape (h, w, c); a gap in the numbers ends a chain."""
        rows, columns = (
            np.linspace(0, edge - 1, min(edge, self.SAMPLES)).round().astype(int) for edge in picture.shape[:2]
        )
        samples = self._net(picture[rows[:, None], columns])
        if self._copies < self.COPIES and number == self._last + 1 and self._is_copy(picture, samples):
            self._copies += 1
            self._found.append(number)
        else:
            self._original, self._whole, self._copies = (picture, samples), None, 0
        self._last = number

    def finish(self, cuts: Collection[int]) -> tuple[int, ...]:
        """The frames that repeat the one before them, rising.

        Args:
            cuts: First frame of every new shot, which repeats nothing.
        """
        return tuple(sorted(set(self._found) - set(cuts)))

    def _is_copy(self, picture: Codes, samples: Float32) -> bool:
        if self._original is None:
            return False
        original, its_samples = self._original
        most, nearly_all = np.percentile(np.abs(samples - its_samples), (95, 99.5))
        if most >= self.MOST or nearly_all >= self.NEARLY_ALL:
            return False
        if self._whole is None:
            self._whole = self._net(original)
        spots = cv2.blur(self._net(picture) - self._whole, (3, 3))
        return bool(np.abs(spots).max() < self.SPOT)

    def _net(self, codes: Codes) -> Float32:
        """Mean of the channels in net, shape (h, w); 0 where light is not finite."""
        return np.asarray(self._colour.to_net(averageable(np.ascontiguousarray(codes))).mean(axis=2), np.float32)
