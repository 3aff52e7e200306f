"""The pass over a reel that makes its analysis: every frame read once, a handful of them in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..colour import Colour
from ..errors import Cancelled, InputError
from ..frame import Box, Codes, Frame
from ..grain import GrainModel, measure
from ..media import Shot, read_ahead
from ..scenes import THUMBNAIL, CutFinder, averageable, thumbnail
from ..wide.gate import GateMeter
from ..wide.light import LightMeter, law_of
from ..wide.tones import Tone, tones_of
from .blur import blur_of, edges_of
from .columns import ScratchFinder
from .model import Analysis
from .repeats import RepeatFinder
from .ridges import luma_of, reduction, strips_of
from .standing import MarkFinder

Float32 = NDArray[np.float32]
Progress = Callable[[str, int, int], None]

SAMPLES = 4
"""Places in the reel where grain and dirt are measured."""
SAMPLE_EDGE = 384
"""Edge of the middle of the frame that is kept there, pixels."""
SMALLEST = 64
"""Edge of a frame below which grain is not measured, pixels."""
_SPIKE = 0.05  # net: about a quarter of a stop
_CHANGED = 0.2  # above this share of spikes it is the picture that changed


def analyse(
    shot: Shot,
    colour: Colour,
    *,
    cuts: Sequence[int] | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Analysis:
    """Look at every frame that the source holds, whatever the span.

    Args:
        cuts: First frame of every shot but the first; found when None.
        progress: Called with ("analyse", frames done, frames in all).
        cancelled: Asked at every frame.

    Raises:
        InputError: no frame can be read.
        Cancelled: `cancelled` said so.
    """
    cv2.setNumThreads(1)  # one reel, one analysis, whatever the machine's count of cores
    reel = _Reel(shot, colour)
    for done, frame in enumerate(_readable(shot, reel.unreadable), 1):
        if cancelled is not None and cancelled():
            raise Cancelled("stopped while analysing the reel: nothing was written; run the same command again")
        reel.add(frame)
        if progress is not None:
            progress("analyse", done + len(reel.unreadable), len(shot.available))
    return reel.finish(cuts)


def _readable(shot: Shot, unreadable: dict[int, InputError]) -> Iterator[Frame]:
    """The frames that can be read; a damaged one is noted, and met again by whoever restores it."""
    with read_ahead(shot, shot.available) as ahead:
        for number in shot.available:
            try:
                frame = next(ahead)
            except InputError as error:
                unreadable[number] = error
                continue
            yield frame
    if len(unreadable) == len(shot.available):
        raise next(iter(unreadable.values()))


class _Reel:
    """What is gathered on the way."""

    def __init__(self, shot: Shot, colour: Colour) -> None:
        self._shot, self._colour = shot, colour
        self.unreadable: dict[int, InputError] = {}
        self._frames: list[int] = []
        self._levels: list[tuple[float, float]] = []
        self._law = law_of(colour, shot.format)
        self._light = LightMeter(shot.format, self._law)
        self._gate = GateMeter(shot.format.width, shot.format.height)
        self._tones: list[Tone] = []
        self._weave = _Weave(shot.format.width)
        self._cuts = CutFinder()
        self._repeats = RepeatFinder(colour)
        self._scratches = ScratchFinder(shot.format.height, shot.format.width)
        self._marks = MarkFinder(reduction(shot.format.width))
        self._samples = _Samples(shot, colour)

    def add(self, frame: Frame) -> None:
        picture = frame.picture()
        small = thumbnail(picture, self._colour)
        luminance = small.mean(axis=2)
        self._frames.append(frame.number)
        self._levels.append((round(float(luminance.mean()), 5), round(float(luminance.std()), 5)))
        self._weave.add(luminance)
        self._light.add(picture, small)
        self._gate.add(self._half(picture))
        self._tones.append(tones_of(picture, self._shot.format))
        self._cuts.add(frame.number, small)
        self._repeats.add(frame.number, picture)
        self._scratches.add(frame.number, self._colour.to_net(strips_of(picture)).mean(axis=2))
        self._marks.add(frame.number, luma_of(picture, reduction(picture.shape[1]), self._colour))
        self._samples.add(frame.number, picture)

    def _half(self, picture: Codes) -> Float32:
        """The frame as the gate is measured on it: net, smaller."""
        small = cv2.resize(averageable(picture), self._gate.small(), interpolation=cv2.INTER_AREA)
        width, height = self._gate.small()
        return np.nan_to_num(self._colour.to_net(small.reshape(height, width, -1)))

    def finish(self, cuts: Sequence[int] | None) -> Analysis:
        cuts = self._cuts.finish() if cuts is None else tuple(cuts)
        starts = set(cuts)
        shifts = [(0.0, 0.0) if n in starts else s for n, s in zip(self._frames, self._weave.shifts, strict=True)]
        # A quarter of a thumbnail's pixel may be an object that moves, and would add up to a pan that never was.
        sure = self._shot.format.width / THUMBNAIL / 4
        path = dict(zip(self._frames, accumulate(x if abs(x) > sure else 0.0 for x, _ in shifts), strict=True))
        return Analysis(
            width=self._shot.format.width,
            height=self._shot.format.height,
            frames=tuple(self._frames),
            unreadable=tuple(self.unreadable),
            cuts=cuts,
            repeats=self._repeats.finish(cuts),
            brightness=tuple(level for level, _ in self._levels),
            contrast=tuple(spread for _, spread in self._levels),
            shift=tuple(shifts),
            law=self._law,
            light=tuple(self._light.steps),
            gate=tuple(self._gate.steps),
            tones=tuple(self._tones),
            scratches=self._scratches.finish(path, cuts),
            marks=self._marks.finish(),
            grain=self._samples.grain(),
            dirt=self._samples.dirt(),
            blur=self._samples.blur(),
            colour=self._colour.describe(),
        )


class _Weave:
    """Shift of each frame against the one before, by phase correlation of thumbnails (Kuglin and Hines 1975)."""

    CERTAIN = 0.1  # height of the peak, 1 at best, below which the two frames have nothing in common
    NOISE = 0.3  # share of the mean power under which a frequency counts as grain

    def __init__(self, width: int) -> None:
        self._width = width
        self._last: NDArray[Any] | None = None
        self.shifts: list[tuple[float, float]] = []

    def add(self, luminance: Float32) -> None:
        height, width = luminance.shape
        window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
        # Without the mean: else the window's own shape correlates, and flicker looks like motion.
        spectrum = np.fft.rfft2((luminance - luminance.mean()) * window)
        last, self._last = self._last, spectrum
        self.shifts.append((0.0, 0.0) if last is None else self._shift(last, spectrum, (height, width)))

    def _shift(self, last: NDArray[Any], spectrum: NDArray[Any], size: tuple[int, int]) -> tuple[float, float]:
        cross = spectrum * last.conj()
        power = np.abs(cross)
        weight = power + self.NOISE * power.mean() + 1e-12
        surface = np.fft.irfft2(cross / weight, size)
        row, column = np.unravel_index(int(surface.argmax()), size)
        if surface[row, column] < self.CERTAIN * np.fft.irfft2(power / weight, size)[0, 0]:
            return 0.0, 0.0
        y = _peak(surface[:, column], int(row))
        x = _peak(surface[row], int(column))
        scale = self._width / size[1]
        return round(x * scale, 2), round(y * scale, 2)


def _peak(line: NDArray[np.float64], at: int) -> float:
    """Place of a maximum of a periodic line, by the parabola through it; from -len / 2 to len / 2."""
    count = len(line)
    before, top, after = line[at - 1], line[at], line[(at + 1) % count]
    bend = before - 2 * top + after
    place = at + (0.5 * (before - after) / bend if bend < 0 else 0.0)
    return float(place - count if place > count / 2 else place)


class _Samples:
    """Three frames in a row at a few places of the reel: for grain, blur, and marks that last one frame."""

    def __init__(self, shot: Shot, colour: Colour) -> None:
        self._colour = colour
        width, height = shot.format.width, shot.format.height
        x0, y0 = max(0, (width - SAMPLE_EDGE) // 2), max(0, (height - SAMPLE_EDGE) // 2)
        self._box = Box(x0=x0, y0=y0, x1=min(width, x0 + SAMPLE_EDGE), y1=min(height, y0 + SAMPLE_EDGE))
        count = len(shot.available)
        middles = np.unique(np.linspace(min(1, count - 1), max(count - 2, 0), min(SAMPLES, count)).round().astype(int))
        self._middles = [shot.available[index] for index in middles]
        self._wanted = {
            shot.available[index + step] for index in middles for step in (-1, 0, 1) if 0 <= index + step < count
        }
        self._recent: list[tuple[int, Float32]] = []
        self._kept: list[Float32] = []
        self._spikes: list[float] = []
        self._edges: list[NDArray[np.float32]] = []

    def add(self, number: int, picture: Codes) -> None:
        if number not in self._wanted:
            return
        crop = self._colour.to_net(np.ascontiguousarray(picture[self._box.slices]))
        self._recent = [*self._recent[-2:], (number, crop)]
        self._kept.append(crop)
        self._edges.append(edges_of(crop.mean(axis=2)))
        if len(self._recent) == 3 and self._recent[1][0] in self._middles:
            self._spikes.append(_spikes(*(crop for _, crop in self._recent)))

    def grain(self) -> GrainModel | None:
        if not self._kept or min(self._box.width, self._box.height) < SMALLEST:
            return None
        return measure(self._kept)

    def dirt(self) -> float:
        likely = [share for share in self._spikes if share < _CHANGED]
        return round(float(np.median(likely)), 6) if likely else 0.0

    def blur(self) -> float:
        return blur_of(self._edges)


def _spikes(before: Float32, frame: Float32, after: Float32) -> float:
    """Share of pixels that differ from both neighbours in one sense by more than these differ from each other."""
    a, b, c = (cv2.GaussianBlur(image.mean(axis=2), (0, 0), 0.8) for image in (before, frame, after))
    a, c = (image - np.float32(np.median(image) - np.median(b)) for image in (a, c))
    alone = np.where((b - a) * (b - c) > 0, np.minimum(np.abs(b - a), np.abs(b - c)), 0)
    return float(np.mean(alone > np.maximum(_SPIKE, 2 * np.abs(a - c))))
