"""Movies written through PyAV: to a temporary name, renamed when the last frame is in."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import OutputError, UsageError
from ..frame import Codes, Format, Frame
from .atomic import free_space, output_error, sync_file, temporary_name
from .depth import converted
from .movie_pixels import SCALING
from .movie_sound import Sound
from .shot import Shot
from .timecode import advance, timecode_of

CODECS = ("prores", "dnxhr", "ffv1", "h264")
_BY_EXTENSION = {".mov": "prores", ".mkv": "ffv1", ".mp4": "h264", ".m4v": "h264", ".mxf": "dnxhr", ".avi": "ffv1"}
_MUXERS = {".mov": "mov", ".mkv": "matroska", ".mp4": "mp4", ".m4v": "mp4", ".mxf": "mxf", ".avi": "avi"}
_FFV1 = {  # (channels, bits) -> (pixel format of the array, pixel format stored)
    ("Y", 8): ("gray", "gray"),
    ("Y", 10): ("gray10le", "gray10le"),
    ("Y", 12): ("gray12le", "gray12le"),
    ("Y", 14): ("gray14le", "gray14le"),
    ("Y", 16): ("gray16le", "gray16le"),
    ("RGB", 8): ("rgb24", "bgr0"),
    ("RGB", 10): ("gbrp10le", "gbrp10le"),
    ("RGB", 12): ("gbrp12le", "gbrp12le"),
    ("RGB", 14): ("gbrp14le", "gbrp14le"),
    ("RGB", 16): ("gbrp16le", "gbrp16le"),
    ("RGBA", 8): ("rgba", "bgra"),
    ("RGBA", 10): ("gbrap10le", "gbrap10le"),
    ("RGBA", 12): ("gbrap12le", "gbrap12le"),
    ("RGBA", 14): ("gbrap14le", "gbrap14le"),
    ("RGBA", 16): ("gbrap16le", "gbrap16le"),
}
_PLAIN = {("Y", 8): "gray", ("Y", 16): "gray16le", ("RGB", 8): "rgb24", ("RGB", 16): "rgb48le"} | {
    ("RGBA", 8): "rgba",
    ("RGBA", 16): "rgba64le",
}
DEFAULT_RATE = Fraction(24)  # frames a second, where the scan does not say


class MovieSink:
    """Takes the frames of a shot in order and makes one movie of them."""

    workers = 1

    def __init__(self, path: Path, like: Shot, *, codec: str | None, lossy: bool, sync: bool) -> None:
        self._path = path
        self._like = like
        self._sync = sync
        self._codec = _codec(path, codec)
        self.format = _movie_format(path, like.format, self._codec, lossy=lossy)
        self._expected = iter(like.frames)
        self._count = 0
        self._is_broken = False
        self._rate = like.rate or DEFAULT_RATE
        self._temporary = temporary_name(path)
        self._container: Any = None
        self._stream: Any = None
        self._sound: Sound | None = None

    def path_of(self, number: int) -> Path:
        return self._path

    def write(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            UsageError: it is not the next of the shot, or the codec does not take such frames.
            OutputError: the disk cannot be written.
        """
        if self._is_broken:
            raise OutputError(f"{self._path}: an earlier frame of the movie could not be written; run again")
        self._is_broken = True  # until this frame is in: a movie with a hole must not be finished
        wanted = next(self._expected, None)
        if frame.number != wanted:
            raise UsageError(
                f"{self._path}: a movie takes the frames in order: expected {wanted}, got {frame.number}; "
                "write a sequence where frames are left out or come in another order"
            )
        try:
            if self._container is None:
                self._open(frame)
            self._encode(converted(frame.codes, frame.format, self.format))
        except av.FFmpegError as failure:
            raise self._error(failure) from failure
        self._count += 1
        self._is_broken = False

    def finish(self) -> None:
        """Write what the encoder holds back, close, and give the movie its name.

        Raises:
            OutputError: the disk cannot be written.
        """
        if self._is_broken:
            self.abandon()
            raise OutputError(f"{self._path}: not made, since a frame of it could not be written; run again")
        if self._container is None:
            return
        try:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
            if self._sound is not None:
                self._sound.mux_until(None)
            self._container.close()
            if self._sync:
                sync_file(self._temporary)
            self._temporary.replace(self._path)
        except av.FFmpegError as failure:
            raise self._error(failure) from failure
        except OSError as failure:
            raise output_error(self._path, failure) from failure
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close what is open and delete the temporary file; nothing happens after `finish`."""
        if self._sound is not None:
            self._sound.close()
        if self._container is not None:
            with suppress(av.FFmpegError, OSError):  # the file is thrown away
                self._container.close()
            self._container = None
        with suppress(OSError):
            self._temporary.unlink()

    def _open(self, frame: Frame) -> None:
        self._container = av.open(str(self._temporary), "w", format=_MUXERS[self._path.suffix.lower()])
        name, pixels, options = _encoder(self._codec, self.format)
        try:
            stream = self._container.add_stream(name, rate=self._rate, options=options)
        except ValueError as failure:
            raise UsageError(
                f"{self._path}: {self._path.suffix} does not hold {self._codec}; use .mov for prores, dnxhr and h264, "
                ".mkv for ffv1"
            ) from failure
        stream.width, stream.height, stream.pix_fmt = self.format.width, self.format.height, pixels
        context = stream.codec_context
        context.time_base = 1 / self._rate
        if self._codec != "ffv1":
            matrix, full = self._matrix()
            context.colorspace, context.color_range = matrix, 2 if full else 1
        self._stream = stream
        first = timecode_of(self._like.first_header.metadata)
        if first is not None:
            # of a movie the header tells the first frame of all, of a sequence the first frame of the span
            offset = self._like.frames[0] - 1 if self._like.is_movie else 0
            stream.metadata["timecode"] = advance(first, offset, self._rate)
        if self._like.is_movie and self._like.frames == self._like.available:
            self._sound = Sound(self._like.path, self._container)

    def _matrix(self) -> tuple[int, bool]:
        """Y'CbCr matrix and range: the scan's where it is a movie, else Rec.709, limited."""
        metadata = self._like.first_header.metadata
        return int(metadata.get("movie:matrix", 1)), bool(
            metadata.get("movie:full_range", False)
        ) and self._codec == "h264"

    def _encode(self, codes: Codes) -> None:
        channels = "".join(self.format.channels)
        key = (channels, self.format.bits)
        source = _FFV1[key][0] if self._codec == "ffv1" else _PLAIN[key]
        array = codes[:, :, 0] if len(channels) == 1 else codes
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format=source)
        if source != self._stream.pix_fmt:
            matrix, full = self._matrix()
            picture = picture.reformat(
                format=self._stream.pix_fmt,
                src_colorspace=matrix,
                dst_colorspace=matrix,
                src_color_range=2,
                dst_color_range=2 if full or self._codec == "ffv1" else 1,
                interpolation=SCALING,
            )
        picture.pts, picture.time_base = self._count, 1 / self._rate
        if self._sound is not None:
            self._sound.mux_until(self._count / self._rate)
        for packet in self._stream.encode(picture):
            self._container.mux(packet)

    def _error(self, failure: av.FFmpegError) -> OutputError:
        return OutputError(
            f"{self._path}: frame {self._count + 1} of the movie cannot be written as {self._codec}: "
            f"{failure.strerror}; {free_space(self._path)}; make room, or choose another codec (DNxHR takes 256 x 120 "
            "pixels and more)"
        )


def _codec(path: Path, codec: str | None) -> str:
    chosen = codec or _BY_EXTENSION[path.suffix.lower()]
    if chosen not in CODECS:
        raise UsageError(f"{path}: the codec {chosen!r} is not offered; choose one of {', '.join(CODECS)}")
    return chosen


def _movie_format(path: Path, source: Format, codec: str, *, lossy: bool) -> Format:
    """The format of the movie's frames.

    Raises:
        UsageError: codes would change and `lossy` is not set.
    """
    names = "".join(sorted(source.channels, key="RGBYA".find)) if set(source.channels) <= set("RGBAY") else ""
    is_held = source.is_integer and (names, source.bits) in _FFV1
    if not lossy and not (is_held and codec == "ffv1"):
        what = "FFV1" if codec == "ffv1" else codec
        raise UsageError(
            f"{path}: {what} cannot keep every code of {source.bits}-bit {source.dtype} frames; allow the change with "
            "--lossy, or write FFV1 (.mkv) for integers, EXR for floats"
        )
    channels = names if names in {"Y", "RGB", "RGBA"} else "RGB"
    if not set(channels) <= set(source.channels):
        raise UsageError(
            f"{path}: a movie holds Y, RGB or RGBA, the scan has {','.join(source.channels)}; write EXR or TIFF"
        )
    if codec == "h264" and channels == "RGBA":
        channels = "RGB"
    bits = source.bits if codec == "ffv1" and is_held else 8 if source.is_integer and source.bits == 8 else 16
    return replace(
        source,
        channels=tuple(channels),
        dtype="uint8" if bits == 8 else "uint16",
        bits=bits,
        container="movie",
        lossless=codec == "ffv1",
    )


def _encoder(codec: str, form: Format) -> tuple[str, str, dict[str, str]]:
    """FFmpeg's encoder, stored pixel format and options."""
    has_alpha = "A" in form.channels
    if codec == "ffv1":
        options = {"level": "3", "slicecrc": "1", "slices": "16", "g": "1"}
        return "ffv1", _FFV1["".join(form.channels), form.bits][1], options
    if codec == "prores":
        if has_alpha:
            return "prores_ks", "yuva444p10le", {"profile": "4444"}
        return "prores_ks", "yuv422p10le", {"profile": "hq"}
    if codec == "dnxhr":
        if form.bits == 8:
            return "dnxhd", "yuv422p", {"profile": "dnxhr_hq"}
        return "dnxhd", "yuv422p10le", {"profile": "dnxhr_hqx"}
    is_even = form.width % 2 == 0 and form.height % 2 == 0
    return "libx264", "yuv420p" if is_even else "yuv444p", {"crf": "14", "preset": "medium"}
