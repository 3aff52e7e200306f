"""From what the reel's analysis measured to the frame-wide fixes of any one frame; the same whoever asks for it."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..colour import Colour
from ..frame import Format
from ..settings import RestoreSettings
from .light import GRID
from .record import Fade, Flicker, Law, Weave, Wide, named
from .tones import ladder
from .trend import trend

if TYPE_CHECKING:
    from ..analysis import Analysis

F64 = NDArray[np.float64]

_LIGHT = 5e-4  # unrest that measuring the light has by itself, share of full scale
_GATE = 0.02  # and the gate, px
_TURN = 1e-3  # and its turn, degrees
_MIDDLE = 0.4  # code by whose light the trend is told, share of full scale
_MOST_GAIN = 0.4  # log gain beyond which a difference of light is no flicker
_MOST_OFFSET = 0.15
_KNOTS = 33
_FAINT = 0.02  # net: a channel with less range than this holds no picture


def is_wide(settings: RestoreSettings) -> bool:
    """Whether the settings ask for a frame-wide fix at all."""
    return max(settings.deflicker, settings.deflicker_uneven, settings.unfade, settings.stabilise) > 0


class WidePlan:
    """The frame-wide fixes of a reel.

    Args:
        analysis: Of the whole reel.
        cuts: First frame of every shot but the first.
        settings: Amounts.
        colour: Of the shot.
        format: Of its codes.
        lost: Frames that are to be rebuilt: what was measured on them says nothing.
    """

    def __init__(
        self,
        analysis: Analysis,
        cuts: Sequence[int],
        settings: RestoreSettings,
        colour: Colour,
        format: Format,
        lost: Collection[int] = (),
    ) -> None:
        self._settings, self._digest, self._format = settings, settings.digest(), format
        self._channels = len(format.picture)
        self._law: Law = analysis.law
        self._series = _Series(analysis, cuts, frozenset(lost))
        self._cuts = tuple(sorted(cuts))
        wants_light = max(settings.deflicker, settings.deflicker_uneven) > 0
        self._light = self._series.over("light", self._unlike) if wants_light else None
        self._gate = self._series.over("gate", _off_place) if settings.stabilise > 0 else None
        self._fades = self._faded(analysis, colour) if settings.unfade > 0 else {}

    def of(self, number: int) -> tuple[Wide, ...]:
        """The fixes of a frame; one that is lost gets what lies between its neighbours'."""
        found: list[Wide | None] = [self._flicker(number), self._fade(number), self._weave(number)]
        return tuple(named(fix) for fix in found if fix is not None)

    def _unlike(self, light: F64) -> F64:
        """By how much the light of each frame of a shot differs from its trend, in the columns of `Analysis.light`."""
        count = 2 * self._channels
        level, field = light[:, :count], light[:, count:]
        guide = (level[:, : self._channels] + _MIDDLE * level[:, self._channels :]).mean(axis=1)
        cells = [trend(cell[:, None], cell, _LIGHT / _MIDDLE) for cell in field.T]
        return light - np.column_stack((trend(level, guide, _LIGHT), *cells))

    def _flicker(self, number: int) -> Flicker | None:
        if self._light is None:
            return None
        row, count, settings = self._series.at(self._light, number), self._channels, self._settings
        offset = np.clip(row[:count], -_MOST_OFFSET, _MOST_OFFSET) * -settings.deflicker
        gain = np.exp(np.clip(row[count : 2 * count], -_MOST_GAIN, _MOST_GAIN) * -settings.deflicker)
        field = np.zeros(0)
        if settings.deflicker_uneven > 0:
            field = np.clip(row[2 * count :], -_MOST_OFFSET, _MOST_OFFSET) * -settings.deflicker_uneven
            field = field - field.mean()  # what holds for the whole frame, gain and offset say
        rows = field.round(6).reshape(-1, GRID[1])
        gain, offset = gain.round(6), offset.round(6)
        if not (offset.any() or (gain != 1).any() or rows.any()):
            return None
        # Twice the change at white, so that the change fades out without turning the order of codes round.
        most = float(np.abs(gain - 1).max() + np.abs(offset).max() + (np.abs(rows).max() if rows.size else 0.0))
        return Flicker(
            frame=number,
            settings=self._digest,
            gain=tuple(gain.tolist()),
            offset=tuple(offset.tolist()),
            field=tuple(map(tuple, rows.tolist())) if rows.any() else (),
            law=self._law,
            ends=round(max(0.02, 2.0 * most), 6),
        )

    def _fade(self, number: int) -> Fade | None:
        found = self._fades.get(self._fade_key(number))
        return None if found is None else Fade(frame=number, settings=self._digest, knots=found[0], curves=found[1])

    def _fade_key(self, number: int) -> int:
        return bisect_right(self._cuts, number) if self._settings.unfade_by == "shot" else 0

    def _faded(
        self, analysis: Analysis, colour: Colour
    ) -> dict[int, tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]]:
        """Knots and curves of the reel (0), or of each shot."""
        groups: dict[int, list[F64]] = {}
        for number, tones in zip(analysis.frames, analysis.tones, strict=True):
            groups.setdefault(self._fade_key(number), []).append(np.array(tones))
        steps = ladder(colour, self._format)
        curves = {key: unfaded(np.stack(tones), steps, self._settings.unfade) for key, tones in groups.items()}
        return {key: curve for key, curve in curves.items() if curve is not None}

    def _weave(self, number: int) -> Weave | None:
        if self._gate is None:
            return None
        x, y, turn = (float(value) * self._settings.stabilise for value in self._series.at(self._gate, number))
        matrix = _matrix(round(x, 4), round(y, 4), round(turn, 6), self._format)
        return Weave(frame=number, settings=self._digest, matrix=matrix) if matrix != (1, 0, 0, 0, 1, 0) else None


