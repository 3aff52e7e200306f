"""Images as a host lays them out: bounds anywhere, padded rows, either direction; with guards around the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
GUARD = np.float32(-12345.678)
COMPONENTS = {4: "OfxImageComponentRGBA", 3: "OfxImageComponentRGB", 1: "OfxImageComponentAlpha"}


@dataclass(frozen=True)
class Layout:
    """Where the lower left pixel is, floats between rows, and whether rows go down in memory as y grows."""

    x1: int = 0
    y1: int = 0
    padding: int = 0
    is_negative: bool = False


class HostImage:
    """Pixels (h, w, c), top row first, in memory as `layout` has it; `name` is the host's for exactly these pixels."""

    def __init__(self, pixels: F32, layout: Layout, name: str = "") -> None:
        self.name = name
        height, width, channels = pixels.shape
        self.layout, self.shape = layout, pixels.shape
        self.bounds = (layout.x1, layout.y1, layout.x1 + width, layout.y1 + height)
        self._stride = width * channels + layout.padding
        self._memory = np.full((height + 2, self._stride), GUARD, np.float32)
        self._rows()[...] = pixels

    def _rows(self) -> F32:
        """The pixels, top row first, as a view of the memory."""
        height, width, channels = self.shape
        rows = self._memory[1:-1, : width * channels].reshape(height, width, channels)
        return rows if self.layout.is_negative else rows[::-1]

    @property
    def row_bytes(self) -> int:
        return self._stride * 4 * (-1 if self.layout.is_negative else 1)

    @property
    def address(self) -> int:
        """Of the pixel (x1, y1): the lower left one."""
        row = self.shape[0] if self.layout.is_negative else 1
        return self._memory.ctypes.data + row * self._stride * 4

    def pixels(self) -> F32:
        """A copy, top row first; fails where something was written beside the pixels."""
        width = self.shape[1] * self.shape[2]
        around = np.concatenate([self._memory[0], self._memory[-1], self._memory[1:-1, width:].ravel()])
        assert (around == GUARD).all(), "something was written outside of the image"
        return self._rows().copy()
