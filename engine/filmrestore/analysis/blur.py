"""How blurred a picture is, from how fast its strongest edges fall off when they are blurred further."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
_LESS, _MORE = 2.0, 4.0  # px: both far wider than grain, which would else count as edges
_CONTRAST = 0.15  # net: about a stop; an edge of less may be grain or a shade
_SHARPEST = 10.0  # per cent of the edges that count: what lies out of the focus' plane says nothing of the lens
_SMALLEST = 8  # px; in a smaller picture no edge has both of its sides
_FEWEST = 40  # edges below which a picture says nothing


def edges_of(luminance: Float32) -> Float32:
    """The blur of a picture's edges, standard deviations in pixels, (n,).

    Args:
        luminance: (h, w), net encoding.

    Source: the ratio of gradients before and after a known blur, as Zhuo and Sim, Defocus map estimation from a single
        image (2011), on local maxima. An edge of contrast c and blur s, blurred by b more, has the gradient
        c / sqrt(2 pi (s^2 + b^2)).
    """
    if min(luminance.shape) < _SMALLEST:
        return np.empty(0, np.float32)
    less, more = (_gradient(luminance, blur) for blur in (_LESS, _MORE))
    ridges = less == cv2.dilate(less, np.ones((5, 5), np.uint8))
    before, after = less[ridges].astype(np.float64), more[ridges].astype(np.float64)
    ratio = np.square(before / np.maximum(after, 1e-9))
    variance = (_MORE**2 - ratio * _LESS**2) / np.maximum(ratio - 1, 1e-9)
    contrast = before * np.sqrt(2 * np.pi * (np.maximum(variance, 0) + _LESS**2))
    # A line falls off faster than an edge, a ramp slower than any blur of a lens: neither says anything.
    said = (variance > 0) & (variance < (4 * _MORE) ** 2) & (contrast > _CONTRAST)
    edges: Float32 = np.sqrt(variance[said]).astype(np.float32)
    return edges


def blur_of(edges: Sequence[Float32]) -> float:
    """The blur of the sharpest edges of all pictures, px; 0 where there are too few edges to say."""
    every = np.concatenate([*edges, np.empty(0, np.float32)])
    return round(float(np.percentile(every, _SHARPEST)), 1) if len(every) >= _FEWEST else 0.0


def _gradient(luminance: Float32, blur: float) -> Float32:
    smooth = cv2.GaussianBlur(luminance, (0, 0), blur)
    across, down = np.gradient(smooth, axis=1), np.gradient(smooth, axis=0)
    steepness: Float32 = np.hypot(across, down).astype(np.float32)
    return steepness
