"""Frame, Box and Format: one scanned frame in its file's own codes, and what must stay the same with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[Any]  # uint8, uint16, uint32, float16 or float32, shape (h, w, c)


@dataclass(frozen=True, kw_only=True, order=True)
class Box:
    """A pixel rectangle, half open: x0 <= x < x1, y0 <= y < y1; (0, 0) is the top left of the data window."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    def meets(self, other: Box) -> bool:
        """Whether the two share a pixel."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1

    def holds(self, other: Box) -> bool:
        """Whether all of the other lies in this one."""
        return self.x0 <= other.x0 and self.y0 <= other.y0 and other.x1 <= self.x1 and other.y1 <= self.y1

    def grown(self, margin: int, height: int, width: int) -> Box:
        """So many pixels more on each side, as far as a frame of that size has them."""
        return Box(
            x0=max(self.x0 - margin, 0),
            y0=max(self.y0 - margin, 0),
            x1=min(self.x1 + margin, width),
            y1=min(self.y1 + margin, height),
        )

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns), to index an array of shape (h, w, ...)."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


@dataclass(frozen=True, kw_only=True)
class Format:
    """What every frame of a shot shares.

    Attributes:
        width, height: Size of the data window, pixels.
        channels: Names as the file gives them, in file order ("R", "G", "B", "A", "Y", "left.R" ...).
        dtype: numpy name of the stored codes: "uint8", "uint16", "uint32", "float16" or "float32".
        bits: Significant bits of an integer code (a 10-bit DPX holds 0..1023 in uint16); 16 or 32 for floats.
        container: "exr", "dpx", "tiff", "png", "jpeg" or "movie".
        lossless: Whether writing the same container again keeps every code.
        colourspace: What the file itself declares, if it does.
    """

    width: int
    height: int
    channels: tuple[str, ...]
    dtype: str
    bits: int
    container: str
    lossless: bool
    colourspace: str | None = None

    @property
    def is_integer(self) -> bool:
        return self.dtype.startswith("uint")

    @property
    def white(self) -> float:
        """The code of full scale: 2**bits - 1 for integers, 1.0 for floats."""
        return float((1 << self.bits) - 1) if self.is_integer else 1.0

    @property
    def picture(self) -> tuple[int, ...]:
        """Indices of the channels that are restored: R, G, B, of the first layer that has them, else one luminance."""
        names = {name.upper(): index for index, name in enumerate(self.channels)}
        layers = dict.fromkeys(["", *(name.rpartition(".")[0] + "." for name in names if "." in name)])
        for layer in layers:
            red, green, blue = (names.get(f"{layer}{colour}") for colour in "RGB")
            if red is not None and green is not None and blue is not None:
                return red, green, blue
        for name in ("Y", "L", "R", "I"):
            if name in names:
                return (names[name],)
        return (0,)

    @property
    def alpha(self) -> int | None:
        """Index of the alpha (in film scans often the infrared dust map), if there is one."""
        names = {name.upper(): index for index, name in enumerate(self.channels)}
        return names.get("A")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame as its file stores it.

    Attributes:
        number: Source frame number.
        codes: Shape (height, width, channels), the file's dtype; integers at their own depth.
        format: What it shares with the other frames of its shot.
        metadata: Header attributes by name, to be written again.
        data_window, display_window: (x0, y0, x1, y1), half open, in the file's own coordinates.
        source: File that it was read from.
    """

    number: int
    codes: Codes
    format: Format
    metadata: Mapping[str, Any] = field(default_factory=dict)
    data_window: tuple[int, int, int, int]
    display_window: tuple[int, int, int, int]
    source: Path | None = None

    def picture(self, box: Box | None = None) -> Codes:
        """The restored channels, shape (h, w, 1 or 3), of the whole frame or of `box`: a copy."""
        codes = self.codes if box is None else self.codes[box.slices]
        # A slice copies ten times faster than a list of indices.
        first, last = self.format.picture[0], self.format.picture[-1]
        if self.format.picture == tuple(range(first, last + 1)):
            return codes[:, :, first : last + 1].copy()
        return np.ascontiguousarray(codes[:, :, list(self.format.picture)])

    def replaced(self, codes: Codes) -> Frame:
        """The same frame with other codes of the same shape and dtype."""
        assert codes.shape == self.codes.shape and codes.dtype == self.codes.dtype
        return replace(self, codes=codes)
