"""GrainModel: how much grain each layer carries by brightness, how coarse it is, and how the layers go together."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

FREQUENCIES: tuple[float, ...] = tuple(step / 32 for step in range(24))
"""Radial frequencies at which the spectrum is kept, cycles a pixel: 0 to the corner at 0.71."""

_GRID = 64
_RADIUS = 5
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class GrainModel:
    """Grain in the net encoding, which is an affine of density above the toe.

    Attributes:
        levels: Brightnesses, net, ascending.
        deviation: Standard deviation of the grain at each level: one (red, green, blue) a level, net.
        power: Radial power spectrum of each layer at `FREQUENCIES`, scaled so that its mean over the plane is 1.
        correlation: Between the layers, 3 x 3, ones on the diagonal.
    """

    levels: tuple[float, ...]
    deviation: tuple[tuple[float, ...], ...]
    power: tuple[tuple[float, ...], ...]
    correlation: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        shapes = (len(self.levels), 3), (3, len(FREQUENCIES)), (3, 3)
        tables = self.deviation, self.power, self.correlation
        for name, shape, table in zip(("deviation", "power", "correlation"), shapes, tables, strict=True):
            if (came := np.shape(table)) != shape:
                raise InputError(f"a grain model's {name} has shape {came}: expected {shape}; measure it anew")
        values = np.concatenate([np.ravel(table) for table in (self.levels, *tables)])
        if not np.isfinite(values).all() or not self.levels or np.any(np.diff(self.levels) <= 0):
            raise InputError("a grain model needs finite values and ascending levels: measure it anew")

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for JSON."""
        return {
            "version": _VERSION,
            "levels": list(self.levels),
            "deviation": [list(row) for row in self.deviation],
            "power": [list(row) for row in self.power],
            "correlation": [list(row) for row in self.correlation],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GrainModel:
        """The model that `to_dict` wrote.

        Raises:
            InputError: another version, or tables that are missing or misshapen.
        """
        if values.get("version") != _VERSION:
            raise InputError(f"grain model of version {values.get('version')!r}: expected {_VERSION}; measure it anew")
        try:
            tables = {name: _tuples(values[name]) for name in ("deviation", "power", "correlation")}
            return cls(levels=tuple(float(level) for level in values["levels"]), **tables)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a grain model's tables are damaged ({error!r}): measure it anew") from error

    def to_json(self) -> str:
        return json.dumps(self.to_dict())

    def scaled(
        self, layers: tuple[float, float, float], at: Callable[[float], float] = lambda level: 1.0
    ) -> GrainModel:
        """The same grain, each layer multiplied by its factor and each level by `at(level)`."""
        rows = [
            tuple(value * layer * at(level) for value, layer in zip(row, layers, strict=True))
            for level, row in zip(self.levels, self.deviation, strict=True)
        ]
        return replace(self, deviation=tuple(rows))

    def deviation_at(self, picture: Float32) -> Float32:
        """Standard deviation for every pixel of `picture` (shape (..., 3), net), flat beyond the outer levels."""
        table, low, scale = _curve(self)
        rows = picture * np.float32(scale)
        rows -= np.float32(low * scale)
        np.fmax(rows, 0, out=rows)  # NaN counts as the darkest level
        np.fmin(rows, len(table) - 1, out=rows)
        index = rows.astype(np.int32)
        index *= 3
        index += np.arange(3, dtype=np.int32)
        return table.ravel().take(index, mode="clip")

    def kernel(self, channel: int, size: float = 1.0) -> Float64:
        """FIR kernel, odd and square, of unit energy, that gives white noise the layer's spectrum.

        Args:
            size: Grain size against the measured one; the kernel is stretched by it.
        """
        return _stretched(self.power[channel], round(size, 4))


def plane_power(power: tuple[float, ...]) -> Float64:
    """The radial spectrum laid out over a 64 x 64 plane of DFT frequencies."""
    return np.asarray(np.interp(_radius(), FREQUENCIES, power))


def normalised(power: Float64) -> tuple[float, ...]:
    """A radial spectrum scaled so that its mean over the frequency plane is 1; flat if there is no power at all."""
    mean = float(np.interp(_radius(), FREQUENCIES, power).mean())
    return tuple(float(value) for value in power / mean) if mean > 0 else (1.0,) * len(FREQUENCIES)


def _radius() -> Float64:
    axis = np.fft.fftfreq(_GRID)
    return np.asarray(np.hypot(axis[:, None], axis[None, :]))


@lru_cache(maxsize=64)
def _curve(model: GrainModel) -> tuple[Float32, float, float]:
    """(table of 1024 x 3 deviations, level of its first row, rows a unit of net)."""
    low, high = model.levels[0], max(model.levels[-1], model.levels[0] + 1e-6)
    grid = np.linspace(low, high, 1024)
    columns = [np.interp(grid, model.levels, [row[channel] for row in model.deviation]) for channel in range(3)]
    return np.stack(columns, axis=1).astype(np.float32), low, 1023 / (high - low)


@lru_cache(maxsize=64)
def _fitted(power: tuple[float, ...]) -> Float64:
    """Zero-phase kernel of (2 * 5 + 1)^2 taps whose spectrum follows `power`.

    Cutting a kernel off smooths its spectrum, so the wanted amplitude is corrected by what came out, a few times.
    """
    wanted = np.sqrt(np.maximum(plane_power(power), 1e-6))
    middle = slice(_GRID // 2 - _RADIUS, _GRID // 2 + _RADIUS + 1)
    amplitude = wanted.copy()
    for _ in range(12):
        whole = np.fft.fftshift(np.fft.ifft2(amplitude).real)
        cut = np.zeros_like(whole)
        cut[middle, middle] = whole[middle, middle]
        got = np.abs(np.fft.fft2(cut))
        amplitude *= np.clip(wanted / np.maximum(got, 1e-3), 0.5, 2.0) ** 0.7
    kernel = cut[middle, middle]
    return np.asarray(kernel / np.sqrt((kernel**2).sum()))


@lru_cache(maxsize=64)
def _stretched(power: tuple[float, ...], size: float) -> Float64:
    kernel = _fitted(power)
    if size == 1.0:
        return kernel
    radius = max(1, math.ceil((_RADIUS + 1) * size) - 1)
    at = np.arange(-radius, radius + 1) / size + _RADIUS
    lines = np.arange(2 * _RADIUS + 1)
    rows = np.stack([np.interp(at, lines, line, left=0, right=0) for line in kernel])
    wide = np.stack([np.interp(at, lines, line, left=0, right=0) for line in rows.T], axis=1)
    return np.asarray(wide / np.sqrt((wide**2).sum()))


def _tuples(rows: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in rows)
