"""Windows of moving film as they were filmed, and as a shorter shutter and a better focus would have had them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..colour import encode_net
from ..damage import Damage, random_settings
from ..damage.stock import optics
from ..settings import DegradeSettings
from .clips import Linear, Sprite, about, clean_view, cut_out, glide, speed_of, texture
from .footage import Footage
from .look import grade

Net = NDArray[np.float32]

FASTEST = 16.0
"""Pixels a frame: what moves farther leaves nothing to learn from."""
SHARP = 0.06
"""Probability of a window without any blur, so that the network learns to leave it alone."""
FINE = 0.03
"""Coarser grain hides what blur has left."""
STEP = 1.5
"""Pixels that things may move between two exposures that are added up for motion blur."""
MOST = 24
BLURRED, SAME = 0.015, 0.005
"""Change of the picture by the blur, net units, mean around a pixel: above the first the pixel is blurred, below the
second it is not, between the two either answer will do."""
AROUND = 9  # px


@dataclass(frozen=True, kw_only=True)
class BlurredWindow:
    """Net encoding, (t, 3, h, w); `matte` and `weight` (t, 1, h, w) as `windows.Sample` has them."""

    scan: Net
    truth: Net
    matte: Net
    weight: Net


def draw_blurred(footage: Footage, seed: int, number: int, size: int, frames: int) -> BlurredWindow:
    """The window of that seed and number: always the same.

    Grain comes after the blur, and the truth carries the same one: it is not for a network to take away.
    """
    rng = np.random.default_rng((seed, number))
    sharp, blurred = (_moving if rng.random() < 0.7 else _filmed)(footage, rng, size, frames)
    if rng.random() < SHARP:
        blurred = sharp
    graded, scanned = int(rng.integers(1 << 31)), int(rng.integers(1 << 20))
    settings = random_settings(rng)
    settings = replace(settings, focus=0.0, motion=0.0, grain=min(settings.grain, FINE))
    film = Damage(settings, size, size, frame_width=max(float(size), float(rng.uniform(1200.0, 2600.0))))
    sides = []
    for light in (blurred, sharp):
        toned, _ = grade(np.random.default_rng(graded), light, light[:1, :1, :1].copy())
        printed = [film.shared(frame, scanned + index) for index, frame in enumerate(toned)]
        sides.append(np.stack([np.moveaxis(encode_net(np.asarray(frame, np.float32)), 2, 0) for frame in printed]))
    matte, weight = _label(*sides)
    return BlurredWindow(
        scan=np.ascontiguousarray(sides[0]), truth=np.ascontiguousarray(sides[1]), matte=matte, weight=weight
    )


def _moving(footage: Footage, rng: np.random.Generator, size: int, frames: int) -> tuple[Linear, Linear]:
    """A still that moves, things that cross it, and their motion blur; then maybe soft focus."""
    speed = speed_of(rng, still=0.1, fastest=FASTEST)
    ground = texture(footage, rng, round(size * 1.35 + 4 * speed), float(rng.uniform(1.2, 3.0)))
    centre = (ground.shape[1] / 2, ground.shape[0] / 2)
    move = about(glide(rng, speed), centre, (size / 2, size / 2))
    things = [cut_out(footage, rng, size) for _ in range(int(rng.integers(3)))]
    shutter = float(rng.uniform(0.2, 1.0))
    fastest = max([speed, *(thing.speed for thing in things)])
    count = int(np.clip(fastest * shutter / STEP, 1, MOST))

    def seen(time: float) -> Linear:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        light = cv2.warpAffine(ground, move(time), (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        for thing in things:
            light = _laid(thing, light, time)
        return np.asarray(light, np.float32)

    sharp = np.stack([seen(index + shutter / 2) for index in range(frames)])
    exposures = [(place + 0.5) / count * shutter for place in range(count)]
    blurred = np.stack([np.mean([seen(index + time) for time in exposures], axis=0) for index in range(frames)])
    return sharp, _softened(rng, blurred) if rng.random() < 0.3 else blurred


def _laid(thing: Sprite, light: Linear, time: float) -> Linear:
    size = light.shape[0]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    layer = cv2.warpAffine(thing.rgba, thing.move(time), (size, size), flags=flags)
    return np.asarray(layer[:, :, :3] + (1.0 - layer[:, :, 3:]) * light, np.float32)


def _filmed(footage: Footage, rng: np.random.Generator, size: int, frames: int) -> tuple[Linear, Linear]:
    """A real clip, put out of focus or shaken."""
    sharp = clean_view(footage, rng, size).frames[:frames]
    return sharp, _softened(rng, sharp)


def _softened(rng: np.random.Generator, frames: Linear) -> Linear:
    """Soft focus or a shaken camera, over the whole frame or a part of it."""
    blur = _blur(rng)
    soft = np.stack([blur(frame, index) for index, frame in enumerate(frames)])
    if rng.random() < 0.6:
        return soft
    cells = rng.normal(0.0, 1.0, (3, 3)).astype(np.float32)
    plane = cv2.resize(cells, frames.shape[2:0:-1], interpolation=cv2.INTER_CUBIC)
    part = np.clip(0.5 + 4.0 * plane, 0.0, 1.0).astype(np.float32)[None, :, :, None]
    return np.asarray(frames + part * (soft - frames), np.float32)


def _blur(rng: np.random.Generator) -> Callable[[Linear, int], Linear]:
    kind = int(rng.integers(3))
    amount = float(np.exp(rng.uniform(np.log(0.7), np.log(3.0))))
    seed, number = int(rng.integers(1 << 31)), int(rng.integers(1 << 20))
    if kind == 0:
        return lambda light, index: _out_of_focus(light, amount * (1.0 + 0.15 * np.sin(0.7 * index + seed % 7)))
    settings = DegradeSettings(focus=amount if kind == 1 else 0.0, motion=4 * amount if kind == 2 else 0.0, seed=seed)
    return lambda light, index: optics(light, settings, number + index, 1.0)


def _out_of_focus(light: Linear, radius: float) -> Linear:
    """A lens' disc of confusion, its edge smooth."""
    reach = int(np.ceil(radius)) + 1
    axis = np.arange(-reach, reach + 1, dtype=np.float32)
    disc = np.clip(radius + 0.5 - np.hypot(axis[:, None], axis[None, :]), 0.0, 1.0)
    return np.asarray(cv2.filter2D(light, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT_101), np.float32)


def _label(scan: Net, truth: Net) -> tuple[Net, Net]:
    change = np.abs(scan - truth).max(axis=1)
    mean = np.stack([cv2.blur(plane, (AROUND, AROUND)) for plane in change])[:, None]
    return (mean > BLURRED).astype(np.float32), ((mean > BLURRED) | (mean < SAME)).astype(np.float32)
