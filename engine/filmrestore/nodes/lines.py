"""What lasts along the shot, in one frame: where exactly scratches and marks that the analysis followed lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..analysis import LastingMark, LastingScratch
from ..analysis.columns import CERTAIN, KNOTS
from ..colour import Colour
from ..fixes.guard import THROUGH
from ..frame import Box, Frame
from ..motion import channel_mean
from ..settings import RestoreSettings
from .marks import mark_map
from .windows import Unit

F32 = NDArray[np.float32]
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
Lasting = LastingScratch | LastingMark

_GUESS = 0.5
"""Certainty that is enough at a setting of 1."""
_REACH = 4
"""Columns that a line may lie beside where the analysis has it, at 2K."""
_FLANK = 12
"""Columns on either side of that, from which the picture beside a line is known."""
_BLOCK = 8
"""Rows of one step of a line's way."""
_ALONG = 9
"""Rows over which a line is averaged: grain goes, breaks of a line stay."""
_SHOWS = 2.2
"""Standard deviations of the picture's own unrest from which a pixel belongs to the line."""
_STARTS = 4.5
"""... and that a piece of a line must reach somewhere."""
_SHORTEST = 10
"""Rows of a piece of a line; what is shorter is left to the restorer."""
_ASIDE = 1
"""Columns that a line may wander within a frame from the way that the analysis has, shifted as a whole."""
_BUNDLE = 3
"""Columns beside a line from which on there are hairlines of their own."""
_LOOSE = 3
"""Columns that a bundle may reach farther in a frame than all frames have it."""
_ALONG_BUNDLE = 31
"""Rows over which hairlines of a bundle are averaged, too: over a busy picture none of them shows in fewer."""
_NEAR = 41
"""Rows over which the picture's unrest is measured."""
_BUSY = 2.5
"""Standard deviations in a mean difference."""
_FAINTEST = 0.006
"""Net units: what nobody sees is left."""


@dataclass(frozen=True)
class Lines:
    """What lasts, in one frame.

    Attributes:
        plane: (h, w), how certain it is that a pixel belongs to some; 0 elsewhere.
        scratches: (h, w), where it is a scratch.
    """

    plane: F32
    scratches: NDArray[np.bool_]


def chosen(lasting: Iterable[Lasting], settings: RestoreSettings) -> tuple[Lasting, ...]:
    """Those that are certain enough to be repaired: at 0.5 those that count as certain, at 0 none."""
    if settings.lines <= 0:
        return ()
    least = float(np.interp(settings.lines, (0, 0.5, 1), (1, CERTAIN, _GUESS)))
    return tuple(one for one in lasting if one.certainty >= least)


def line_maps(
    unit: Unit,
    frames: Mapping[int, Frame],
    lasting: Sequence[Lasting],
    colour: Colour,
    settings: RestoreSettings,
) -> dict[int, Lines]:
    """Where scratches and marks that are certain lie, by frame; none where none do.

    Args:
        unit: The window: its sources are looked at.
        frames: At least those.
        lasting: The reel's scratches and marks.
        colour: Of the frames.
        settings: Say how certain one must be.
    """
    certain = chosen(lasting, settings)
    maps = {}
    for number in sorted(set(unit.sources)):
        found = lines_in(frames[number], certain, colour)
        if found is not None:
            maps[number] = found
    return maps


def lines_in(frame: Frame, certain: Iterable[Lasting], colour: Colour) -> Lines | None:
    """Where what lasts lies in one frame; None where nothing does."""
    here = [one for one in certain if one.first <= frame.number <= one.last]
    scratches = [one for one in here if isinstance(one, LastingScratch)]
    marks = [one for one in here if isinstance(one, LastingMark)]
    lines = line_map(frame, scratches, colour) if scratches else None
    spots = mark_map(frame, marks, colour) if marks else None
    planes = [plane for plane in (lines, spots) if plane is not None]
    if not planes:
        return None
    nothing = np.zeros(planes[0].shape, np.bool_)
    return Lines(np.maximum.reduce(planes), nothing if lines is None else lines > 0)


