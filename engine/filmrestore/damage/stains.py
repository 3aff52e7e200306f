"""Stains and mould, burns and splices: damage that covers more than a mark."""

from __future__ import annotations

import math

import cv2
import numpy as np

from .canvas import Canvas, Ink, Plane, dark, light
from .chance import Event, events, generator, smooth
from .gate import Gate
from .shapes import cloud, own_shape, stamp

STAIN_LIFE = 14.0  # frames; damp goes through several turns of the roll
BURN_LIFE = 10.0
STAIN_TINTS = ((1.0, 0.75, 0.45), (0.5, 0.8, 1.0), (0.35, 0.7, 1.0))  # which light a stain lets through: blue, brown


def stain(canvas: Canvas, gate: Gate, number: int) -> None:
    """Lay mould and dried liquid: they stay in one area of the film for some frames, in another form in each."""
    settings = gate.settings
    margin = 60.0 * gate.scale
    for event in events(gate.expected(settings.stains, margin), STAIN_LIFE, number, settings.seed, "stain"):
        draw = generator(event.key)
        x, y = gate.point(draw, margin)
        diameter = math.exp(draw.uniform(*np.log((50.0, 320.0)))) * gate.scale * settings.stain_size
        is_mould = bool(draw.random() < 0.6)
        is_light = bool(draw.random() < (0.6 if is_mould else 0.3))
        tint = gate.tint(STAIN_TINTS[int(draw.integers(len(STAIN_TINTS)))])
        opacity = gate.opacity(draw) * (0.55 if is_mould else 0.8)
        ink = light(opacity) if is_light else dark(opacity, tint)
        _lay_stain(canvas, gate, event, (x, y), diameter, ink, "mould" if is_mould else "blotch")


