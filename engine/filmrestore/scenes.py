"""Scene cuts: found in the frames, or read from an EDL, an OTIO timeline or a plain list.

A cut is named by the first frame of the new shot.
"""

from __future__ import annotations

import re
from collections import deque
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import CorruptFile, InputError, UsageError
from .frame import Codes

if TYPE_CHECKING:
    from .colour import Colour
    from .media import Shot

Float32 = NDArray[np.float32]

THUMBNAIL = 288
"""Long edge of a thumbnail, pixels; cuts are looked for at a third of it."""


def thumbnail(picture: Codes, colour: Colour | None, *, white: float = 1.0) -> Float32:
    """A small frame in the net encoding, shape (h, w, 3), its long edge at most `THUMBNAIL`.

    Args:
        picture: Codes, shape (h, w, 1 or 3).
        colour: None takes the codes as they are, divided by `white`.
    """
    height, width = picture.shape[:2]
    size = _fitted(width, height, THUMBNAIL)
    small = (
        cv2.resize(averageable(picture), size, interpolation=cv2.INTER_AREA)
        .reshape(size[1], size[0], -1)
        .astype(np.float32)
    )
    if colour is not None:
        return np.nan_to_num(colour.to_net(small))
    return np.repeat(small / np.float32(white), 3 // small.shape[2], axis=2)


def averageable(picture: Codes) -> Codes:
    """The codes as OpenCV can average them: small integers as they are, all else float32, 0 where not finite."""
    if picture.dtype in (np.uint8, np.uint16):
        return picture
    return np.nan_to_num(picture.astype(np.float32), posinf=0.0, neginf=0.0)


class CutFinder:
    """Finds cuts in a stream of thumbnails; keeps a handful of them whatever the reel's length.

    PySceneDetect's adaptive detector names candidates on frames whose flicker has been evened out. A candidate is
    confirmed when every frame just before it differs from every frame just after it by more than the two sides
    differ in themselves: a flash, a splice frame or a torn frame is like nothing, but its neighbours are like each
    other. A shot of one or two frames is therefore taken as damage of the shot around it.
    """

    SIDE = 3  # frames compared on each side
    CONTENT = 12.0  # mean difference of evened-out frames (standard deviation 50) that a cut exceeds
    CONTRAST = 2.4  # and how much larger than the motion within both sides it is
    PEAK = 1.7  # against the scores of the frames around it, for candidates

    def __init__(self) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self._detector = AdaptiveDetector(
            adaptive_threshold=self.PEAK, min_scene_len=1, window_width=2, min_content_val=self.CONTENT, luma_only=True
        )
        self._numbers: list[int] = []
        self._recent: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=4 * self.SIDE)
        self._candidates: deque[int] = deque()
        self._cuts: list[tuple[int, float]] = []

    def add(self, number: int, small: Float32) -> None:
        """The next frame of the stream, net encoding, shape (h, w, 3)."""
        from scenedetect import FrameTimecode

        even = _evened(small)
        index = len(self._numbers)
        self._numbers.append(number)
        self._recent.append((index, even))
        timecode = FrameTimecode(index, fps=24.0)
        found = self._detector.process_frame(timecode, cv2.cvtColor(even, cv2.COLOR_GRAY2BGR))
        self._candidates.extend(cut.frame_num for cut in found)
        while self._candidates and self._candidates[0] + self.SIDE <= index:
            self._confirm(self._candidates.popleft())

    def finish(self) -> tuple[int, ...]:
        """The first frame of every new shot, ascending."""
        while self._candidates:
            self._confirm(self._candidates.popleft())
        return tuple(self._numbers[index] for index, _ in self._cuts)

    def _confirm(self, cut: int) -> None:
        before = [frame for index, frame in self._recent if cut - self.SIDE <= index < cut]
        after = [frame for index, frame in self._recent if cut <= index < cut + self.SIDE]
        across = min(_difference(a, b) for a in before for b in after)
        within = [_difference(a, b) for side in (before, after) for a, b in combinations(side, 2)]
        # The median: one torn frame beside a real cut must not hide it.
        if across < max(self.CONTENT, self.CONTRAST * float(np.median(within)) if within else 0.0):
            return
        if self._cuts and cut - self._cuts[-1][0] < self.SIDE:
            if across <= self._cuts[-1][1]:
                return
            self._cuts.pop()
        self._cuts.append((cut, across))


