"""A mark and the picture under it, told apart by their two ways: all of a hair, where a frame alone shows a part."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frame import Box
from ..motion import LUMA_GAIN
from .marks import Rows, Shifts
from .pieces import Glance
from .relief import Float32

Float64 = NDArray[np.float64]

_AROUND = 20  # pixels around a mark in which there must be nothing more of it
_LOOKS = (20, 40, 80, 160, 320, 640)  # pixels around what is found in which more is looked for, look after look
_SELDOM, _STILL = 0.3, 0.3  # share of the frames that may show less of a mark than this share of it
_WIDEST = 9  # pixels of a mark's width
_CHANCE = 2.0  # mean differences that chance may show
_ROUNDS = 5  # after which neither layer changes any more
_SHARE = 0.15  # of a mark's contrast, from which a pixel is of it
_FAINTEST = 0.006  # net: what nobody sees is left
_BEYOND = 2  # half of the pixels that a mark may be interrupted by
_CROSSED, _PIECE = 5, 8  # half of those that cross it, and the pixels of a piece that goes on beyond them


def whole_mark(
    frames: Sequence[Glance], ways: Shifts, pictures: Sequence[Float64], here: int, sign: int, crest: tuple[Rows, Rows]
) -> tuple[Rows, Rows]:
    """Rows and columns of all of a mark, from those of its crest; the crest where no more is known.

    Args:
        frames: Those that show it.
        ways: Its shift in each, x and y.
        pictures: Shifts of the picture in each, x and y, of which that is taken which explains the frames best.
        here: Place of the frame that the crest is of.
        sign: 1 light, -1 dark.
        crest: Its rows and columns.
    """
    height, width = frames[here].luma.shape
    known = np.zeros((height, width), np.bool_)
    known[crest] = True
    farthest = math.ceil(max(float(np.abs(shifts).max()) for shifts in (ways, *pictures)))
    for reach in _LOOKS:
        box = _box(known, reach + farthest)  # nearer to its border some frames show nothing
        boxes = [np.asarray(frame.luma[box.slices], np.float32) / np.float32(LUMA_GAIN) for frame in frames]
        boxes = _in_one_light(boxes)
        picture = min(pictures, key=lambda shifts: _left(boxes, shifts))
        mark = separated(boxes, ways, picture, sign)
        contrast = float(np.quantile(mark[crest[0] - box.y0, crest[1] - box.x0], 0.75))
        inner = _box(known, reach)
        shown = np.zeros(known.shape, np.bool_)
        shown[box.slices] = mark > max(_SHARE * contrast, _FAINTEST)
        known[inner.slices] = _hanging_together(shown[inner.slices], known[inner.slices])
        if inner.holds(_box(known, _AROUND)):
            break
    rows, columns = np.nonzero(known)
    inside = np.ones(len(rows), np.bool_)
    for x, y in np.asarray(ways):  # nothing is said of what is out of some frame
        inside &= (rows + y >= 0) & (rows + y < height) & (columns + x >= 0) & (columns + x < width)
    return (rows[inside], columns[inside]) if inside.any() else crest


def _box(found: NDArray[np.bool_], reach: int) -> Box:
    """Around what is found of a mark, so many pixels on each side that the frame has."""
    rows, columns = (np.flatnonzero(found.any(axis=axis)) for axis in (1, 0))
    tight = Box(x0=int(columns[0]), y0=int(rows[0]), x1=int(columns[-1]) + 1, y1=int(rows[-1]) + 1)
    return tight.grown(reach, *found.shape)


def _hanging_together(shown: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What shows and hangs together with what is known of a mark; longer pieces do across something bright, too."""
    either = shown | known
    labels = _joined(either, _BEYOND)
    counts = np.bincount(labels[either], minlength=int(labels.max()) + 1) >= _PIECE
    counts[labels[known]] = True
    pieces = either & counts[labels]
    groups = _joined(pieces, _CROSSED)
    return pieces & np.isin(groups, np.unique(groups[known]))


def _joined(shown: NDArray[np.bool_], gap: int) -> NDArray[np.int32]:
    """Labels of what hangs together if gaps of up to twice so many pixels are none."""
    kernel = np.ones((2 * gap + 1, 2 * gap + 1), np.uint8)
    closed = cv2.morphologyEx(shown.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return np.asarray(cv2.connectedComponents(closed, connectivity=8)[1])


def separated(boxes: Sequence[Float32], ways: Shifts, picture: Float64, sign: int) -> Float32:
    """What a mark adds to the picture, net, never negative; 0 where chance may have left as much.

    Each layer in turn is the median, along its way, of what the frames hold without the other one: a speck, or a limb
    that passes, is in few of them. The picture comes first, so that what could be of either is of the picture.

    Args:
        boxes: The part of each frame, net luminance, in one light.
        ways: Shift of the mark in each, x and y.
        picture: Shift of the picture.
        sign: 1 for a light mark, -1 for a dark one.

    Source: backfitting, J. Friedman and W. Stuetzle, "Projection pursuit regression", 1981.
    """
    along = np.asarray(ways, np.float64)
    mark = np.zeros_like(boxes[0])
    for _ in range(_ROUNDS):
        signed = np.float32(sign) * mark
        frames = list(zip(boxes, along, picture, strict=True))
        ground = _middle([_moved(box - _moved(signed, -own), other) for box, own, other in frames])
        left = [_moved(box - _moved(ground, -other), own) for box, own, other in frames]
        more = np.float32(sign) * _middle(left)
        rest = np.mean([np.abs(one - signed) for one in left], axis=0) / np.float32(np.sqrt(len(left)))
        # Nothing that chance leaves: it would go over from the picture to the mark round by round.
        mark = _thin(np.where(more > np.float32(_CHANCE) * cv2.blur(rest, (_AROUND, _AROUND)), more, np.float32(0)))
    # What bends or comes and goes is half there in the median.
    often = _ranked([np.float32(sign) * one for one in left], _SELDOM)
    return np.asarray(np.where(often > np.float32(_STILL) * mark, mark, 0), np.float32)


def _in_one_light(boxes: Sequence[Float32]) -> list[Float32]:
    levels = [float(np.median(box)) for box in boxes]
    return [box - np.float32(level - levels[0]) for box, level in zip(boxes, levels, strict=True)]


def _left(boxes: Sequence[Float32], shifts: Float64) -> float:
    """What the boxes differ by, on average, from what they have in common along a way."""
    stack = [_moved(box, shift) for box, shift in zip(boxes, shifts, strict=True)]
    return float(np.abs(np.stack(stack) - _middle(stack)).mean())


def _thin(light: Float32) -> Float32:
    """What is thin or small of it: of anything wider, a pixel's trembling does not say whose it is."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_WIDEST, _WIDEST))
    return np.asarray(light - cv2.morphologyEx(light, cv2.MORPH_OPEN, kernel), np.float32)


def _moved(box: Float32, way: Float64) -> Float32:
    """The box as it looks from a place shifted by `way`: what lies there comes here."""
    turn = np.array([[1, 0, way[0]], [0, 1, way[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(box, turn, box.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def _middle(stack: Sequence[Float32]) -> Float32:
    return _ranked(stack, 0.5)


def _ranked(stack: Sequence[Float32], share: float) -> Float32:
    """What that share of the frames stays below, pixel by pixel."""
    place = int(share * len(stack))
    return np.asarray(np.partition(np.stack(stack), place, axis=0)[place], np.float32)
