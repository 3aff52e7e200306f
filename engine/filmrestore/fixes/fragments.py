"""The guard's other half: a mark that is a piece of something larger is picture, and its repair would cut that off."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frame import Box
from .guard import F32, UPRIGHT

_RING = (1.5, 3.0)  # px from a mark: beyond what the scanner's blur spreads of it
_EDGE = (0.05, 6.0)  # net units, and deviations of the grain: what a repair differs by more from what lies beside it
_SEAM = 0.15  # share of the ring along which it does, at a guard of .5
_LENGTH = 10  # pixels of the ring, together: chance and texture make no longer ones
_ALONG = 0.5  # share of a mark's rows in which it lies at a scratch
_LINE = 3  # times as long as wide
_LONG = 10  # px
_BEYOND = range(2, 9)  # px beyond an end of a line
_ACROSS = 6  # px to either side
_GOES_ON = 0.2  # share of its contrast that it keeps there, at a guard of 1


def is_of_bundle(scratches: NDArray[np.bool_], box: Box, mark: NDArray[np.bool_]) -> bool:
    """Whether an upright mark lies along a lasting scratch: these come in bundles, which are found in pieces.

    Args:
        scratches: The frame's lasting scratches and what lies right beside them, (h, w).
        box, mark: As for `is_moving_picture`.
    """
    if box.height < UPRIGHT * box.width:
        return False
    return bool((mark & scratches[box.slices]).any(axis=1).mean() >= _ALONG)


def makes_an_edge(
    now: F32, box: Box, mark: NDArray[np.bool_], clean: F32, marks: NDArray[np.bool_], *, noise: float, guard: float
) -> bool:
    """Whether a repair would lay an edge where the scan has none.

    Dirt has an edge all around, and its repair takes that away. A mark that is a piece of something larger (of a shoe
    that moves farther in a frame than anything is looked for) has none where the thing goes on: there the repair,
    the background, would end in a new edge.

    Args:
        now, box, mark, clean, guard: As for `is_moving_picture`.
        marks: All marks of the frame, (h, w): beside another mark nothing can be told.
        noise: Deviation of the grain there, net units.
    """
    if guard <= 0:
        return False
    wide = box.grown(int(np.ceil(_RING[1])) + 1, *now.shape)
    whole = np.zeros((wide.height, wide.width), np.uint8)
    whole[box.y0 - wide.y0 : box.y1 - wide.y0, box.x0 - wide.x0 : box.x1 - wide.x0] = mark
    distance, nearest = cv2.distanceTransformWithLabels(
        1 - whole, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    others = cv2.dilate(marks[wide.slices].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    ring = (distance >= _RING[0]) & (distance < _RING[1]) & ~others
    if not ring.any():
        return False
    scan = now[wide.slices]
    repaired = scan.copy()
    repaired[whole > 0] = clean[mark]
    of_mark = np.zeros(int(nearest.max()) + 1, np.intp)
    of_mark[nearest[whole > 0]] = np.flatnonzero(whole)
    inner = of_mark[nearest[ring]]
    beside = scan[ring]
    more = np.abs(repaired.ravel()[inner] - beside) - np.abs(scan.ravel()[inner] - beside)
    seam = np.zeros_like(whole)
    seam[ring] = more > max(_EDGE[0], _EDGE[1] * noise)
    if seam.sum() <= _SEAM * 0.5 / guard * ring.sum():
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(seam, connectivity=8)
    return int(stats[1:, cv2.CC_STAT_AREA].max()) >= _LENGTH


def goes_on(now: F32, box: Box, mark: NDArray[np.bool_], clean: F32, *, guard: float) -> bool:
    """Whether a line goes on beyond both of its ends, unmarked: then it is a leash, a rope or a wire, found in part.

    Not asked of upright lines: scratches are often found in pieces.

    Args:
        now, box, mark, clean, guard: As for `is_moving_picture`.
    """
    rows, columns = np.nonzero(mark)
    if guard <= 0 or len(rows) < _LONG or box.height >= UPRIGHT * box.width:
        return False
    points = np.stack([columns + box.x0, rows + box.y0], axis=1).astype(np.float64)
    centred = points - points.mean(axis=0)
    along = centred @ np.linalg.eigh(centred.T @ centred)[1][:, 1]
    length = float(np.ptp(along)) + 1
    if length < max(_LONG, _LINE * len(points) / length):
        return False
    difference = (now[box.slices] - clean)[mark]
    least = float(np.abs(difference).mean()) * _GOES_ON / guard
    signed = now * np.sign(difference.mean(), dtype=np.float32)
    return all(_beyond(signed, points, way) > least for way in (along, -along))


def _beyond(now: F32, points: NDArray[np.float64], along: NDArray[np.float64]) -> float:
    """By how much a line stands out from its sides beyond its end, at its weakest; 0 where that is out of the frame."""
    height, width = now.shape
    end = points[along.argmax()]
    behind = points[np.abs(along - along.max() + _BEYOND[-1]) < 1.5]
    way = end - (behind if len(behind) else points).mean(axis=0)
    way /= max(float(np.hypot(*way)), 1e-6)
    weakest = np.inf
    for step in _BEYOND:
        drift = step // 3  # it may bend
        offsets = np.arange(-_ACROSS - drift, _ACROSS + drift + 1)
        x, y = np.rint(end + step * way + offsets[:, None] * np.array([-way[1], way[0]])).astype(int).T
        if x.min() < 0 or y.min() < 0 or x.max() >= width or y.max() >= height:
            return 0.0
        profile = now[y, x]
        middle = profile[np.abs(offsets) <= 2 + drift]
        weakest = min(weakest, float(middle.max() - np.median(profile)))
    return weakest
