"""The display encoding of the bench's own frames: 16-bit sRGB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes16 = NDArray[np.uint16]
Floats = NDArray[np.float32]

WHITE = 65535.0


def to_linear(display: Floats) -> Floats:
    """sRGB display values 0..1 to linear light.

    Source: IEC 61966-2-1:1999, section 5.2.
    """
    bright = ((np.maximum(display, 0.0) + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(display <= 0.04045, display / np.float32(12.92), bright).astype(np.float32)


def to_display(linear: Floats) -> Floats:
    """Linear light to sRGB display values, clipped to 0..1: what a 16-bit integer scan can hold.

    Source: IEC 61966-2-1:1999, section 5.3.
    """
    light = np.clip(linear, 0.0, 1.0)
    bright = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(light <= 0.0031308, light * np.float32(12.92), bright).astype(np.float32)


def to_codes(display: Floats) -> Codes16:
    """Display values 0..1 to 16-bit codes."""
    return np.asarray(np.rint(np.clip(display, 0.0, 1.0) * WHITE), np.uint16)


def from_codes(codes: Codes16) -> Floats:
    """16-bit codes to display values 0..1."""
    return (codes / np.float32(WHITE)).astype(np.float32)
