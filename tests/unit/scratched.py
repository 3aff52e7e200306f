"""A picture that is panned, with grain and a line that stays in its column, for tests of what lasts."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from filmrestore.frame import Format, Frame

Float32 = NDArray[np.float32]
HEIGHT, WIDTH = 225, 331
FRAMES = 18


def plate(seed: int, height: int = HEIGHT + 20, width: int = WIDTH + 200) -> Float32:
    """A picture with detail of several sizes, 0.2 to 0.8."""
    rng = np.random.default_rng(seed)
    wide = sum(
        amount * cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), size) * size
        for size, amount in ((2.0, 0.2), (6.0, 0.5), (20.0, 1.0))
    )
    return np.float32(0.5) + np.float32(0.3) * np.asarray(wide / np.abs(wide).max(), np.float32)


def grained(frame: Float32, number: int, amount: float = 0.008) -> Float32:
    return frame + np.random.default_rng(number).normal(0, amount, frame.shape).astype(np.float32)


def panned(speed: int, frames: int = FRAMES) -> list[Float32]:
    wide = plate(1)
    return [wide[10 : 10 + HEIGHT, speed * n : speed * n + WIDTH].copy() for n in range(frames)]


def scratched(frame: Float32, column: float, amount: float, number: int) -> Float32:
    """The frame with a line two columns wide, whose strength is never the same, as where dust has filled it."""
    rng = np.random.default_rng([number, 7])
    away = np.abs(np.arange(frame.shape[1]) - column)
    cover = np.clip(1.5 - away, 0, 1)[None, :]
    strength = cv2.GaussianBlur(rng.standard_normal((frame.shape[0], 1)).astype(np.float32), (1, 31), 0, sigmaY=6)
    strength = np.clip(0.8 + 0.35 * strength / strength.std(), 0.1, 1.2)
    return np.asarray(frame + amount * cover * strength, np.float32)


def frame_of(picture: Float32, number: int) -> Frame:
    """The picture as a grey frame in light, float32."""
    height, width = picture.shape
    form = Format(
        width=width, height=height, channels=("R", "G", "B"), dtype="float32", bits=32, container="exr", lossless=True
    )
    window = (0, 0, width, height)
    codes = np.repeat(picture[:, :, None], 3, axis=2)
    return Frame(number=number, codes=codes, format=form, data_window=window, display_window=window)