def with_lines(maps: Mapping[int, F32] | None, lines: Mapping[int, Lines]) -> dict[int, F32] | None:
    """What the restorer is told of known defects: the maps, where there are any, and what lasts."""
    if not maps and not lines:
        return None
    known = dict(maps or {})
    for number, found in lines.items():
        known[number] = np.maximum(known[number], found.plane) if number in known else found.plane
    return known


def through(lasting: Iterable[Lasting], number: int, height: int) -> list[NDArray[np.float64]]:
    """Columns by row, (height,), of each line that goes through the frame and may be a scratch, certain or not."""
    lines = [one for one in lasting if isinstance(one, LastingScratch) and one.first <= number <= one.last]
    return [_way_of(one, number, height) for one in lines if one.bottom - one.top >= THROUGH * height]


def _way_of(scratch: LastingScratch, number: int, height: int) -> NDArray[np.float64]:
    return np.interp(np.arange(height), np.linspace(0, height - 1, KNOTS), scratch.columns_at(number))


def line_map(frame: Frame, scratches: Iterable[LastingScratch], colour: Colour) -> F32 | None:
    """The scratches of one frame: their certainty where they show, 0 elsewhere; None where none shows."""
    height, width = frame.codes.shape[:2]
    plane = np.zeros((height, width), np.float32)
    scale = max(1.0, width / 2048)
    for scratch in scratches:
        columns = np.floor(_way_of(scratch, frame.number, height) + 0.5).astype(np.intp)
        half = round(scale * (_REACH + _FLANK) + scratch.width + max(scratch.beside))
        left = max(0, int(columns.min()) - half)
        right = min(width, int(columns.max()) + half + 1)
        if right - left <= 2 * half * 0.6:  # the line has left the frame
            continue
        # A part of the picture keeps its own codes, and averages of the net encoding are those of the analysis.
        part = channel_mean(colour.to_net(frame.picture(Box(x0=left, y0=0, x1=right, y1=height))))
        tube = _straight(np.nan_to_num(part, posinf=0, neginf=0), columns - left, half)
        shown = _shown(tube, scratch, scale)
        rows, offsets = np.nonzero(shown)
        at = columns[rows] + offsets - half
        inside = (at >= 0) & (at < width)
        certainty = np.float32(min(1.0, scratch.certainty))
        plane[rows[inside], at[inside]] = np.maximum(plane[rows[inside], at[inside]], certainty)
    return plane if plane.any() else None


def _straight(picture: F32, columns: Rows, half: int) -> F32:
    """The picture along a way, (h, 2 half + 1); edges repeated."""
    at = columns[:, None] + np.arange(-half, half + 1)
    return np.asarray(picture[np.arange(len(picture))[:, None], np.clip(at, 0, picture.shape[1] - 1)], np.float32)


def _shown(tube: F32, scratch: LastingScratch, scale: float) -> Mask:
    """The pixels of a straightened line and of the hairlines beside it."""
    sign = np.float32(1 if scratch.polarity == "light" else -1)
    half, aside = tube.shape[1] // 2, round(_ASIDE * scale)
    beside = round(scale * _REACH + max(scratch.beside))
    line = _Evidence.of(sign * tube, max(1.0, scratch.width), beside, scale)
    middle = np.minimum(line.smooth, max(6 * line.noise, scratch.strength))  # one bright spot is no line
    reach = round(scale * _REACH)
    shift = int(middle[:, half - reach : half + reach + 1].sum(axis=0).argmax()) - reach
    near = middle[:, half + shift - aside : half + shift + aside + 1]
    way = (_way(near, round(_BLOCK * scale), line.noise) + shift - aside)[:, None]
    away = np.arange(-half, half + 1)[None] - way
    shown = line.pieces(np.abs(away) <= max(1.0, scratch.width) / 2 + scale, scale)
    if max(scratch.beside) < _BUNDLE * scale:
        return shown
    left, right = (side + scratch.width / 2 + _LOOSE * scale for side in scratch.beside)
    bundle = (away >= -left) & (away <= right)
    for width in (scale, scratch.width + sum(scratch.beside)):
        short, long = (_Evidence.of(sign * tube, width, beside, scale, rows) for rows in (_ALONG, _ALONG_BUNDLE))
        shown |= short.pieces(bundle, scale) | long.pieces(bundle & (short.smooth > 0), scale)
    return shown


