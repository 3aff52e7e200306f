"""The canvas: light on which defects are laid, with the exact alpha of each kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]  # (h, w)
Light = NDArray[np.float32]  # (h, w, 3)
Layers = tuple[float, float, float]

ONE: Layers = (1.0, 1.0, 1.0)
NONE: Layers = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Ink:
    """What a defect does to light where its coverage is 1.

    Attributes:
        gain: Factor on each layer's light: under 1 for dirt, over 1 for a bright refracting edge.
        lift: How far each layer goes from its light up to the light of the clear base, 0..1; light above it stays.
    """

    gain: Layers = ONE
    lift: Layers = NONE

    @property
    def opacity(self) -> float:
        """The largest share of light that is changed, 0..1: coverage times this is the mask's alpha."""
        return min(1.0, max(*(abs(gain - 1.0) for gain in self.gain), *self.lift))


def dark(opacity: float, tint: Layers = ONE) -> Ink:
    """Ink that takes the share `opacity` of the light; `tint` weighs the layers."""
    return Ink(gain=(1.0 - opacity * tint[0], 1.0 - opacity * tint[1], 1.0 - opacity * tint[2]))


def light(opacity: float, tint: Layers = ONE) -> Ink:
    """Ink that clears the film by the share `opacity`; `tint` weighs the layers."""
    return Ink(lift=(opacity * tint[0], opacity * tint[1], opacity * tint[2]))


class Canvas:
    """A frame on which defects are laid.

    Args:
        scan: Scene-linear light, shape (h, w, 3); changed in place.
        base_light: Scene-linear light through clear film.
    """

    def __init__(self, scan: Light, base_light: float) -> None:
        self.scan = scan
        self.base_light = np.float32(base_light)
        self.masks: dict[str, Plane] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w), pixels."""
        return self.scan.shape[0], self.scan.shape[1]

    def lay(self, kind: str, coverage: Plane, top: int, left: int, ink: Ink) -> None:
        """Lay a defect; what falls outside the frame is lost.

        Args:
            kind: Mask that it is written to.
            coverage: 0..1, shape of the stamp.
            top, left: Pixel of the stamp's first row and column; may be outside the frame.
            ink: What it does to light.
        """
        height, width = self.shape
        y0, x0 = max(top, 0), max(left, 0)
        y1, x1 = min(top + coverage.shape[0], height), min(left + coverage.shape[1], width)
        if y0 >= y1 or x0 >= x1:
            return
        stamp = coverage[y0 - top : y1 - top, x0 - left : x1 - left]
        spot = self.scan[y0:y1, x0:x1]
        spread = stamp[:, :, None]
        if ink.gain != ONE:
            spot *= np.float32(1.0) + spread * (np.asarray(ink.gain, np.float32) - np.float32(1.0))
        if ink.lift != NONE:
            spot += spread * np.asarray(ink.lift, np.float32) * np.maximum(self.base_light - spot, np.float32(0.0))
        if kind not in self.masks:
            self.masks[kind] = np.zeros((height, width), np.float32)
        alpha = stamp * np.float32(ink.opacity)
        mask = self.masks[kind][y0:y1, x0:x1]
        mask += alpha * (np.float32(1.0) - mask)
