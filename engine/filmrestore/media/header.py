"""What a file says of its picture before a pixel is read, and the check that frames of a shot agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import MixedFormats
from ..frame import Box, Format

MAX_EDGE = 1 << 17  # pixels; no film scan comes near, hostile headers go beyond
MAX_CODES = 1 << 33  # samples of one frame
_MAX_PACKED = 20_000  # decoded bytes a byte of the file, in frames over a gigabyte: far beyond what any codec reaches


@dataclass(frozen=True, kw_only=True)
class Header:
    """One file's header.

    Attributes:
        path: The file.
        format: Size, channels and depth of the codes that are read.
        metadata: Attributes by name, as their Python values.
        data_window, display_window: (x0, y0, x1, y1), half open, in the file's own coordinates.
        rate: Frames a second, where the file says.
    """

    path: Path
    format: Format
    metadata: Mapping[str, Any] = field(default_factory=dict)
    data_window: tuple[int, int, int, int]
    display_window: tuple[int, int, int, int]
    rate: Fraction | None = None

    @property
    def whole(self) -> Box:
        """The box of the whole frame."""
        return Box(x0=0, y0=0, x1=self.format.width, y1=self.format.height)


def is_sane(width: int, height: int, channels: int, file_size: int | None = None) -> bool:
    """Whether a header's size can be that of a scan in a file of `file_size` bytes; asked before memory is taken."""
    if not (0 < width <= MAX_EDGE and 0 < height <= MAX_EDGE and 0 < channels <= MAX_CODES):
        return False
    codes = width * height * channels
    is_believable = file_size is None or codes < 1 << 30 or codes <= file_size * _MAX_PACKED
    return codes <= MAX_CODES and is_believable


def check_same(header: Header, first: Format, first_path: Path) -> None:
    """Make sure that a frame has its shot's format.

    Raises:
        MixedFormats: it has not; names both files and what differs.
    """
    if header.format == first:
        return
    pairs = [(entry.name, getattr(first, entry.name), getattr(header.format, entry.name)) for entry in fields(Format)]
    # what a header says of its colourspace may change from reel to reel: the pixels still fit together
    differing = [
        f"{name} {_words(there)}, not {_words(here)}"
        for name, here, there in pairs
        if here != there and name in {"width", "height", "channels", "dtype", "bits", "container", "lossless"}
    ]
    if differing:
        raise MixedFormats(
            f"{header.path}: {'; '.join(differing)} as in {first_path}; "
            "frames of one shot must agree: restore them as separate spans, or convert them first"
        )


def _words(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
