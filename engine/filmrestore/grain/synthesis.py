"""New grain as a function of (seed, frame, absolute pixel, layer), exact to the bit for every crop."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .model import Float32, GrainModel

_BLOCK = 64  # white noise is drawn in blocks of this edge, on a grid fixed to the frame
_ROWS = 256  # rows filtered at once
_MIX_STEPS = 64
_KERNEL_STEPS = 1024
_MASK = (1 << 64) - 1


def synthesise(
    model: GrainModel,
    picture: Float32,
    seed: int,
    frame: int,
    origin: tuple[int, int] = (0, 0),
    *,
    size: float = 1.0,
) -> Float32:
    """Grain that the model would lay over a picture.

    White noise, mixing and filtering run on small integers, which float32 adds without error in any order: a crop
    holds the same bits as the whole, whatever the library's vector width.

    Args:
        picture: Shape (h, w, 3), net, without grain: gives each pixel's brightness.
        seed: Another seed gives other grain.
        frame: Source frame number; each frame has its own grain.
        origin: (x, y) of the picture's top left pixel in the full frame.
        size: Grain size against the model's.

    Returns:
        What to add, shape (h, w, 3), net, mean 0.
    """
    grain = np.empty(picture.shape, np.float32)
    for top in range(0, len(picture), _ROWS):
        part = picture[top : top + _ROWS]
        unit = unit_grain(model, seed, frame, (origin[0], origin[1] + top), part.shape[:2], size=size)
        np.multiply(unit, model.deviation_at(part), out=grain[top : top + _ROWS])
    return grain


def unit_grain(
    model: GrainModel, seed: int, frame: int, origin: tuple[int, int], shape: tuple[int, int], *, size: float = 1.0
) -> Float32:
    """Grain of unit deviation with the model's spectrum and layer correlation, shape (*shape, 3)."""
    mixing, kernels = _integers(model, size)
    radius = max(kernel.shape[0] for kernel in kernels) // 2
    x, y = origin[0] - radius, origin[1] - radius
    height, width = shape
    noise = _white(seed, frame, x, y, width + 2 * radius, height + 2 * radius).astype(np.float32)
    out = np.empty((height, width, 3), np.float32)
    for channel, kernel in enumerate(kernels):
        weights = mixing[channel]
        mixed = np.rint((noise @ weights) * np.float32(0.25))
        filtered = cv2.filter2D(mixed, cv2.CV_32F, kernel[::-1, ::-1])
        # Large kernels go through a DFT, whose error is far below the half that rounding takes away.
        filtered = np.rint(filtered[radius : radius + height, radius : radius + width])
        scale = 1.0 / (np.linalg.norm(weights.astype(np.float64)) * np.linalg.norm(kernel.astype(np.float64)))
        np.multiply(filtered, np.float32(scale), out=out[..., channel])
    return out


def _white(seed: int, frame: int, x: int, y: int, width: int, height: int) -> NDArray[np.int8]:
    """White noise, integers of deviation 4 from -32 to 32, for a window of the frame's plane; shape (h, w, 3).

    The count of ones in 64 random bits is a binomial that a normal law fits to 3 % of its kurtosis.
    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011): Philox, whose raw stream is fixed.
    """
    out = np.empty((height, width, 3), np.int8)
    for row in range(y // _BLOCK, (y + height - 1) // _BLOCK + 1):
        for column in range(x // _BLOCK, (x + width - 1) // _BLOCK + 1):
            block = _block(seed, frame, column, row)
            left, top = column * _BLOCK - x, row * _BLOCK - y
            target = (slice(max(top, 0), min(top + _BLOCK, height)), slice(max(left, 0), min(left + _BLOCK, width)))
            rows = slice(target[0].start - top, target[0].stop - top)
            columns = slice(target[1].start - left, target[1].stop - left)
            out[target] = block[rows, columns]
    return out


@lru_cache(maxsize=256)
def _block(seed: int, frame: int, column: int, row: int) -> NDArray[np.int8]:
    counter = np.array([0, column & _MASK, row & _MASK, 0], dtype=np.uint64)
    key = np.array([seed & _MASK, frame & _MASK], dtype=np.uint64)
    bits = np.random.Philox(counter=counter, key=key).random_raw(_BLOCK * _BLOCK * 3)
    return (np.bitwise_count(bits).astype(np.int8) - 32).reshape(_BLOCK, _BLOCK, 3)


@lru_cache(maxsize=32)
def _integers(model: GrainModel, size: float) -> tuple[Float32, tuple[Float32, ...]]:
    """(mixing 3 x 3 in 64ths, kernels in 1024ths), all whole numbers.

    Layers of different coarseness lose correlation when filtered, so the white noise is correlated more.
    """
    kernels = [model.kernel(channel, size) for channel in range(3)]
    overlap = np.array([[(one * other).sum() for other in kernels] for one in kernels])
    wanted = np.clip(np.array(model.correlation) / np.maximum(overlap, 0.05), -1.0, 1.0)
    values, vectors = np.linalg.eigh(wanted)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    # A rotation of the noise changes no statistics: triangular, so that equal layers get equal rows.
    mixing = np.asarray(np.linalg.qr(root.T, mode="r")).T
    mixing = mixing * np.where(np.diag(mixing) < 0, -1.0, 1.0)
    whole = np.rint(mixing * _MIX_STEPS).astype(np.float32)
    return whole, tuple(np.rint(kernel * _KERNEL_STEPS).astype(np.float32) for kernel in kernels)
