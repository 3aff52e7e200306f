"""Which frames a restorer sees at once: windows anchored to absolute frame numbers, never crossing a cut."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One window of one shot: the least piece of work that two processes share out between them.

    Attributes:
        name: Unique within the reel, the same for every span that holds it.
        kept: Frames that this unit restores; at most the restorer's `keep`.
        slots: Index of each kept frame among the restorer's kept results.
        numbers: Absolute numbers of the whole window, as the restorer's noise and frame codes see them.
        sources: The frame that is read for each number: itself, or the nearest of the same shot that is there.
        present: False where a source only stands in.
    """

    name: str
    kept: tuple[int, ...]
    slots: tuple[int, ...]
    numbers: tuple[int, ...]
    sources: tuple[int, ...]
    present: tuple[bool, ...]


def plan_units(
    wanted: Sequence[int],
    readable: Collection[int],
    cuts: Sequence[int],
    *,
    window: int,
    keep: int,
) -> list[Unit]:
    """The units that restore `wanted`, in the order of the film.

    A window starts at a multiple of `keep`, whatever the span, so that any cutting of a reel into chunks gives
    the same windows. A window with a cut in its middle becomes one unit for each side.

    Args:
        wanted: Frames to restore.
        readable: Frames that may be looked at, handles included.
        cuts: First frame of every shot but the first, rising.
        window: Frames seen at once.
        keep: Frames kept of each window; `window - keep` is even.
    """
    readable_set = set(readable)
    groups: dict[tuple[int, int], list[int]] = {}
    for number in sorted(set(wanted)):
        groups.setdefault((number // keep, bisect_right(cuts, number)), []).append(number)
    return [_unit(index, shot, kept, readable_set, cuts, window, keep) for (index, shot), kept in groups.items()]


def _unit(
    index: int, shot: int, kept: list[int], readable: set[int], cuts: Sequence[int], window: int, keep: int
) -> Unit:
    first = index * keep
    start = first - (window - keep) // 2
    numbers = tuple(range(start, start + window))
    there = [n for n in numbers if n in readable and bisect_right(cuts, n) == shot]
    return Unit(
        name=f"{first:+08d}.{shot}",
        kept=tuple(kept),
        slots=tuple(n - first for n in kept),
        numbers=numbers,
        sources=_stand_ins(numbers, there),
        present=tuple(n in there for n in numbers),
    )


def without(unit: Unit, broken: Collection[int]) -> Unit:
    """The unit as if the frames `broken` did not exist."""
    there = [n for n, present in zip(unit.numbers, unit.present, strict=True) if present and n not in broken]
    left = [(n, s) for n, s in zip(unit.kept, unit.slots, strict=True) if n in there]
    return replace(
        unit,
        kept=tuple(n for n, _ in left),
        slots=tuple(s for _, s in left),
        sources=_stand_ins(unit.numbers, there) if there else (),
        present=tuple(n in there for n in unit.numbers),
    )


def _stand_ins(numbers: Sequence[int], there: Sequence[int]) -> tuple[int, ...]:
    """For each number the nearest frame that is there, the earlier of two."""
    return tuple(min(there, key=lambda other: (abs(other - n), other)) for n in numbers)
