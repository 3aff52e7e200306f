"""Large frames averaged to smaller ones for previews, and what is found there brought back to their size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.nn import functional

from ..frame import Box, Codes
from ..patches import patch_grid
from ..restorers.base import Facts, Restored
from ..scenes import averageable
from ..settings import RestoreSettings

F32 = NDArray[np.float32]


def grid_of(facts: Facts, settings: RestoreSettings, full: tuple[int, int]) -> tuple[Box, ...]:
    """The patches of a frame of a size (height, width), as large as those that its proxy is looked at in."""
    step = facts.step(full[1], settings)
    return patch_grid(*full, facts.patch * step, facts.overlap * step)


@dataclass(frozen=True)
class Proxy:
    """Squares of `step` pixels as one; at a step of 1 everything stays what it is."""

    step: int

    def size(self, full: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of a proxy; what is left over at an edge is a pixel, too."""
        return -(-full[0] // self.step), -(-full[1] // self.step)

    def box(self, box: Box) -> Box:
        """A box of the frame in its proxy."""
        (y0, x0), (height, width) = (self.size(pair) for pair in ((box.y0, box.x0), (box.height, box.width)))
        return Box(x0=x0, y0=y0, x1=x0 + width, y1=y0 + height)

    def picture(self, codes: Codes) -> Codes:
        """The mean code of each square, (h, w, c)."""
        if self.step == 1:
            return codes
        height, width = self.size(codes.shape[:2])
        small: Codes = cv2.resize(averageable(codes), (width, height), interpolation=cv2.INTER_AREA)
        if codes.dtype.kind == "f":  # of those that are finite: what is not counted as 0
            finite = np.isfinite(codes).astype(np.float32)
            small /= np.maximum(cv2.resize(finite, (width, height), interpolation=cv2.INTER_AREA), np.float32(1e-6))
        return small.reshape(height, width, -1)

    def map(self, plane: F32) -> F32:
        """The most that a square of a map has, (h, w)."""
        if self.step == 1:
            return plane
        most = cv2.dilate(plane, np.ones((self.step, self.step), np.uint8), anchor=(0, 0))
        return np.asarray(most[:: self.step, :: self.step])

    def enlarged(self, restored: Restored, size: tuple[int, int]) -> Restored:
        """What a restorer says of a proxy, at the size of the frame's part: (height, width)."""
        if self.step == 1:
            return restored
        return Restored(
            picture=functional.interpolate(restored.picture, size, mode="bilinear", align_corners=False),
            matte=functional.interpolate(restored.matte, size, mode="bilinear", align_corners=False),
            origin=functional.interpolate(restored.origin, size, mode="nearest"),
        )
