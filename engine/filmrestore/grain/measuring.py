"""Measures a plate's grain: blocks where the picture is flat, or where two frames cancel it, hold grain alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .model import FREQUENCIES, Float32, Float64, GrainModel, normalised

_BLOCK = 32
_MOST_BLOCKS = 3000  # a frame; more change nothing but the time
_SHARE = 0.25  # of the blocks of one brightness: the flattest
_FEWEST = 6  # blocks that a level needs
_STEP = 0.1  # of the levels, net
_SLOW = 2.0 / _BLOCK  # up to here the picture rules the spectrum, and flatness is judged
_PLATEAU = slice(3, 5)  # radial bins that stand in for the slower ones
_FROZEN = 0.25  # of the usual pair's power: a pair below it is one frame twice
_SAME = 0.001  # of the single frames' power: the same, where there is one pair only
_LOW_QUARTER = 1.03  # deviation of pure grain over that of the weaker half's median block
_AGREED = 1.25
_GROWTH = 1.6  # of the deviation over one step of level: more than this is picture


@dataclass(frozen=True)
class _Blocks:
    """Spectra of blocks: `mean` (n, 3) brightness, `power` (n, 3, 24) by radius, `cross` (n, 3) of the layer pairs."""

    mean: Float64
    power: Float64
    cross: Float64

    @property
    def slow(self) -> Float64:
        """Power in which picture shows, shape (n,)."""
        return np.asarray(self.power[:, :, 1 : int(_SLOW * _BLOCK) + 1].sum(axis=(1, 2)))

    @property
    def fast(self) -> Float64:
        """Mean power of what is fast enough to be grain, shape (n, 3)."""
        weights = _area()[_PLATEAU.start :]
        return np.asarray((self.power[:, :, _PLATEAU.start :] * weights).sum(axis=2) / weights.sum())

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> _Blocks:
        return _Blocks(self.mean[chosen], self.power[chosen], self.cross[chosen])


_PAIRS = ((0, 1), (0, 2), (1, 2))


def measure(frames: Iterable[Float32]) -> GrainModel:
    """The grain of a plate.

    Single frames are measured where they are flat. Differences of neighbours / sqrt(2) hold no picture where nothing
    moved, and count as further blocks, unless two frames are nearly the same one: a repeated frame shows no grain.
    Picture adds power and never takes any, so of the flat blocks the weaker half speaks, and a level far above its
    neighbours is held down to them. Medians keep dirt out.

    Args:
        frames: Neighbouring frames in order, each (h, w, 3), net, at least 32 x 32.

    Raises:
        InputError: frames too small to measure.
    """
    plates = [np.ascontiguousarray(frame, dtype=np.float32) for frame in frames]
    if not plates or any(plate.ndim != 3 or min(plate.shape[:2]) < _BLOCK for plate in plates):
        raise InputError(f"grain is measured on frames of at least {_BLOCK} x {_BLOCK} pixels and 3 channels")
    blocks = _joined([_spectra(plate) for plate in plates])
    pairs = [
        _spectra((after - before) * np.float32(np.sqrt(0.5)), before)
        for before, after in pairwise(plates)
        if before.shape == after.shape
    ]
    weakest = [_weakest(pair) for pair in pairs]
    floor = max(_SAME * _weakest(blocks), _FROZEN * float(np.quantile(weakest or [0.0], 1 / 3)))
    moving = [pair for pair, power in zip(pairs, weakest, strict=True) if power > floor]
    return _fitted(_flattest(_joined([blocks, *moving])))


def _weakest(blocks: _Blocks) -> float:
    """Power of what is likely grain alone."""
    chosen = _flattest(blocks)
    return float(np.median(chosen.fast)) if len(chosen.mean) else 0.0


def _spectra(plate: Float32, brightness: Float32 | None = None) -> _Blocks:
    """Windowed spectra of overlapping blocks, a plane taken off each."""
    source = plate if brightness is None else brightness
    height, width = plate.shape[:2]
    step = _BLOCK // 2
    while ((height - _BLOCK) // step + 1) * ((width - _BLOCK) // step + 1) > _MOST_BLOCKS:
        step += 4
    rows, columns = np.arange(0, height - _BLOCK + 1, step), np.arange(0, width - _BLOCK + 1, step)
    window, fit = _window(), _plane()
    means, powers, crosses = [], [], []
    for row in rows:
        cut = np.stack([plate[row : row + _BLOCK, x : x + _BLOCK] for x in columns]).transpose(0, 3, 1, 2)
        mean = np.stack([source[row : row + _BLOCK, x : x + _BLOCK].mean(axis=(0, 1)) for x in columns])
        bumps = np.nan_to_num(cut.reshape(len(columns), 3, -1))
        bumps -= np.asarray((bumps @ fit) @ fit.T, dtype=np.float32)
        spectrum = np.fft.rfft2(bumps.reshape(cut.shape) * window)
        powers.append(_radial(np.abs(spectrum) ** 2))
        crosses.append(np.stack([_fast_cross(spectrum, a, b) for a, b in _PAIRS], axis=1))
        means.append(np.nan_to_num(mean))
    return _Blocks(*(np.concatenate(part).astype(np.float64) for part in (means, powers, crosses)))


def _window() -> Float32:
    """A Hann window of unit mean power: the spectrum's mean is then the variance."""
    line = np.hanning(_BLOCK + 2)[1:-1]
    window = np.outer(line, line)
    return np.asarray(window / np.sqrt((window**2).mean()) / _BLOCK, dtype=np.float32)


