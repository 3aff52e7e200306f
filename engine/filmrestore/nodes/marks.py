"""Lasting marks in one frame: which pixels the hairs, lint and dirt cover that the analysis followed."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..analysis import LastingMark
from ..analysis.ridges import luma_of, reduction
from ..colour import Colour
from ..frame import Box, Frame

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

_WIDE = 3
"""Pixels on either side of its crest that a mark may cover."""
_BEYOND = 1
"""... and beyond its pixels where all of these are known."""
_CLEAR = 2
"""Pixels beyond these that its blur may reach: the picture is looked at past them."""
_PICTURE = 7
"""Pixels past these from which the picture beside a mark is known."""
_REACH = _WIDE + _CLEAR + _PICTURE
_SHARE = 0.12
"""Of a mark's own contrast, from which a pixel belongs to it."""
_SHOWS = 1.5
"""Mean differences in the picture beside it, from which it does."""
_PLAIN = 3.0
"""Mean differences beside a mark in its contrast, from which the picture there is plain enough to tell its rim."""
_MOST = 2.0
"""Of its own contrast, from which a pixel is of the picture."""
_FAINTEST = 0.006
"""Net units: what nobody sees is left."""


def mark_map(frame: Frame, marks: Iterable[LastingMark], colour: Colour) -> F32 | None:
    """The marks of one frame: their certainty where they show, (h, w), 0 elsewhere; None where none shows."""
    height, width = frame.codes.shape[:2]
    here = [(mark, mark.pixels_at(frame.number)) for mark in marks]
    here = [(mark, pixels) for mark, pixels in here if len(pixels[0])]
    if not here:
        return None
    step = reduction(width)
    bottom, right = height // step, width // step
    plane: F32 = np.zeros((bottom, right), np.float32)
    for mark, (rows, columns) in here:
        inside = (rows >= 0) & (rows < bottom) & (columns >= 0) & (columns < right)
        if not inside.any():
            continue
        y0, x0 = (max(0, int(at[inside].min()) - _REACH) for at in (rows, columns))
        y1, x1 = (min(end, int(at[inside].max()) + _REACH + 1) for at, end in ((rows, bottom), (columns, right)))
        part = luma_of(frame.picture(Box(x0=x0 * step, y0=y0 * step, x1=x1 * step, y1=y1 * step)), step, colour)
        crest = np.zeros(part.shape, np.uint8)
        crest[rows[inside] - y0, columns[inside] - x0] = 1
        sign = 1 if mark.polarity == "light" else -1
        shown = _shown(part, crest, sign, is_whole=mark.is_whole)
        target = plane[y0:y1, x0:x1]
        target[shown] = np.maximum(target[shown], np.float32(min(1.0, mark.certainty)))
    if not plane.any():
        return None
    return plane if plane.shape == (height, width) else _enlarged(plane, (height, width))


def _shown(luma: F32, crest: NDArray[np.uint8], sign: int, *, is_whole: bool) -> Mask:
    """The pixels around a crest that differ from the picture beside it, and hang together with it.

    Args:
        crest: 1 there.
        is_whole: Whether it is all of the mark: beside that there is its blur.
    """
    wide = _BEYOND if is_whole else _WIDE
    near, clear, beside = (_grown(crest, by) for by in (wide, wide + _CLEAR, _REACH))
    sound = (beside > clear).astype(np.float32)
    size = (2 * _REACH + 1, 2 * _REACH + 1)
    weight = np.maximum(cv2.blur(sound, size, borderType=cv2.BORDER_CONSTANT), np.float32(1e-6))
    picture = cv2.blur(luma * sound, size, borderType=cv2.BORDER_CONSTANT) / weight
    away = np.float32(sign) * (luma - picture)
    # Where the picture beside it is as uneven as the mark stands out, only the crest itself is known.
    unrest = cv2.blur(np.abs(away) * sound, size, borderType=cv2.BORDER_CONSTANT) / weight
    contrast = float(np.quantile(away[crest > 0], 0.75))
    least = np.maximum(max(_SHARE * contrast, _FAINTEST), np.float32(_SHOWS) * unrest)
    held = (near > 0) & (away > least)
    if is_whole:
        shown = held | (crest > 0)
        rim = (_grown(shown.astype(np.uint8), 1) > 0) & (away > 0) & (contrast > _PLAIN * unrest)
        return np.asarray(shown | rim, np.bool_)
    core = (_grown(crest, 1) > 0) & (away > max(_SHARE * contrast, _FAINTEST)) & (away < _MOST * max(contrast, 0))
    count, labels = cv2.connectedComponents((held | core).astype(np.uint8), connectivity=8)
    joined = np.zeros(count, np.bool_)
    joined[labels[crest > 0]] = True
    joined[0] = False
    shown = joined[labels]
    # What is left of its blur would be drawn over its place.
    return np.asarray(shown | ((_grown(shown.astype(np.uint8), 1) > 0) & (away > 0)), np.bool_)


def _grown(mask: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return np.asarray(cv2.dilate(mask, kernel), np.uint8)


def _enlarged(plane: F32, size: tuple[int, int]) -> F32:
    """The plane at the frame's size; edges that the smaller one leaves out stay clean."""
    step = size[1] // plane.shape[1]
    large = np.repeat(np.repeat(plane, step, axis=0), step, axis=1)
    rest = ((0, size[0] - large.shape[0]), (0, size[1] - large.shape[1]))
    return np.asarray(np.pad(large, rest), np.float32)
