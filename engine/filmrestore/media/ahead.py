"""Reading ahead of the compute, in one background thread, a bounded number of frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from ..frame import Frame
from .shot import Shot


class ReadAhead:
    """Frames of a shot in the order asked for; at most `depth` are read before they are taken.

    A frame that cannot be read raises its error when its turn comes; the next call goes on with the next frame.
    Leave it with `close`, a `with` block, or by taking all frames.
    """

    def __init__(self, shot: Shot, numbers: Iterable[int], depth: int) -> None:
        self._shot = shot
        self._numbers = iter(numbers)
        self._depth = depth
        self._pending: deque[Future[Frame]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read")
        self._is_closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        self._fill()
        if not self._pending:
            self.close()
            raise StopIteration
        frame = self._pending.popleft().result()
        self._fill()
        return frame

    def close(self) -> None:
        """Stop reading; waits for the frame in flight."""
        self._is_closed = True
        self._pending.clear()
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fill(self) -> None:
        while not self._is_closed and len(self._pending) < self._depth:
            number = next(self._numbers, None)
            if number is None:
                return
            self._pending.append(self._pool.submit(self._shot.read, number))


def read_ahead(shot: Shot, numbers: Iterable[int], depth: int = 2) -> ReadAhead:
    """Read `numbers` of `shot` in the background, `depth` frames ahead of the caller.

    Raises:
        FilmRestoreError: from the iterator, at the frame that cannot be read; the iterator goes on with the next.
    """
    return ReadAhead(shot, numbers, depth)
