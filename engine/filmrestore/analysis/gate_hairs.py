"""Hairs that hang into the gate and flutter: rooted at the picture's edge, and never twice where they were.

Such a hair keeps its root while the film runs past it, and the rest of it moves at random. So it neither stands nor
goes with the picture, which is what `standing` tells by. What does: in some frames one after another something thin
and strong begins at the same place of the edge and runs on without a gap, and where it lies in one of them the others
show little, neither at that place nor where the picture has gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from ..motion import LUMA_GAIN
from .marks import LastingMark, Rows, View, certainty_of, link
from .pieces import Bytes, Glance, decoded, local_motion
from .relief import BLACK, Float32, gate_of

Float64 = NDArray[np.float64]
Paths = Mapping[int, tuple[Rows, Rows]]

_RUN = 5  # frames in a row that must show a hair
_STRONG = 2.5  # of relief, what all but a twentieth of a hair has
_ROOT, _BEGINS = 1.75, 2.0  # of relief: at a root, and of all but a fifth of its first steps
_DEPTH = (2, 9)  # pixels from the edge in which roots are looked for
_BESIDE = 4  # pixels in which there is one root
_STEPS, _STEP = 240, 1.5  # of a trace: how many, and pixels
_LEAST = 16  # steps of a hair
_AHEAD = np.array([1.5, 3.0, 4.5])[:, None, None]  # pixels that a trace looks ahead
_TURNS, _FIRST_TURNS = (np.deg2rad(np.arange(-most, most + 1, 9)) for most in (36, 72))
_TURN_COSTS = 0.4  # of relief, a radian
_TAIL, _ENDS = 6, 0.5  # steps whose mean relief says by this whether a hair goes on
_RESTS = 1.0  # pixels, root mean square, that a root seems to move by
_EXPLAINED = 0.75  # of its relief, what its other frames may show where it lies in one
_RANDOM = 0.9  # of von Neumann's ratio: 2 for what moves at random, near 0 for a rope that swings
_RIM = 5  # pixels beside a hair in which its rims of the other sign lie
_SAME = 6.0  # pixels along the edge between the roots of one hair in two looks


@dataclass(frozen=True)
class GateHair:
    """A hair as one look has it.

    Attributes:
        sign: -1 dark, 1 light.
        edge: 0 top, 1 bottom, 2 left, 3 right.
        root: Place of its root along the edge, pixels.
        paths: By the number of each frame that shows it: rows and columns of its crest.
    """

    sign: int
    edge: int
    root: float
    paths: Paths


def gate_hairs(frames: Sequence[Glance], fields: Sequence[Float32], wholes: Float64) -> list[GateHair]:
    """The hairs of one look.

    Args:
        frames: Of the look.
        fields, wholes: Where the picture goes, see `pieces.motion`.
    """
    found: list[GateHair] = []
    small = np.max([frame.small for frame in frames], axis=0)
    step = frames[0].reliefs[0].shape[0] / small.shape[0]
    borders = [round(edge * step) for edge in gate_of(small, BLACK * LUMA_GAIN)]
    stacks = [np.stack([frame.reliefs[light] for frame in frames]) for light in (0, 1)]
    for light, stack in enumerate(stacks):
        for edge, border in enumerate(borders):
            seen = _turned(stack, edge)[:, border:]
            for place in _roots(seen):
                told = _told(stack, seen, place, edge, border, fields, wholes)
                if told is None or _is_rim(stack, stacks[1 - light], told[1]):
                    continue
                root, paths = told
                if any(
                    (2 * light - 1, edge) == (hair.sign, hair.edge) and abs(root - hair.root) <= _SAME for hair in found
                ):
                    continue
                named = {frames[index].number: path for index, path in paths.items()}
                found.append(GateHair(2 * light - 1, edge, root, named))
    return found


def _told(
    stack: Bytes, seen: Bytes, place: int, edge: int, border: int, fields: Sequence[Float32], wholes: Float64
) -> tuple[float, Paths] | None:
    """Root and paths of what begins there, where it is a hair."""
    rows, columns, lengths, strong = _traced(seen, place)
    run = _longest(lengths >= _LEAST)
    if run.stop - run.start < _RUN or columns[run, 0].std() > _RESTS:
        return None
    shared = int(np.sort(lengths[run])[1])  # one frame may have lost it early; in others a trace runs on beyond its end
    if np.quantile(strong[run, :shared], 0.05) < _STRONG:
        return None
    way = np.stack([rows[run, :shared], columns[run, :shared]], axis=2)
    if (np.diff(way, axis=0) ** 2).sum() < _RANDOM * ((way - way.mean(axis=0)) ** 2).sum():
        return None
    shape = stack.shape[1:]
    paths = {
        index: _unturned(
            border + rows[index, : min(length, shared)], columns[index, : min(length, shared)], edge, shape
        )
        for index, length in zip(range(run.start, run.stop), lengths[run], strict=True)
    }
    if _explained(stack, paths, fields, wholes) > _EXPLAINED:
        return None
    return float(columns[run, 0].mean()), paths


def _is_rim(stack: Bytes, others: Bytes, paths: Paths) -> bool:
    """Whether something of the other sign beside it stands out more: every hair has rims, and flutters with them."""
    own = sum(float(stack[index, rows, columns].mean()) for index, (rows, columns) in paths.items())
    kernel = np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)
    beside = sum(
        float(cv2.dilate(others[index], kernel)[rows, columns].mean()) for index, (rows, columns) in paths.items()
    )
    return beside > own


def _turned(stack: Bytes, edge: int) -> Bytes:
    """The frames with that edge on top."""
    upright = stack if edge < 2 else stack.transpose(0, 2, 1)
    return upright[:, ::-1] if edge % 2 else upright


def _unturned(rows: Float64, columns: Float64, edge: int, shape: tuple[int, ...]) -> tuple[Rows, Rows]:
    """Whole pixels of the frame."""
    away, along = np.rint(rows).astype(np.intp), np.rint(columns).astype(np.intp)
    if edge % 2:
        away = shape[edge // 2] - 1 - away
    down, across = (away, along) if edge < 2 else (along, away)
    inside = (down >= 0) & (down < shape[0]) & (across >= 0) & (across < shape[1])
    return down[inside], across[inside]


def _roots(stack: Bytes) -> list[int]:
    """Columns of the upper edge at which something thin begins in `_RUN` frames in a row."""
    band = np.pad(decoded(stack[:, _DEPTH[0] : _DEPTH[1]]).mean(axis=1), ((0, 0), (1, 1)))
    wide = np.maximum(np.maximum(band[:, :-2], band[:, 1:-1]), band[:, 2:])
    last = len(wide) - _RUN + 1
    lasting = np.min([wide[first : first + last] for first in range(_RUN)], axis=0).max(axis=0)
    roots: list[int] = []
    for column in np.argsort(-lasting, kind="stable"):
        if lasting[column] < _ROOT:
            break
        if all(abs(column - other) > _BESIDE for other in roots):
            roots.append(int(column))
    return roots


def _traced(stack: Bytes, place: int) -> tuple[Float64, Float64, Rows, Float64]:
    """Follows what begins at a place of the upper edge, in all frames at once.

    Returns:
        Rows and columns (frames, steps), how many of the steps are the hair's, and its relief (frames, steps).
    """
    count, _, width = stack.shape
    each = np.arange(count)
    near = np.arange(max(0, place - 2), min(width, place + 3))
    x = near[decoded(stack[:, _DEPTH[0] : _DEPTH[1], near]).mean(axis=1).argmax(axis=1)].astype(np.float64)
    y, angle = np.full(count, float(_DEPTH[0])), np.full(count, np.pi / 2)
    rows, columns, strong = (np.zeros((count, _STEPS)) for _ in range(3))
    for step in range(_STEPS):
        rows[:, step], columns[:, step], strong[:, step] = y, x, _at(stack, each, y, x)
        if step == _LEAST and (np.quantile(strong[:, :_LEAST], 0.2, axis=1) >= _BEGINS).sum() < _RUN:
            break  # of no strength: it would not be told
        if step > _LEAST and (strong[:, step - _TAIL : step].mean(axis=1) >= _ENDS).sum() < _RUN - 2:
            break  # of any run two have ended: they say how long it is
        turns = _TURNS if step else _FIRST_TURNS
        ways = angle[:, None] + turns
        there = y[:, None] + _AHEAD * np.sin(ways), x[:, None] + _AHEAD * np.cos(ways)
        score = _at(stack, each[:, None], *there).mean(axis=0) - _TURN_COSTS * np.abs(turns)
        angle = ways[each, score.argmax(axis=1)]
        y, x = y + _STEP * np.sin(angle), x + _STEP * np.cos(angle)
    total = np.cumsum(np.pad(strong, ((0, 0), (1, 0))), axis=1)
    ended = (total[:, _TAIL:] - total[:, :-_TAIL]) / _TAIL < _ENDS
    lengths = np.concatenate([ended, np.ones((count, 1), np.bool_)], axis=1).argmax(axis=1)
    return rows, columns, lengths, strong


def _at(stack: Bytes, frame: Rows | int, y: Float64, x: Float64) -> Float64:
    """Relief at the nearest pixels; 0 beyond the frame."""
    row, column = np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)
    inside = (row >= 0) & (row < stack.shape[1]) & (column >= 0) & (column < stack.shape[2])
    value = stack[frame, np.clip(row, 0, stack.shape[1] - 1), np.clip(column, 0, stack.shape[2] - 1)]
    return np.where(inside, decoded(value), np.float32(0)).astype(np.float64)


def _longest(there: NDArray[np.bool_]) -> slice:
    """The longest run."""
    ends = np.flatnonzero(np.diff(np.pad(there.astype(np.int8), 1)))
    runs = [slice(int(first), int(stop)) for first, stop in zip(ends[::2], ends[1::2], strict=True)]
    return max(runs, key=lambda run: run.stop - run.start, default=slice(0, 0))


def _explained(stack: Bytes, paths: Paths, fields: Sequence[Float32], wholes: Float64) -> float:
    """Share of its relief that the others of its frames show where it lies in one: at rest, or where the picture went.

    Frames that do not show it at all say nothing: they may be of another shot.
    """
    own, others = 0.0, np.zeros(3)
    for index, (rows, columns) in paths.items():
        own += float(decoded(stack[index, rows, columns]).mean())
        there = np.array([local_motion(part, stack.shape[1:], rows, columns) for part in fields])
        ways = np.stack([np.zeros_like(wholes), wholes - wholes[index], there - there[index]])
        shown = [
            [_at(stack, place, rows + way[place, 1], columns + way[place, 0]).mean() for way in ways]
            for place in paths
            if place != index
        ]
        others += np.mean(shown, axis=0)
    return float(others.max() / max(own, 1e-6))


@dataclass
class GateHairs:
    """Links what the looks see to marks."""

    _tracks: list[list[GateHair]] = field(default_factory=list)

    def add(self, seen: Sequence[GateHair]) -> None:
        """What one look saw; looks come in the order of the film."""
        link(self._tracks, seen, lambda track, one: _is_same(track[-1], one))

    def finish(self, step: int) -> Iterator[LastingMark]:
        """The marks; `step` is said of them. A frame is shown as the look that came last has it."""
        for track in self._tracks:
            paths = {number: path for hair in track for number, path in hair.paths.items()}
            numbers = sorted(paths)
            yield LastingMark(
                first=numbers[0],
                last=numbers[-1],
                polarity="light" if track[0].sign > 0 else "dark",
                views=tuple(View.of(number, *paths[number], (number,), np.zeros((1, 2), int)) for number in numbers),
                step=step,
                certainty=certainty_of(len(track)),
            )


def _is_same(before: GateHair, hair: GateHair) -> bool:
    frames = (before.sign, before.edge) == (hair.sign, hair.edge) and before.paths.keys() & hair.paths.keys()
    return bool(frames) and abs(before.root - hair.root) <= _SAME
