"""Laying frame-wide fixes over codes: additions and products in float64 in one order, so the same bits everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..frame import Codes, Format
from .record import WIDE_CAUSES, Fade, Flicker, Weave, Wide
from .resample import moved

F64 = NDArray[np.float64]
_STRIP = 256  # rows at once: the arithmetic is in float64, and a frame in that is large


def lay(codes: Codes, wides: Sequence[Wide], format: Format) -> Codes:
    """The codes of a frame with its frame-wide fixes; the same array where there are none.

    No logarithm, power or colour transform is asked, whose last bit differs from machine to machine: what needs one was
    worked out when the fix was made, and stands in it as numbers. Tone comes first, channel by channel; then the
    picture is moved, once, and rounded, once.

    Args:
        codes: Shape (h, w, c), all channels. Those of the picture change tone; all of them move.
        wides: Of that frame, at most one of each kind.
        format: Of the codes.
    """
    if not wides:
        return codes
    ordered = sorted(wides, key=lambda wide: WIDE_CAUSES.index(wide.cause))
    tones = [wide for wide in ordered if not isinstance(wide, Weave)]
    moves = [wide for wide in ordered if isinstance(wide, Weave)]
    picture = list(format.picture)
    done = codes.copy()
    if not moves:
        for top in range(0, len(codes), _STRIP):
            rows = slice(top, top + _STRIP)
            part = np.ascontiguousarray(codes[rows][:, :, picture])
            done[rows, :, picture] = _stored(_toned(part, tones, top, codes.shape, format), part, format)
        return done
    wide = np.nan_to_num(codes.astype(np.float64))
    wide[:, :, picture] = _toned(np.ascontiguousarray(codes[:, :, picture]), tones, 0, codes.shape, format)
    for move in moves:
        wide = moved(wide, move.matrix)
    return _stored(wide, codes, format, keep=False)


def _toned(codes: Codes, tones: Sequence[Wide], top: int, full: tuple[int, ...], format: Format) -> F64:
    """Picture channels of some rows with flicker and fading undone, float64, not rounded."""
    values = np.nan_to_num(codes.astype(np.float64))
    for tone in tones:
        if isinstance(tone, Flicker):
            values = values + _flicker(values, tone, top, full, format)
        elif isinstance(tone, Fade):
            values = _curved(values, tone, format.white)
    return values


def _flicker(values: F64, fix: Flicker, top: int, full: tuple[int, ...], format: Format) -> F64:
    white = format.white
    change = values * (np.array(fix.gain) - 1.0) + np.array(fix.offset) * white
    if fix.field:
        field = _field(fix.field, full[0], full[1])[top : top + len(values), :, None]
        change = change + field * (values if fix.law == "gain" else white)
    if format.is_integer:
        change = change * np.clip((white - values) / (fix.ends * white), 0.0, 1.0)
        change = change * np.clip(values / (fix.ends * white), 0.0, 1.0)
    return np.asarray(change)


def _field(grid: tuple[tuple[float, ...], ...], height: int, width: int) -> F64:
    """A grid over the frame as a smooth field, shape (height, width)."""
    down, across = _spread(len(grid), height), _spread(len(grid[0]), width)
    field = np.zeros((height, width))
    for row, share in zip(grid, down, strict=True):
        line = np.zeros(width)
        for value, weight in zip(row, across, strict=True):
            line = line + value * weight
        field = field + share[:, None] * line
    return field


def _spread(cells: int, length: int) -> list[F64]:
    """The weight of each cell of a row at every pixel of `length`: a quadratic B-spline, held at both ends."""
    place = (np.arange(length) + 0.5) * (cells / length) - 0.5
    weights = []
    for cell in range(cells):
        ghosts = [cell, *([-1] if cell == 0 else []), *([cells] if cell == cells - 1 else [])]
        total = np.zeros(length)
        for ghost in ghosts:  # beyond the frame the outer cell goes on
            away = np.abs(place - ghost)
            near, far = 0.75 - away * away, 0.5 * (1.5 - away) * (1.5 - away)
            total = total + np.where(away < 0.5, near, np.where(away < 1.5, far, 0.0))
        weights.append(total)
    return weights


def _curved(values: F64, fix: Fade, white: float) -> F64:
    """Each channel through its curve. Not np.interp: what that rounds differs between machines."""
    knots = np.array(fix.knots) * white
    out = np.empty_like(values)
    for channel, curve in enumerate(fix.curves):
        heights = np.array(curve) * white
        slopes = (heights[1:] - heights[:-1]) / (knots[1:] - knots[:-1])
        piece = np.clip(np.searchsorted(knots, values[:, :, channel], side="right") - 1, 0, len(slopes) - 1)
        out[:, :, channel] = heights[piece] + slopes[piece] * (values[:, :, channel] - knots[piece])
    return out


def _stored(values: F64, codes: Codes, format: Format, *, keep: bool = True) -> Codes:
    """Values as codes of the dtype of `codes`; with `keep`, a code that is not finite keeps its bits."""
    if format.is_integer:
        rounded: Codes = np.clip(np.rint(values), 0, format.white).astype(codes.dtype)
        return rounded
    limit = float(np.finfo(codes.dtype).max)
    stored: Codes = np.clip(values, -limit, limit).astype(codes.dtype)
    return np.where(np.isfinite(codes), stored, codes) if keep else stored
