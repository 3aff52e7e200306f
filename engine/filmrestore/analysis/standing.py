"""Hairs, lint and dirt in the gate or on the scanner's glass: what stands in the frame while the picture moves.

One look takes the frames around one. Where the picture goes is known as a whole (the camera's motion, the weave of
the film) and in each place. A small or thin thing that keeps its place in the frame while the picture does not, neither
there nor as a whole, is none of the picture; nor is a long one that trembles at random before a picture at rest. Where
neither moves, nothing is told. Hairs that flutter are told by `gate_hairs`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from .gate_hairs import GateHairs, gate_hairs
from .layers import whole_mark
from .marks import LastingMark, Marks, Seen, Shifts, View
from .pieces import FRAMES, REACH, Float64, Glance, Piece, course, local_motion, motion, pieces_of
from .relief import Float32, relief, without_gate

_LONG = 24  # pixels of a piece that may be known by its trembling
_MANY = 40  # pixels of a mark that is known by that
_KEEPS = (0.75, 1.25)  # of its own relief, what the other frames show at its place
_GAIN = 0.12  # by which its own way must explain it better than the picture's
_GAIN_LONG = 0.06  # the same of a piece that is long
_GAIN_FAINT = 0.04  # the same of pieces that continue a mark
_RESTS = 0.5  # pixels, root mean square, that a thing at rest seems to move by
_MOVES = 0.6  # pixels that the picture must move by to tell
_STEADY = 0.3  # pixels that a camera at rest moves by
_TREMBLES = (0.6, 1.7)  # pixels
_RANDOM = 1.2  # of von Neumann's ratio: 2 for what trembles at random, near 0 for what moves on
_AROUND = 8  # pixels between two pieces of a mark
_APART = 3  # pixels between two letters
_CROWD = 10  # things that stand at once from which on they are a title
_RIM = 6  # pixels beside a mark in which its rim of the other sign lies


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
        self._frames: deque[Glance] = deque(maxlen=self.WINDOW)
        self._count, self._next = 0, self.EVERY // 2
        self._marks, self._hairs = Marks(), GateHairs()

    def add(self, number: int, luma: Float32) -> None:
        """The next frame, net luminance, shape (h, w); finite."""
        if min(luma.shape) < self.SMALLEST:
            return
        self._frames.append(Glance.of(number, luma, *relief(without_gate(luma))))
        self._count += 1
        if self._count >= max(self.WINDOW, self._next + self.WINDOW // 2 + 1):
            self._look()

    def finish(self) -> tuple[LastingMark, ...]:
        """The marks of the reel."""
        while self._next < self._count:
            self._look()
        marks = [*self._marks.finish(self._step), *self._hairs.finish(self._step)]
        return tuple(sorted(marks, key=lambda mark: (mark.first, mark.views[0].x, mark.views[0].y)))

    def _look(self) -> None:
        here = self._next - (self._count - len(self._frames))
        self._next += self.EVERY
        if len(self._frames) >= FRAMES:
            frames = list(self._frames)
            fields, wholes = motion(frames, here)
            self._marks.add(standing_marks(frames, here, fields, wholes))
            self._hairs.add(gate_hairs(frames, fields, wholes))


def standing_marks(frames: Sequence[Glance], here: int, fields: Sequence[Float32], wholes: Float64) -> list[Seen]:
    """The marks of frame `here`, as the frames around it tell them from the picture, which goes as `motion` says."""
    rests = float(np.sqrt((wholes**2).sum(axis=1).mean())) <= _STEADY
    found: list[Seen] = []
    for sign in (0, 1):
        planes = [frame.relief(sign) for frame in frames]
        pieces = pieces_of(planes, fields, wholes, here)
        standing = [piece for piece in pieces if _stands(piece, wholes)]
        if len(_grouped(standing, standing, _APART)) >= _CROWD:
            return []
        seeds = standing or [piece for piece in pieces if rests and _trembles(piece, wholes)]
        if not seeds:
            continue
        faint = pieces_of(planes, fields, wholes, here, beside=seeds)
        for mark in _grouped([*seeds, *faint], seeds, _AROUND):
            if _stands(mark[0], wholes) or sum(len(piece.rows) for piece in mark) >= _MANY:
                full = frames[here].reliefs[sign]
                size = max(float(np.quantile(full[piece.rows, piece.columns], 0.9)) for piece in mark)
                found.append(Seen(2 * sign - 1, size, _view(mark, frames, fields, wholes, here, 2 * sign - 1)))
    return _without_rims(found)


def _stands(piece: Piece, wholes: Float64) -> bool:
    """Whether it keeps its place in the frame while the picture, there and as a whole, does not."""
    span = piece.span
    if not _lasts(piece) or _spread(piece.way[span]) > _RESTS or _spread(wholes[span]) < _MOVES:
        return False
    return bool(1 - piece.picture[span].mean() / piece.own[span].mean() >= _GAIN)


def _trembles(piece: Piece, wholes: Float64) -> bool:
    """Whether it moves at random before a picture that is at rest."""
    span = piece.span
    if not _lasts(piece) or len(piece.rows) < _LONG:
        return False
    way = piece.way[span] - wholes[span]
    steps, spread = (np.diff(way, axis=0) ** 2).sum(), ((way - way.mean(axis=0)) ** 2).sum()
    if not _TREMBLES[0] <= _spread(way) <= _TREMBLES[1] or steps < _RANDOM * spread:
        return False
    return bool(1 - piece.whole[span].mean() / piece.own[span].mean() >= _GAIN_LONG)


def _lasts(piece: Piece) -> bool:
    """Whether the other frames show it as strong as its own does: chance and a thing that passes are stronger once."""
    size = piece.scores[:, REACH, REACH].max()
    return bool(_KEEPS[0] <= piece.own[piece.span].mean() / size <= _KEEPS[1])


def _spread(way: Float64 | Shifts) -> float:
    """Root mean square distance to the mean place, pixels."""
    away = way - way.mean(axis=0)
    return float(np.sqrt((away**2).sum(axis=1).mean()))


def _grouped(pieces: Sequence[Piece], seeds: Sequence[Piece], gap: int) -> list[list[Piece]]:
    """Marks: every seed with the pieces around it that go its way and not the picture's, the seed first."""
    marks: list[list[Piece]] = []
    free = {id(piece): piece for piece in pieces}
    for seed in sorted(seeds, key=lambda piece: -len(piece.rows)):
        if free.pop(id(seed), None) is None:
            continue
        mark, ahead = [seed], [seed]
        while ahead:
            newest = ahead.pop()
            more = [piece for piece in free.values() if _touches(piece, newest, gap) and _goes_along(piece, seed)]
            for piece in more:
                del free[id(piece)]
            mark += more
            ahead += more
        marks.append(mark)
    return marks


