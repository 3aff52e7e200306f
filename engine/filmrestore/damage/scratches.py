"""Scratches: lines that run down the film through many frames, in emulsion or base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Ink, Plane, dark, light
from .chance import Event, events, generator, smooth
from .gate import Gate

# What is left where a scratch went through one, two or all layers of a colour print: green, then yellow, then clear;
# a scratch on the negative prints the other way round, so cyan is met too.
TINTS = ((0.15, 1.0, 0.25), (1.0, 0.95, 0.2), (0.2, 0.9, 1.0), (1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Line:
    """One scratch at one frame.

    Attributes:
        centre: x of the line in each row, px.
        strength: 0..1 in each row.
        width: px.
    """

    centre: NDArray[np.float64]
    strength: NDArray[np.float64]
    width: float


def scratch(canvas: Canvas, gate: Gate, number: int) -> None:
    """Lay the scratches that stand still or wander slowly."""
    _scratches(canvas, gate, number, "scratch", gate.settings.scratches, gate.settings.scratch_wander * 6.0, 24.0)


def scratch_moving(canvas: Canvas, gate: Gate, number: int) -> None:
    """Lay the scratches that run across the frame or jump about."""
    _scratches(canvas, gate, number, "scratch_moving", gate.settings.scratches_moving, 90.0, 5.0)


def _scratches(canvas: Canvas, gate: Gate, number: int, kind: str, count: float, reach: float, period: float) -> None:
    settings = gate.settings
    margin = reach * gate.scale
    expected = gate.expected_across(count, margin)
    if not expected:
        return
    life = settings.scratch_life if kind == "scratch" else max(1.0, settings.scratch_life / 6.0)
    for event in events(expected, life, number, settings.seed, kind):
        draw = generator(event.key)
        column = float(draw.uniform(-margin, gate.width + margin))
        line = _line(gate, number, event, draw, column, reach * float(draw.uniform(0.2, 1.0)), period)
        _lay(canvas, gate, kind, line, draw)


def _line(
    gate: Gate, number: int, event: Event, draw: np.random.Generator, column: float, reach: float, period: float
) -> Line:
    # A place on the film is (frame + row / frame height): so the line goes on from one frame into the next.
    rows = np.arange(gate.height, dtype=np.float64)
    film = number + rows / gate.frame_height
    wander = smooth(film / period, event.key, "wander") + 0.06 * smooth(film * 9.0, event.key, "shiver")
    centre = column + gate.shift[0] + reach * gate.scale * wander
    centre += 0.15 * gate.scale * smooth(film * 300.0, event.key, "ragged")
    strength = 0.8 + 0.25 * smooth(film * 6.0, event.key, "slow") + 0.25 * smooth(film * 500.0, event.key, "fine")
    strength += 0.2 * smooth(film * 60.0, event.key, "grit")
    if draw.random() < gate.settings.scratch_breaks:
        spell = float(draw.uniform(1.5, 5.0))  # pieces a frame height: pieces of 240 to 780 px at 2K
        gaps = smooth(film * spell, event.key, "gaps") + float(draw.uniform(-0.4, 0.9))
        strength = strength * np.clip(0.5 + 4.0 * gaps, 0.0, 1.0)
    width = float(np.exp(draw.normal(np.log(1.1), 0.5))) * gate.scale * gate.settings.scratch_width
    return Line(centre, np.clip(strength, 0.0, 1.0) * event.fade, width)


def _coverage(line: Line, left: int, right: int, width: float, offset: float = 0.0) -> Plane:
    """Share of each pixel that a line of that width covers, times its strength."""
    columns = np.arange(left, right, dtype=np.float64) + 0.5
    away = np.abs(columns[None, :] - (line.centre + offset)[:, None])
    cover = np.clip((width + 1.0) / 2.0 - away, 0.0, min(1.0, width))
    return np.asarray(cover * line.strength[:, None], np.float32)


def _lay(canvas: Canvas, gate: Gate, kind: str, line: Line, draw: np.random.Generator) -> None:
    reach = line.width * 1.5 + 3.0
    left, right = int(np.floor(line.centre.min() - reach)), int(np.ceil(line.centre.max() + reach))
    opacity = min(1.0, gate.opacity(draw) / max(gate.settings.opacity, 1e-3) * gate.settings.scratch_opacity)
    look = gate.settings.scratch_look
    if look == "mixed":
        look = str(draw.choice(["black", "white", "coloured", "base"], p=[0.3, 0.35, 0.15, 0.2]))
    cover = _coverage(line, left, right, line.width)
    if look == "base":
        _lay_refracting(canvas, kind, line, (left, right), opacity)
        return
    ink = {
        "black": lambda: dark(opacity),
        "white": lambda: light(opacity),
        "coloured": lambda: light(opacity, gate.tint(TINTS[int(draw.integers(len(TINTS)))])),
    }[look]()
    canvas.lay(kind, cover, 0, left, ink)
    if draw.random() < 0.3:
        side = float(draw.choice([-1.0, 1.0]))
        canvas.lay(
            kind, _coverage(line, left, right, line.width * 0.7, side * line.width), 0, left, dark(opacity * 0.4)
        )


def _lay_refracting(canvas: Canvas, kind: str, line: Line, span: tuple[int, int], opacity: float) -> None:
    """A groove in the base removes nothing but bends light: a dark line between two brighter edges."""
    edge = 1.0 + 0.35 * opacity
    for side in (-1.0, 1.0):
        cover = _coverage(line, *span, line.width * 0.6, side * line.width * 0.9)
        canvas.lay(kind, cover, 0, span[0], Ink(gain=(edge, edge, edge)))
    canvas.lay(kind, _coverage(line, *span, line.width), 0, span[0], dark(opacity * 0.6))
