"""Moving a picture by an affine map that hardly differs from none, each sample interpolated along x and along y."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Matrix = tuple[float, float, float, float, float, float]
_BLOCK = 64  # lines at once


def moved(picture: F64, matrix: Matrix) -> F64:
    """The picture with what stands at a x + b y + c, d x + e y + f brought to x, y.

    First along the rows, then along the columns. Beyond the edge the outermost pixels go on.

    Args:
        picture: Shape (h, w, c), finite.
        matrix: (a, b, c, d, e, f), pixels; a and e near 1, b and d near 0.

    Source: E. Catmull and A. R. Smith, "3-D transformations of images in scanline order" (1980), for the two passes;
    R. Keys, "Cubic convolution interpolation for digital image processing" (1981), section VI, for the kernel of six
    samples, whose error falls with the fourth power of the distance.
    """
    a, b, c, d, e, f = matrix
    height, width = picture.shape[:2]
    x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    # A pixel of the result at x that comes from the row y of the source lies on its row (y - d x - f) / e.
    rows = a * x[None] + b * ((y[:, None] - d * x[None] - f) / e) + c
    across = _along_rows(picture, rows)
    columns = (d * x[:, None] + e * y[None]) + f
    return np.ascontiguousarray(_along_rows(across.transpose(1, 0, 2), columns).transpose(1, 0, 2))


def _along_rows(picture: F64, places: F64) -> F64:
    """Every row of the picture, shape (n, m, c), at its places, shape (n, k)."""
    count, length, channels = picture.shape
    out = np.empty((count, places.shape[1], channels))
    for start in range(0, count, _BLOCK):
        lines = picture[start : start + _BLOCK]
        at = np.clip(places[start : start + _BLOCK], -3.0, length + 2.0)
        whole = np.floor(at)
        part = (at - whole)[:, :, None]
        first, line = whole.astype(np.int64), np.arange(len(lines))[:, None]
        total = np.zeros((len(lines), places.shape[1], channels))
        for tap in range(-2, 4):
            total = total + _kernel(np.abs(part - tap)) * lines[line, np.clip(first + tap, 0, length - 1)]
        out[start : start + _BLOCK] = total
    return out


def _kernel(away: F64) -> F64:
    """Keys' kernel of six samples at a distance."""
    near = (4 / 3 * away - 7 / 3) * away * away + 1.0
    middle = ((-7 / 12 * away + 3.0) * away - 59 / 12) * away + 2.5
    far = ((1 / 12 * away - 2 / 3) * away + 1.75) * away - 1.5
    return np.where(away < 1, near, np.where(away < 2, middle, np.where(away < 3, far, 0.0)))
