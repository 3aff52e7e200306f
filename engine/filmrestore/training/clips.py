"""Clean windows of linear light with all the motion that must not be taken for damage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frame import Box
from .footage import Footage

Linear = NDArray[np.float32]
Move = Callable[[float], NDArray[np.float64]]
"""Time in frames -> 2x3 matrix from window pixels to source pixels."""

FRAMES = 5
WHOLE = 64
SHUTTER = 0.5
"""Share of the frame's time that the shutter is open, on average: 180 degrees."""

_CODES = np.arange(256, dtype=np.float64) / 255.0
TO_LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(np.float32)
"""Linear light by 8-bit sRGB code. Source: IEC 61966-2-1."""


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """A cut-out that crosses the window: premultiplied linear colour and alpha, shape (h, w, 4)."""

    rgba: Linear
    move: Move
    speed: float


@dataclass(frozen=True, kw_only=True)
class View:
    """A clean window and the larger picture that it is a part of.

    Attributes:
        frames: Shape (5, size, size, 3), linear light.
        whole: The larger picture at the middle frame, shape (64, 64, 3), linear light.
        full: (height, width) of the larger picture in the window's pixels.
        box: The window in the larger picture.
    """

    frames: Linear
    whole: Linear
    full: tuple[int, int]
    box: Box


def clean_view(footage: Footage, rng: np.random.Generator, size: int) -> View:
    """A window of a moving still or of a clip, with none to three things that cross it."""
    view = _still_view(footage, rng, size) if rng.random() < 0.5 else _clip_view(footage, rng, size)
    for _ in range(int(rng.choice(4, p=(0.38, 0.32, 0.18, 0.12)))):
        lay_over(view.frames, cut_out(footage, rng, size), rng)
    return view


def lay_over(frames: Linear, sprite: Sprite, rng: np.random.Generator) -> None:
    """Draws a sprite into every frame of a window, in place, blurred by its own motion."""
    size = frames.shape[1]
    shutter = rng.uniform(0.0, 2 * SHUTTER)
    count = int(np.clip(sprite.speed * shutter / 2.0, 1, 6))
    for index in range(len(frames)):
        layer = np.zeros((size, size, 4), np.float32)
        for step in range(count):
            matrix = sprite.move(index + shutter * step / count)
            layer += cv2.warpAffine(sprite.rgba, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        layer /= count
        frames[index] = layer[:, :, :3] + (1.0 - layer[:, :, 3:]) * frames[index]


def speed_of(rng: np.random.Generator, still: float = 0.2, fastest: float = 30.0) -> float:
    """A speed in pixels a frame: 0 with probability `still`, else log-uniform from .2 to `fastest`."""
    return 0.0 if rng.random() < still else float(np.exp(rng.uniform(np.log(0.2), np.log(fastest))))


def glide(rng: np.random.Generator, speed: float, turn: float = 0.02) -> Move:
    """A smooth move about the origin: steady velocity, some acceleration, rotation, zoom and hand shake."""
    angle, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.08)
    velocity = speed * np.array([np.cos(angle), np.sin(angle)])
    sideways = bend * velocity[::-1] * (1, -1)
    start, spin = rng.uniform(-0.3, 0.3) * (rng.random() < 0.3), rng.normal(0, turn) * (rng.random() < 0.5)
    zoom = rng.normal(0, 0.008 if rng.random() < 0.85 else 0.04) * (rng.random() < 0.5)
    shake = rng.normal(0, 0.4, (2, 3)) * (rng.random() < 0.3)
    phases = rng.uniform(0, 6.28, 3)

    def matrix(time: float) -> NDArray[np.float64]:
        centred = time - (FRAMES - 1) / 2
        place = velocity * centred + sideways * centred * abs(centred) / 2
        place = place + shake @ np.sin(phases + centred * np.array([1.1, 2.3, 4.1]))
        scale, rotation = np.exp(zoom * centred), start + spin * centred
        cos, sin = scale * np.cos(rotation), scale * np.sin(rotation)
        return np.array([[cos, -sin, place[0]], [sin, cos, place[1]]])

    return matrix