@dataclass(frozen=True)
class _Evidence:
    """What each pixel of a straightened strip of the picture stands out by, as a part of a line of some width.

    Attributes:
        smooth: Net units, averaged along the line, (h, w).
        noise: Deviation of the same in the picture beside.
        limit: Deviation there near each row: where the picture is busy a line has to show more; (h, 1).
    """

    smooth: F32
    noise: float
    limit: F32

    @classmethod
    def of(cls, tube: F32, width: float, reach: int, scale: float, along: int = _ALONG) -> _Evidence:
        """Of lines that are lighter than the picture; what is farther from the middle than `reach` is picture."""
        half = tube.shape[1] // 2
        away = _against_sides(tube, width, scale)
        smooth = cv2.blur(away, (1, round(along * scale)), borderType=cv2.BORDER_REFLECT)
        beside = np.abs(np.concatenate([smooth[:, : half - reach], smooth[:, half + reach + 1 :]], axis=1))
        noise = 1.4826 * np.median(beside)
        busy = cv2.blur(beside.mean(axis=1, keepdims=True), (1, round(_NEAR * scale)), borderType=cv2.BORDER_REFLECT)
        limit = np.maximum(np.maximum(noise, _BUSY * busy), np.float32(_FAINTEST / _SHOWS))
        return cls(np.asarray(smooth, np.float32), float(noise), np.asarray(limit, np.float32))

    def pieces(self, core: Mask, scale: float) -> Mask:
        """The pieces of lines within `core` that show."""
        weak = (core & (self.smooth > _SHOWS * self.limit)).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(weak, connectivity=8)
        strong = np.zeros(count, np.bool_)
        strong[labels[core & (self.smooth > _STARTS * self.limit)]] = True
        strong &= stats[:, cv2.CC_STAT_HEIGHT] >= round(_SHORTEST * scale)
        strong[0] = False
        return np.asarray(strong[labels], np.bool_)


def _against_sides(tube: F32, width: float, scale: float) -> F32:
    """What each pixel differs by from the nearer to it of the two sides of a line that is centred there."""
    gap, flank = round(width / 2 + scale), max(2, round(3 * scale))
    padded = cv2.copyMakeBorder(tube, 0, 0, gap + flank, gap + flank, cv2.BORDER_REPLICATE)
    mean = cv2.blur(padded, (flank, 1), anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)
    count = tube.shape[1]
    left, right = mean[:, :count], mean[:, flank + 2 * gap + 1 : flank + 2 * gap + 1 + count]
    low, high = np.minimum(left, right), np.maximum(left, right)
    return np.asarray(np.maximum(tube - high, 0) - np.maximum(low - tube, 0), np.float32)


def _way(evidence: F32, block: int, step: float) -> Rows:
    """The best column in each row: block by block, at most a column aside, at the price of `step` a row."""
    height, count = evidence.shape
    edges = np.arange(0, height, block)
    sums = np.add.reduceat(evidence, edges, axis=0)
    score, came = sums[0], np.zeros((len(edges), count), np.intp)
    shifts, prices = np.array([0, -1, 1]), np.array([0, 1, 1]) * block * step
    for index in range(1, len(edges)):
        padded = np.pad(score, 1, constant_values=-np.inf)
        choices = np.stack([padded[1 + shift : 1 + shift + count] for shift in shifts]) - prices[:, None]
        pick = choices.argmax(axis=0)
        came[index] = shifts[pick]
        score = choices[pick, np.arange(count)] + sums[index]
    way = np.zeros(len(edges), np.intp)
    way[-1] = score.argmax()
    for index in range(len(edges) - 1, 0, -1):
        way[index - 1] = way[index] + came[index, way[index]]
    return np.repeat(way, np.diff(np.append(edges, height)))
