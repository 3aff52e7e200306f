"""Frame numbers without repeats: the film's own count, in which windows are laid."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable


class Ranks:
    """Counts the frames of the film: a repeat has the rank of the frame that it repeats.

    Ranks come from the whole reel, never from a span, so that every chunk counts alike. Any number has a rank, those
    before the reel and after it too; without repeats it is the number itself.

    Args:
        repeats: Frames that repeat the one before them.
        cuts: First frame of every shot but the first; it repeats nothing, whatever `repeats` says.
    """

    def __init__(self, repeats: Iterable[int] = (), cuts: Collection[int] = ()) -> None:
        self._repeats = sorted(set(repeats).difference(cuts))
        self._ranks = [number - count for count, number in enumerate(self._repeats, 1)]

    def rank(self, number: int) -> int:
        """The rank of a frame."""
        return number - bisect_right(self._repeats, number)

    def frames(self, rank: int) -> range:
        """The frames of a rank: the original, then its repeats."""
        return range(self._original(rank), self._original(rank + 1))

    def _original(self, rank: int) -> int:
        return rank + bisect_left(self._ranks, rank)
