"""Pieces of what stands out in a frame: where each goes in the frames around, and where the picture goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..motion import LUMA_GAIN, flow
from .marks import Rows, Shifts
from .relief import Float32, cores

Float64 = NDArray[np.float64]
Bytes = NDArray[np.uint8]

REACH = 4
"""Pixels that a mark may lie beside its place in another frame."""
FRAMES = 7
"""Frames in a row that must show a piece."""
COARSE = 9
"""Pixels: what is thinner than half of that is taken away before motion is measured, or a hair's rest would count."""
FLOW_WIDTH = 1024
"""Columns from which on motion is measured in a smaller picture."""
MOST = 4.0
"""Of relief: what is more speaks no louder."""

_CREST, _CELL, _LEAST = 1.2, 48, 6  # relief from which a crest begins, pixels of a piece a side, pixels in it
_CREST_FAINT, _CELL_FAINT, _LEAST_FAINT = 0.7, 16, 4  # the same of pieces that continue a mark
_FAR = 64  # pixels in which they are looked for
_TELLING = 0.9  # share of a crest that the picture's motion as a whole may explain of what is looked at
_THERE = 0.6  # share of its own relief by which a piece is there in another frame
_PULL = 0.04  # of its relief that a pixel of way costs: along itself, a straight thing may lie anywhere
_HALVES = np.array([(x / 2, y / 2) for y in (-1, 0, 1) for x in (-1, 0, 1)])
_OFFSETS = np.moveaxis(np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1][::-1], 0, -1).astype(np.float64)  # (x, y)
_STEP = 16.0


@dataclass(frozen=True)
class Glance:
    """One frame as the finder keeps it.

    Attributes:
        number: Of the frame.
        reliefs: Dark, light; see `relief`, in bytes.
        small: What motion is measured in.
        luma: Its net luminance times `LUMA_GAIN`.
    """

    number: int
    reliefs: tuple[Bytes, Bytes]
    small: Bytes
    luma: Bytes

    @classmethod
    def of(cls, number: int, luma: Float32, dark: Float32, light: Float32) -> Glance:
        """From the frame's net luminance and its reliefs."""
        kept = (np.round(plane * np.float32(_STEP)).astype(np.uint8) for plane in (dark, light))
        return cls(number, (next(kept), next(kept)), coarse(luma), _bytes(luma))

    def relief(self, sign: int) -> Float32:
        """Its relief of one sign (0 dark, 1 light), bounded by `MOST`."""
        return decoded(self.reliefs[sign])


def decoded(relief: Bytes) -> Float32:
    """Relief of the bytes that a `Glance` keeps, bounded by `MOST`."""
    return np.asarray(np.minimum(relief.astype(np.float32) / np.float32(_STEP), np.float32(MOST)), np.float32)


@dataclass(frozen=True)
class Piece:
    """A piece of a crest, and how it behaves.

    Attributes:
        rows, columns: Its pixels in the frame that is looked at.
        scores: What stands out at each shift in each frame, (frames, 2 REACH + 1, 2 REACH + 1).
        picture: What stands out where the picture as a whole, or the picture there, has gone, the larger; (frames,).
        whole: The same of the picture as a whole.
        way: Its own shift in each frame, (frames, 2), x and y.
        own: What stands out along that.
        first, last: Places of the frames in which it is there without a gap.
    """

    rows: Rows
    columns: Rows
    scores: Float64
    picture: Float64
    whole: Float64
    way: Shifts
    own: Float64
    first: int
    last: int

    @property
    def span(self) -> slice:
        return slice(self.first, self.last + 1)


