"""Noise that depends on seed, frame and absolute pixel only, never on which patch asks first."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from numpy import ndarray as Array
from numpy.typing import NDArray

from ...frame import Box

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def noise(seed: int, frame: int, box: Box, channels: int = 3) -> Float32[Array, "c h w"]:
    """Normal noise of the box in the frame; boxes that overlap agree on every pixel that they share.

    Args:
        seed: Any integer.
        frame: Source frame number; may be negative.
        box: Absolute pixels.

    Source: counters mixed by splitmix64 (G. Steele et al., 2014), then the Box-Muller transform.
    """
    key = _mixed(_mixed(np.array([seed % 2**64], np.uint64)) ^ np.array([frame % 2**64], np.uint64))
    x = np.arange(box.x0, box.x1, dtype=np.int64).astype(np.uint64)
    y = np.arange(box.y0, box.y1, dtype=np.int64).astype(np.uint64) << np.uint64(32)
    channel = np.arange(channels, dtype=np.uint64) << np.uint64(60)
    place = channel[:, None, None] ^ y[:, None] ^ (x & np.uint64(0xFFFFFFFF))
    bits = _mixed(_mixed(place) ^ key)
    radius = np.sqrt(-2.0 * np.log(((bits >> np.uint64(32)) + np.uint64(1)) / 2.0**32))
    turn = 2.0 * np.pi / 2.0**32 * (bits & np.uint64(0xFFFFFFFF))
    normal: Float32[Array, "c h w"] = (radius * np.cos(turn)).astype(np.float32)
    return normal


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = value + _GOLDEN
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