def about(move: Move, source: tuple[float, float], target: tuple[float, float]) -> Move:
    """The move with its origin at `source` (x, y) in the source and at `target` in the window."""

    def matrix(time: float) -> NDArray[np.float64]:
        turned = move(time)
        offset = turned[:, 2] + np.array(source) - turned[:, :2] @ np.array(target)
        return np.hstack([turned[:, :2], offset[:, None]])

    return matrix


def texture(footage: Footage, rng: np.random.Generator, size: int, scale: float) -> Linear:
    """A piece of a still, linear light, about `size` pixels square after shrinking it by `scale`."""
    picture = footage.still(int(rng.integers(1 << 30)))
    height, width = picture.shape[:2]
    edge = min(round(size * scale), height, width)
    top, left = int(rng.integers(height - edge + 1)), int(rng.integers(width - edge + 1))
    piece = np.ascontiguousarray(picture[top : top + edge, left : left + edge])
    if edge > size:
        piece = cv2.resize(piece, (size, size), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    return TO_LINEAR[piece]


def _still_view(footage: Footage, rng: np.random.Generator, size: int) -> View:
    speed = speed_of(rng, still=0.27)
    edge = round(size * 1.35 + 4 * speed)
    looked_at = [texture(footage, rng, edge, float(rng.uniform(0.8, 3.5))) for _ in range(_looks(rng))]
    source = max(looked_at, key=lambda light: _detail(light[::2, ::2, 1]))
    centre = (source.shape[1] / 2, source.shape[0] / 2)
    move = about(glide(rng, speed), centre, (size / 2, size / 2))
    shutter = rng.uniform(0.0, 2 * SHUTTER)
    count = int(np.clip(speed * shutter / 2.0, 1, 5))
    frames = np.zeros((FRAMES, size, size, 3), np.float32)
    swell = _swell(rng, size) if rng.random() < 0.2 else None
    for index in range(FRAMES):
        for step in range(count):
            frames[index] += _seen(source, move, index + shutter * step / count, size, swell)
    frames /= count
    whole = cv2.resize(source, (WHOLE, WHOLE), interpolation=cv2.INTER_AREA)
    left, top = (max(0, round(middle - size / 2)) for middle in centre)
    full = (max(source.shape[0], size), max(source.shape[1], size))
    return View(frames=frames, whole=whole, full=full, box=Box(x0=left, y0=top, x1=left + size, y1=top + size))


def _looks(rng: np.random.Generator) -> int:
    """How many pictures are looked at, of which the one with the most detail is taken: in it marks are hard to see."""
    return 1 if rng.random() < 0.3 else 4


def _detail(green: Linear) -> float:
    """Mean step from pixel to pixel, down and across, as bright as a display shows it."""
    shown = np.sqrt(green)
    return sum(float(np.abs(np.diff(shown, axis=axis)).mean()) for axis in (0, 1)) if min(green.shape) > 1 else 0.0


def _seen(source: Linear, move: Move, time: float, size: int, swell: Callable[[float], Linear] | None) -> Linear:
    if swell is None:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        view = cv2.warpAffine(source, move(time), (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    else:
        places = swell(time) @ move(time).T.astype(np.float32)
        view = cv2.remap(source, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(view, np.float32)


def _swell(rng: np.random.Generator, size: int) -> Callable[[float], Linear]:
    """Water, cloth, limbs: window places (h, w, 3: x, y, 1) bent by slow smooth waves."""
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    waves = [rng.normal(0, 1, (5, 5, 2)).astype(np.float32) for _ in range(2)]
    fields = [cv2.resize(wave, (size, size), interpolation=cv2.INTER_CUBIC) for wave in waves]
    reach, pace = rng.uniform(1.0, 8.0), rng.uniform(0.3, 1.6)

    def places(time: float) -> Linear:
        bent = reach * (np.sin(pace * time) * fields[0] + np.cos(pace * time) * fields[1])
        return np.dstack([columns + bent[:, :, 0], rows + bent[:, :, 1], np.ones_like(rows)]).astype(np.float32)

    return places


def _clip_view(footage: Footage, rng: np.random.Generator, size: int) -> View:
    clip = footage.clip(int(rng.integers(1 << 30)))
    count, height, width = clip.shape[:3]
    stride = min(int(rng.choice((1, 1, 1, 2, 3))), (count - 1) // (FRAMES - 1))
    first = int(rng.integers(count - stride * (FRAMES - 1)))
    edge = int(min(size * rng.uniform(0.8, 2.0), height, width))
    drift = rng.normal(0, 4.0, 2) * (rng.random() < 0.3)

    def detail(corner: NDArray[np.float64]) -> float:
        top, left = corner.astype(int)
        return _detail(TO_LINEAR[clip[first, top : top + edge : 2, left : left + edge : 2, 1]])

    corner = max((rng.uniform(0, (height - edge, width - edge)) for _ in range(_looks(rng))), key=detail)
    frames = np.empty((FRAMES, size, size, 3), np.float32)
    for index in range(FRAMES):
        top, left = np.clip(np.rint(corner + drift * index), 0, (height - edge, width - edge)).astype(int)
        view = np.ascontiguousarray(clip[first + stride * index, top : top + edge, left : left + edge])
        way = cv2.INTER_AREA if edge > size else cv2.INTER_CUBIC
        frames[index] = TO_LINEAR[cv2.resize(view, (size, size), interpolation=way)]
    whole = TO_LINEAR[cv2.resize(clip[first + stride * 2], (WHOLE, WHOLE), interpolation=cv2.INTER_AREA)]
    scale = size / edge
    full = (round(height * scale), round(width * scale))
    left, top = round(corner[1] * scale), round(corner[0] * scale)
    if rng.random() < 0.5:
        frames = frames[::-1]
    if rng.random() < 0.5:
        frames, whole, left = frames[:, :, ::-1], whole[:, ::-1], full[1] - size - left
    box = Box(x0=left, y0=top, x1=left + size, y1=top + size)
    return View(frames=np.ascontiguousarray(frames), whole=np.ascontiguousarray(whole), full=full, box=box)


def cut_out(footage: Footage, rng: np.random.Generator, size: int) -> Sprite:
    """Something from a still, to cross a window of that size."""
    edge = int(np.exp(rng.uniform(np.log(12), np.log(0.7 * size))))
    colour = texture(footage, rng, edge, float(rng.uniform(0.7, 4.0)))
    edge = colour.shape[0]
    alpha = _blob(rng, edge)[:, :, None]
    speed, turn = speed_of(rng, still=0.05, fastest=45.0), float(rng.choice((0.06, 0.12, 0.4)))
    place = rng.uniform(0.1, 0.9, 2) * size
    move = about(glide(rng, speed, turn=turn), (edge / 2, edge / 2), (float(place[0]), float(place[1])))
    return Sprite(rgba=np.dstack([colour * alpha, alpha]).astype(np.float32), move=move, speed=speed)


def _blob(rng: np.random.Generator, edge: int) -> Linear:
    """A random outline, alpha 0..1 with a soft edge, 0 at the border."""
    cells = int(rng.integers(3, 7))
    noise = cv2.resize(
        rng.normal(0, 0.6, (cells, cells)).astype(np.float32), (edge, edge), interpolation=cv2.INTER_CUBIC
    )
    axis = np.linspace(-1, 1, edge, dtype=np.float32)
    stretch = rng.uniform(1.0, 2.5)
    distance = np.hypot(axis[None, :] * (stretch if rng.random() < 0.5 else 1), axis[:, None])
    softness = rng.uniform(1.0, 3.0) / edge * 2
    inside = (0.75 - distance + 0.35 * noise) / softness
    return np.asarray(np.clip(inside, 0, 1) * np.clip((1 - distance) / softness, 0, 1), np.float32)
