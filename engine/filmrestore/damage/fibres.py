"""Hair, lint and the hair in the gate: thin curved things."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Plane, dark
from .chance import events, generator, key64, smooth
from .gate import Gate
from .shapes import stamp

Path = NDArray[np.float64]  # (n, 2): x, y in px
LONGEST = 235.0  # px at 2K, the longest hair on the measured scans
SUPERSAMPLE = 4
SUBPIXEL = 4  # bits


@dataclass(frozen=True)
class Curl:
    """How a fibre bends: its curvature at a few knots, radians over its whole length."""

    bends: NDArray[np.float64]

    @classmethod
    def drawn(cls, draw: np.random.Generator, strength: float) -> Curl:
        """A curl with one large bend and smaller ones on it."""
        return cls(draw.normal(0.0, strength) + draw.normal(0.0, strength * 0.9, 6))

    def path(self, x: float, y: float, turn: float, length: float) -> Path:
        """The curve from (x, y) in direction `turn`, `length` px long."""
        count = max(4, min(64, math.ceil(length / 3.0)))
        along = np.linspace(0.0, 1.0, count)
        bend = np.interp(along, np.linspace(0.0, 1.0, self.bends.size), self.bends)
        angle = turn + np.concatenate([[0.0], np.cumsum((bend[1:] + bend[:-1]) * 0.5 / (count - 1))])
        step = length / (count - 1)
        return np.stack(
            [
                x + np.concatenate([[0.0], np.cumsum(np.cos(angle[:-1]) * step)]),
                y + np.concatenate([[0.0], np.cumsum(np.sin(angle[:-1]) * step)]),
            ],
            axis=1,
        )


def stroke(paths: list[tuple[Path, float]]) -> tuple[Plane, int, int]:
    """Draw curves with soft edges.

    Args:
        paths: (curve, width in px); the ends taper.

    Returns:
        (alpha, top, left) of the stamp.
    """
    points = np.concatenate([path for path, _ in paths])
    pad = max(width for _, width in paths) + 2.0
    left, top = (math.floor(low - pad) for low in points.min(axis=0))
    right, bottom = (math.ceil(high + pad) for high in points.max(axis=0))
    factor = SUPERSAMPLE if max(right - left, bottom - top) < 1200 else 2
    large = np.zeros(((bottom - top) * factor, (right - left) * factor), np.uint8)
    for path, width in paths:
        fixed = np.round(((path - (left, top)) * factor - 0.5) * (1 << SUBPIXEL)).astype(np.int32)
        tip = max(2, len(fixed) // 8)
        thin = max(1, round(width * factor * 0.6))
        cv2.polylines(large, [fixed], False, 255, thin, cv2.LINE_AA, SUBPIXEL)
        cv2.polylines(large, [fixed[tip:-tip]], False, 255, max(1, round(width * factor)), cv2.LINE_AA, SUBPIXEL)
    alpha = cv2.resize(large, (right - left, bottom - top), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
    return alpha, top, left


def hair(canvas: Canvas, gate: Gate, number: int) -> None:
    """Lay the hairs of one frame: mostly short ones, some up to 235 px at 2K."""
    draw = generator(gate.settings.seed, "hair", number)
    scale = gate.scale * gate.settings.hair_size
    for _ in range(draw.poisson(gate.expected(gate.settings.hair, 20.0 * gate.scale))):
        x, y = gate.point(draw, 20.0 * gate.scale)
        x, y = x + gate.shift[0], y + gate.shift[1]
        is_long = bool(draw.random() < 0.25)
        middle, spread = (48.0, 0.43) if is_long else (15.5, 0.55)
        length = min(LONGEST, middle * math.exp(spread * draw.standard_normal())) * scale
        width = float(draw.uniform(1.3, 2.6)) * scale
        group = "hair" if is_long else "hair-short"
        if shape := gate.folder_shape(draw, group):
            alpha, top, left = stamp(shape, length * width, x, y, turn=draw.uniform(0.0, 2 * math.pi))
        else:
            turn = draw.uniform(0.0, 2 * math.pi)
            curl = Curl.drawn(draw, 1.5 if is_long else 0.9)
            start = x - math.cos(turn) * length / 2.0, y - math.sin(turn) * length / 2.0
            alpha, top, left = stroke([(curl.path(*start, turn, length), width)])
        canvas.lay("hair", alpha, top, left, gate.ink(draw, gate.opacity(draw)))


def lint(canvas: Canvas, gate: Gate, number: int) -> None:
    """Lay the lint of one frame: tufts of textile fibre, thick and thin strands tangled."""
    draw = generator(gate.settings.seed, "lint", number)
    scale = gate.scale * gate.settings.hair_size
    for _ in range(draw.poisson(gate.expected(gate.settings.lint, 20.0 * gate.scale))):
        x, y = gate.point(draw, 20.0 * gate.scale)
        x, y = x + gate.shift[0], y + gate.shift[1]
        length = min(LONGEST, 45.0 * math.exp(0.5 * draw.standard_normal())) * scale
        if shape := gate.folder_shape(draw, "lint"):
            alpha, top, left = stamp(shape, length * 4.0 * scale, x, y, turn=draw.uniform(0.0, 2 * math.pi))
        else:
            alpha, top, left = stroke(_tuft(draw, x, y, length, scale))
        canvas.lay("lint", alpha, top, left, gate.ink(draw, 0.85 * gate.opacity(draw)))


def _tuft(draw: np.random.Generator, x: float, y: float, length: float, scale: float) -> list[tuple[Path, float]]:
    turn = draw.uniform(0.0, 2 * math.pi)
    spine = Curl.drawn(draw, 2.2).path(x, y, turn, length)
    strands = [(spine, float(draw.uniform(1.6, 3.2)) * scale)]
    for _ in range(int(draw.integers(2, 9))):
        root = spine[int(draw.integers(len(spine)))]
        reach = length * draw.uniform(0.15, 0.6)
        strand = Curl.drawn(draw, 2.8).path(root[0], root[1], draw.uniform(0.0, 2 * math.pi), reach)
        strands.append((strand, float(draw.uniform(0.5, 1.3)) * scale))
    return strands


def gate_hair(canvas: Canvas, gate: Gate, number: int) -> None:
    """Lay the hairs that hang into the gate: they stay for many frames, quiver, and do not move with the film."""
    settings = gate.settings
    expected = gate.expected_across(settings.gate_hair)
    if not expected:
        return
    for event in events(expected, settings.gate_hair_life, number, settings.seed, "gate_hair"):
        draw = generator(event.key)
        side = int(draw.choice(4, p=[0.35, 0.45, 0.1, 0.1]))  # top, bottom, left, right
        along = draw.uniform(0.02, 0.98)
        x, y = (along * gate.width, 0.0) if side < 2 else (0.0, along * gate.height)
        x, y = (gate.width if side == 3 else x), (gate.height if side == 1 else y)
        inward = (math.pi / 2, -math.pi / 2, 0.0, math.pi)[side] + draw.normal(0.0, 0.5)
        length = float(draw.uniform(40.0, LONGEST)) * gate.scale * settings.hair_size
        curl = Curl.drawn(draw, 1.8)
        quiver = settings.quiver * smooth(number / 1.5, event.key, "turn")
        bends = curl.bends + settings.quiver * 1.2 * np.array(
            [smooth(number / 1.5, key64(event.key, knot)) for knot in range(curl.bends.size)]
        )
        start = x - 4.0 * math.cos(inward) * gate.scale, y - 4.0 * math.sin(inward) * gate.scale
        path = Curl(bends).path(*start, inward + 0.12 * float(quiver), length)
        alpha, top, left = stroke([(path, float(draw.uniform(1.8, 3.6)) * gate.scale)])
        soft = float(draw.uniform(0.4, 1.1)) * gate.scale
        alpha = cv2.GaussianBlur(cv2.copyMakeBorder(alpha, 4, 4, 4, 4, cv2.BORDER_CONSTANT), (0, 0), soft)
        canvas.lay("gate_hair", alpha, top - 4, left - 4, dark(settings.opacity * float(draw.uniform(0.85, 1.0))))
