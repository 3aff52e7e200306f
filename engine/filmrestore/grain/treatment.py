"""What the grain node's modes change in a frame: match, add, reduce; each a difference in net."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ..errors import UsageError
from ..settings import GrainSettings
from .model import FREQUENCIES, Float32, Float64, GrainModel, normalised
from .separation import separate
from .synthesis import synthesise

_GREY = 0.47  # net value of mid grey
_TURN = 0.22  # net from mid grey to where a shadow or highlight setting holds in full
_HEARD = 0.1  # of a spectrum's peak: frequencies that decide how much grain may stay


def stock() -> GrainModel:
    """A fine-grained colour negative, as a 2K scan shows it: what "add" lays on without a reference plate.

    Ours, set by eye: correlated over a pixel or so, coarser and stronger in the blue layer, weaker towards toe and
    shoulder.
    """
    levels = np.arange(0, 1.3, 0.1)
    bell = np.interp(levels, (0.0, 0.15, 0.45, 0.8, 1.2), (0.25, 0.7, 1.0, 0.75, 0.4))
    power = [normalised(np.exp(-((2 * np.pi * np.array(FREQUENCIES) * width) ** 2))) for width in (0.7, 0.65, 0.85)]
    return GrainModel(
        levels=tuple(float(level) for level in levels),
        deviation=tuple((0.011 * float(one), 0.010 * float(one), 0.015 * float(one)) for one in bell),
        power=tuple(power),
        correlation=((1.0, 0.35, 0.2), (0.35, 1.0, 0.3), (0.2, 0.3, 1.0)),
    )


def treat(
    net: Float32, settings: GrainSettings, frame: int, own: GrainModel, reference: GrainModel | None = None
) -> Float32:
    """What the node adds to a frame, shape (h, w, 3), net; 0 throughout for "keep".

    Args:
        net: Shape (h, w, 3), net.
        frame: Source frame number.
        own: The plate's grain.
        reference: The grain to match or to add.

    Raises:
        UsageError: "match" without a reference.
    """
    if settings.mode == "keep":
        return np.zeros_like(net)
    if settings.mode == "reduce":
        share = shaped(_ones(own), settings)
        picture, grain = separate(net, own)
        return -grain * np.minimum(share.deviation_at(picture), 1)
    if settings.mode == "match" and reference is None:
        raise UsageError("grain mode match needs a reference plate: give one with --reference, or choose add")
    target = shaped(reference or stock(), settings)
    if is_monochrome(own):
        target = monochrome(target)
    if settings.mode == "add":
        return synthesise(target, _level(net), settings.seed, frame, size=settings.size)
    return _match(net, settings, frame, own, resized(target, settings.size))


def shaped(model: GrainModel, settings: GrainSettings) -> GrainModel:
    """The model with the settings' amount, layers, shadows and highlights."""

    def at(level: float) -> float:
        turn = float(np.clip((level - _GREY + _TURN) / (2 * _TURN), 0, 1))
        turn = turn * turn * (3 - 2 * turn)
        return settings.amount * (settings.shadows + (settings.highlights - settings.shadows) * turn)

    # Levels close enough for the turn, and reaching over it.
    levels = tuple(sorted({*model.levels, *(round(_GREY + _TURN * step / 4, 4) for step in range(-4, 5))}))
    rows = [
        tuple(float(np.interp(level, model.levels, [row[channel] for row in model.deviation])) for channel in range(3))
        for level in levels
    ]
    dense = replace(model, levels=levels, deviation=tuple(rows))
    return dense.scaled((settings.red, settings.green, settings.blue), at)


def resized(model: GrainModel, size: float) -> GrainModel:
    """The model with grain of `size` times its own, by its spectrum."""
    if size == 1.0:
        return model
    stretched = np.array(FREQUENCIES) * size
    return replace(
        model,
        power=tuple(normalised(np.interp(stretched, FREQUENCIES, power, right=0.0)) for power in model.power),
    )


def is_monochrome(model: GrainModel) -> bool:
    """Whether the layers carry one and the same grain, as in black and white scanned to RGB."""
    return bool(np.min(model.correlation) >= 1.0)


def monochrome(model: GrainModel) -> GrainModel:
    """The green layer's grain in all three."""
    return replace(
        model,
        deviation=tuple((row[1],) * 3 for row in model.deviation),
        power=(model.power[1],) * 3,
        correlation=((1.0,) * 3,) * 3,
    )


def _match(net: Float32, settings: GrainSettings, frame: int, own: GrainModel, target: GrainModel) -> Float32:
    """Takes away what own grain exceeds the target at any frequency, and adds what is then missing."""
    picture, grain = separate(net, own)
    kept, missing = _split(own, target)
    change = -grain * (1 - kept.deviation_at(picture))
    change += synthesise(missing, picture, settings.seed, frame)
    return change


def _split(own: GrainModel, target: GrainModel) -> tuple[GrainModel, GrainModel]:
    """(share of own grain that stays, as a model's deviation; the grain to add), by level and layer."""
    levels = np.array(sorted({*own.levels, *target.levels}))
    shares, rest, powers = [], [], []
    for channel in range(3):
        wanted, has = _deviation(target, levels, channel) ** 2, np.maximum(_deviation(own, levels, channel) ** 2, 1e-14)
        course, mine = np.array(target.power[channel]), np.array(own.power[channel])
        heard = mine >= _HEARD * mine.max()
        share = np.minimum(wanted / has * (course[heard] / mine[heard]).min(), 1.0)
        middle = int(np.argmax(wanted))
        lacking = np.maximum(wanted[middle] * course - share[middle] * has[middle] * mine, 0)
        powers.append(normalised(lacking))
        rest.append(np.sqrt(np.maximum(wanted - share * has, 0)))
        shares.append(np.sqrt(share))
    table = tuple(float(level) for level in levels)
    kept = replace(own, levels=table, deviation=_rows(shares))
    return kept, replace(target, levels=table, deviation=_rows(rest), power=tuple(powers))


def _deviation(model: GrainModel, levels: Float64, channel: int) -> Float64:
    return np.asarray(np.interp(levels, model.levels, [row[channel] for row in model.deviation]))


def _rows(columns: list[Float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in np.stack(columns, axis=1))


def _ones(model: GrainModel) -> GrainModel:
    return replace(model, deviation=((1.0,) * 3,) * len(model.levels))


def _level(net: Float32) -> Float32:
    """Brightness without the plate's own grain: that must not steer the added one."""
    return np.asarray(cv2.blur(np.nan_to_num(net), (5, 5), borderType=cv2.BORDER_REFLECT_101))
