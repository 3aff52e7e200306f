"""Takes a plate apart into picture and grain: wavelet bands, each held against the grain expected there."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from .model import Float32, Float64, GrainModel, plane_power

_BANDS = 4
_SPLINE = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
_WINDOW = 7  # pixels over which a band's strength is judged
_EXCESS = 1.15  # grain is told from picture by chance too: expect a little more than the mean


def separate(net: Float32, model: GrainModel) -> tuple[Float32, Float32]:
    """(picture, grain): they add up to `net`, to the last bit that float32 adds.

    Each undecimated B-spline band loses what a local Wiener filter takes for grain, so edges and texture well above
    the grain stay in the picture.

    Args:
        net: Shape (h, w, 3), net.
        model: The plate's own grain.

    Source: Starck and Murtagh, "Image restoration with noise suppression using the wavelet transform" (1994), for the
    transform; the gain is Wiener's.
    """
    picture = np.empty_like(net)
    level = model.deviation_at(smoothed(smoothed(net, 1), 2))
    for channel in range(3):
        rest = np.ascontiguousarray(net[..., channel])
        kept = np.zeros_like(rest)
        for band, share in enumerate(band_shares(model.power[channel], _BANDS)[:-1]):
            slower = smoothed(rest, 1 << band)
            detail = rest - slower
            strength = cv2.blur(detail * detail, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT_101)
            expected = np.square(level[..., channel]) * np.float32(share * _EXCESS)
            detail *= np.maximum(1 - expected / np.maximum(strength, 1e-20), 0)
            kept += detail
            rest = slower
        picture[..., channel] = kept + rest
    return picture, net - picture


def spline(step: int) -> Float64:
    """The smoothing kernel of one band: a cubic B-spline with `step` - 1 zeros between its taps."""
    line = np.zeros(4 * step + 1)
    line[::step] = _SPLINE
    return line


def smoothed(plane: Float32, step: int) -> Float32:
    """What is slower than one band: `spline(step)` both ways."""
    line = spline(step).astype(np.float32)
    return np.asarray(cv2.sepFilter2D(plane, cv2.CV_32F, line, line, borderType=cv2.BORDER_REFLECT_101))


@lru_cache(maxsize=64)
def band_shares(power: tuple[float, ...], bands: int) -> tuple[float, ...]:
    """Share of the grain's variance that falls into each band, and last that of what is slower than all of them."""
    plane = plane_power(power)
    size = len(plane)
    passed, shares = np.ones(size), []
    rest = np.outer(passed, passed)
    for band in range(bands):
        line = np.zeros(size)
        taps = spline(1 << band)
        line[: len(taps)] = taps if len(taps) <= size else taps[:size]
        response = np.abs(np.fft.fft(line))
        slower = rest * np.outer(response, response)
        shares.append(float((plane * (rest - slower) ** 2).mean()))
        rest = slower
    return (*shares, float((plane * rest**2).mean()))
