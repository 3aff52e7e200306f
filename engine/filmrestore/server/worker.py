"""The device's one worker: frames in the order in which they came, before and between the patches of spans."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from ..errors import ProtocolError

log = logging.getLogger(__name__)


class Job(Protocol):
    """What the worker runs; it answers for itself, its errors too."""

    def run(self, between: Callable[[], None]) -> None:
        """Does the work; calls `between` as often as it can, at which point other jobs may be run."""
        ...


class Worker:
    """A thread and its queues.

    Args:
        limit: Jobs that may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: deque[Job] = deque()
        self._spans: deque[Job] = deque()
        self._changed = threading.Condition()
        self._ends = False
        self.running = 0
        self._thread = threading.Thread(target=self._loop, name="worker", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._frames) + len(self._spans)

    @property
    def idle(self) -> bool:
        with self._changed:
            return not self.running and not self.waiting

    def add(self, job: Job, *, is_span: bool) -> None:
        """Queues a job.

        Raises:
            ProtocolError: with code "busy": the queue is full.
        """
        with self._changed:
            if self.waiting >= self._limit:
                raise ProtocolError(f"{self.waiting} jobs are waiting, which is all there may be", code="busy")
            (self._spans if is_span else self._frames).append(job)
            self._changed.notify()

    def remove(self, job: Job) -> None:
        """Takes a job out of the queue, if it still waits."""
        with self._changed:
            for queue in (self._frames, self._spans):
                if job in queue:
                    queue.remove(job)

    def close(self) -> None:
        """Ends the thread after the job in flight; the caller has cancelled all jobs."""
        with self._changed:
            self._ends = True
            self._frames.clear()
            self._spans.clear()
            self._changed.notify()
        self._thread.join()

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ends or self.waiting)
                if self._ends:
                    return
                job = (self._frames or self._spans).popleft()
                self.running += 1
            try:
                _run(job, self._between)
            finally:
                del job  # its frames must not live until the next one comes
                with self._changed:
                    self.running -= 1

    def _between(self) -> None:
        """Runs the frames that wait while a span is at work."""
        while True:
            with self._changed:
                if not self._frames or self._ends or self.running > 1:
                    return
                job = self._frames.popleft()
                self.running += 1
            try:
                _run(job, _nothing)
            finally:
                with self._changed:
                    self.running -= 1


def _run(job: Job, between: Callable[[], None]) -> None:
    """Runs a job; a fault that it could not even tell of costs itself alone, and not the worker of all clients."""
    try:
        job.run(between)
    except Exception:
        log.exception("a job ended with an error that should not happen")


def _nothing() -> None:
    """Between the patches of a frame nothing else is run."""
