"""What a scan still shows under a mark: the mark is taken off it, and only what it hides is replaced."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from .model import Float32, GrainModel
from .regions import regions
from .separation import band_shares, smoothed

_BANDS = 2
_WINDOW = 5  # edge of the square, pixels, in which a mark's own power is judged
_AROUND = 17  # and of that in which the difference beside it is
_REACH = 16
_PART = 0.5  # of the power that the surroundings lead one to expect: more spares false marks, and true ones too
_STRONG = (3.0, 7.0)  # deviations of the grain: a fainter mark leaves enough of it, a stronger one none
_LEAST = np.float32(1e-20)

_AXES = np.array(
    [
        [1 / math.sqrt(3), 1 / math.sqrt(3), 1 / math.sqrt(3)],
        [1 / math.sqrt(2), -1 / math.sqrt(2), 0],
        [1 / math.sqrt(6), 1 / math.sqrt(6), -2 / math.sqrt(6)],
    ],
    np.float32,
)
"""Brightness, in which most marks lie, and two colours, in which grain is weak: each is judged by itself."""


def show_through(
    net: Float32, clean: Float32, matte: Float32, support: NDArray[np.bool_], model: GrainModel | None
) -> Float32:
    """The clean picture with what the scan itself still shows of it.

    The scan less the clean picture is the mark, and besides that the scan's grain and whatever the clean picture has
    wrong. How strong these two are is seen right beside the mark, and by the model. Each band of the difference loses
    what exceeds them, by Wiener's gain; the rest is no damage, and stays as it was scanned. So an opaque mark is
    replaced, a faint one is taken off, and a false one changes little.

    Args:
        net: The scan, shape (h, w, 3), net.
        clean: What stands under the marks, shape (h, w, 3), net; read where `support` is.
        matte: Shape (h, w), 0..1: the marks.
        support: Shape (h, w): where the clean picture is known, a few pixels around the marks too.
        model: The shot's grain.

    Returns:
        Shape (h, w, 3), net: `clean` where the matte is 0; no value depends on pixels farther than 16 from it.

    Source: Wiener's gain in the bands of Starck and Murtagh (1994), as in `separate`.
    """
    out = clean.copy()
    for region in regions((matte > 0) & support, _REACH):
        box = region.box.slices
        known = support[box] & np.isfinite(net[box]).all(axis=2)
        difference = np.where(known[..., None], net[box] - clean[box], np.float32(0))
        beside = (known & (matte[box] == 0)).astype(np.float32)
        noise = _variances(clean[box], model)
        damage = _turned(_damage(_turned(difference, _AXES), noise, _shares(model), matte[box], beside), _AXES.T)
        inside = region.inside & known
        out[box][inside] = (net[box] - damage)[inside]
    return out


def hidden(net: Float32, mended: Float32, matte: Float32, model: GrainModel) -> Float32:
    """0..1, how much of the scan's grain a mark took with it: none where it is hardly stronger than that, (h, w).

    Args:
        net: The scan, shape (h, w, 3), net.
        mended: The same without the marks.
        matte: Shape (h, w), 0..1: the marks.
        model: The shot's grain.
    """
    out = np.zeros(matte.shape, np.float32)
    for region in regions(matte > 0, _WINDOW):
        box = region.box.slices
        taken = np.nan_to_num(mended[box])
        change = np.where((matte[box] > 0)[..., None], np.nan_to_num(net[box]) - taken, np.float32(0))
        weight = (matte[box] > 0).astype(np.float32)
        most = _strongest(np.abs(change))
        power = np.maximum(cv2.blur(most * most * weight, (_WINDOW, _WINDOW)) / _weights(weight, _WINDOW)[..., 0], 0)
        grain = np.square(np.maximum(_strongest(model.deviation_at(taken)), np.float32(1e-4)))
        weak, strong = _STRONG
        share = np.clip((np.sqrt(power / grain) - np.float32(weak)) / np.float32(strong - weak), 0, 1)
        out[box][region.inside] = share[region.inside]
    return out


def _strongest(layers: Float32) -> Float32:
    """The greatest of the three layers, (h, w); numpy's own maximum along them takes nine times as long."""
    return np.asarray(np.maximum(np.maximum(layers[..., 0], layers[..., 1]), layers[..., 2]))


def _damage(difference: Float32, noise: Float32, shares: tuple[float, ...], matte: Float32, beside: Float32) -> Float32:
    """The share of the difference that is damage, (h, w, 3), axis by axis."""
    # Split by itself: what smoothing brings out of a mark would be taken for noise.
    outside = difference * beside[..., None]
    around, within = _weights(beside, _AROUND), _weights(matte, _WINDOW)
    damage = np.zeros_like(difference)
    for share, part, other in zip(shares, _split(difference), _split(outside), strict=True):
        expected = np.maximum(noise * np.float32(share), _power(other, beside, _AROUND, around))
        power = np.maximum(_power(part, matte, _WINDOW, within), _LEAST)
        damage += part * np.maximum(1 - np.float32(_PART) * expected / power, 0)
    return damage


def _split(planes: Float32) -> list[Float32]:
    """The bands, and what is slower than all of them: they add up to the whole."""
    parts = []
    for band in range(_BANDS):
        slower = smoothed(planes, 1 << band)
        parts.append(planes - slower)
        planes = slower
    return [*parts, planes]


def _power(values: Float32, weight: Float32, edge: int, weights: Float32) -> Float32:
    """Weighted mean of the squares in a square around each pixel; 0 where there is no weight."""
    mean = cv2.blur(values * values * weight[..., None], (edge, edge)) / weights
    return np.asarray(np.maximum(mean, 0))  # a running sum may end a last bit below 0


def _weights(weight: Float32, edge: int) -> Float32:
    return np.asarray(np.maximum(cv2.blur(weight, (edge, edge)), np.float32(1e-4))[..., None])


def _turned(pixels: Float32, axes: Float32) -> Float32:
    """Pixels (..., 3) along other axes; no matrix product, whose last bit changes with the machine's count of cores."""
    turned = (pixels[..., 0] * one + pixels[..., 1] * two + pixels[..., 2] * three for one, two, three in axes)
    return np.stack(list(turned), axis=-1)


def _variances(picture: Float32, model: GrainModel | None) -> Float32:
    """Variance of the grain on each axis, shape (h, w, 3)."""
    if model is None:
        return np.zeros_like(picture)
    deviation = model.deviation_at(np.nan_to_num(picture))
    variances = np.zeros_like(picture)
    for one, two in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)):
        factors = _AXES[:, one] * _AXES[:, two] * np.float32(model.correlation[one][two] * (1 + (one != two)))
        variances += (deviation[..., one] * deviation[..., two])[..., None] * factors
    return np.maximum(variances, 0)


def _shares(model: GrainModel | None) -> tuple[float, ...]:
    """Share of the grain's variance in each band and below, of the green layer."""
    return (0.0,) * (_BANDS + 1) if model is None else band_shares(model.power[1], _BANDS)
