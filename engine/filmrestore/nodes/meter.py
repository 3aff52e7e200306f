"""Where a run's time goes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter


@dataclass
class Meter:
    """Seconds by stage and counts of tiles, added up over threads.

    A stage inside another one counts for itself: the outer one's time is what is left.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    computed: int = 0
    cached: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _inside: threading.local = field(default_factory=threading.local)

    def add(self, stage: str, seconds: float) -> None:
        with self._lock:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time of what happens inside."""
        outer = getattr(self._inside, "seconds", 0.0)
        self._inside.seconds = 0.0
        started = perf_counter()
        try:
            yield
        finally:
            whole = perf_counter() - started
            self.add(name, whole - self._inside.seconds)
            self._inside.seconds = outer + whole

    def count(self, *, cached: bool) -> None:
        with self._lock:
            self.cached += cached
            self.computed += not cached
