"""Whether repairs carry the grain of their surroundings, and whether that grain lives."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .defects import Mask, Picture, dilate

_LAG = 7
_BINS = 6
_FLOOR = (0.25 / 255) ** 2
_ENOUGH = 64


def high_pass(picture: Picture, sigma: float = 2.0) -> NDArray[np.float64]:
    """The picture's grey value less its Gaussian blur, (h, w): grain and the finest detail."""
    import cv2

    grey = np.asarray(picture, np.float64)
    grey = grey if grey.ndim == 2 else grey.mean(axis=2)
    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), sigma, borderType=cv2.BORDER_REFLECT))


def radial_power(residual: NDArray[np.float64], area: Mask) -> NDArray[np.float64]:
    """Radial power spectrum of a residual inside an area of any shape.

    The area's autocorrelation up to 7 pixels, each lag divided by the number of pixel pairs that it has
    inside the area (so the area's shape leaves no trace), under a Hann window, Fourier transformed, and
    averaged in six rings of frequency from 0 to 0.5 cycles a pixel. White noise of variance v gives v in
    every ring. Never below a floor of a quarter of an 8-bit code, squared.

    Args:
        residual: (h, w), see `high_pass`.
        area: (h, w), where to measure.

    Returns:
        Six powers, lowest frequency first.

    Source: Wiener-Khinchin theorem; the pair-count estimate of the autocovariance.
    """
    box = _bounds(area, residual.shape)
    inside = area[box]
    values = np.where(inside, residual[box] - residual[area].mean(), 0.0)
    covariance = _lags(values) / np.maximum(_lags(inside.astype(np.float64)).round(), 1.0)
    hann = np.hanning(2 * _LAG + 3)[1:-1]
    power = np.fft.fft2(np.fft.ifftshift(covariance * np.outer(hann, hann))).real
    frequency = np.fft.fftfreq(2 * _LAG + 1)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    ring = np.minimum((radius / 0.5 * _BINS).astype(int), _BINS)
    sums = np.bincount(ring.ravel(), power.ravel(), _BINS + 1)[:_BINS]
    counts = np.bincount(ring.ravel(), minlength=_BINS + 1)[:_BINS]
    return np.asarray(np.maximum(sums / counts, _FLOOR))


def grain_distance(result: Picture, repair: Mask, exclude: Mask | None = None) -> float:
    """Mean absolute natural-log ratio of the grain's radial power in repairs to that in a ring around them.

    The ring runs from 2 to 10 pixels outside the repairs. 0 is the same grain, 0.69 half or double power.

    Args:
        result: Restored frame.
        repair: Repaired pixels.
        exclude: Pixels that must not count as surroundings, e.g. defects that were left.

    Returns:
        The distance; nan where repairs or ring have under 64 pixels.
    """
    ring = dilate(repair, 10) & ~dilate(repair, 2)
    if exclude is not None:
        ring &= ~exclude
    if repair.sum() < _ENOUGH or ring.sum() < _ENOUGH:
        return math.nan
    residual = high_pass(result)
    ratio = radial_power(residual, repair) / radial_power(residual, ring)
    return float(np.abs(np.log(ratio)).mean())


def frozen_grain(result: Picture, neighbour: Picture, repair: Mask) -> float:
    """Pearson correlation, inside repairs, of a frame's high-pass residual with its neighbour's.

    Real grain is new in each frame: 0. Grain copied from the neighbour: 1. Fine detail of the picture also
    correlates, so compare with the same figure of the truth.

    Args:
        result: Restored frame.
        neighbour: The frame before or after it, motion-compensated to it.
        repair: Repaired pixels.

    Returns:
        -1..1; nan where repairs have under 64 pixels or no variation.
    """
    if repair.sum() < _ENOUGH:
        return math.nan
    a, b = high_pass(result)[repair], high_pass(neighbour)[repair]
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else math.nan


def _bounds(area: Mask, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns that hold the area."""
    if area.shape != shape:
        raise ValueError(f"an area of the residual's size {shape} is wanted, {area.shape} came")
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    if not rows.size:
        raise ValueError("the area is empty: give at least one pixel to measure")
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _lags(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of products at lags -7..7 both ways, (15, 15), zero lag in the middle."""
    height, width = values.shape[0] + _LAG, values.shape[1] + _LAG
    spectrum = np.fft.rfft2(values, (height, width))
    products = np.fft.irfft2(spectrum * spectrum.conj(), (height, width))
    reach = np.arange(-_LAG, _LAG + 1)
    return np.asarray(products[np.ix_(reach % height, reach % width)])
