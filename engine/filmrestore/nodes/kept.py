"""What windows gave for frames that nobody has asked for yet, bounded in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from .tiles import Blended

Name = tuple[object, ...]


class Kept:
    """Results of windows by name and frame; the longest unused go first. Safe to share by threads.

    Args:
        size: Bytes that may be held.
    """

    def __init__(self, size: int) -> None:
        self._limit = size
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[Name, int], Blended] = OrderedDict()
        self.bytes = 0

    def get(self, name: Name, number: int) -> Blended | None:
        """What was kept of a frame."""
        with self._lock:
            found = self._held.get((name, number))
            if found is not None:
                self._held.move_to_end((name, number))
            return found

    def put(self, name: Name, results: Mapping[int, Blended]) -> None:
        """Keeps a window's results by frame number, as long as they fit."""
        with self._lock:
            for number, blended in results.items():
                self._drop((name, number))
                self._held[name, number] = replace(blended, others=())
                self.bytes += _size(blended)
            while self.bytes > self._limit:
                self._drop(next(iter(self._held)))

    def forget(self, clip: Name) -> None:
        """Drops all whose name begins with `clip`."""
        with self._lock:
            for key in [key for key in self._held if key[0][: len(clip)] == clip]:
                self._drop(key)

    def _drop(self, key: tuple[Name, int]) -> None:
        found = self._held.pop(key, None)
        if found is not None:
            self.bytes -= _size(found)


def _size(blended: Blended) -> int:
    return blended.confidence.nbytes + blended.picture.nbytes + blended.origin.nbytes
