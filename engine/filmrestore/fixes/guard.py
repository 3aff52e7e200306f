"""The guard: what neighbour frames show again is picture, moved along or standing where no scratch would."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frame import Box

F32 = NDArray[np.float32]
_BORDER = 4  # pixels of surroundings that move with a mark
_RIM = np.float32(0.55)  # weight of the one pixel around a mark; matchTemplate squares it
_WIDEST = 240  # a longer mark is no thrown ball; it is judged by the network alone
_LIKE = 1.2  # share of a mark's contrast that may remain over its likeness, at a guard of 1: things turn as they move
_LIKE_AT_CUT = 0.7
_MOVED = 0.6  # share of the difference in its old place that its likeness may have: else it stayed
_AT_END = (1.5, 0.8)  # both for larger marks where a shot begins or ends: nothing shows the way that a thing came
_FINE = 16  # pixels: marks up to this are looked for at full size
_COARSEST = 8  # and none at less than an eighth
_LARGE, _COMPACT = 24, 0.35  # shorter side in pixels, and share of its box, of a mark that is no line
_AS_LARGE = 0.5  # share of its area that the thing must have, at a guard of .5
UPRIGHT = 3  # times as high as wide: a line
THROUGH = 0.7  # share of the frame's height that a lasting scratch shows on
_TRACE = 0.15  # confidence that still counts as a line going on
_SIDE = 0.015  # share of the width: the picture's own border lies here
_ALONG = 15  # px
_FLANK = 6  # px
_SAME = 0.75  # share of its contrast by which what stays may differ from frame to frame
_SHOWN = 0.5  # and share of it that it keeps
_WEAVE = 5  # px
_SURE = 0.5  # mean confidence: a line of which the method is surer is no post, whatever lies around it


def is_moving_picture(
    now: F32,
    box: Box,
    mark: NDArray[np.bool_],
    clean: F32,
    neighbours: Mapping[int, F32],
    *,
    guard: float,
    reach: int,
) -> bool:
    """Whether a would-be defect is seen again, displaced, in every neighbour frame.

    Dirt lies on one frame. A ball, a bird or a blinking eye's lid lies on several, each time somewhere else.
    What stays in the same place (a scratch, a hair in the gate) is not judged here: both film and picture
    do that, and only the network's wider view tells them apart.

    Args:
        now: Luma of the frame, net encoding, shape (h, w).
        box: Bounding box of the mark.
        mark: The mark's pixels in the box, shape (box.height, box.width).
        clean: Luma of the proposed repair in the box.
        neighbours: Luma of frames of the same shot, by how many frames farther on they are: those before and after, or
            two of one side, where the shot begins or ends.
        guard: 0 never takes a fix back; 1 does at the faintest likeness.
        reach: How far a mark may move in a frame, pixels.

    Returns:
        True where the fix is to be taken back.
    """
    if guard <= 0 or not neighbours or max(box.width, box.height) > _WIDEST:
        return False
    contrast = float(np.abs(now[box.slices] - clean)[mark].mean())
    if contrast <= 1e-4:
        return False
    like, moved = _LIKE, _MOVED
    if len(neighbours) < 2:  # no second frame says whether a likeness lies on one path or there by chance
        like, reach = _LIKE_AT_CUT, reach // 4
    elif min(neighbours) * max(neighbours) > 0 and max(box.width, box.height) > _FINE:
        like, moved = _AT_END
    shifts = {}
    for away, other in neighbours.items():
        shift = _likeness(now, box, mark, other, contrast * like * guard, moved, reach * abs(away))
        if shift is None:
            return False
        shifts[away] = shift
    if len(shifts) == 1:
        return True
    (first, (ax, ay)), (second, (bx, by)) = shifts.items()
    # One path through three frames: the way on is the way so far, or mirrors it, give or take a bend.
    bend = float(np.hypot(ax * second / first - bx, ay * second / first - by))
    return bend <= 2.0 + 0.5 * max(float(np.hypot(ax, ay)), float(np.hypot(bx, by)))


def is_large_thing_elsewhere(
    now: F32,
    box: Box,
    mark: NDArray[np.bool_],
    clean: F32,
    neighbours: Collection[F32],
    *,
    guard: float,
    reach: int,
) -> bool:
    """Whether both neighbours have a thing as bright and about as large as the mark near it, where the frame has none.

    A foot that kicks is blurred and turned in each frame: no displacement makes one of the other. But it is somewhere,
    while a blotch is in one frame alone.

    Args:
        now, box, mark, clean, guard, reach: As for `is_moving_picture`.
        neighbours: Luma of both frames around, or of two on one side.
    """
    area = int(mark.sum())
    if guard <= 0 or len(neighbours) < 2 or min(box.width, box.height) < _LARGE or area < _COMPACT * mark.size:
        return False
    reach = max(reach, 2 * max(box.width, box.height))
    wide = box.grown(reach, *now.shape)
    there = now[box.slices]
    level, near = np.median(there[mark]), 0.5 * float(np.abs(there - clean)[mark].mean())
    without = now[wide.slices].copy()
    without[box.y0 - wide.y0 : box.y1 - wide.y0, box.x0 - wide.x0 : box.x1 - wide.x0][mark] = clean[mark]
    free = np.abs(without - level) > near
    return all(
        _largest(free & (np.abs(other[wide.slices] - level) < near)) >= _AS_LARGE * 0.5 / guard * area
        for other in neighbours
    )


def _largest(things: NDArray[np.bool_]) -> int:
    """Pixels of the largest thing, lines of a pixel or two taken off."""
    solid = cv2.morphologyEx(things.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    stats = cv2.connectedComponentsWithStats(solid, connectivity=8)[2]
    return int(stats[1:, cv2.CC_STAT_AREA].max(initial=0))


def is_standing_picture(
    now: F32,
    box: Box,
    mark: NDArray[np.bool_],
    clean: F32,
    confidence: F32,
    neighbours: Collection[F32],
    ways: Sequence[NDArray[np.float64]] = (),
    *,
    guard: float,
) -> bool:
    """Whether an upright line that stays in place is an edge of the picture and not a scratch.

    A scratch that lasts was cut by something the film ran past: it goes through the frame from top to bottom, if
    faintly in places. A door post or a lamp post begins and ends somewhere, and the border of the picture lies at its
    side, straight. But a line finds its like in any foliage: where the method is sure of it, it is believed.

    Args:
        now, box, mark, clean, guard: As for `is_moving_picture`.
        neighbours: Luma of frames of the same shot.
        confidence: Of the whole frame, (h, w): how far the line goes on is read from what was too faint to be marked.
        ways: Columns by row, (h,), of what the shot shows to go through the frame and is hardly picture.
    """
    thickness = mark.sum() / box.height  # it may lean
    if guard <= 0 or not neighbours or box.height < max(UPRIGHT * thickness, box.width):
        return False
    height, width = now.shape
    side = max(2, round(_SIDE * width))
    if box.width <= side and (box.x0 < side or box.x1 > width - side):
        return True
    if float(confidence[box.slices][mark].mean()) >= _SURE:
        return False
    if _run(confidence, box) >= THROUGH * height or any(_lies_on(box, mark, way) for way in ways):
        return False
    wide = Box(x0=max(box.x0 - _FLANK, 0), y0=box.y0, x1=min(box.x1 + _FLANK, width), y1=box.y1)
    whole = np.pad(mark, ((0, 0), (box.x0 - wide.x0, wide.x1 - box.x1)))
    line = _along(now[wide.slices])
    under = line.copy()
    under[:, box.x0 - wide.x0 : box.x1 - wide.x0] = _along(clean)
    contrast = float(np.abs(line - under)[whole].mean())
    return all(_stays(line, under, wide, whole, other, contrast) for other in neighbours)


def _along(picture: F32) -> F32:
    """The picture averaged along upright lines, so that grain does not count."""
    return np.asarray(cv2.blur(picture, (1, _ALONG), borderType=cv2.BORDER_REPLICATE))


def _run(confidence: F32, box: Box) -> int:
    """Rows in which the column of a mark, give or take its wandering, holds some confidence."""
    reach = 3 + box.width // 2
    band = confidence[:, max(box.x0 - reach, 0) : box.x1 + reach]
    return int((band.max(axis=1) > _TRACE).sum())


def _lies_on(box: Box, mark: NDArray[np.bool_], way: NDArray[np.float64]) -> bool:
    """Whether a line follows a way, give or take its wandering."""
    rows, columns = np.nonzero(mark)
    away = np.abs(columns + box.x0 - way[rows + box.y0])
    return bool(away.mean() <= _WEAVE)


def _stays(line: F32, under: F32, box: Box, mark: NDArray[np.bool_], other: F32, contrast: float) -> bool:
    """Whether another frame shows a mark in its own place, give or take some weave.

    What the columns beside it differ by is flicker, and taken off.

    Args:
        line, under: The scan and the repair in the box, averaged along lines.
        box, mark: The mark's, with a flank on either side.
        other: Luma of the other frame.
        contrast: Of the mark.
    """
    width = other.shape[1]
    least, shown = np.inf, 0.0
    for shift in range(-_WEAVE, _WEAVE + 1):
        x0, x1 = max(box.x0, -shift), min(box.x1, width - shift)
        part = slice(x0 - box.x0, x1 - box.x0)
        inside = mark[:, part]
        beside = ~inside.any(axis=0)
        if not inside.any() or not beside.any():
            continue
        there = _along(other[box.y0 : box.y1, x0 + shift : x1 + shift])
        there -= np.median((there - line[:, part])[:, beside])
        difference = float(np.abs(there - line[:, part])[inside].mean())
        if difference < least:
            own = np.sign(line - under)[:, part]
            least, shown = difference, float((own * (there - under[:, part]))[inside].mean())
    return least < _SAME * contrast and shown > _SHOWN * contrast


def _likeness(
    now: F32, box: Box, mark: NDArray[np.bool_], other: F32, most: float, moved: float, reach: int
) -> tuple[int, int] | None:
    """The displacement (x, y) in pixels at which `other` shows the mark, or None.

    A displacement counts when the mark laid there differs by less than `most` on average, and by clearly less
    than in its old place (else it did not move). What is large is looked for further away and more coarsely:
    it may be near the camera, and fast.
    """
    step = 1
    while step < _COARSEST and max(box.width, box.height) > _FINE * step:
        step *= 2
    reach *= 1 if step == 1 else step
    height, width = now.shape
    border = _BORDER * step
    y0, y1 = max(box.y0 - border, 0), min(box.y1 + border, height)
    x0, x1 = max(box.x0 - border, 0), min(box.x1 + border, width)
    sy0, sy1 = y0 - min(y0, reach) // step * step, min(y1 + reach, height)
    sx0, sx1 = x0 - min(x0, reach) // step * step, min(x1 + reach, width)
    weight = np.zeros((y1 - y0, x1 - x0), np.float32)
    weight[box.y0 - y0 : box.y1 - y0, box.x0 - x0 : box.x1 - x0] = mark
    weight = np.asarray(_shrunk(weight, step) > 0.5, np.uint8)
    if not weight.any():
        return None
    # The rim tells a mark from a piece of something larger; it counts less, for what lies behind changes.
    rim = cv2.dilate(weight, np.ones((3, 3), np.uint8)) - weight
    importance = np.where(weight > 0, np.float32(1), _RIM * rim.astype(np.float32))
    template = _shrunk(now[y0:y1, x0:x1], step)
    error = cv2.matchTemplate(_shrunk(other[sy0:sy1, sx0:sx1], step), template, cv2.TM_SQDIFF, mask=importance)
    error = np.sqrt(np.maximum(error, 0) / float((importance**2).sum()))
    row, column = (y0 - sy0) // step, (x0 - sx0) // step
    here = slice(max(row - 1, 0), row + 2), slice(max(column - 1, 0), column + 2)
    still = float(error[here].min())
    error[here] = np.inf
    best_row, best_column = np.unravel_index(int(np.argmin(error)), error.shape)
    best = float(error[best_row, best_column])
    if not best < min(most, moved * still):
        return None
    return (int(best_column) - column) * step, (int(best_row) - row) * step


def _shrunk(picture: F32, step: int) -> F32:
    """The picture at 1 / step of its size."""
    if step == 1:
        return np.ascontiguousarray(picture)
    size = max(1, picture.shape[1] // step), max(1, picture.shape[0] // step)
    return np.asarray(cv2.resize(picture[: size[1] * step, : size[0] * step], size, interpolation=cv2.INTER_AREA))
