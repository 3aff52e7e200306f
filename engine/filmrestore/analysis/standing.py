"""Hairs, lint and dirt in the gate or on the scanner's glass: what stands in the frame while the picture moves.

One look takes the frames around one. Where the picture goes is known as a whole (the camera's motion and the weave of the
film) and in each place. A small or thin thing that keeps its place in the frame while the picture does neither there nor as a whole
is none of the picture, and neither is a long one that trembles from frame to frame before a picture at rest. Where
nothing moves, nothing is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..motion import flow
from .marks import LastingMark, Marks, Rows, Seen, Shifts, View
from .relief import Float32, cores, relief

Float64 = NDArray[np.float64]
Bytes = NDArray[np.uint8]

REACH = 4
"""Pixels that a mark may lie beside its place in another frame."""
LUMA_GAIN = 230.0
"""Net luminance to the 8 bits in which motion is measured."""
COARSE = 9
"""Pixels: what is thinner than half of that is taken away before motion is measured, or a hair's rest would count."""
FLOW_WIDTH = 1024
"""Columns from which on motion is measured in a smaller picture."""

_MOST = 4.0  # of relief: what is more speaks no louder
_CREST = 1.2  # of relief, from which a crest begins
_CELL = 48  # pixels of one piece of a crest
_LEAST = 6  # pixels of a piece
_LONG = 24  # pixels of a piece that may be known by its trembling
_MANY = 40  # pixels of a mark that is known by that
_CREST_FAINT, _CELL_FAINT, _LEAST_FAINT = 0.7, 16, 4  # the same of pieces that continue a mark
_FAR = 64  # pixels in which they are looked for
_TELLING = 0.9  # share of a crest that the picture's motion leaves unexplained, at most, to be looked at
_THERE = 0.6  # share of its own relief by which a piece is there in another frame
_FRAMES = 7  # in a row that must show it
_KEEPS = (0.75, 1.25)  # of its own relief, what the other frames show at its place
_GAIN = 0.12  # by which its own way must explain it better than the picture's
_GAIN_ROUND = 0.06  # the same of a piece that is long
_GAIN_FAINT = 0.04  # the same of pieces that continue a mark
_RESTS = 0.5  # pixels, root mean square, that a thing at rest seems to move by
_MOVES = 0.6  # pixels that the picture must move by to tell
_STEADY = 0.3  # pixels that a camera at rest moves by
_TREMBLES = (0.6, 1.7)  # pixels
_RANDOM = 1.2  # of von Neumann's ratio: 2 for what trembles at random, near 0 for what moves on
_PULL = 0.04  # of its relief that a pixel of way costs: along itself, a straight thing may lie anywhere
_AROUND = 8  # pixels between two pieces of a mark
_CROWD = 12  # marks in one look: that many are a title
_HALVES = np.array([(x / 2, y / 2) for y in (-1, 0, 1) for x in (-1, 0, 1)])
_OFFSETS = np.stack(np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1][::-1], axis=-1).astype(np.float64)  # (x, y)


@dataclass(frozen=True)
class _Frame:
    number: int
    reliefs: tuple[Bytes, Bytes]  # dark, light; in steps of 1 / _STEP
    small: Bytes


_STEP = 16.0


@dataclass(frozen=True)
class _Piece:
    """A piece of a crest, and how it behaves."""

    rows: Rows
    columns: Rows
    scores: Float64  # (frames, reach, reach): what stands out at each shift
    picture: Float64  # (frames,): at most what stands out where the picture as a whole, or there, has gone
    whole: Float64  # (frames,): where the picture as a whole has gone
    way: Shifts  # (frames, 2)
    own: Float64  # (frames,): what stands out along its way
    first: int
    last: int  # frames of the look in which it is there without a gap

    @property
    def span(self) -> slice:
        return slice(self.first, self.last + 1)