def coarse(luma: Float32) -> Bytes:
    """What motion is measured in: 8 bits, no wider than need be, without thin things."""
    step = max(1, round(luma.shape[1] / FLOW_WIDTH))
    small = cv2.resize(luma, (luma.shape[1] // step, luma.shape[0] // step), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.medianBlur(_bytes(small), COARSE), np.uint8)


def _bytes(luma: Float32) -> Bytes:
    return np.asarray(np.clip(luma * np.float32(LUMA_GAIN) + np.float32(0.5), 0, 255).astype(np.uint8))


def motion(frames: Sequence[Glance], here: int) -> tuple[list[Float32], Float64]:
    """Motion from frame `here` to each, pixels: place by place, smoothed beyond any mark's size, and as a whole."""
    scale = np.float32(frames[here].reliefs[0].shape[1] / frames[here].small.shape[1])
    fields, wholes = [], []
    for place, frame in enumerate(frames):
        height, width = frame.small.shape
        field = (
            np.zeros((height, width, 2), np.float32) if place == here else flow(frames[here].small, frame.small) * scale
        )
        wholes.append(np.median(field.reshape(-1, 2), axis=0))
        small = cv2.resize(field, (max(1, width // 8), max(1, height // 8)), interpolation=cv2.INTER_AREA)
        calm = np.dstack([cv2.medianBlur(np.ascontiguousarray(small[..., axis]), 5) for axis in (0, 1)])
        fields.append(np.asarray(cv2.blur(calm, (3, 3)), np.float32))
    return fields, np.array(wholes, np.float64)


def pieces_of(
    planes: Sequence[Float32],
    fields: Sequence[Float32],
    wholes: Float64,
    here: int,
    *,
    beside: Sequence[Piece] | None = None,
) -> list[Piece]:
    """The pieces of the crests of frame `here`.

    Args:
        beside: Smaller and fainter ones around these, which may continue them; of all the frame, those that the
            picture's motion as a whole does not explain, when None.
    """
    height, width = planes[here].shape
    padded = [cv2.copyMakeBorder(plane, REACH, REACH, REACH, REACH, cv2.BORDER_CONSTANT) for plane in planes]
    margin = max(3, width // 50)  # the gate's own edge stands, too
    pieces = []
    if beside is None:
        explained = _explained(planes, wholes)
        for rows, columns in cores(planes[here], _CREST, _CELL):
            if len(rows) < _LEAST or columns.max() < margin or columns.min() >= width - margin:
                continue
            if rows.max() < margin or rows.min() >= height - margin:
                continue
            if explained[rows, columns].mean() <= _TELLING * planes[here][rows, columns].mean():
                pieces.append(_measured(planes, padded, fields, wholes, rows, columns, here))
    else:
        near = np.zeros((height, width), np.bool_)
        for piece in beside:
            y, x = max(0, piece.rows.min() - _FAR), max(0, piece.columns.min() - _FAR)
            near[y : piece.rows.max() + _FAR, x : piece.columns.max() + _FAR] = True
        for piece in beside:
            near[piece.rows, piece.columns] = False
        for rows, columns in cores(np.where(near, planes[here], np.float32(0)), _CREST_FAINT, _CELL_FAINT):
            if len(rows) >= _LEAST_FAINT:
                pieces.append(_measured(planes, padded, fields, wholes, rows, columns, here))
    return [piece for piece in pieces if piece.last - piece.first + 1 >= FRAMES]


def _explained(planes: Sequence[Float32], wholes: Float64) -> Float32:
    """What would stand out in each place were everything to follow the picture's motion as a whole."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    total = np.zeros_like(planes[0])
    for plane, (x, y) in zip(planes, wholes, strict=True):
        total += cv2.warpAffine(plane, np.array([[1, 0, x], [0, 1, y]]), plane.shape[::-1], flags=flags)
    return np.asarray(total / np.float32(len(planes)), np.float32)


def _measured(
    planes: Sequence[Float32],
    padded: Sequence[Float32],
    fields: Sequence[Float32],
    wholes: Float64,
    rows: Rows,
    columns: Rows,
    here: int,
) -> Piece:
    """How one piece behaves."""
    size = float(planes[here][rows, columns].mean())
    y0, y1, x0, x1 = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    crest = np.zeros((y1 - y0, x1 - x0), np.float32)
    crest[rows - y0, columns - x0] = 1 / len(rows)
    parts = [plane[y0 : y1 + 2 * REACH, x0 : x1 + 2 * REACH] for plane in padded]
    scores = np.stack([cv2.matchTemplate(part, crest, cv2.TM_CCORR) for part in parts]).astype(np.float64)
    way, own, span = course(scores, size, wholes, here)
    local = np.array([local_motion(field, planes[here].shape, rows, columns) for field in fields])
    whole = _followed(scores, planes, rows, columns, wholes)
    picture = np.maximum(whole, _followed(scores, planes, rows, columns, local))
    return Piece(rows, columns, scores, picture, whole, way, own, span.start, span.stop - 1)


def course(scores: Float64, size: float, wholes: Float64, here: int) -> tuple[Shifts, Float64, slice]:
    """Where something goes by what stands out at each shift in each frame: its way, what it shows, and the frames.

    Args:
        scores: See `Piece`.
        size: Its relief in its own frame.
        wholes: Where the picture goes as a whole.
        here: Place of its own frame.
    """
    # Of all ways that fit as well, the one nearest to the picture's: what stays is to be shown.
    pull = np.linalg.norm(_OFFSETS[None] - np.clip(wholes, -REACH, REACH)[:, None, None], axis=3)
    best = (scores - _PULL * size * pull).reshape(len(scores), -1).argmax(axis=1)
    own = scores.reshape(len(scores), -1)[np.arange(len(scores)), best]
    first, last = here, here
    while first > 0 and own[first - 1] >= _THERE * size:
        first -= 1
    while last < len(scores) - 1 and own[last + 1] >= _THERE * size:
        last += 1
    return _OFFSETS.reshape(-1, 2)[best].astype(int), own, slice(first, last + 1)


def local_motion(field: Float32, shape: tuple[int, ...], rows: Rows, columns: Rows) -> Float64:
    """The picture's mean motion under a piece, pixels of the frame."""
    down, across = shape[0] / field.shape[0], shape[1] / field.shape[1]
    at = (rows / down).astype(int), (columns / across).astype(int)
    return np.asarray(field[at].mean(axis=0), np.float64)


def _followed(scores: Float64, planes: Sequence[Float32], rows: Rows, columns: Rows, shifts: Float64) -> Float64:
    """What stands out in each frame where a piece would be had it gone that way, within half a pixel, (frames,)."""
    tries = shifts[:, None] + _HALVES + REACH
    inside = ((tries >= 0) & (tries <= 2 * REACH)).all(axis=(1, 2))
    clipped = np.clip(tries, 0, 2 * REACH - 1e-6)
    x, y = np.moveaxis(clipped.astype(int), 2, 0)
    right, down = np.moveaxis(clipped, 2, 0) - (x, y)
    at = np.arange(len(scores))[:, None]
    upper = scores[at, y, x] * (1 - right) + scores[at, y, x + 1] * right
    lower = scores[at, y + 1, x] * (1 - right) + scores[at, y + 1, x + 1] * right
    found = (upper * (1 - down) + lower * down).max(axis=1)
    for place in np.flatnonzero(~inside).tolist():
        spots = shifts[place] + _HALVES
        across, along = columns + spots[:, :1], rows + spots[:, 1:]
        seen = cv2.remap(planes[place], across.astype(np.float32), along.astype(np.float32), cv2.INTER_LINEAR)
        found[place] = seen.mean(axis=1).max()
    return np.asarray(found)
