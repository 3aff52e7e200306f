"""Crop sheets: the same places before, in truth, and after each row."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .. import metrics
from .clips import Clip
from .light import Codes16, from_codes

EDGE = 96
"""Side of a crop, pixels; shown at twice that."""

_CAPTION = 22


def places(clip: Clip, count: int = 4) -> list[tuple[int, int, int]]:
    """(frame, x, y) of the crops: where damage, or in undamaged sequences motion, is densest.

    No two are closer than a crop's side in the same frame.
    """
    edge = min(EDGE, *clip.scan.shape[1:3])
    frames = sorted({clip.frames // 2, 1, clip.frames - 2} & set(range(clip.frames)))
    densities = {t: cv2.blur(_interest(clip, t), (edge, edge)) for t in frames}
    found: list[tuple[int, int, int]] = []
    for n in range(count):
        t = frames[n % len(frames)]
        density = densities[t]
        half = edge // 2
        inner = density[half : density.shape[0] - half + 1, half : density.shape[1] - half + 1]
        y, x = np.unravel_index(int(inner.argmax()), inner.shape)
        found.append((t, int(x), int(y)))
        density[max(0, int(y) - half) : int(y) + 3 * half, max(0, int(x) - half) : int(x) + 3 * half] = -1
    return found


def _interest(clip: Clip, t: int) -> NDArray[np.float32]:
    if clip.plan.damage != "none":
        scan, truth = from_codes(clip.scan[t]), from_codes(clip.truth[t])
        return np.asarray(np.minimum(metrics.largest_difference(scan, truth), 0.2), np.float32)
    field = clip.motion[max(t - 1, 0)]
    return np.minimum(np.hypot(field[..., 0], field[..., 1]), 30).astype(np.float32)


def crops(frames: Codes16, spots: list[tuple[int, int, int]]) -> NDArray[np.uint8]:
    """The crops of one row, one below the other, twice their size, 8 bit."""
    column = []
    for t, x, y in spots:
        crop = (frames[t, y : y + EDGE, x : x + EDGE] >> 8).astype(np.uint8)
        column.append(cv2.resize(crop, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST))
    return np.concatenate(column)


def write_sheet(path: Path, columns: dict[str, NDArray[np.uint8]]) -> None:
    """Columns of crops beside each other, each under its name."""
    height = max(column.shape[0] for column in columns.values())
    parts = []
    for name, column in columns.items():
        sheet = np.full((height + _CAPTION, column.shape[1] + 4, 3), 32, np.uint8)
        sheet[_CAPTION : _CAPTION + column.shape[0], : column.shape[1]] = column
        cv2.putText(sheet, name, (2, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (230, 230, 230), 1, cv2.LINE_AA)
        parts.append(sheet)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.concatenate(parts, axis=1)[..., ::-1]):
        raise OSError(f"cannot write {path}")