def _goes_along(piece: Piece, seed: Piece) -> bool:
    """Whether the way of another piece explains this one, and better than the picture's."""
    span = slice(max(piece.first, seed.first), min(piece.last, seed.last) + 1)
    x, y = (seed.way[span] + REACH).T
    along = piece.scores[np.arange(span.start, span.stop), y, x].mean()
    return bool(along >= 0.9 * piece.own[span].mean() and piece.whole[span].mean() <= (1 - _GAIN_FAINT) * along)


def _touches(piece: Piece, other: Piece, gap: int) -> bool:
    gap_x = max(piece.columns.min(), other.columns.min()) - min(piece.columns.max(), other.columns.max())
    gap_y = max(piece.rows.min(), other.rows.min()) - min(piece.rows.max(), other.rows.max())
    if max(gap_x, gap_y) > gap:
        return False
    one, two = np.stack((piece.rows, piece.columns), axis=1), np.stack((other.rows, other.columns), axis=1)
    return bool(np.abs(one[:, None] - two[None]).max(axis=2).min() <= gap)


def _view(
    mark: Sequence[Piece], frames: Sequence[Glance], fields: Sequence[Float32], wholes: Float64, here: int, sign: int
) -> View:
    """A mark as all of its pieces have it, which go one way: what hides one of them seldom hides the others."""
    rows, columns = (np.concatenate([getattr(piece, name) for piece in mark]) for name in ("rows", "columns"))
    scores = np.average([piece.scores for piece in mark], axis=0, weights=[len(piece.rows) for piece in mark])
    ways, _, span = course(scores, float(scores[here, REACH, REACH]), wholes, here)
    shown, ways = frames[span], ways[span]
    under = np.array([local_motion(field, frames[here].luma.shape, rows, columns) for field in fields[span]])
    rows, columns = whole_mark(shown, ways, (wholes[span], under), here - span.start, sign, (rows, columns))
    return View.of(frames[here].number, rows, columns, tuple(frame.number for frame in shown), ways, is_whole=True)


def _without_rims(found: Sequence[Seen]) -> list[Seen]:
    """Without the rims of the other sign that every mark has: of two that lie together, the stronger."""
    kept: list[Seen] = []
    for seen in sorted(found, key=lambda seen: -seen.size):
        box = seen.view
        if not any(
            max(box.x, other.view.x) - min(box.x + box.width, other.view.x + other.view.width) <= _RIM
            and max(box.y, other.view.y) - min(box.y + box.height, other.view.y + other.view.height) <= _RIM
            for other in kept
            if other.sign != seen.sign
        ):
            kept.append(seen)
    return kept
