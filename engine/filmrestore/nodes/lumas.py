"""Lumas of a window's frames, each made when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..colour import Colour
from ..frame import Frame
from .composite import net_luma
from .windows import Unit

F32 = NDArray[np.float32]


class Lumas:
    """Luma (h, w), net encoding, by frame number; safe to share by threads."""

    def __init__(self, frames: Mapping[int, Frame], colour: Colour) -> None:
        self._frames, self._colour = frames, colour
        self._made: dict[int, F32] = {}
        self._lock = threading.Lock()

    def __getitem__(self, number: int) -> F32:
        with self._lock:
            if number not in self._made:
                self._made[number] = net_luma(self._frames[number], self._colour)
            return self._made[number]

    def around(self, number: int, unit: Unit) -> dict[int, F32]:
        """The luma of a kept frame at 0, and of pictures of its shot by how many of them farther on they are.

        Those before and after it; at an end of the shot the next two of the same side, as far as the window has them. A
        repeat is judged as its original is, between the same neighbours: the two would confirm each other's marks.
        """
        place = unit.place(number)

        def there(*aways: int) -> list[int]:
            return [a for a in aways if 0 <= place + a < len(unit.sources) and unit.present[place + a]]

        beside = there(-1, 1)
        if len(beside) == 1:
            beside += there(2 * beside[0])
        return {away: self[unit.sources[place + away]] for away in (0, *beside)}
