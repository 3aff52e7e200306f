"""Which frames are to be rebuilt, from which neighbours, and how: frames that are lost, or damaged beyond repair."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..colour import Colour
from ..errors import InputError, UsageError
from ..fixes.lost import blank
from ..frame import Codes, Frame
from ..grain import GrainModel
from ..media import Shot
from ..media.images_write import NOTE
from ..media.patterns import format_span, parse_span
from ..restorers.base import Origin, Rebuilder, Restorer
from ..settings import RestoreSettings
from ..wide.rebuild import Guess, rebuild
from .composite import Repair

MOST = 4
"""Frames in a row that are rebuilt: beyond, the picture has moved on too far to say what was in between."""
MISSING = "missing"
MADE_BY = "rebuild@1"


def lost_frames(asked: str | None, shot: Shot) -> frozenset[int]:
    """The frames of the whole reel that are to be rebuilt.

    Args:
        asked: "missing" (the numbers that the sequence leaves out), a span of frames, or both with a comma between.
        shot: Of the job.

    Raises:
        UsageError: it cannot be meant.
    """
    if asked is None:
        return frozenset()
    words = [word.strip() for word in asked.split(",") if word.strip()]
    span = ",".join(word for word in words if word != MISSING)
    lost = set(parse_span(span)) if span else set()
    if MISSING in words:
        first, last = shot.available[0], shot.available[-1]
        lost.update(set(range(first, last + 1)).difference(shot.available))
    outside = sorted(n for n in lost if not shot.available[0] < n < shot.available[-1])
    if outside:
        raise UsageError(
            f"frame {outside[0]} cannot be rebuilt: it lies at an end of {shot.path}, which holds "
            f"{format_span(shot.available)}, so that there is nothing on its other side"
        )
    return frozenset(lost)


@dataclass(frozen=True)
class Beside:
    """The neighbours that a lost frame is made from."""

    before: int
    after: int

    def share(self, number: int) -> float:
        """How far a frame is on the way from one to the other."""
        return (number - self.before) / (self.after - self.before)


def beside(number: int, sound: Sequence[int], cuts: Sequence[int]) -> Beside:
    """The neighbours of a lost frame.

    Args:
        number: The frame.
        sound: Frames that are there and not lost, rising.
        cuts: First frame of every shot but the first, rising.

    Raises:
        InputError: one of them is missing, beyond a cut, or too far away.
    """
    at = bisect_left(sound, number)
    there = sound[max(at - 1, 0) : at + 1]
    if at == 0 or at == len(sound):
        raise InputError(f"frame {number} cannot be rebuilt: no whole frame lies on its other side")
    before, after = there
    if bisect_right(cuts, before) != bisect_right(cuts, after):
        raise InputError(
            f"frame {number} cannot be rebuilt: there is a cut between {before} and {after}, and a frame beside a cut "
            "has one neighbour only; leave it out of --rebuild, or say with --cuts that there is none"
        )
    if after - before - 1 > MOST:
        raise InputError(
            f"frame {number} cannot be rebuilt: {after - before - 1} frames in a row are lost between {before} and "
            f"{after}, and at most {MOST} can be made from their neighbours"
        )
    return Beside(before, after)


def rebuilt(
    number: int,
    neighbours: Beside,
    restored: Callable[[int], Codes],
    shot: Shot,
    colour: Colour,
    settings: RestoreSettings,
    grain: GrainModel | None,
    guess: Guess | None = None,
) -> tuple[Frame, Repair, bool]:
    """A lost frame: what it is laid over, its picture as a repair of all of it, and whether it has no scan at all.

    Args:
        restored: Gives the picture channels of a neighbour, its own marks mended.
        guess: What the method says of places where the neighbours contradict each other.

    Raises:
        InputError: a neighbour cannot be read.
    """
    frame, has_none = _scan_of(number, shot)
    before, after = (colour.to_net(restored(n)) for n in (neighbours.before, neighbours.after))
    made = rebuild(
        before,
        after,
        neighbours.share(number),
        guess=guess,
        grain=grain,
        amount=settings.grain,
        seed=settings.seed,
        frame=number,
    )
    codes = colour.from_net(made.picture)
    full = codes.shape[:2]
    origin = np.where(made.seen, np.uint8(Origin.INTERPOLATED), np.uint8(Origin.GENERATED))
    note = f"rebuilt from {neighbours.before} and {neighbours.after}"
    frame = replace(frame, metadata={**frame.metadata, NOTE: note})
    return frame, Repair(codes=codes, matte=np.ones(full, np.float32), origin=origin, taken_back=0), has_none


def guess_of(restorer: Restorer, settings: RestoreSettings) -> Guess | None:
    """What the method can say of a lost frame beyond its neighbours; None where that is nothing, or too slow."""
    if not restorer.facts.rebuilds or settings.quality == "preview":
        return None
    rebuilder = cast(Rebuilder, restorer)

    def guess(picture: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
        planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(picture, 2, 0)))
        return np.moveaxis(rebuilder.guessed(planes, torch.from_numpy(seen)).numpy(), 0, 2)

    return guess


def made_by(restorer: Restorer, guess: Guess | None) -> str:
    """The model that a rebuilt frame's fixes name."""
    return MADE_BY if guess is None else f"{MADE_BY} {restorer.facts.name}@{restorer.weights_hash[:12]}"


def _scan_of(number: int, shot: Shot) -> tuple[Frame, bool]:
    """The frame as scanned, however damaged; a blank where there is none that can be read, and whether that is so."""
    if number in shot:
        try:
            return shot.read(number), False
        except InputError:
            return blank(shot, number), True
    return blank(shot, number), True