def _fitted(width: int, height: int, long_edge: int) -> tuple[int, int]:
    scale = min(1.0, long_edge / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _evened(small: Float32) -> NDArray[np.uint8]:
    """Luminance around 128 with a standard deviation of 50, smaller still: gain and offset flicker gone."""
    size = _fitted(small.shape[1], small.shape[0], THUMBNAIL // 3)
    luminance = cv2.GaussianBlur(cv2.resize(small.mean(axis=2), size, interpolation=cv2.INTER_AREA), (0, 0), 1.0)
    low, high = np.percentile(luminance, (1, 99))
    luminance = np.clip(luminance, low, high)  # a burn or a punch hole must not set the scale
    spread = max(float(luminance.std()), 0.04)
    even = (luminance - luminance.mean()) * (50.0 / spread) + 128.0
    codes: NDArray[np.uint8] = np.clip(np.rint(even), 0, 255).astype(np.uint8)
    return codes


def _difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean difference at the best shift, so that a pan or a jump of the gate counts little."""
    height, width = (edge // 10 for edge in a.shape)
    middle = b[height : b.shape[0] - height, width : b.shape[1] - width]
    _, _, (x, y), _ = cv2.minMaxLoc(cv2.matchTemplate(a, middle, cv2.TM_SQDIFF))
    return float(cv2.absdiff(a[y : y + middle.shape[0], x : x + middle.shape[1]], middle).mean())


def read_cuts(path: str | Path, shot: Shot) -> tuple[int, ...]:
    """The cuts that a file gives for a shot.

    Edit lists count from the start of their programme, which is the shot's first available frame; plain lists name
    frames by their own numbers, separated by spaces, commas or lines, with # for remarks.

    Args:
        path: An EDL (CMX 3600, .edl), an OpenTimelineIO file (.otio, .otioz, .otiod), or a list (any other ending).
        shot: Gives the frame rate; without one an edit list is counted at 24 frames a second.

    Returns:
        The first frame of every new shot within the source, ascending.

    Raises:
        InputError: the file cannot be read.
        UsageError: it holds no cuts in a form that is known, or they are all of another reel.
    """
    path = Path(path)
    rate = shot.rate or Fraction(24)
    first, last = shot.available[0], shot.available[-1]
    ending = path.suffix.lower()
    if ending == ".edl":
        starts = [first + start for start in _edl_starts(_text(path), path, rate)]
    elif ending in (".otio", ".otioz", ".otiod"):
        starts = [first + start for start in _otio_starts(path, rate)]
    else:
        starts = _listed(_text(path), path)
    if starts and not any(first <= start <= last for start in starts):
        raise UsageError(
            f"{path}: its cuts, {min(starts)} to {max(starts)}, all lie outside the frames {first} to {last} of "
            f"{shot.path}: give the list of this reel; a list counts by the numbers of the files"
        )
    return tuple(sorted({start for start in starts if first < start <= last}))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read the cuts {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CorruptFile(f"{path} is no text: expected an EDL, an OTIO file or a list of first frames") from error


def _listed(text: str, path: Path) -> list[int]:
    words = [word for line in text.splitlines() for word in re.split(r"[\s,;]+", line.split("#")[0]) if word]
    try:
        return [int(word) for word in words]
    except ValueError as error:
        raise UsageError(f"{path}: {error}; a list of cuts holds the first frame of every new shot") from error


_EVENT = re.compile(
    r"^\s*\d+\s+\S+\s+(?P<track>\S+)\s+(?P<kind>C|D|W\d+|K\S*)\s*(?:\d+\s+)?"
    r"\S+\s+\S+\s+(?P<start>\d\d:\d\d:\d\d[:;.]\d\d)\s+(?P<end>\d\d:\d\d:\d\d[:;.]\d\d)\s*$"
)
"""Event, reel, track, transition with its length, source in and out, record in and out (SMPTE 258M)."""


def _edl_starts(text: str, path: Path, rate: Fraction) -> list[int]:
    """Starts of the picture events, in frames from the first; only straight cuts start a new shot."""
    drop = False
    events: list[tuple[int, bool]] = []
    for line in text.splitlines():
        if line.startswith("FCM:"):
            drop = "NON" not in line.upper()
        found = _EVENT.match(line)
        # "B" is both picture and sound; A, A2, AA/V ... name sound, except those with a V.
        if found is None or not (found["track"] == "B" or "V" in found["track"]):
            continue
        start, end = (timecode_frames(found[name], rate, drop=drop) for name in ("start", "end"))
        if end > start:  # the outgoing line of a dissolve has no length
            events.append((start, found["kind"] == "C"))
    if not events:
        raise UsageError(f"{path} holds no picture event: expected a CMX 3600 edit list")
    zero = min(start for start, _ in events)
    return [start - zero for start, is_cut in events if is_cut]


def timecode_frames(timecode: str, rate: Fraction, *, drop: bool = False) -> int:
    """The frame that a timecode counts (SMPTE ST 12-1).

    Args:
        timecode: "hh:mm:ss:ff"; a ";" before the frames says drop-frame.
        rate: Frames a second; counted at the next whole number (23.976 at 24).
        drop: Drop-frame, whatever the separator; it exists at 29.97 and 59.94 only.
    """
    hours, minutes, seconds, frames = (int(part) for part in re.split("[:;.]", timecode))
    base = round(rate)
    minutes += 60 * hours
    count = (60 * minutes + seconds) * base + frames
    if (drop or ";" in timecode) and base % 30 == 0:
        # Two numbers (four at 60) are left out each minute, except every tenth.
        count -= base // 15 * (minutes - minutes // 10)
    return count


def _otio_starts(path: Path, rate: Fraction) -> list[int]:
    """Starts of the clips of the first picture track, in frames from the track's start."""
    import opentimelineio

    try:
        timeline = opentimelineio.adapters.read_from_file(str(path))
        track = next(iter(timeline.video_tracks()))
        ranges = [
            track.range_of_child(item) for item in track if not isinstance(item, opentimelineio.schema.Transition)
        ]
    except OSError as error:
        raise InputError(f"cannot read the cuts {path}: {error.strerror or error}") from error
    except (opentimelineio.exceptions.OTIOError, ValueError, AttributeError) as error:
        raise CorruptFile(f"{path} is no OpenTimelineIO timeline: {error}") from error
    except StopIteration as error:
        raise UsageError(f"{path} has no picture track") from error
    return [entry.start_time.rescaled_to(float(rate)).to_frames() for entry in ranges]