class MarkFinder:
    """Looks for marks in a stream of frames; its memory grows with the marks, not the frames.

    Args:
        step: Pixels of the film's frames that are one of those that it is shown.
    """

    WINDOW = 13  # frames
    EVERY = 4  # frames
    SMALLEST = 96  # pixels a side

    def __init__(self, step: int = 1) -> None:
        self._step = step
        self._frames: deque[_Frame] = deque(maxlen=self.WINDOW)
        self._count, self._next = 0, self.EVERY // 2
        self._marks = Marks()

    def add(self, number: int, luma: Float32) -> None:
        """The next frame, net luminance, shape (h, w); finite."""
        if min(luma.shape) < self.SMALLEST:
            return
        dark, light = (np.round(plane * np.float32(_STEP)).astype(np.uint8) for plane in relief(luma))
        self._frames.append(_Frame(number, (dark, light), _coarse(luma)))
        self._count += 1
        if self._count >= max(self.WINDOW, self._next + self.WINDOW // 2 + 1):
            self._look()

    def finish(self) -> tuple[LastingMark, ...]:
        """The marks of the reel."""
        while self._next < self._count:
            self._look()
        return self._marks.finish(self._step)

    def _look(self) -> None:
        here = self._next - (self._count - len(self._frames))
        self._next += self.EVERY
        if len(self._frames) >= _FRAMES:
            self._marks.add(look(list(self._frames), here))


def look(frames: Sequence[_Frame], here: int) -> list[Seen]:
    """The marks of frame `here`, as the frames around it tell them from the picture."""
    fields, wholes = _motion(frames, here)
    rests = float(np.sqrt((wholes**2).sum(axis=1).mean())) <= _STEADY
    found: list[tuple[float, Seen]] = []
    for sign in (0, 1):
        full = np.asarray(frames[here].reliefs[sign], np.float32)
        planes = [
            np.minimum(np.asarray(f.reliefs[sign], np.float32) / np.float32(_STEP), np.float32(_MOST)) for f in frames
        ]
        pieces = _pieces(planes, fields, wholes, here)
        seeds = [piece for piece in pieces if _stands(piece, wholes) or (rests and _trembles(piece, wholes))]
        if seeds:
            pieces = [*seeds, *_pieces(planes, fields, wholes, here, beside=seeds)]
        for mark in _grouped(pieces, seeds, wholes):
            pixels = sum(len(piece.rows) for piece in mark)
            size = max(float(np.quantile(full[piece.rows, piece.columns], 0.9)) for piece in mark)
            if pixels < _MANY and not _stands(mark[0], wholes):
                continue
            found.append((size, Seen(2 * sign - 1, _view(mark, frames, here))))
    kept = _without_rims(found)
    return kept if len(kept) < _CROWD else []


def _coarse(luma: Float32) -> Bytes:
    """What motion is measured in: 8 bits, no wider than need be, without thin things."""
    step = max(1, round(luma.shape[1] / FLOW_WIDTH))
    small = cv2.resize(luma, (luma.shape[1] // step, luma.shape[0] // step), interpolation=cv2.INTER_AREA)
    codes = np.clip(small * np.float32(LUMA_GAIN) + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.asarray(cv2.medianBlur(codes, COARSE), np.uint8)


def _motion(frames: Sequence[_Frame], here: int) -> tuple[list[Float32], Float64]:
    """Motion from frame `here` to each, in places of 8 pixels or more and as a whole, pixels: beyond any mark's size."""
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


def _pieces(
    planes: Sequence[Float32],
    fields: Sequence[Float32],
    wholes: Float64,
    here: int,
    *,
    beside: Sequence[_Piece] | None = None,
) -> list[_Piece]:
    """The pieces of the crests of frame `here`.

    Args:
        beside: Smaller and fainter ones around these, which may continue them; of all the frame, those that the
            picture's motion as a whole does not explain, when None.
    """
    height, width = planes[here].shape
    padded = [cv2.copyMakeBorder(plane, *[REACH] * 4, cv2.BORDER_CONSTANT) for plane in planes]
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
                pieces.append(_piece(planes, padded, fields, wholes, rows, columns, here))
    else:
        near = np.zeros((height, width), np.bool_)
        for piece in beside:
            y, x = max(0, piece.rows.min() - _FAR), max(0, piece.columns.min() - _FAR)
            near[y : piece.rows.max() + _FAR, x : piece.columns.max() + _FAR] = True
        for piece in beside:
            near[piece.rows, piece.columns] = False
        for rows, columns in cores(np.where(near, planes[here], np.float32(0)), _CREST_FAINT, _CELL_FAINT):
            if len(rows) >= _LEAST_FAINT:
                pieces.append(_piece(planes, padded, fields, wholes, rows, columns, here))
    return [piece for piece in pieces if piece.last - piece.first + 1 >= _FRAMES]


def _explained(planes: Sequence[Float32], wholes: Float64) -> Float32:
    """What would stand out in each place were everything to follow the picture's motion as a whole."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    total = np.zeros_like(planes[0])
    for plane, (x, y) in zip(planes, wholes, strict=True):
        total += cv2.warpAffine(plane, np.array([[1, 0, x], [0, 1, y]]), plane.shape[::-1], flags=flags)
    return np.asarray(total / np.float32(len(planes)), np.float32)


def _piece(
    planes: Sequence[Float32],
    padded: Sequence[Float32],
    fields: Sequence[Float32],
    wholes: Float64,
    rows: Rows,
    columns: Rows,
    here: int,
) -> _Piece:
    """How one piece behaves."""
    size = float(planes[here][rows, columns].mean())
    y0, y1, x0, x1 = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    crest = np.zeros((y1 - y0, x1 - x0), np.float32)
    crest[rows - y0, columns - x0] = 1 / len(rows)
    parts = [plane[y0 : y1 + 2 * REACH, x0 : x1 + 2 * REACH] for plane in padded]
    scores = np.stack([cv2.matchTemplate(part, crest, cv2.TM_CCORR) for part in parts]).astype(np.float64)
    # Of all ways that fit as well, the one nearest to the picture's: what stays is to be shown.
    pull = np.linalg.norm(_OFFSETS[None] - np.clip(wholes, -REACH, REACH)[:, None, None], axis=3)
    best = (scores - _PULL * size * pull).reshape(len(planes), -1).argmax(axis=1)
    own = scores.reshape(len(planes), -1)[np.arange(len(planes)), best]
    way = _OFFSETS.reshape(-1, 2)[best].astype(int)
    local = np.array([_local(field, planes[here].shape, rows, columns) for field in fields])
    whole = _followed(scores, planes, rows, columns, wholes)
    picture = np.maximum(whole, _followed(scores, planes, rows, columns, local))
    first, last = here, here
    while first > 0 and own[first - 1] >= _THERE * size:
        first -= 1
    while last < len(planes) - 1 and own[last + 1] >= _THERE * size:
        last += 1
    return _Piece(rows, columns, scores, picture, whole, way, own, first, last)


def _local(field: Float32, shape: tuple[int, ...], rows: Rows, columns: Rows) -> Float64:
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
    for place in np.flatnonzero(~inside):
        spots = shifts[place] + _HALVES
        across, along = columns + spots[:, :1], rows + spots[:, 1:]
        seen = cv2.remap(planes[place], across.astype(np.float32), along.astype(np.float32), cv2.INTER_LINEAR)
        found[place] = seen.mean(axis=1).max()
    return np.asarray(found)


def _stands(piece: _Piece, wholes: Float64) -> bool:
    """Whether it keeps its place in the frame while the picture, there and as a whole, does not."""
    span = piece.span
    if not _lasts(piece) or _spread(piece.way[span]) > _RESTS or _spread(wholes[span]) < _MOVES:
        return False
    return bool(1 - piece.picture[span].mean() / piece.own[span].mean() >= _GAIN)


def _trembles(piece: _Piece, wholes: Float64) -> bool:
    """Whether it moves at random before a picture that is at rest."""
    span = piece.span
    if not _lasts(piece) or len(piece.rows) < _LONG:
        return False
    way = piece.way[span] - wholes[span]
    steps, spread = (np.diff(way, axis=0) ** 2).sum(), ((way - way.mean(axis=0)) ** 2).sum()
    if not _TREMBLES[0] <= _spread(way) <= _TREMBLES[1] or steps < _RANDOM * spread:
        return False
    return bool(1 - piece.whole[span].mean() / piece.own[span].mean() >= _GAIN_ROUND)


def _lasts(piece: _Piece) -> bool:
    """Whether the other frames show it as strong as its own does: chance and a thing that passes are stronger once."""
    size = piece.scores[:, REACH, REACH].max()
    return bool(_KEEPS[0] <= piece.own[piece.span].mean() / size <= _KEEPS[1])


def _spread(way: NDArray[np.generic]) -> float:
    """Root mean square distance to the mean place, pixels."""
    away = way - np.mean(way, axis=0)
    return float(np.sqrt((away**2).sum(axis=1).mean()))


def _grouped(pieces: Sequence[_Piece], seeds: Sequence[_Piece], wholes: Float64) -> list[list[_Piece]]:
    """Marks: every seed with the pieces around it that go its way, and not the picture's."""
    marks: list[list[_Piece]] = []
    taken: set[int] = set()
    for seed in sorted(seeds, key=lambda piece: -len(piece.rows)):
        if id(seed) in taken:
            continue
        mark, grown = [seed], True
        taken.add(id(seed))
        while grown:
            grown = False
            for piece in pieces:
                if id(piece) not in taken and _goes_along(piece, seed) and any(_touches(piece, one) for one in mark):
                    mark.append(piece)
                    taken.add(id(piece))
                    grown = True
        marks.append(mark)
    return marks


def _goes_along(piece: _Piece, seed: _Piece) -> bool:
    """Whether the way of another piece explains this one, and better than the picture's."""
    span = slice(max(piece.first, seed.first), min(piece.last, seed.last) + 1)
    x, y = (seed.way[span] + REACH).T
    along = piece.scores[np.arange(span.start, span.stop), y, x].mean()
    return bool(along >= 0.9 * piece.own[span].mean() and piece.whole[span].mean() <= (1 - _GAIN_FAINT) * along)


def _touches(piece: _Piece, other: _Piece) -> bool:
    gap_x = max(piece.columns.min(), other.columns.min()) - min(piece.columns.max(), other.columns.max())
    gap_y = max(piece.rows.min(), other.rows.min()) - min(piece.rows.max(), other.rows.max())
    if max(gap_x, gap_y) > _AROUND:
        return False
    one, two = np.stack((piece.rows, piece.columns), axis=1), np.stack((other.rows, other.columns), axis=1)
    return bool(np.abs(one[:, None] - two[None]).max(axis=2).min() <= _AROUND)


def _view(mark: Sequence[_Piece], frames: Sequence[_Frame], here: int) -> View:
    rows, columns = (np.concatenate([getattr(piece, name) for piece in mark]) for name in ("rows", "columns"))
    seed = mark[0]
    numbers = tuple(frame.number for frame in frames[seed.span])
    return View.of(frames[here].number, rows, columns, numbers, seed.way[seed.span])


def _without_rims(found: Sequence[tuple[float, Seen]]) -> list[Seen]:
    """Without the rims of the other sign that every mark has: of two that lie together, the stronger."""
    kept: list[Seen] = []
    for _, seen in sorted(found, key=lambda pair: -pair[0]):
        box = seen.view
        if not any(
            max(box.x, other.view.x) - min(box.x + box.width, other.view.x + other.view.width) <= _LEAST
            and max(box.y, other.view.y) - min(box.y + box.height, other.view.y + other.view.height) <= _LEAST
            for other in kept
            if other.sign != seen.sign
        ):
            kept.append(seen)
    return kept
