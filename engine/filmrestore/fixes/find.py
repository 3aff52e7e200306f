"""Finds the fixes of a frame: what changed between two sets of codes, cut into connected marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frame import Codes, Format
from .classify import Stays, cause_of, measure_shape, polarity_of
from .model import ORIGINS, Cause, Fix, OriginName, Pixels, Polarity, RecordedFix, bit_pattern, fix_id

_STAY_RADIUS = 3


class _Mark(NamedTuple):
    """A connected mark: its box and the indices of its pixels among all changed ones."""

    box: tuple[int, int, int, int]
    pixels: NDArray[np.intp]


def find_fixes(
    scan: Codes,
    new: Codes,
    matte: NDArray[Any],
    origin: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    *,
    frame: int,
    model: str,
    settings: str,
    format: Format,
    persistence: NDArray[np.float32] | None = None,
    given: Mapping[Cause, NDArray[np.bool_]] | None = None,
) -> list[RecordedFix]:
    """Every changed pixel in exactly one fix; pixels less than 2 px apart share one.

    Args:
        scan, new: Shape (h, w, c), picture channels as read and as they will be written.
        matte: Shape (h, w), 0..1, or uint8 0..255.
        origin: Shape (h, w): `restorers.base.Origin`. A changed pixel that says untouched counts as interpolated.
        confidence: Shape (h, w), 0..1: calibrated probability of damage. A fix is as certain as its most certain pixel:
            it is right where any of its pixels was damaged, and has a rim that was not.
        frame: Source frame number.
        model: Who made the change, "frdm@0123456789ab".
        settings: Digest of the settings.
        format: Of the scan.
        persistence: Shape (h, w), from `persistence`: where neighbour frames are marked too.
        given: Marks made by a person ("painted") or a scanner ("infrared"), shape (h, w) each.

    Returns:
        Fixes from top to bottom; the same for the same pixels, whatever the order of tiles.
    """
    assert scan.shape == new.shape and scan.dtype == new.dtype
    assert scan.shape[:2] == matte.shape == origin.shape == confidence.shape
    changed = _changed(scan, new)
    rows, columns = np.nonzero(changed)
    if not len(rows):
        return []
    before, after = scan[rows, columns], new[rows, columns]
    sources = origin[rows, columns]
    sources = np.where(sources == 0, np.uint8(ORIGINS.index("interpolated")), sources)
    mattes, trust = _as_bytes(matte[rows, columns]), confidence[rows, columns]
    marks = _connected(changed, rows, columns)
    change, polarities = _changes(before, after, marks, format.white)
    stays = Stays(persistence) if persistence is not None else None
    found: list[RecordedFix] = []
    for mark, mean_change, polarity in zip(marks, change, polarities, strict=True):
        (x0, y0, x1, y1), own = mark
        mask = np.zeros((y1 - y0, x1 - x0), np.bool_)
        mask[rows[own] - y0, columns[own] - x0] = True
        pixels = Pixels(mask, before[own], after[own], mattes[own], sources[own])
        shares = _shares(pixels.origin)
        fix = Fix(
            id=fix_id(frame, mark.box, pixels),
            frame=frame,
            box=mark.box,
            area=len(own),
            cause=_given_cause(given, rows[own], columns[own])
            or cause_of(measure_shape(mask, (x0, y0), changed.shape, stays), polarity),
            polarity=polarity,
            origin=_main_origin(shares),
            shares=shares,
            confidence=round(float(np.clip(np.nan_to_num(trust[own]).max(), 0, 1)), 4),
            change=mean_change,
            model=model,
            settings=settings,
        )
        found.append(RecordedFix(fix, pixels))
    return found


def persistence(mattes: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """How much of the neighbour frames is marked at each pixel, give or take 3 px of weave, 0..1.

    Args:
        mattes: Mattes of the neighbour frames, shape (h, w) each, 0..1; at least one.

    Returns:
        Shape (h, w): mean over the neighbours.
    """
    size = 2 * _STAY_RADIUS + 1
    kernel = np.ones((size, size), np.uint8)
    total = np.zeros(mattes[0].shape, np.float32)
    for matte in mattes:
        total += cv2.dilate((matte > 0.5).astype(np.float32), kernel)
    return total / np.float32(len(mattes))


def _changed(scan: Codes, new: Codes) -> NDArray[np.bool_]:
    """Shape (h, w): where any bit of any channel differs."""
    height, width, channels = scan.shape
    differs = bit_pattern(scan).reshape(height, -1) != bit_pattern(new).reshape(height, -1)
    changed = np.zeros((height, width), np.bool_)
    rows = np.flatnonzero(differs.any(axis=1))  # most rows of most frames have nothing to look at
    changed[rows] = differs[rows].reshape(-1, width, channels).any(axis=2)
    return changed


def _connected(changed: NDArray[np.bool_], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> list[_Mark]:
    """Marks in the order of their first pixel; a gap of one pixel does not part them."""
    bridged = cv2.dilate(changed.astype(np.uint8), np.ones((2, 2), np.uint8))
    _, labels = cv2.connectedComponents(bridged, connectivity=8, ltype=cv2.CV_32S)
    own = labels[rows, columns]
    order = np.argsort(own, kind="stable")
    starts = np.flatnonzero(np.diff(own[order], prepend=0))
    left, top = np.minimum.reduceat(columns[order], starts), np.minimum.reduceat(rows[order], starts)
    right, bottom = np.maximum.reduceat(columns[order], starts), np.maximum.reduceat(rows[order], starts)
    boxes = np.stack((left, top, right + 1, bottom + 1), axis=1).tolist()
    groups = np.split(order, starts[1:])
    marks = [_Mark((x0, y0, x1, y1), pixels) for (x0, y0, x1, y1), pixels in zip(boxes, groups, strict=True)]
    return sorted(marks, key=lambda mark: int(mark.pixels[0]))


def _changes(before: Codes, after: Codes, marks: list[_Mark], white: float) -> tuple[list[float], list[Polarity]]:
    """Mean change and polarity of every mark."""
    order = np.concatenate([mark.pixels for mark in marks])
    areas = np.array([len(mark.pixels) for mark in marks])
    old, new = before[order].astype(np.float64), after[order].astype(np.float64)
    starts = np.concatenate(([0], np.cumsum(areas)[:-1]))
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.add.reduceat(np.abs(new - old).mean(axis=1), starts) / areas / white
    change = [round(value, 5) if np.isfinite(value) else -1.0 for value in sums.tolist()]
    return change, polarity_of(old.mean(axis=1), new.mean(axis=1), areas)


def _as_bytes(matte: NDArray[Any]) -> NDArray[np.uint8]:
    """0..1 as 0..255, rounded up so that a weak matte does not vanish."""
    if matte.dtype == np.uint8:
        return matte.astype(np.uint8, copy=False)
    scaled: NDArray[np.float32] = np.ceil(np.clip(np.nan_to_num(matte.astype(np.float32)), 0, 1) * np.float32(255))
    return scaled.astype(np.uint8)


def _shares(origin: NDArray[np.uint8]) -> tuple[float, float, float]:
    counts = np.bincount(origin, minlength=4)[1:4] / len(origin)
    return round(float(counts[0]), 4), round(float(counts[1]), 4), round(float(counts[2]), 4)


def _main_origin(shares: tuple[float, float, float]) -> OriginName:
    """The origin with the largest share; a tie goes to the less trustworthy one."""
    names: tuple[OriginName, ...] = ("recovered", "interpolated", "generated")
    return names[max(range(3), key=lambda index: (shares[index], index))]


def _given_cause(
    given: Mapping[Cause, NDArray[np.bool_]] | None, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> Cause | None:
    for cause, mask in (given or {}).items():
        if mask[rows, columns].mean() > 0.5:
            return cause
    return None
