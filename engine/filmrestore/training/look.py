"""How a clean window looks on its film: exposure, tone, colour, light that changes, softness, and old transfers."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .clips import Linear

Transfer = Callable[[Linear], Linear]
"""One frame of linear light (h, w, 3) -> the same after a poor scan or copy."""


def grade(rng: np.random.Generator, frames: Linear, whole: Linear) -> tuple[Linear, Linear]:
    """Exposure, contrast, lifted blacks, tint or grey, and now and then light that changes in the scene.

    Args:
        frames: Shape (5, h, w, 3), linear light.
        whole: Shape (64, 64, 3), the larger picture, graded alike.
    """
    exposure = np.exp(rng.normal(0.0, 0.6))
    gamma = np.exp(rng.normal(0.0, 0.25)) if rng.random() < 0.5 else 1.0
    lift = rng.uniform(0.0, 0.08) if rng.random() < 0.3 else 0.0
    matrix = _colour_matrix(rng)

    def graded(light: Linear) -> Linear:
        toned = lift + exposure * np.maximum(light, 0.0) ** np.float32(gamma)
        return np.asarray(toned.astype(np.float32) @ matrix.T, np.float32)

    levels = _light_levels(rng, len(frames))
    return graded(frames) * levels[:, None, None, None], graded(whole) * levels[len(frames) // 2]


def _colour_matrix(rng: np.random.Generator) -> Linear:
    luma = np.tile(np.array([0.2126, 0.7152, 0.0722]), (3, 1))
    style = rng.random()
    amount = 0.0 if style < 0.4 else rng.uniform(0.3, 1.2) if style < 0.6 else 1.0
    matrix = amount * np.eye(3) + (1 - amount) * luma
    if amount > 0 and rng.random() < 0.4:
        matrix = np.diag(np.exp(rng.normal(0, 0.2, 3))) @ matrix
    return np.asarray(matrix, np.float32)


def _light_levels(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Lamps, lightning, fades: factors a frame."""
    style = rng.random()
    if style < 0.05:
        levels = np.exp(rng.normal(0, 0.15, count))
    elif style < 0.08:
        levels = np.where(np.arange(count) == rng.integers(count), rng.uniform(1.3, 3.0), 1.0)
    elif style < 0.12:
        levels = np.linspace(1.0, rng.uniform(0.4, 1.0), count)[:: int(rng.choice((-1, 1)))]
    else:
        levels = np.ones(count)
    return levels.astype(np.float32)


def unsteady(rng: np.random.Generator, frames: Linear) -> Linear:
    """Frames that differ in tone, and blends of two: what copies of early film have. Four windows in five stay.

    Both are shared by scan and truth: they are not for the matte.
    """
    style = rng.random()
    if style < 0.12:
        spread = float(np.exp(rng.uniform(np.log(0.01), np.log(0.08))))
        lifts = np.maximum(rng.normal(0.0, spread, len(frames)), -0.05)
        gammas = np.exp(rng.normal(0.0, 2.0 * spread, len(frames)))
        toned = [
            np.maximum(frame + np.float32(lift), 0.0) ** np.float32(gamma)
            for frame, lift, gamma in zip(frames, lifts, gammas, strict=True)
        ]
        return np.stack(toned)
    if style < 0.2:
        share = np.where(rng.random(len(frames) - 1) < 0.4, rng.uniform(0.2, 0.5, len(frames) - 1), 0.0)
        blended = frames.copy()
        blended[:-1] += share.astype(np.float32)[:, None, None, None] * (frames[1:] - frames[:-1])
        return blended
    return frames


def soften(rng: np.random.Generator, frames: Linear) -> Linear:
    """Blur of the lens and the print, before any damage: a third of the windows."""
    if rng.random() < 0.67:
        return frames
    sigma = rng.uniform(0.4, 2.0)
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


def old_transfer(rng: np.random.Generator) -> Transfer | None:
    """A copy of low resolution, compressed: what circulates of early film. None for a good scan, three quarters.

    It acts after the damage, on scan and truth alike.
    """
    if rng.random() < 0.75:
        return None
    shrink = rng.uniform(1.2, 2.2) if rng.random() < 0.6 else 1.0
    sigma = rng.uniform(0.3, 0.9)
    quality = int(rng.integers(55, 96)) if rng.random() < 0.7 else 0
    sharpen = rng.uniform(0.0, 0.8) if rng.random() < 0.3 else 0.0

    def transfer(light: Linear) -> Linear:
        display = _display(light)
        height, width = display.shape[:2]
        if shrink > 1.0:
            small = (round(width / shrink), round(height / shrink))
            display = cv2.resize(display, small, interpolation=cv2.INTER_AREA)
            display = cv2.resize(display, (width, height), interpolation=cv2.INTER_CUBIC)
        else:
            display = cv2.GaussianBlur(display, (0, 0), sigma)
        if sharpen:
            display = display + sharpen * (display - cv2.GaussianBlur(display, (0, 0), 1.5))
        return _light(_compressed(display, quality) if quality else display)

    return transfer


def _compressed(display: Linear, quality: int) -> Linear:
    codes = np.clip(np.rint(display * 255.0), 0, 255).astype(np.uint8)
    done, stream = cv2.imencode(".jpg", codes, (cv2.IMWRITE_JPEG_QUALITY, quality))
    assert done, "OpenCV could not write a JPEG into memory"
    return np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR), np.float32) / 255.0


def _display(light: Linear) -> Linear:
    """Square-root-like display code of linear light, 0..1 for what an 8-bit copy can hold."""
    return np.asarray(np.clip(light, 0.0, 1.0) ** np.float32(1 / 2.2), np.float32)


def _light(display: Linear) -> Linear:
    return np.asarray(np.maximum(display, 0.0) ** np.float32(2.2), np.float32)
