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
_ALONG = 6  # pixels that a line is followed to either side
_RIDGE = (0.3, 0.8)  # coherence from which a mark counts as a line, and as nothing else
_FEWEST = 5.0  # pixels that a mean along a line needs
_OPAQUE = 0.1  # net: half of it as a line's strength still lets texture through, half as much again none
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
    replaced, a faint one is taken off, and a false one changes little. Along a line, whose strength changes slowly,
    what does change is no damage, either.

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
        most = np.abs(change).max(axis=2, keepdims=True).repeat(3, axis=2)
        power = _power(most, weight, _WINDOW, _weights(weight, _WINDOW))[..., 0]
        grain = np.square(np.maximum(model.deviation_at(taken).max(axis=2), np.float32(1e-4)))
        weak, strong = _STRONG
        share = np.clip((np.sqrt(power / grain) - np.float32(weak)) / np.float32(strong - weak), 0, 1)
        out[box][region.inside] = share[region.inside]
    return out


def _damage(difference: Float32, noise: Float32, shares: tuple[float, ...], matte: Float32, beside: Float32) -> Float32:
    """The share of the difference that is damage, (h, w, 3), axis by axis."""
    line = _along(difference, matte)
    outside = (
        difference * beside[..., None]
    )  # by itself, or what smoothing brings out of a mark would be taken for noise
    around, within = _weights(beside, _AROUND), _weights(matte, _WINDOW)
    expected = np.maximum(noise, _power(outside, beside, _AROUND, around))
    damage = _above(difference - line, expected, matte, within)
    for share, part, other in zip(shares, _split(line), _split(outside), strict=True):
        expected = np.maximum(noise * np.float32(share), _power(other, beside, _AROUND, around))
        damage += _above(part, np.float32(_PART) * expected, matte, within)
    return damage


def _split(planes: Float32) -> list[Float32]:
    """The bands, and what is slower than all of them: they add up to the whole."""
    parts = []
    for band in range(_BANDS):
        slower = smoothed(planes, 1 << band)
        parts.append(planes - slower)
        planes = slower
    return [*parts, planes]


def _above(part: Float32, expected: Float32, matte: Float32, within: Float32) -> Float32:
    """Wiener's gain on what a mark's power has above the expected."""
    power = _power(part, matte, _WINDOW, within)
    return np.asarray(part * np.maximum(1 - expected / np.maximum(power, _LEAST), 0), np.float32)


def _along(difference: Float32, matte: Float32) -> Float32:
    """The difference averaged along the ridges that it has, as far as it has any."""
    grey = cv2.GaussianBlur(difference[..., 0] * matte, (5, 5), 0.8, borderType=cv2.BORDER_REFLECT_101)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    both, level, upright = (cv2.blur(part, (9, 9)) for part in (across * down, down * down, across * across))
    spread = np.sqrt(np.square(upright - level) + 4 * np.square(both))
    none, full = _RIDGE
    share = np.clip((spread / np.maximum(upright + level, _LEAST) - np.float32(none)) / np.float32(full - none), 0, 1)
    at = np.nonzero((share > 0) & (matte > 0))
    turn = 0.5 * np.arctan2(2 * both[at], (upright - level)[at]) + np.float32(np.pi / 2)
    mean, weight = _followed(difference, matte == 1, at, np.sin(turn), np.cos(turn))
    strength = np.sqrt(np.square(mean).mean(axis=1)) / np.float32(_OPAQUE)
    share = share[at] * (weight >= _FEWEST) * np.clip(np.float32(1.5) - strength, 0, 1)
    line = difference.copy()
    line[at] += (mean - difference[at]) * share[:, None]
    return line


def _followed(
    values: Float32, counts: NDArray[np.bool_], at: tuple[NDArray[np.intp], ...], down: Float32, across: Float32
) -> tuple[Float32, Float32]:
    """Mean of the values along a direction through n pixels, (n, 3), and from how many steps each is."""
    steps = np.arange(-_ALONG, _ALONG + 1, dtype=np.float32)[:, None]
    y, x = at[0] + steps * down, at[1] + steps * across
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    low, right = (y - top).astype(np.float32), (x - left).astype(np.float32)
    height, width = counts.shape
    sample, inside = np.zeros((*y.shape, 3), np.float32), np.ones(y.shape, np.bool_)
    for row, vertical in ((top, 1 - low), (top + 1, low)):
        for column, level in ((left, 1 - right), (left + 1, right)):
            share = vertical * level
            there = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            place = np.where(there, row, 0), np.where(there, column, 0)
            inside &= (counts[place] & there) | (share == 0)
            sample += values[place] * share[..., None]
    weights = inside.sum(axis=0, dtype=np.float32)
    return (sample * inside[..., None]).sum(axis=0) / np.maximum(weights, np.float32(1))[:, None], weights


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
