"""Whole-frame likeness: PSNR, SSIM and MS-SSIM."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .defects import Error, Picture

_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW = 11


def psnr(result: Picture, truth: Picture) -> float:
    """Peak signal-to-noise ratio in dB against a peak of 1, all channels; inf for equal pictures."""
    difference = np.asarray(result, np.float64) - np.asarray(truth, np.float64)
    return Error(float(np.square(difference).sum()), difference.size).psnr


def ssim(result: Picture, truth: Picture) -> float:
    """Structural similarity, mean over pixels and channels, for a data range of 1.

    Gaussian window of 11 pixels, sigma 1.5, C1 = 0.01^2, C2 = 0.03^2, windows wholly inside the picture.

    Raises:
        ValueError: a picture smaller than the window.

    Source: Wang, Bovik, Sheikh and Simoncelli 2004, "Image Quality Assessment", equation 13.
    """
    luminance, contrast = _ssim_maps(np.asarray(result, np.float64), np.asarray(truth, np.float64))
    return float((luminance * contrast).mean())


def ms_ssim(result: Picture, truth: Picture) -> float:
    """Multi-scale structural similarity over five scales, each half the one before (2 x 2 means).

    Negative contrast terms count as 0. Channels are averaged within a scale, before the product.

    Raises:
        ValueError: a side under 176 pixels, where the fifth scale is smaller than the window.

    Source: Wang, Simoncelli and Bovik 2003, "Multi-scale Structural Similarity", equation 7.
    """
    a, b = np.asarray(result, np.float64), np.asarray(truth, np.float64)
    total = 1.0
    for scale, weight in enumerate(_SCALE_WEIGHTS):
        luminance, contrast = _ssim_maps(a, b)
        last = scale == len(_SCALE_WEIGHTS) - 1
        mean = float((luminance * contrast if last else contrast).mean())
        total *= max(mean, 0.0) ** weight
        a, b = _halve(a), _halve(b)
    return total


def _ssim_maps(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if a.shape != b.shape:
        raise ValueError(f"pictures of one size wanted, {a.shape} and {b.shape} came")
    if min(a.shape[:2]) < _WINDOW:
        raise ValueError(f"a picture of {a.shape[1]}x{a.shape[0]} is smaller than the {_WINDOW} pixel window")
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a, variance_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return luminance, (2 * covariance + c2) / (variance_a + variance_b + c2)


def _blur(picture: NDArray[Any]) -> NDArray[Any]:
    """Gaussian window means at the places where the window fits."""
    import cv2

    edge = _WINDOW // 2
    blurred = cv2.GaussianBlur(picture, (_WINDOW, _WINDOW), 1.5)
    return np.asarray(blurred[edge:-edge, edge:-edge])


def _halve(picture: NDArray[Any]) -> NDArray[Any]:
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    even = picture[:height, :width]
    return np.asarray((even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4)