def _lay_stain(
    canvas: Canvas, gate: Gate, event: Event, place: tuple[float, float], diameter: float, ink: Ink, family: str
) -> None:
    steady = generator(event.key, "form")
    draw = generator(event.key, "form", event.age)  # another cut through the same growth in each frame
    shape = gate.folder_shape(steady, "stain") if family == "blotch" else None
    shape = shape or own_shape(family, int(steady.integers(12)))
    swell = math.sin(math.pi * (event.age + 0.5) / event.life) ** 0.5
    alpha, top, left = stamp(
        shape,
        max(4.0, shape.areas[0] / shape.levels[0].size * diameter**2 * swell),
        place[0] + gate.shift[0] + draw.normal(0.0, 0.03) * diameter,
        place[1] + gate.shift[1] + draw.normal(0.0, 0.03) * diameter,
        turn=steady.uniform(0.0, 2 * math.pi) + draw.normal(0.0, 0.25),
        squeeze=1.0 + abs(draw.normal(0.0, 0.2)),
        mirror=bool(draw.random() < 0.5),
    )
    veil = np.clip(0.8 + 0.3 * cloud(draw, 64, [(4, 0.8), (13, 0.5)]), 0.0, 1.2)
    alpha = alpha * cv2.resize(veil.astype(np.float32), alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
    canvas.lay("stain", np.clip(alpha, 0.0, 1.0).astype(np.float32), top, left, ink)


def burn(canvas: Canvas, gate: Gate, number: int) -> None:
    """Lay burns: the film browns, blisters and melts to a hole of clear light."""
    settings = gate.settings
    margin = 80.0 * gate.scale
    for event in events(gate.expected(settings.burns, margin), BURN_LIFE, number, settings.seed, "burn"):
        draw = generator(event.key)
        x, y = gate.point(draw, margin)
        radius = float(draw.uniform(60.0, 260.0)) * gate.scale * settings.burn_size
        grown = radius * min(1.0, 0.35 + 0.65 * (event.age + 1) / max(2, event.life // 2))
        _lay_burn(canvas, gate, event, (x + gate.shift[0], y + gate.shift[1]), grown)


def _lay_burn(canvas: Canvas, gate: Gate, event: Event, place: tuple[float, float], radius: float) -> None:
    draw = generator(event.key, "form")
    reach = max(4, math.ceil(radius * 1.7))
    left, top = math.floor(place[0]) - reach, math.floor(place[1]) - reach
    side = 2 * reach + 1
    small = min(side, 320)
    axis = (np.arange(small, dtype=np.float32) + 0.5) / small * np.float32(3.4) - np.float32(1.7)
    away = np.hypot(axis[None, :], axis[:, None])
    away = away + np.float32(0.22) * cloud(draw, small, [(4, 0.8), (9, 0.5), (24, 0.25)])
    away = away + np.float32(0.05) * cloud(generator(event.key, event.age), small, [(6, 1.0), (20, 0.5)])
    melting = away - np.float32(0.3) * _blisters(draw, small) * np.clip((1.05 - away) * 3.0, 0.0, 1.0)
    hole = np.clip((0.5 - melting) * 9.0, 0.0, 1.0)
    rim = np.exp(-(((melting - 0.66) / 0.14) ** 2))
    amber = np.exp(-(((melting - 0.88) / 0.16) ** 2))
    scorched = np.clip(1.55 - away, 0.0, 1.0) ** 1.6
    layers: list[tuple[Plane, Ink]] = [
        (scorched, dark(0.95, gate.tint((0.15, 0.62, 1.0)))),
        (0.55 * amber, light(1.0, gate.tint((0.8, 0.34, 0.05)))),
        (rim, dark(0.93, gate.tint((0.85, 0.97, 1.0)))),
        (hole, light(1.0, gate.tint((1.0, 0.97, 0.88)))),
    ]
    for alpha, ink in layers:
        full = cv2.resize(np.asarray(alpha, np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        canvas.lay("burn", full, top, left, ink)


def _blisters(draw: np.random.Generator, side: int) -> Plane:
    """Round bubbles of many sizes: bright inside, 0 between them."""
    bubbles = np.zeros((side, side), np.uint8)
    for _ in range(70):
        turn, out = draw.uniform(0.0, 2 * math.pi), draw.normal(0.85, 0.16) / 3.4
        centre = [round((0.5 + out * f(turn)) * side * 16) for f in (math.cos, math.sin)]
        size = max(1, round(side * math.exp(draw.normal(math.log(0.012), 0.6)) * 16))
        cv2.circle(bubbles, (centre[0], centre[1]), size, int(draw.integers(90, 255)), -1, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(bubbles, (0, 0), side * 0.004).astype(np.float32) / 255.0)


def is_splice(rate: float, seed: int, number: int) -> bool:
    """Whether a splice goes through a frame, at `rate` splices a thousand frames."""
    return rate > 0.0 and bool(generator(seed, "splice", number).random() < rate / 1000.0)


def splice(canvas: Canvas, gate: Gate, number: int) -> None:
    """Lay the joint of a splice: a line across the frame near its top or bottom, with its band of cement."""
    settings = gate.settings
    if not is_splice(settings.splices, settings.seed, number):
        return
    draw = generator(settings.seed, "splice", number, "form")
    height, width = canvas.shape
    from_edge = abs(draw.normal(0.0, 0.02)) * gate.frame_height + 2.0 * gate.scale
    at_top = bool(draw.random() < 0.5)
    row = from_edge if at_top else gate.height - from_edge
    columns = np.arange(width, dtype=np.float64)
    edge = row + gate.shift[1] + draw.normal(0.0, 0.002) * columns
    edge = edge + 0.35 * gate.scale * smooth(columns / (240.0 * gate.scale), settings.seed, "joint", number)
    rows = np.arange(height, dtype=np.float64)[:, None] + 0.5
    below = (rows - edge[None, :]) * (-1.0 if at_top else 1.0)  # towards the frame's edge: the overlap of the two films
    thick = float(draw.uniform(1.0, 3.5)) * gate.scale
    band = float(draw.uniform(8.0, 40.0)) * gate.scale
    texture = cloud(draw, 64, [(8, 0.6), (31, 0.5)])
    texture = cv2.resize(texture, (width, height), interpolation=cv2.INTER_LINEAR)
    cement = np.clip(below / 1.5, 0.0, 1.0) * np.clip((band - below) / (2.0 * gate.scale), 0.0, 1.0)
    cement = cement * np.clip(0.7 + 0.3 * texture, 0.0, 1.0)
    joint = np.clip((thick + 1.0) / 2.0 - np.abs(below), 0.0, 1.0) * np.clip(0.9 + 0.2 * texture, 0.0, 1.0)
    strength = settings.opacity * float(draw.uniform(0.8, 1.0))
    canvas.lay("splice", np.asarray(cement, np.float32), 0, 0, dark(0.35 * strength))
    is_bright = bool(draw.random() < 0.75)
    canvas.lay("splice", np.asarray(joint, np.float32), 0, 0, light(strength) if is_bright else dark(strength))