def _plane() -> Float32:
    """Orthonormal basis of constant, slope and slope over a block, shape (block^2, 3)."""
    axis = np.linspace(-1, 1, _BLOCK)
    basis = np.stack([np.ones((_BLOCK, _BLOCK)), *np.meshgrid(axis, axis)], axis=-1).reshape(-1, 3)
    return np.asarray(basis / np.linalg.norm(basis, axis=0), dtype=np.float32)


def _bins() -> NDArray[np.intp]:
    """Radial bin of each coefficient of a half spectrum, shape (block, block / 2 + 1)."""
    radius = np.hypot(np.fft.fftfreq(_BLOCK)[:, None], np.fft.rfftfreq(_BLOCK)[None, :])
    return np.asarray(np.minimum(np.rint(radius * _BLOCK), len(FREQUENCIES) - 1), dtype=np.intp)


def _halves() -> Float64:
    """How often each coefficient of a half spectrum stands in the whole one."""
    twice = np.full((_BLOCK, _BLOCK // 2 + 1), 2.0)
    twice[:, [0, -1]] = 1.0
    return twice


def _area() -> Float64:
    """Coefficients in each radial bin of the whole spectrum."""
    counts = np.bincount(_bins().ravel(), weights=_halves().ravel(), minlength=len(FREQUENCIES))
    return np.asarray(counts, dtype=np.float64)


def _radial(power: Float32) -> Float32:
    """Mean power by radius, shape (n, 3, 24), of half spectra."""
    places = np.zeros((_BLOCK * (_BLOCK // 2 + 1), len(FREQUENCIES)), np.float32)
    places[np.arange(len(places)), _bins().ravel()] = _halves().ravel()
    return np.asarray(power.reshape(*power.shape[:2], -1) @ places / _area().astype(np.float32))


def _fast_cross(spectrum: NDArray[np.complexfloating], one: int, other: int) -> Float64:
    fast = (_bins() >= _PLATEAU.start) * _halves()
    return np.asarray(((spectrum[:, one] * spectrum[:, other].conj()).real * fast).sum(axis=(1, 2)) / fast.sum())


def _joined(parts: Sequence[_Blocks]) -> _Blocks:
    return _Blocks(
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.power for part in parts]),
        np.concatenate([part.cross for part in parts]),
    )


def _flattest(blocks: _Blocks) -> _Blocks:
    """The flattest quarter of each brightness, and of these the weaker half.

    Constant blocks (borders, clipped white) hold no grain to measure.
    """
    blocks = blocks[blocks.fast.min(axis=1) > 1e-12]
    slow, fast = blocks.slow, blocks.fast.mean(axis=1)
    level = np.floor(blocks.mean.mean(axis=1) / _STEP)
    kept = np.zeros(len(slow), dtype=bool)
    for one in np.unique(level):
        inside = np.flatnonzero(level == one)
        count = min(len(inside), max(_FEWEST, int(len(inside) * _SHARE)))
        flat = inside[np.argsort(slow[inside], kind="stable")[:count]]
        kept[flat[np.argsort(fast[flat], kind="stable")[: max(_FEWEST, count // 2)]]] = True
    return blocks[kept]


def _fitted(blocks: _Blocks) -> GrainModel:
    if len(blocks.mean) == 0:
        return GrainModel(
            levels=(0.5,),
            deviation=((0.0, 0.0, 0.0),),
            power=(normalised(np.ones(len(FREQUENCIES))),) * 3,
            correlation=tuple(tuple(row) for row in np.eye(3)),
        )
    fast = blocks.fast
    step = np.floor(blocks.mean.mean(axis=1) / _STEP)
    power, gains = [], []
    for channel in range(3):
        shape = _course(blocks.power[:, channel], step)
        shape[: _PLATEAU.start] = _slow_end(shape)
        power.append(normalised(shape))
        # Variance over fast power, the same for all blocks of one spectrum.
        weights = _area()[_PLATEAU.start :]
        gains.append(weights.sum() / (np.array(power[-1])[_PLATEAU.start :] * weights).sum())
    levels, deviation = _by_level(blocks.mean, fast * np.array(gains))
    # Rounded beyond what the measurement knows, so that no last bit of a matrix product reaches the grain.
    return GrainModel(
        levels=levels,
        deviation=_rounded(deviation, 6),
        power=_rounded(power, 4),
        correlation=_rounded(_correlation(blocks), 4),
    )


def _rounded(table: Iterable[Iterable[float]], digits: int) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), digits) for value in row) for row in table)


def _course(power: Float64, step: NDArray[np.floating]) -> Float64:
    """The spectrum over all levels: medians within each, so that the strong levels speak.

    The codes' own rounding is as strong in weak blocks as in strong ones; relative spectra would make it grain.
    """
    levels, counts = np.unique(step, return_counts=True)
    medians = np.stack([np.median(power[step == level], axis=0) for level in levels])
    return np.asarray((medians * counts[:, None]).sum(axis=0) / counts.sum())


def _slow_end(shape: Float64) -> Float64:
    """The spectrum below the plateau: its own course towards 0 where the blocks agree with it, else flat.

    Grain's spectrum ends flat, about as exp(-b f^2); picture's goes on rising, and shows by exceeding that.
    """
    flat = shape[_PLATEAU].mean()
    fitted = np.arange(_PLATEAU.start, _PLATEAU.start + 4)
    slope, top = np.polyfit((fitted / _BLOCK) ** 2, np.log(np.maximum(shape[fitted], 1e-20)), 1)
    course = np.exp(top + slope * (np.arange(_PLATEAU.start) / _BLOCK) ** 2)
    agrees = slope < 0 and shape[1] < _AGREED * course[1]
    return np.minimum(course, 3 * flat) if agrees else np.full(_PLATEAU.start, flat)


def _by_level(mean: Float64, variance: Float64) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """(levels, deviation): the median of each step of brightness, each layer by its own brightness."""
    lowest, highest = np.floor(mean.min() / _STEP), np.floor(mean.max() / _STEP)
    levels = (np.arange(lowest, highest + 1) + 0.5) * _STEP
    columns = []
    for channel in range(3):
        step = np.floor(mean[:, channel] / _STEP)
        counts = np.array([(step == one).sum() for one in np.arange(lowest, highest + 1)])
        enough = counts >= min(_FEWEST, counts.max())
        steps = np.floor(levels[enough] / _STEP)
        known = [_LOW_QUARTER * np.sqrt(np.median(variance[step == one, channel])) for one in steps]
        columns.append(_envelope(np.interp(levels, levels[enough], known)))
    rows = tuple(tuple(float(column[index]) for column in columns) for index in range(len(levels)))
    return tuple(round(float(level), 4) for level in levels), rows


def _envelope(deviation: Float64) -> Float64:
    """The curve held to `_GROWTH` a step above every other level."""
    distance = np.abs(np.subtract.outer(np.arange(len(deviation)), np.arange(len(deviation))))
    return np.asarray((deviation * _GROWTH**distance).min(axis=1))


def _correlation(blocks: _Blocks) -> tuple[tuple[float, ...], ...]:
    matrix = np.eye(3)
    for index, (one, other) in enumerate(_PAIRS):
        scale = np.sqrt(blocks.fast[:, one] * blocks.fast[:, other])
        value = float(np.clip(np.median(blocks.cross[:, index] / scale), -1.0, 1.0))
        matrix[one, other] = matrix[other, one] = 1.0 if value > 1 - 1e-4 else value
    return tuple(tuple(float(value) for value in row) for row in matrix)
