"""Which frames a restorer sees at once: windows anchored to the film's own count of frames, never crossing a cut."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ..restorers.base import Facts
from .ranks import Ranks


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One window of one shot: the least piece of work that two processes share out between them.

    Attributes:
        name: Unique within the reel, the same for every span that holds it.
        kept: Frames that this unit restores: of at most the restorer's `keep` pictures, with their repeats.
        slots: Index of each kept frame's picture among the restorer's kept results.
        numbers: Absolute numbers of the whole window, as the restorer's noise and frame codes see them; no repeats.
        choices: The frames that show the picture of each number and are there: itself, then its repeats.
        sources: The frame that is read for each number: the first of its choices, or of the nearest number's of the
            same shot that has any.
        present: False where a source only stands in.
        far: Frames of the shot beyond the window that may show what a lasting mark hides in all of it; see `far`.
    """

    name: str
    kept: tuple[int, ...]
    slots: tuple[int, ...]
    numbers: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]
    sources: tuple[int, ...]
    present: tuple[bool, ...]
    far: tuple[int, ...] = ()

    @property
    def frames(self) -> tuple[int, ...]:
        """All that is read for it, in the order of the film."""
        return tuple(sorted({*self.sources, *self.kept, *self.far}))

    def place(self, kept: int) -> int:
        """Where in the window the picture of a kept frame is."""
        return bisect_right(self.numbers, kept) - 1

    def source(self, kept: int) -> int:
        """The frame that is read for a kept frame: itself, or the one that it repeats."""
        return self.sources[self.place(kept)]


def plan_units(
    wanted: Sequence[int],
    readable: Collection[int],
    cuts: Sequence[int],
    *,
    window: int,
    keep: int,
    moves: int = 0,
    repeats: Sequence[int] = (),
) -> list[Unit]:
    """The units that restore `wanted`, in the order of the film.

    A window starts at a multiple of `keep`, whatever the span, so that any cutting of a reel into chunks gives
    the same windows. It is counted in ranks: what the film shows twice counts once. A window with a cut in its middle
    becomes one unit for each side. Where a shot begins or ends among the pictures that a window keeps, the window is
    moved into the shot, if it shows more of it there: its first and last pictures are to have others beside them.

    Args:
        wanted: Frames to restore.
        readable: Frames that may be looked at, handles included.
        cuts: First frame of every shot but the first, rising.
        window: Pictures seen at once.
        keep: Pictures kept of each window; `window - keep` is even.
        moves: Pictures that a window is moved by, at most.
        repeats: Frames of the whole reel that repeat the one before them.
    """
    readable_set, ranks = set(readable), Ranks(repeats, cuts)
    groups: dict[tuple[int, int], list[int]] = {}
    for number in sorted(set(wanted)):
        groups.setdefault((ranks.rank(number) // keep, bisect_right(cuts, number)), []).append(number)
    return [
        _unit(index, shot, kept, readable_set, cuts, window, keep, moves, ranks)
        for (index, shot), kept in groups.items()
    ]


def units_for(
    facts: Facts, wanted: Sequence[int], readable: Collection[int], cuts: Sequence[int], repeats: Sequence[int] = ()
) -> list[Unit]:
    """`plan_units` for a restorer."""
    return plan_units(wanted, readable, cuts, window=facts.window, keep=facts.keep, moves=facts.moves, repeats=repeats)


def unit_of(
    number: int, available: Sequence[int], cuts: Sequence[int], facts: Facts, repeats: Sequence[int] = ()
) -> Unit:
    """The window that restores `number`, with all of the frames that it restores along with it."""
    ranks = Ranks(repeats, cuts)
    stride = [n for n in available if ranks.rank(n) // facts.keep == ranks.rank(number) // facts.keep]
    units = units_for(facts, stride, available, cuts, repeats)
    return next(unit for unit in units if number in unit.kept)


def most_read(units: Sequence[Unit]) -> int:
    """Frames of a unit and of the one that follows it, at most."""
    alone = max((len(unit.frames) for unit in units), default=0)
    return max((len({*unit.frames, *following.frames}) for unit, following in pairwise(units)), default=alone)


def _unit(
    index: int,
    shot: int,
    kept: list[int],
    readable: set[int],
    cuts: Sequence[int],
    window: int,
    keep: int,
    moves: int,
    ranks: Ranks,
) -> Unit:
    first = index * keep
    start = first - (window - keep) // 2 - moves
    copies = [ranks.frames(rank) for rank in range(start, start + window + 2 * moves)]
    there = [tuple(n for n in same if n in readable and bisect_right(cuts, n) == shot) for same in copies]
    moved = _moved([bool(same) for same in there], window, keep, moves)
    part = slice(moves + moved, moves + moved + window)
    choices = tuple(there[part])
    return Unit(
        name=f"{first:+08d}.{shot}",
        kept=tuple(kept),
        slots=tuple(ranks.rank(n) - first - moved for n in kept),
        numbers=tuple(same.start for same in copies[part]),
        choices=choices,
        sources=_sources(choices),
        present=tuple(map(bool, choices)),
    )


def _moved(there: Sequence[bool], window: int, keep: int, most: int) -> int:
    """Places that a window is moved by: where it shows the most of the shot, and still keeps what is there to be kept.

    Args:
        there: Which pictures there are, from `most` before the window on to `most` after it.
        window, keep, most: As `plan_units` has them.
    """
    before = most + (window - keep) // 2
    kept = [place for place, one in enumerate(there[before : before + keep]) if one]
    if not kept:
        return 0
    moves = range(max(-most, kept[-1] - keep + 1), min(most, kept[0]) + 1)
    return max(moves, key=lambda move: (sum(there[most + move : most + move + window]), -abs(move)))


def without(unit: Unit, broken: Collection[int]) -> Unit:
    """The unit as if the frames `broken` did not exist."""
    choices = tuple(tuple(n for n in same if n not in broken) for same in unit.choices)
    left = [(n, s) for n, s in zip(unit.kept, unit.slots, strict=True) if n not in broken and choices[unit.place(n)]]
    return replace(
        unit,
        kept=tuple(n for n, _ in left),
        slots=tuple(s for _, s in left),
        choices=choices,
        sources=_sources(choices),
        present=tuple(map(bool, choices)),
        far=tuple(n for n in unit.far if n not in broken),
    )


def _sources(choices: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """For each place the first choice of the nearest place that has any, the earlier of two; none where none has."""
    there = [place for place, same in enumerate(choices) if same]
    nearest = (min(there, key=lambda other: (abs(other - place), other)) for place in range(len(choices)) if there)
    return tuple(choices[place][0] for place in nearest)
