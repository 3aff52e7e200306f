"""Stability: flicker, weave and jumps, and frames that are missing or shown twice."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..settings import DegradeSettings
from .canvas import Light
from .chance import generator, key64, lattice, smooth
from .stains import is_splice

PULL_DOWN = 4  # perforations a frame: the sprocket's error comes back after so many frames


def flicker(light: Light, settings: DegradeSettings, number: int) -> Light:
    """Exposure that changes from frame to frame, evenly and unevenly over the frame.

    Args:
        light: Scene-linear, shape (h, w, 3).
        settings: flicker and flicker_uneven are standard deviations in stops.
        number: Frame.
    """
    seed = settings.seed
    if settings.flicker:
        beat = smooth(number / 2.2, seed, "flicker") * 0.8 + smooth(number * 1.0, seed, "flicker", "fast") * 0.6
        light = light * np.float32(2.0 ** (settings.flicker * float(beat)))
    if settings.flicker_uneven:
        cells = [
            [float(smooth(number / 2.6, key64(seed, "uneven", row, column))) for column in range(4)] for row in range(4)
        ]
        stops = cv2.resize(np.array(cells, np.float32), light.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        gain = np.exp2(stops * np.float32(settings.flicker_uneven))
        light = light * gain[:, :, None]
    return light


def weave(settings: DegradeSettings, number: int, scale: float, frame_height: float) -> tuple[float, float]:
    """How far the film stands from its place at a frame: (x, y), px.

    A slow walk, a beat that comes back with the sprocket, and the jump of a splice that takes two frames to settle.
    """
    shift = [0.0, 0.0]
    for axis, name in enumerate("xy"):
        keys = (settings.seed, "weave", name)
        if settings.weave:
            walk = sum(
                weight * float(smooth(number / period, *keys, period))
                for period, weight in ((31, 0.7), (9, 0.6), (2, 0.4))
            )
            shift[axis] += settings.weave * scale * walk
        if settings.beat:
            tooth = lattice(np.array([number % PULL_DOWN]), *keys, "tooth")
            shift[axis] += settings.beat * scale * float(tooth[0]) * (1.0 if name == "y" else 0.4)
    for ago, rest in ((0, 1.0), (1, -0.35)):
        if settings.splice_jump and is_splice(settings.splices, settings.seed, number - ago):
            draw = generator(settings.seed, "jump", number - ago)
            shift[1] += rest * float(draw.normal(0.0, settings.splice_jump)) * frame_height
    return shift[0], shift[1]


def shifted(light: Light, shift: tuple[float, float]) -> Light:
    """The picture moved by (x, y) px; what comes in at an edge mirrors it."""
    if shift == (0.0, 0.0):
        return light
    matrix = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
    size = (light.shape[1], light.shape[0])
    # OpenCV takes for ever to mirror a picture that is smaller than its shift.
    is_small = min(size) < 2.0 * max(map(abs, shift)) + 8.0
    border = cv2.BORDER_REPLICATE if is_small else cv2.BORDER_REFLECT_101
    return np.asarray(cv2.warpAffine(light, matrix, size, flags=cv2.INTER_CUBIC, borderMode=border))


def source_frame(settings: DegradeSettings, number: int) -> int:
    """Which frame of the clean shot is seen at a frame.

    A missing frame shows a neighbour instead. A repeated frame is shown twice, and the film runs one frame late for a
    few frames until it has caught up: so shots keep their length and any frame can be asked for alone.
    """
    missing, repeated = settings.missing / 1000.0, settings.repeated / 1000.0
    if missing:
        draw = generator(settings.seed, "missing", number)
        if draw.random() < missing:
            return number + (-1 if draw.random() < 0.5 else 1)
    for ago in range(12):
        if not repeated:
            break
        draw = generator(settings.seed, "repeated", number - ago)
        if draw.random() < repeated and ago < math.floor(draw.uniform(1.0, 13.0)):
            return number - 1
    return number
