"""Tones: the darkest, middle and lightest code of each channel, by which the fading of its dye is told."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..colour import Colour
from ..frame import Codes, Format
from ..scenes import averageable

Float32 = NDArray[np.float32]
Tone = tuple[tuple[float, ...], ...]

SHARES = (0.5, 50.0, 99.5)
"""Per cent of the picture that is darker."""
EDGE = 256
"""Long edge of the picture that is looked at: grain and specks are averaged away."""
_MARGIN = 0.05  # share of the frame along each edge that is left out: the gate's border is no picture


def tones_of(picture: Codes, format: Format) -> Tone:
    """(dark, middle, light) of each channel, shares of full scale.

    Args:
        picture: Codes, shape (h, w, c).
    """
    height, width = picture.shape[:2]
    scale = min(1.0, EDGE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(averageable(picture), size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    rows, columns = (int(edge * _MARGIN) for edge in small.shape[:2])
    inner = small[rows : small.shape[0] - rows, columns : small.shape[1] - columns].astype(np.float64) / format.white
    levels = np.percentile(inner.reshape(-1, inner.shape[2]), SHARES, axis=0)
    return tuple(tuple(round(float(value), 5) for value in channel) for channel in levels.T)


def ladder(colour: Colour, format: Format) -> tuple[Float32, Float32]:
    """Codes of full scale, rising, and the net value of each: how dense they are, whatever the encoding.

    Neutral codes: each channel's own curve, without the mixing of primaries.
    """
    if format.is_integer:
        codes = np.unique(np.rint(np.linspace(0, format.white, 1025))).astype(format.dtype)
    else:
        codes = np.sinh(np.linspace(0, 6, 1025)).astype(format.dtype) * np.asarray(0.01, format.dtype)
    plane = np.repeat(codes[None, :, None], len(format.picture), axis=2)
    net = colour.to_net(plane)[0].mean(axis=1)
    return (codes / np.float32(format.white)).astype(np.float32), np.maximum.accumulate(net)
