"""Movies read frame by frame through PyAV; frame numbers start at 1."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import CorruptFile, InputError, UsageError
from ..frame import Box, Codes, Format
from .containers import check_file, corrupt, input_error
from .ffv1 import is_sound
from .header import Header, is_sane
from .movie_index import index_movie
from .movie_pixels import matrix_of, take, taking
from .patterns import Pattern, format_span

_LOSSLESS_CODECS = {"ffv1", "rawvideo", "png", "huffyuv", "ffvhuff", "utvideo", "qtrle", "r210"}
_TRANSFERS = {1: "bt709", 8: "linear", 13: "iec61966-2-1", 16: "smpte2084", 18: "arib-std-b67"}  # ITU-T H.273, table 3


class Movie:
    """A movie as the source of a shot.

    Frames are found by their time stamps: a list of all of them is made when the movie is opened, from its index where
    it has one, else by reading through it once without decoding.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._container, self._stream = _open(path)
        try:
            self._stamps, self._keys, declared = index_movie(path, self._container, self._stream)
        except BaseException:
            self._container.close()
            raise
        self._numbers = {stamp: number for number, stamp in enumerate(self._stamps, start=1)}
        self._has_sums = self._stream.codec_context.name == "ffv1" and _has_sums(self._container, self._stream)
        self._decoded: Iterator[av.VideoFrame] | None = None
        self._next = 0
        self._header: Header | None = None
        self.name = path.stem
        self.available = tuple(range(1, max(declared, len(self._stamps)) + 1))

    def header(self, number: int) -> Header:
        """The movie's header; the first frame asked for is decoded for it."""
        with self._lock:
            if self._header is None:
                self._header = self._header_of(self._decode(number))
            return self._header

    def read(self, number: int, check: Callable[[Header], None], box: Box | None) -> tuple[Header, Codes]:
        """Frame `number`, from 1; fast for one frame after the other.

        Raises:
            CorruptFile: the movie breaks off or is damaged there.
        """
        header = self.header(number)
        with self._lock:
            codes = take(self._decode(number), taking(self._stream.codec_context.pix_fmt))
        check(header)
        return header, np.ascontiguousarray(codes[box.slices]) if box is not None else codes

    def path_of(self, number: int) -> Path:
        return self._path

    def pattern_in(self, folder: Path) -> Pattern:
        raise UsageError(
            f"{folder}: a folder for the frames of a movie; give a pattern such as shot.####.tif, or a movie"
        )

    def close(self) -> None:
        with self._lock:
            self._decoded = None
            self._container.close()

    def _decode(self, number: int) -> av.VideoFrame:
        if number > len(self._stamps):
            raise self._breaks(number)
        key = max(0, bisect_right(self._keys, number) - 1)
        try:
            if self._decoded is None or not self._next <= number or self._keys[key] > self._next:
                self._seek(self._keys[key])
            frame = self._forward(number)
            if frame is None and key > 0:
                self._seek(self._keys[key - 1])  # some files call a frame a key that is none, or seek one too far
                frame = self._forward(number)
        except av.FFmpegError as failure:
            self._decoded = None
            raise self._breaks(number) from failure
        if frame is None or frame.is_corrupt:
            self._decoded = None
            raise self._breaks(number)
        self._next = number + 1
        return frame

    def _forward(self, number: int) -> av.VideoFrame | None:
        """Decode up to frame `number`; None where it does not come."""
        assert self._decoded is not None
        for frame in self._decoded:
            stamp = frame.pts if frame.pts is not None else frame.dts
            found = self._numbers.get(stamp, 0)
            if found == number:
                return frame
            if found > number:
                break
        self._decoded = None
        return None

    def _seek(self, number: int) -> None:
        self._container.seek(self._stamps[number - 1], stream=self._stream, backward=True)
        self._next = number
        self._decoded = _decoded(self._container, self._stream, has_sums=self._has_sums)

    def _breaks(self, number: int) -> CorruptFile:
        good, declared = len(self._stamps), len(self.available)
        if number > good:
            what = f"the movie breaks off: {good} of {declared} frames are there, frame {number} is not"
        else:
            what = f"frame {number} of {declared} cannot be decoded"
        span = format_span(whole for whole in range(1, good + 1) if whole != number)
        return CorruptFile(f"{self._path}: {what}; copy the movie again, or restore what is whole with the span {span}")

    def _header_of(self, frame: av.VideoFrame) -> Header:
        context = self._stream.codec_context
        taken = taking(context.pix_fmt)
        window = (0, 0, frame.width, frame.height)
        form = Format(
            width=frame.width,
            height=frame.height,
            channels=tuple(taken.channels),
            dtype="uint8" if taken.bits == 8 else "uint16",
            bits=taken.bits,
            container="movie",
            lossless=taken.exact and context.name in _LOSSLESS_CODECS,
            colourspace=_TRANSFERS.get(int(frame.color_trc)),
        )
        metadata: dict[str, Any] = {**self._container.metadata, **self._stream.metadata}
        metadata["movie:codec"], metadata["movie:pixels"] = context.name, context.pix_fmt
        metadata["movie:matrix"], metadata["movie:full_range"] = matrix_of(frame), int(frame.color_range) == 2
        rate = self._stream.average_rate or self._stream.guessed_rate
        return Header(
            path=self._path,
            format=form,
            metadata=metadata,
            data_window=window,
            display_window=window,
            rate=Fraction(rate) if rate else None,
        )


def _open(path: Path) -> tuple[Any, Any]:
    check_file(path)
    try:
        container = av.open(str(path), metadata_errors="replace")
    except av.FFmpegError as failure:
        raise corrupt(path, f"not a readable movie ({failure.strerror})") from failure
    except OSError as failure:
        raise input_error(path, failure) from failure
    if not container.streams.video:
        container.close()
        raise InputError(f"{path}: there is no picture in this movie; give the file that holds it")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context is None or context.pix_fmt is None or not is_sane(context.width, context.height, 3):
        container.close()
        raise corrupt(path, "no decoder for its picture, or its header is damaged")
    stream.thread_type = "SLICE"  # threads over frames report a damaged frame at another one
    context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}  # else more damage is painted over
    return container, stream


def _has_sums(container: Any, stream: Any) -> bool:
    """Whether the FFV1 frames carry check sums: told by the first two, of which one may be damaged."""
    try:
        container.seek(0, stream=stream)
        packets = (packet for packet in container.demux(stream) if packet.size)
        return any(is_sound(bytes(packet)) for packet in islice(packets, 2))
    except av.FFmpegError:  # told when the first frame is read
        return False


def _decoded(container: Any, stream: Any, *, has_sums: bool) -> Iterator[av.VideoFrame]:
    """Frames from the current place on; packets that cannot be decoded give none."""
    packets = container.demux(stream)
    is_broken = False
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if has_sums and packet.size:
            is_broken = not is_sound(bytes(packet)) or (is_broken and not packet.is_keyframe)
            if is_broken:
                continue
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue
