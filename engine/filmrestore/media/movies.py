"""Movies read frame by frame through PyAV; frame numbers start at 1."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import CorruptFile, InputError, UsageError
from ..frame import Box, Codes, Format
from .containers import check_file, corrupt, input_error
from .header import Header, is_sane
from .patterns import Pattern

_EXACT = {  # stored samples that are the codes: FFmpeg's name -> (name to take them by, channels, bits)
    "gray": ("gray", "Y", 8),
    "gray10le": ("gray10le", "Y", 10),
    "gray12le": ("gray12le", "Y", 12),
    "gray14le": ("gray14le", "Y", 14),
    "gray16le": ("gray16le", "Y", 16),
    "rgb24": ("rgb24", "RGB", 8),
    "bgr24": ("rgb24", "RGB", 8),
    "bgr0": ("rgb24", "RGB", 8),
    "gbrp": ("gbrp", "RGB", 8),
    "gbrp10le": ("gbrp10le", "RGB", 10),
    "gbrp12le": ("gbrp12le", "RGB", 12),
    "gbrp14le": ("gbrp14le", "RGB", 14),
    "gbrp16le": ("gbrp16le", "RGB", 16),
    "rgb48le": ("rgb48le", "RGB", 16),
    "rgba": ("rgba", "RGBA", 8),
    "bgra": ("rgba", "RGBA", 8),
    "gbrap": ("gbrap", "RGBA", 8),
    "gbrap10le": ("gbrap10le", "RGBA", 10),
    "gbrap12le": ("gbrap12le", "RGBA", 12),
    "gbrap14le": ("gbrap14le", "RGBA", 14),
    "gbrap16le": ("gbrap16le", "RGBA", 16),
    "rgba64le": ("rgba64le", "RGBA", 16),
}
_LOSSLESS_CODECS = {"ffv1", "rawvideo", "png", "huffyuv", "ffvhuff", "utvideo", "qtrle", "r210"}
_EVERY_FRAME_A_KEY = {"prores", "dnxhd", "mjpeg", "rawvideo", "v210", "r210", "png", "cfhd", "qtrle"}
_TRANSFERS = {1: "bt709", 8: "linear", 13: "iec61966-2-1", 16: "smpte2084", 18: "arib-std-b67"}  # ITU-T H.273, table 3
_HD_LINES = 720
# scaling of the two chroma samples, the same on every processor
SCALING = 4 | 0x40000 | 0x2000 | 0x4000 | 0x80000  # bicubic, accurate rounding, full chroma in and out, bit-exact


@dataclass(frozen=True)
class Taken:
    """How a frame's samples are taken: FFmpeg's pixel format, the channels and bits of the codes, and if exactly."""

    pixels: str
    channels: str
    bits: int
    exact: bool


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
            self._stamps, self._keys, declared = _index(path, self._container, self._stream)
        except BaseException:
            self._container.close()
            raise
        self._numbers = {stamp: number for number, stamp in enumerate(self._stamps, start=1)}
        self._decoded: Iterator[av.VideoFrame] | None = None
        self._next = 0
        self._header: Header | None = None
        self.name = path.stem
        self.available = tuple(range(1, max(declared, len(self._stamps)) + 1))

    def header(self, number: int) -> Header:
        """The movie's header; the first frame is decoded for it."""
        if self._header is None:
            with self._lock:
                self._header = self._header_of(self._decode(1))
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
        key = bisect_right(self._keys, number)
        if self._decoded is None or not self._next <= number or self._keys[max(key, 1) - 1] > self._next:
            self._seek(number if not key else self._keys[key - 1])
        frame = self._forward(number)
        if frame is None and self._next != 1:
            self._seek(1)  # a key frame that was none: from the beginning, once
            frame = self._forward(number)
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
        self._decoded = _decoded(self._container, self._stream)

    def _breaks(self, number: int) -> CorruptFile:
        good, declared = len(self._stamps), len(self.available)
        if number > good:
            what = f"the movie breaks off: {good} of {declared} frames are there, frame {number} is not"
        else:
            what = f"frame {number} of {declared} cannot be decoded"
        span = f"1-{min(good, number - 1)}" if number > 1 else f"2-{declared}"
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