class _Series:
    """Columns of an analysis shot by shot, in which a repeat counts as the frame that it repeats."""

    def __init__(self, analysis: Analysis, cuts: Sequence[int], lost: frozenset[int]) -> None:
        self._analysis, self._lost = analysis, lost
        self._frames = analysis.frames
        starts = [0, *(bisect_left(self._frames, cut) for cut in sorted(cuts)), len(self._frames)]
        self._parts = [range(a, b) for a, b in pairwise(starts) if b > a]

    def over(self, name: str, measure: Callable[[F64], F64]) -> dict[int, F64]:
        """By frame: what `measure` makes of the steps of each shot, added up, in the columns of that name."""
        steps = np.array(getattr(self._analysis, name), np.float64)
        repeats, rows = set(self._analysis.repeats), {}
        for part in self._parts:
            way = np.cumsum(np.vstack((np.zeros((1, steps.shape[1])), steps[part.start + 1 : part.stop])), axis=0)
            numbers = [self._frames[index] for index in part]
            own = [at for at, n in enumerate(numbers) if n not in self._lost and (at == 0 or n not in repeats)]
            if not own:
                continue
            found = measure(way[own])
            for at, number in enumerate(numbers):
                if number not in self._lost and (place := bisect_right(own, at) - 1) >= 0:
                    rows[number] = found[place]
        return rows

    def at(self, rows: dict[int, F64], number: int) -> F64:
        """The row of a frame; of one that has none, what lies between the rows beside it in its shot."""
        if number in rows:
            return rows[number]
        part = next((p for p in reversed(self._parts) if self._frames[p.start] <= number), self._parts[0])
        there = [self._frames[index] for index in part if self._frames[index] in rows]
        if not there:
            return np.zeros_like(next(iter(rows.values())))
        after = min(bisect_left(there, number), len(there) - 1)
        before = max(bisect_left(there, number) - 1, 0)
        if before == after:
            return rows[there[after]]
        share = (number - there[before]) / (there[after] - there[before])
        return np.asarray(rows[there[before]] * (1 - share) + rows[there[after]] * share)


def weave_path(analysis: Analysis, cuts: Sequence[int]) -> dict[int, tuple[float, float, float]]:
    """(x, y, turn) by which every frame of the analysis stands off its place, px and degrees clockwise."""
    rows = _Series(analysis, cuts, frozenset()).over("gate", _off_place)
    return {number: (float(row[0]), float(row[1]), float(row[2])) for number, row in rows.items()}


def _off_place(gate: F64) -> F64:
    """By how much the way of a shot differs from its trend."""
    least = (_GATE, _GATE, _TURN)
    return np.column_stack([gate[:, n] - trend(gate[:, n : n + 1], gate[:, n], least[n])[:, 0] for n in range(3)])


def unfaded(
    tones: F64, steps: tuple[NDArray[np.float32], NDArray[np.float32]], amount: float
) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]] | None:
    """(knots, a curve for each channel) that bring the range of every channel to that of the one that kept most.

    A dye that fades loses the same share of its density everywhere, and a stain adds the same density everywhere: a
    straight line in density, hence in net. The line is laid through the blackest blacks and the whitest whites of all
    frames, which are taken to be neutral.

    Args:
        tones: (frames, channels, 3), shares of full scale: `Analysis.tones`.
        steps: `tones.ladder` of the format.
        amount: 0..1.

    Returns:
        None where there is nothing to compare: one channel, or no range.
    """
    codes, net = (np.asarray(part, np.float64) for part in steps)
    levels = np.interp(tones[:, :, (0, 2)], codes, net)
    dark, light = np.percentile(levels[:, :, 0], 10, axis=0), np.percentile(levels[:, :, 1], 90, axis=0)
    ranges = np.asarray(light - dark)
    if len(ranges) == 1 or ranges.min() < _FAINT:
        return None
    best = int(np.argmax(ranges))
    places = np.linspace(net[0], net[-1], _KNOTS)
    knots = np.interp(places, net, codes).round(6)
    knots = np.unique(knots)
    places = np.interp(knots, codes, net)
    if np.all(np.abs(dark - dark[best]) + np.abs(light - light[best]) < 1e-6):
        return None
    curves = []
    for channel in range(len(ranges)):
        straight = dark[best] + (places - dark[channel]) * (ranges[best] / ranges[channel])
        # What the ladder's ends cut off goes on straight: highlights of a float keep their order.
        become = _codes_of(straight, codes, net)
        curves.append(tuple((knots + amount * (become - knots)).round(6).tolist()))
    return tuple(knots.tolist()), tuple(curves)


def _codes_of(values: F64, codes: F64, net: F64) -> F64:
    """The codes of net values, straight on beyond the ends."""
    inside = np.interp(values, net, codes)
    low = (codes[8] - codes[0]) / max(net[8] - net[0], 1e-9)
    high = (codes[-1] - codes[-9]) / max(net[-1] - net[-9], 1e-9)
    return np.asarray(inside + np.minimum(values - net[0], 0) * low + np.maximum(values - net[-1], 0) * high)


def _matrix(x: float, y: float, turn: float, format: Format) -> tuple[float, float, float, float, float, float]:
    """Where each pixel comes from, when the frame stands off by (x, y) px and `turn` degrees about its middle."""
    cos, sin = round(math.cos(math.radians(turn)), 12), round(math.sin(math.radians(turn)), 12)
    across, down = (format.width - 1) / 2.0, (format.height - 1) / 2.0
    c, f = across - cos * across + sin * down + x, down - sin * across - cos * down + y
    return cos, -sin + 0.0, round(c, 6) + 0.0, sin, cos, round(f, 6) + 0.0
