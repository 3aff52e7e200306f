"""Content that looks like dirt or scratches and is none: it moves or stays as things in front of a camera do."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .clips import FRAMES, Linear, about, glide

Alpha = NDArray[np.uint8]
Lookalike = Callable[[np.random.Generator, Linear], None]

_SHIFT = 4
"""Fraction bits of drawing coordinates: shapes move by sixteenths of a pixel."""
_GLYPHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!?.,-"


def add_lookalikes(rng: np.random.Generator, frames: Linear) -> tuple[str, ...]:
    """Draws one or two kinds of lookalikes into a clean window, in place.

    Args:
        rng: Decides everything.
        frames: Shape (5, h, w, 3), linear light.

    Returns:
        Names of what was drawn.
    """
    count = 1 if rng.random() < 0.75 else 2
    kinds = sorted(LOOKALIKES)
    odds = np.array([ODDS.get(name, 1.0) for name in kinds])
    names = [str(name) for name in rng.choice(kinds, count, replace=False, p=odds / odds.sum())]
    for name in names:
        LOOKALIKES[name](rng, frames)
    return tuple(names)


def _particles(
    rng: np.random.Generator,
    frames: Linear,
    *,
    count: int,
    velocity: NDArray[np.float64],
    widths: tuple[float, float],
    colours: NDArray[np.float64],
    opacity: tuple[float, float],
    wobble: float = 0.0,
    gravity: float = 0.0,
    shutter: float = 0.5,
    twinkle: float = 0.0,
    start: NDArray[np.float64] | None = None,
) -> None:
    """Points that fly: drawn as the line each covers while the shutter is open."""
    size = frames.shape[1]
    reach = np.abs(velocity).max(initial=0.0) * FRAMES
    places = rng.uniform(-reach, size + reach, (count, 2)) if start is None else start
    thickness = np.exp(rng.uniform(math.log(widths[0]), math.log(widths[1]), count))
    strength = rng.uniform(*opacity, count)
    phases, pace = rng.uniform(0, 6.28, (count, 2)), rng.uniform(0.4, 2.0, (count, 2))

    def at(time: float) -> NDArray[np.float64]:
        fall = np.array([0.0, gravity * time * time / 2])
        return np.asarray(places + velocity * time + wobble * np.sin(phases + pace * time) + fall)

    for index in range(FRAMES):
        begin, end = at(index), at(index + shutter)
        shown = strength * np.clip(1 - twinkle * rng.random(count), 0, 1)
        _draw_streaks(frames[index], begin, end, thickness, colours, shown)


def _draw_streaks(
    frame: Linear,
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
    thickness: NDArray[np.float64],
    colours: NDArray[np.float64],
    opacity: NDArray[np.float64],
) -> None:
    size = frame.shape[0]
    inside = ((np.maximum(begin, end) > -8) & (np.minimum(begin, end) < size + 8)).all(axis=1)
    for group in np.unique(np.arange(len(begin)) % len(colours)):
        alpha: Alpha = np.zeros(frame.shape[:2], np.uint8)
        for item in np.flatnonzero(inside & (np.arange(len(begin)) % len(colours) == group)):
            _streak(alpha, begin[item], end[item], float(thickness[item]), float(opacity[item]))
        _lay(frame, alpha, colours[group])


def _streak(alpha: Alpha, begin: NDArray[np.float64], end: NDArray[np.float64], width: float, opacity: float) -> None:
    """One antialiased line; lines thinner than a pixel are fainter, blurred ones thinner in light."""
    grey = int(255 * opacity * min(width, 1.0))
    first, last = (tuple(int(v) for v in np.rint(point * (1 << _SHIFT))) for point in (begin, end))
    if max(abs(first[0] - last[0]), abs(first[1] - last[1])) < (1 << _SHIFT) * width:
        cv2.circle(alpha, first, int(max(width, 1.0) / 2 * (1 << _SHIFT)), grey, -1, cv2.LINE_AA, _SHIFT)
    else:
        cv2.line(alpha, first, last, grey, max(1, round(width)), cv2.LINE_AA, _SHIFT)


def _lay(frame: Linear, alpha: Alpha, colour: NDArray[np.float64], soft: float = 0.5) -> None:
    cover = cv2.GaussianBlur(alpha, (0, 0), soft).astype(np.float32)[:, :, None] / 255.0
    frame += cover * (colour.astype(np.float32) - frame)


def _colours(rng: np.random.Generator, count: int, low: float = 0.3, high: float = 2.0) -> NDArray[np.float64]:
    tint = rng.uniform(0.1, 1.0, (count, 3)) if rng.random() < 0.6 else np.ones((count, 3))
    return np.asarray(tint * np.exp(rng.uniform(np.log(low), np.log(high), (count, 1))))


def _white(rng: np.random.Generator) -> NDArray[np.float64]:
    return np.full((1, 3), rng.uniform(0.4, 1.5))


def _heading(rng: np.random.Generator, count: int, speed: float, spread: float, angle: float) -> NDArray[np.float64]:
    angles = angle + rng.normal(0, spread, count)
    speeds = speed * rng.uniform(0.5, 1.5, count)
    return np.stack([np.cos(angles) * speeds, np.sin(angles) * speeds], axis=1)


def _rain(rng: np.random.Generator, frames: Linear) -> None:
    count = int(rng.integers(30, 400))
    velocity = _heading(rng, count, rng.uniform(15, 70), 0.03, np.pi / 2 + rng.normal(0, 0.25))
    _particles(rng, frames, count=count, velocity=velocity, widths=(0.5, 1.5), colours=_white(rng), opacity=(0.1, 0.6))


def _snow(rng: np.random.Generator, frames: Linear) -> None:
    count = int(rng.integers(10, 120))
    velocity = _heading(rng, count, rng.uniform(1, 12), 0.3, rng.uniform(0.2, 2.9))
    _particles(
        rng,
        frames,
        count=count,
        velocity=velocity,
        widths=(1, 6),
        colours=_white(rng),
        opacity=(0.3, 1),
        wobble=rng.uniform(0, 3),
    )


def _sparks(rng: np.random.Generator, frames: Linear) -> None:
    count, size = int(rng.integers(5, 50)), frames.shape[1]
    velocity = rng.normal(0, rng.uniform(3, 14), (count, 2))
    start = rng.uniform(0, size, 2) + velocity * rng.uniform(-2, 1, (count, 1))
    fire = np.array([[6.0, 3.0, 0.8]]) * rng.uniform(0.3, 2)
    _particles(
        rng,
        frames,
        count=count,
        velocity=velocity,
        widths=(0.7, 2.5),
        colours=fire,
        opacity=(0.5, 1),
        gravity=rng.uniform(0, 2),
        shutter=0.8,
        start=start,
    )


def _confetti(rng: np.random.Generator, frames: Linear) -> None:
    count = int(rng.integers(8, 60))
    velocity = _heading(rng, count, rng.uniform(2, 14), 0.6, np.pi / 2)
    _particles(
        rng,
        frames,
        count=count,
        velocity=velocity,
        widths=(2, 7),
        colours=_colours(rng, 5, 0.05),
        opacity=(0.8, 1),
        wobble=rng.uniform(0, 6),
        twinkle=0.3,
    )


def _insects(rng: np.random.Generator, frames: Linear) -> None:
    count = int(rng.integers(1, 12))
    velocity = rng.normal(0, rng.uniform(2, 12), (count, 2))
    start = rng.uniform(0.1, 0.9, (count, 2)) * frames.shape[1] - velocity * 2
    _particles(
        rng,
        frames,
        count=count,
        velocity=velocity,
        widths=(1, 5),
        colours=_colours(rng, 2, 0.01, 1.5),
        opacity=(0.6, 1),
        wobble=rng.uniform(1, 10),
        start=start,
    )


def _ball(rng: np.random.Generator, frames: Linear) -> None:
    count = int(rng.integers(1, 5))
    velocity = rng.normal(0, rng.uniform(6, 40), (count, 2))
    start = rng.uniform(0.2, 0.8, (count, 2)) * frames.shape[1] - velocity * rng.uniform(0, 4, (count, 1))
    _particles(
        rng,
        frames,
        count=count,
        velocity=velocity,
        widths=(3, 24),
        colours=_colours(rng, count, 0.01, 1.5),
        opacity=(0.9, 1),
        gravity=rng.uniform(0, 3),
        shutter=rng.uniform(0, 0.8),
        start=start,
    )


def _stars(rng: np.random.Generator, frames: Linear) -> None:
    count = int(rng.integers(10, 100))
    velocity = np.broadcast_to(rng.normal(0, rng.uniform(0, 4), 2), (count, 2)).copy()
    if rng.random() < 0.6:
        frames *= np.float32(rng.uniform(0.02, 0.6))
    _particles(
        rng,
        frames,
        count=count,
        velocity=velocity,
        widths=(0.6, 2.5),
        colours=_white(rng),
        opacity=(0.2, 1),
        twinkle=rng.choice((0.0, 0.3, 1.0)),
    )


def _birds(rng: np.random.Generator, frames: Linear) -> None:
    size, colour = frames.shape[1], _colours(rng, 1, 0.01, 0.5)[0]
    for _ in range(int(rng.integers(1, 6))):
        place, span = rng.uniform(0.1, 0.9, 2) * size, rng.uniform(2, 14)
        velocity, pace, phase = rng.normal(0, 5, 2), rng.uniform(0.5, 2.5), rng.uniform(0, 6.28)
        for index in range(FRAMES):
            body = place + velocity * (index - 2)
            lift = span * np.sin(phase + pace * index)
            wings = np.array([[-span, lift], [0, 0], [span, lift]]) + body
            alpha: Alpha = np.zeros((size, size), np.uint8)
            points = np.rint(wings * (1 << _SHIFT)).astype(np.int32)
            cv2.polylines(alpha, [points], False, 255, 1 + int(span > 8), cv2.LINE_AA, _SHIFT)
            _lay(frames[index], alpha, colour)


def _sticks(rng: np.random.Generator, frames: Linear) -> None:
    """Poles, wires, masts, swinging canes: thin lines that belong to the scene."""
    size, colour = frames.shape[1], _colours(rng, 1, 0.01, 1.5)[0]
    upright = rng.random() < 0.6
    sway = 0.0 if rng.random() < 0.4 else rng.normal(0, 5.0)
    for _ in range(int(rng.integers(1, 5))):
        angle = np.pi / 2 + rng.normal(0, 0.02) if upright else rng.uniform(0, np.pi)
        spin = 0.0 if upright else rng.normal(0, 0.25)
        middle, half = rng.uniform(0, size, 2), size * rng.uniform(0.08, 0.35 if upright else 0.6)
        drift = np.array([sway, 0.0]) if upright else rng.normal(0, 5, 2)
        width, opacity = rng.uniform(0.8, 4), rng.uniform(0.5, 1)
        for index in range(FRAMES):
            direction = np.array([np.cos(angle + spin * index), np.sin(angle + spin * index)]) * half
            centre = middle + drift * (index - 2)
            alpha: Alpha = np.zeros((size, size), np.uint8)
            _streak(alpha, centre - direction, centre + direction, width, opacity)
            _lay(frames[index], alpha, colour)


def _ropes(rng: np.random.Generator, frames: Linear) -> None:
    """Leashes, reins, whips, cables: thin things that sag and swing between two ends, smeared by the shutter."""
    size = frames.shape[1]
    along = np.linspace(0, 1, 24)[:, None]
    for _ in range(int(rng.integers(1, 4))):
        width, opacity, colour = rng.uniform(0.8, 4), rng.uniform(0.6, 1), _colours(rng, 1, 0.01, 1.5)[0]
        ends, drift = rng.uniform(-0.1, 1.1, (2, 2)) * size, rng.normal(0, rng.uniform(0.5, 9), (2, 2))
        bend, swing = rng.normal(0, 0.2 * size, 2), rng.normal(0, 5, 2)
        phase, pace, shutter = rng.uniform(0, 6.28), rng.uniform(0.2, 1.5), rng.uniform(0, 0.8)
        grey = int(255 * opacity * min(width, 1.0))
        for index in range(FRAMES):
            cover = np.zeros((size, size), np.float32)
            for time in index + np.linspace(0, shutter, 4):
                first, last = ends + drift * (time - 2)
                middle = (first + last) / 2 + bend + swing * np.sin(phase + pace * time)
                path = (1 - along) ** 2 * first + 2 * along * (1 - along) * middle + along**2 * last
                points = np.rint(path * (1 << _SHIFT)).astype(np.int32)
                alpha: Alpha = np.zeros((size, size), np.uint8)
                cv2.polylines(alpha, [points], False, grey, max(1, round(width)), cv2.LINE_AA, _SHIFT)
                cover += alpha
            _lay(frames[index], (cover / 4).astype(np.uint8), colour)


def _glints(rng: np.random.Generator, frames: Linear) -> None:
    """Highlights on water and chrome that flash at the brightest places, anew in each frame."""
    size, light = frames.shape[1], _white(rng)[0] * 3
    bright = frames.max(axis=-1).max(axis=0)
    places = np.argwhere(bright >= np.quantile(bright, rng.uniform(0.8, 0.99)))
    chosen = places[rng.integers(len(places), size=int(rng.integers(3, 40)))]
    for index in range(FRAMES):
        alpha: Alpha = np.zeros((size, size), np.uint8)
        for row, column in chosen[rng.random(len(chosen)) < rng.uniform(0.2, 0.9)]:
            place = np.array([column, row]) + rng.normal(0, 0.7, 2)
            reach = rng.uniform(0.5, 5) * np.array([1.0, 0.0])
            _streak(alpha, place - reach, place + reach, rng.uniform(0.7, 2), rng.uniform(0.3, 1))
            if rng.random() < 0.4:
                _streak(alpha, place - reach[::-1], place + reach[::-1], 1.0, rng.uniform(0.3, 1))
        _lay(frames[index], alpha, light)


def _studs(rng: np.random.Generator, frames: Linear) -> None:
    """Road studs, lane marks, sleepers, lights along a road: small, all alike, in a row, and too fast to be followed.

    They pass by at one speed, or come nearer, the faster the nearer, and grow; the shutter smears them.
    """
    size, dark = frames.shape[1], rng.random() < 0.2
    colour = _colours(rng, 1, 0.01, 0.1)[0] if dark else _colours(rng, 1, 0.4, 2.0)[0]
    heading, speed = rng.uniform(0, 2 * np.pi), rng.uniform(8, 50)
    along = np.array([np.cos(heading), np.sin(heading)])
    gap, count = speed * rng.uniform(0.6, 2.0), int(rng.integers(3, 10))
    places = rng.uniform(0.1, 0.9, 2) * size + along * gap * (np.arange(count) - rng.integers(count))[:, None]
    nearing = rng.random() < 0.6
    growth, step = (rng.uniform(1.05, 1.4), 0.0) if nearing else (1.0, speed)
    far = places[0] - along * rng.uniform(0.2, 1.5) * size
    lying = rng.uniform(0, np.pi) if rng.random() < 0.4 else rng.normal(0, 0.1)
    half = np.array([np.cos(lying), np.sin(lying)]) * rng.uniform(0.5, 8)
    width, opacity, shutter = rng.uniform(1, 4), rng.uniform(0.4, 1), rng.exponential(0.12)
    for index in range(FRAMES):
        cover = np.zeros((size, size), np.float32)
        for time in index + np.linspace(0, shutter, 4):
            scale = growth ** (time - 2)
            alpha: Alpha = np.zeros((size, size), np.uint8)
            for centre in far + (places + along * step * (time - 2) - far) * scale:
                if (np.abs(centre - size / 2) < size).all():
                    _streak(alpha, centre - half * scale, centre + half * scale, width * scale, opacity)
            cover += alpha
        _lay(frames[index], (cover / 4).astype(np.uint8), colour)


def _text(rng: np.random.Generator, frames: Linear) -> None:
    """Titles and subtitles: still, scrolling, flying, or switched on and off like a sign."""
    size, colour = frames.shape[1], _colours(rng, 1, 0.02, 2.0)[0]
    words = "".join(rng.choice(list(_GLYPHS), int(rng.integers(2, 16))))
    face, scale = int(rng.integers(0, 8)), rng.uniform(0.25, 1.6)
    place, velocity = rng.uniform(-0.2, 0.8, 2) * size, np.zeros(2) if rng.random() < 0.5 else rng.normal(0, 8, 2)
    lit = np.ones(FRAMES, bool)
    style = rng.random()
    if style < 0.35:
        lit = np.arange(FRAMES) >= rng.integers(FRAMES)
        lit = lit if rng.random() < 0.5 else ~lit
    elif style < 0.55:
        lit = rng.random(FRAMES) < 0.5
    canvas: Alpha = np.zeros((size, size), np.uint8)
    cv2.putText(canvas, words, (4, size // 2), face, scale, 255, int(rng.integers(1, 4)), cv2.LINE_AA)
    turn = glide(rng, 0.0, turn=0.03)
    for index in np.flatnonzero(lit):
        matrix = turn(float(index))
        matrix[:, 2] = place + velocity * (index - 2) - (0, size / 2)
        alpha = np.asarray(cv2.warpAffine(canvas, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)
        _lay(frames[index], alpha, colour)


def _borders(rng: np.random.Generator, frames: Linear) -> None:
    """The edge of the picture itself, in a window that holds some of the frame line or the sound track."""
    size, light = frames.shape[1], _white(rng)[0] * (0.0 if rng.random() < 0.7 else 1.0)
    place = np.arange(size, dtype=np.float32)
    for turned in rng.permutation(4)[: int(rng.integers(1, 3))]:
        width, soft = rng.uniform(1, size / 5), rng.uniform(0.5, 2.5)
        for frame in frames:
            cover = np.clip((width + rng.normal(0, 0.2) - place) / soft, 0, 1).astype(np.float32)
            view = np.rot90(frame, int(turned))
            view += cover[None, :, None] * (light.astype(np.float32) - view)


def _panels(rng: np.random.Generator, frames: Linear) -> None:
    """Doors, boards, house fronts: upright edges and thin lines in bundles, which end where the thing ends."""
    size = frames.shape[1]
    edge = 2 * size
    places = np.sort(rng.integers(0, edge, int(rng.integers(4, 24))))
    steps = np.repeat(rng.normal(0, 0.3, len(places) + 1), np.diff([0, *places, edge]))
    for place in places[rng.random(len(places)) < 0.7]:
        width = int(rng.integers(1, 4))
        steps[place : place + width] += rng.normal(0, 0.5)
    rows = np.zeros(edge, np.float32)
    top = int(rng.integers(0, size))
    rows[top : top + int(rng.uniform(0.3, 1.5) * size)] = 1.0
    gain = np.exp(cv2.GaussianBlur(np.outer(rows, steps).astype(np.float32), (0, 0), rng.uniform(0.4, 1.2)))
    speed = 0.0 if rng.random() < 0.5 else float(rng.exponential(3.0))
    move = about(glide(rng, speed, turn=0.005), (size, size), (size / 2, size / 2))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for index in range(FRAMES):
        shown = cv2.warpAffine(gain, move(float(index)), (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        frames[index] *= shown[:, :, None]


LOOKALIKES: dict[str, Lookalike] = {
    "ball": _ball,
    "birds": _birds,
    "borders": _borders,
    "confetti": _confetti,
    "glints": _glints,
    "insects": _insects,
    "panels": _panels,
    "rain": _rain,
    "ropes": _ropes,
    "snow": _snow,
    "sparks": _sparks,
    "stars": _stars,
    "sticks": _sticks,
    "studs": _studs,
    "text": _text,
}
_SWARM = 0.15
ODDS = {
    "panels": 8.0,
    "ball": 3.0,
    "ropes": 3.0,
    "sticks": 2.5,
    "borders": 1.5,
    "insects": 0.7,
    "confetti": _SWARM,
    "glints": _SWARM,
    "rain": _SWARM,
    "snow": _SWARM,
    "sparks": _SWARM,
    "stars": _SWARM,
}
"""How often kinds are drawn, 1 if not named: the likeliest to be erased oftener, swarms seldom, as in films."""