def taking(pixels: str) -> Taken:
    """How frames of this pixel format become codes.

    RGB and grey samples are taken as they are. Y'CbCr is converted to R'G'B', of 8 bits from 8 and 16 bits from more:
    that changes the last bits, so it never counts as exact.
    """
    if pixels in _EXACT:
        return Taken(*_EXACT[pixels], exact=True)
    form = av.VideoFormat(pixels, 16, 16)
    depth = max(component.bits for component in form.components)
    alpha = any(component.is_alpha for component in form.components)
    if len(form.components) <= 2 and not form.is_rgb:
        return Taken("gray" if depth <= 8 else "gray16le", "Y", 8 if depth <= 8 else 16, exact=False)
    if depth <= 8:
        return Taken("rgba" if alpha else "rgb24", "RGBA" if alpha else "RGB", 8, exact=False)
    return Taken("rgba64le" if alpha else "rgb48le", "RGBA" if alpha else "RGB", 16, exact=False)


def take(frame: av.VideoFrame, taken: Taken) -> Codes:
    """Codes of a decoded frame, shape (h, w, c)."""
    if frame.format.name != taken.pixels:
        matrix = matrix_of(frame)
        full = int(frame.color_range) == 2 or frame.format.name.startswith("yuvj")
        frame = frame.reformat(
            format=taken.pixels,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=2 if full else 1,
            dst_color_range=2,
            interpolation=SCALING,
        )
    codes = frame.to_ndarray()
    return np.ascontiguousarray(codes if codes.ndim == 3 else codes[:, :, None])


def matrix_of(frame: av.VideoFrame) -> int:
    """Number of the Y'CbCr matrix (ITU-T H.273, table 4): the frame's own, else Rec.709 for HD, Rec.601 below."""
    own = int(frame.colorspace)
    if own in {1, 4, 5, 6, 7, 9}:
        return 5 if own == 6 else own  # two numbers for Rec.601
    return 1 if frame.height >= _HD_LINES else 5


def _open(path: Path) -> tuple[Any, Any]:
    check_file(path)
    try:
        container = av.open(str(path))
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
    context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}  # else damage is painted over
    return container, stream


def _index(path: Path, container: Any, stream: Any) -> tuple[list[int], list[int], int]:
    """Time stamps of all frames in order, numbers of the key frames, and how many frames the header speaks of."""
    entries = stream.index_entries
    if stream.codec_context.name in _EVERY_FRAME_A_KEY and 0 < stream.frames == len(entries):
        stamps = sorted(entry.timestamp for entry in entries)
        return stamps, list(range(1, len(stamps) + 1)), len(stamps)
    found: dict[int, bool] = {}
    try:
        for packet in container.demux(stream):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.size and not packet.is_corrupt:
                found[stamp] = packet.is_keyframe
    except av.FFmpegError:
        pass  # the tail is broken: what came before it is there, the rest is told by `declared`
    if not found:
        raise corrupt(path, "no frame of the movie can be read")
    stamps = sorted(found)
    keys = [number for number, stamp in enumerate(stamps, start=1) if found[stamp]]
    return stamps, keys or [1], max(len(stamps), _declared(path, container, stream))


def _declared(path: Path, container: Any, stream: Any) -> int:
    """Frames that the movie's header speaks of; 0 where it says nothing to rely on."""
    if stream.frames:
        return int(stream.frames)
    rate = stream.average_rate or stream.guessed_rate
    if container.format.name.startswith("matroska"):
        if rate and container.duration and _is_cut_matroska(path):
            return int(round(container.duration * rate / av.time_base))
        return 0
    if container.format.name.startswith("mxf") and stream.duration and rate:
        return int(round(stream.duration * stream.time_base * rate))
    return 0


def _is_cut_matroska(path: Path) -> bool:
    """Whether the file is shorter than the size that its segment declares.

    Source: RFC 8794 (EBML), RFC 9559 (Matroska): header element, then the segment, sizes as variable-length integers.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    place = 0
    for _ in range(2):
        identity_length = 9 - head[place].bit_length() if place < len(head) and head[place] else 0
        start = place + identity_length
        if not identity_length or start >= len(head) or not head[start]:
            return False
        length = 9 - head[start].bit_length()
        bits = int.from_bytes(head[start : start + length], "big") & ((1 << 7 * length) - 1)
        is_unknown = bits == (1 << 7 * length) - 1
        place = start + length + bits
    return bool(not is_unknown and path.stat().st_size < place)


def _decoded(container: Any, stream: Any) -> Iterator[av.VideoFrame]:
    """Frames from the current place on; packets that cannot be decoded give none."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue
