"""Dust, dirt and blotches: marks that lie on the film for one frame."""

from __future__ import annotations

import math

import numpy as np

from .canvas import Canvas
from .chance import generator, smooth
from .gate import Gate
from .shapes import BANK, Shape, own_shape, stamp

# Area in px^2 of a 2K scan: (shape of the gamma distribution, mean). Fitted to outlines drawn by hand on real scans.
DUST_AREA = (6.1, 11.0)
DIRT_AREA = (2.3, 25.7)
BLOTCH_DIAMETER = (18.0, 160.0)


def dust(canvas: Canvas, gate: Gate, number: int) -> None:
    """Lay the dust of one frame."""
    _specks(canvas, gate, number, "dust", gate.settings.dust, gate.settings.dust_size, DUST_AREA)


def dirt(canvas: Canvas, gate: Gate, number: int) -> None:
    """Lay the dirt of one frame."""
    _specks(canvas, gate, number, "dirt", gate.settings.dirt, gate.settings.dirt_size, DIRT_AREA)


def blotch(canvas: Canvas, gate: Gate, number: int) -> None:
    """Lay the blotches of one frame: patches of 18 to 160 px at 2K."""
    draw = generator(gate.settings.seed, "blotch", number)
    margin = 0.25 * BLOTCH_DIAMETER[1] * gate.scale
    for _ in range(draw.poisson(gate.expected(gate.settings.blotches, margin))):
        x, y = gate.point(draw, margin)
        diameter = math.exp(draw.uniform(*np.log(BLOTCH_DIAMETER))) * gate.scale * gate.settings.blotch_size
        shape = gate.folder_shape(draw, "smut") or own_shape("blotch", int(draw.integers(24)))
        alpha, top, left = stamp(
            shape,
            0.6 * diameter**2,
            x + gate.shift[0],
            y + gate.shift[1],
            turn=draw.uniform(0.0, 2 * math.pi),
            squeeze=2.0 ** draw.uniform(0.0, 1.0),
            soft=1.2 * draw.random() ** 2,
            mirror=bool(draw.random() < 0.5),
        )
        canvas.lay("blotch", np.minimum(alpha, 1.0), top, left, gate.ink(draw, gate.opacity(draw)))


def _specks(
    canvas: Canvas, gate: Gate, number: int, kind: str, count: float, size: float, area: tuple[float, float]
) -> None:
    if not count:
        return
    draw = generator(gate.settings.seed, kind, number)
    burst = math.exp(0.35 * float(smooth(number / 3.0, gate.settings.seed, kind, "burst")) - 0.06)
    heap = gate.point(draw)
    for _ in range(draw.poisson(gate.expected(count) * burst)):
        x, y = gate.point(draw)
        if draw.random() < 0.05:
            heap = x, y
        elif draw.random() < gate.settings.clumping:
            x, y = (place + draw.normal(0.0, 60.0 * gate.scale) for place in heap)
        wanted = draw.gamma(area[0], area[1] / area[0]) * (size * gate.scale) ** 2
        alpha, top, left = stamp(
            _speck_shape(gate, draw, kind),
            wanted,
            x + gate.shift[0],
            y + gate.shift[1],
            turn=draw.uniform(0.0, 2 * math.pi),
            squeeze=1.0 + draw.exponential(0.2 if kind == "dust" else 0.35),
            soft=draw.random() ** 2,
            mirror=bool(draw.random() < 0.5),
        )
        canvas.lay(kind, np.minimum(alpha, 1.0), top, left, gate.ink(draw, gate.opacity(draw)))


def _speck_shape(gate: Gate, draw: np.random.Generator, kind: str) -> Shape:
    if found := gate.folder_shape(draw, "dots"):
        return found
    family = "dust" if draw.random() < 0.3 else kind  # a part of the dirt is single chips
    return own_shape(family, int(draw.integers(BANK)))
