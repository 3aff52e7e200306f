"""Which far frames of a shot may show what a lasting mark hides in a window; asked of the analysis alone."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from ..analysis import Analysis, LastingScratch
from ..media import format_span
from ..settings import RestoreSettings
from .lines import Lasting, chosen
from .ranks import Ranks
from .windows import Unit

STEP = 4
"""Pictures from one frame that is asked to the next; counted by the reel, so that neighbouring windows share them."""
MOST = 6
"""Far frames of one window."""
_CLEAR = 3.0
"""Pixels at 2K by which a place must have moved out beyond a mark's own width."""
_MARK = 6.0
"""Pixels at 2K: the width that marks are taken to have."""
_LIGHT = 0.1
"""Net units: a frame lighter or darker by this counts 1/e."""


class FarPlan:
    """Chooses far frames, by what the analysis knows of the shot: the same ones however the work is cut into chunks.

    Args:
        analysis: Of the reel.
        cuts: First frame of every shot but the first, rising.
        settings: How far to look, and which marks are certain.
        lost: Frames of the reel that are to be rebuilt, and show nothing.
    """

    def __init__(
        self, analysis: Analysis, cuts: Sequence[int], settings: RestoreSettings, lost: Collection[int] = ()
    ) -> None:
        looks = settings.far_range > 0 and settings.temporal_radius > 0
        self.certain: tuple[Lasting, ...] = chosen(analysis.lasting, settings) if looks else ()
        self._range, self._cuts = settings.far_range, cuts
        self._size = (analysis.width, analysis.height)
        self._ranks = Ranks(analysis.repeats, cuts)
        self._known = frozenset(analysis.frames).difference(lost)
        self._numbers = np.array(analysis.frames, np.float64)
        steps = np.array(analysis.gate or np.zeros((len(analysis.frames), 3)), np.float64)
        self._ways = np.ascontiguousarray(np.cumsum(steps[:, :2], axis=0).T)
        self._light = np.array(analysis.brightness or np.zeros(len(analysis.frames)), np.float64)

    def of(self, unit: Unit) -> tuple[int, ...]:
        """The far frames of a window, rising, whether or not they are there; none where nothing certain lasts in it."""
        shot = bisect_right(self._cuts, unit.kept[0])
        numbers = [n for n in unit.numbers if bisect_right(self._cuts, n) == shot]
        first, last = numbers[0], numbers[-1]
        here = [one for one in self.certain if one.first <= last and first <= one.last]
        if not here:
            return ()
        middle = min(max(unit.numbers[len(unit.numbers) // 2], first), last)
        centre, inside = self._ranks.rank(middle), len(unit.numbers) // 2
        start = -(-(centre - self._range) // STEP) * STEP
        ranks = [r for r in range(start, centre + self._range + 1, STEP) if abs(r - centre) > inside]
        starts = [self._ranks.frames(rank).start for rank in ranks]
        asked = [n for n in starts if n in self._known and bisect_right(self._cuts, n) == shot]
        best = sorted(asked, key=lambda n: (-self._promise(middle, n, here), abs(n - middle), n))
        return tuple(sorted(best[:MOST]))

    def with_far(self, unit: Unit, there: Collection[int]) -> Unit:
        """The window with those of its far frames that are there."""
        return replace(unit, far=tuple(n for n in self.of(unit) if n in there))

    def without(self, unit: Unit) -> str:
        """What the record of a frame says of far frames that its window had to do without; "" where of none."""
        absent = sorted(set(self.of(unit)).difference(unit.far))
        return f"without far frames {format_span(absent)}" if absent else ""

    def moved(self, number: int, other: int) -> tuple[float, float]:
        """(x, y), pixels: how far the picture as a whole has moved from one frame to another of its shot."""
        here, there = ([float(np.interp(n, self._numbers, way)) for way in self._ways] for n in (number, other))
        return there[0] - here[0], there[1] - here[1]

    def _promise(self, number: int, other: int, here: Sequence[Lasting]) -> float:
        """How like the other frame is, and of how many marks it shows what lies under them here."""
        x, y = self.moved(number, other)
        width, height = self._size
        common = max(0.0, 1 - abs(x) / width) * max(0.0, 1 - abs(y) / height)
        light, other_light = (float(np.interp(n, self._numbers, self._light)) for n in (number, other))
        alike = math.exp(-(((light - other_light) / _LIGHT) ** 2))
        shown = sum(self._shows(one, number, other, (x, y)) for one in here) / len(here)
        return round(common * alike * (1 + shown), 6)

    def _shows(self, mark: Lasting, number: int, other: int, moved: tuple[float, float]) -> bool:
        if not mark.first <= other <= mark.last:
            return True
        scale = max(1.0, self._size[0] / 2048)
        if not isinstance(mark, LastingScratch):
            return math.hypot(*moved) > scale * (_MARK + _CLEAR)
        away = mark.columns_at(other).mean() - mark.columns_at(number).mean()
        return bool(abs(moved[0] - away) > mark.width + scale * _CLEAR)
