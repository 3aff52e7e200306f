"""Analysis: what the whole reel says, in one file that every chunk reads."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from ..errors import CorruptFile, InputError, UsageError
from ..grain import GrainModel
from ..media import atomic_bytes
from ..wide.record import Law
from .columns import LastingScratch
from .marks import LastingMark

if TYPE_CHECKING:
    from ..colour import Colour
    from ..media import Shot

VERSION = 7
_NET_PER_LOG = 0.8 / math.asinh(1 / 0.032)  # slope of the net encoding against ln(light), mid grey and up
_STEADY = 9  # frames over which picture and camera change less than flicker and weave do


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of a reel.

    Attributes:
        version: Of this file's form.
        width, height: Of its frames, pixels.
        frames: Numbers of the frames that were read, ascending.
        unreadable: Frames that could not be read.
        cuts: First frame of every shot but the first.
        repeats: Frames that show the picture of the frame before them once more; see `RepeatFinder`.
        brightness, contrast: Mean and standard deviation of each frame's luminance, net.
        shift: (x, y) of each frame against the frame before it, pixels; 0 at cuts.
        law: Whether a change of light is a factor ("gain") or a sum ("offset") in these codes.
        light: Light of each frame against the frame before it; see `wide.light.LightMeter`.
        gate: (x, y, turn) of each frame against the frame before it; see `wide.gate.GateMeter`.
        tones: Dark, middle and light code of each channel of each frame; see `wide.tones`.
        scratches: Lasting vertical scratches, and lines that may be some.
        marks: Hairs, lint and dirt that stand in the frame, and what may be some.
        grain: Measured over the reel; None where no area was even enough to measure it.
        dirt: Share of pixels under marks that last one frame; a guess from a few frames.
        blur: Standard deviation of the blur of the sharpest edges, pixels, of the same few frames; 0 where none of them
            has an edge to tell it by.
        colour: What `Colour.describe` said.
    """

    version: int = VERSION
    width: int
    height: int
    frames: tuple[int, ...]
    unreadable: tuple[int, ...] = ()
    cuts: tuple[int, ...] = ()
    repeats: tuple[int, ...] = ()
    brightness: tuple[float, ...] = ()
    contrast: tuple[float, ...] = ()
    shift: tuple[tuple[float, float], ...] = ()
    law: Law = "gain"
    light: tuple[tuple[float, ...], ...] = ()
    gate: tuple[tuple[float, float, float], ...] = ()
    tones: tuple[tuple[tuple[float, ...], ...], ...] = ()
    scratches: tuple[LastingScratch, ...] = ()
    marks: tuple[LastingMark, ...] = ()
    grain: GrainModel | None = None
    dirt: float = 0.0
    blur: float = 0.0
    colour: dict[str, str] = {}

    def digest(self) -> str:
        """A hash of everything in it."""
        return xxhash.xxh3_128_hexdigest(msgspec.json.encode(self, order="deterministic"))

    def save(self, path: str | Path) -> None:
        """Write it as JSON, atomically.

        Raises:
            OutputError: the folder or disk cannot be written.
        """
        atomic_bytes(path, msgspec.json.encode(self, order="deterministic"))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            InputError: no such file.
            CorruptFile: it is damaged or of another version.
        """
        remedy = "delete it and run `filmrestore probe` again"
        try:
            data = Path(path).read_bytes()
            found = msgspec.json.decode(data, type=_Version).version
            if found != VERSION:
                raise CorruptFile(f"{path} is an analysis of version {found}, expected {VERSION}: {remedy}")
            return msgspec.json.decode(data, type=cls)
        except OSError as error:
            raise InputError(f"cannot read the analysis {path}: {error.strerror}") from error
        except msgspec.DecodeError as error:
            raise CorruptFile(f"{path} is a damaged analysis ({error}): {remedy}") from error

    def check(self, shot: Shot, colour: Colour) -> None:
        """Refuse a shot that this is not the analysis of, for its grain and cuts were found in other pixels.

        Raises:
            UsageError: it differs in size or colour, or has frames in its span that were not there.
        """
        if (self.width, self.height) != (shot.format.width, shot.format.height):
            raise UsageError(
                f"the analysis is of frames of {self.width} x {self.height}, and {shot.path} has "
                f"{shot.format.width} x {shot.format.height}: run `filmrestore probe` on it, or give another --analysis"
            )
        unknown = sorted(set(shot.frames) - set(self.frames) - set(self.unreadable))
        if unknown:
            raise UsageError(
                f"frame {unknown[0]} of {shot.path} is not in the analysis (it has {self.frames[0]} to "
                f"{self.frames[-1]}): run `filmrestore probe` again, so that every chunk sees the whole reel"
            )
        if name := self.other_colour(colour):
            raise UsageError(
                f"the analysis was made with {name.replace('_', ' ')} {self.colour.get(name)!r}, this run has "
                f"{colour.describe()[name]!r}: run `filmrestore probe` again, or give the colour it was made with"
            )

    def other_colour(self, colour: Colour) -> str | None:
        """The first fact of `Colour.describe` in which this analysis was made otherwise; None where there is none."""
        now = colour.describe()
        facts = ("colourspace", "working_space", "config_id")
        return next((name for name in facts if self.colour.get(name) != now[name]), None)

    def shots(self) -> tuple[tuple[int, int], ...]:
        """(first, last) frame of every shot."""
        return tuple((self.frames[part.start], self.frames[part.stop - 1]) for part in self._parts())

    def scratches_at(self, number: int) -> tuple[LastingScratch, ...]:
        """The scratches that run through a frame."""
        return tuple(scratch for scratch in self.scratches if scratch.first <= number <= scratch.last)

    @property
    def lasting(self) -> tuple[LastingScratch | LastingMark, ...]:
        """All that stays in its place from frame to frame."""
        return (*self.scratches, *self.marks)

    @property
    def flicker(self) -> float:
        """Root mean square change of light from frame to frame that is not the picture's: 0.1 is 10 %."""
        return math.expm1(_unrest(np.array(self.brightness), self._parts()) / _NET_PER_LOG)

    @property
    def weave(self) -> tuple[float, float]:
        """Root mean square unrest of the frame in its gate, (x, y), pixels."""
        path = np.cumsum(np.array(self.shift).reshape(-1, 2), axis=0)
        return _unrest(path[:, 0], self._parts()), _unrest(path[:, 1], self._parts())

    def _parts(self) -> list[slice]:
        starts = [0, *(bisect_left(self.frames, cut) for cut in self.cuts), len(self.frames)]
        return [slice(a, b) for a, b in pairwise(starts) if b > a]


class _Version(msgspec.Struct):
    version: int


def _unrest(curve: NDArray[np.float64], parts: list[slice]) -> float:
    """Root mean square distance of a curve to its running median, shot by shot."""
    rest = []
    for part in parts:
        padded = np.pad(curve[part], _STEADY // 2, mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, _STEADY)
        rest.append(curve[part] - np.median(windows, axis=1))
    return float(np.sqrt(np.mean(np.concatenate(rest) ** 2))) if rest else 0.0
