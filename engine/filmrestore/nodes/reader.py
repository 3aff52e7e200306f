"""Frames of a shot kept while windows need them: read ahead in one thread, bounded in number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from ..frame import Frame
from ..media import Shot
from .meter import Meter


class WindowReader:
    """Reads each frame once while it stays among the `hold` last used ones; a context manager.

    A frame that cannot be read raises when it is asked for, not when it is read ahead.
    """

    def __init__(self, shot: Shot, meter: Meter, *, hold: int) -> None:
        self._shot, self._meter, self._hold = shot, meter, hold
        self._pool = ThreadPoolExecutor(1, "read")
        self._frames: OrderedDict[int, Future[Frame]] = OrderedDict()
        self._lock = threading.Lock()

    def __enter__(self) -> WindowReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def ahead(self, numbers: Iterable[int]) -> None:
        """Starts reading `numbers`."""
        for number in numbers:
            self._future(number)

    def get(self, numbers: Iterable[int]) -> dict[int, Frame]:
        """The frames of `numbers`.

        Raises:
            InputError: one of them is missing or corrupt.
        """
        futures = {number: self._future(number) for number in sorted(set(numbers))}
        return {number: future.result() for number, future in futures.items()}

    def _future(self, number: int) -> Future[Frame]:
        with self._lock:
            future = self._frames.get(number)
            if future is None:
                future = self._frames[number] = self._pool.submit(self._read, number)
            self._frames.move_to_end(number)
            while len(self._frames) > self._hold:
                _, oldest = self._frames.popitem(last=False)
                oldest.cancel()
            return future

    def _read(self, number: int) -> Frame:
        with self._meter.stage("read"):
            return self._shot.read(number)
