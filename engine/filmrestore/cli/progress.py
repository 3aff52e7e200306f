"""How a run is shown while it works: a live bar, plain lines, JSON lines, or Open Job Description lines."""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from rich.progress import TaskID

MODES = ("auto", "rich", "json", "openjd", "none")
LINE_EVERY_S = 5.0
RATE_OVER_S = 60.0
Clock = Callable[[], float]


class Rate:
    """Steps a second over the last minute.

    A resumed run passes its finished frames in no time: only what the last minute shows says when it ends.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, done: int) -> None:
        now = self._clock()
        if self._seen and done < self._seen[-1][1]:  # the same stage of the next shot
            self._seen.clear()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_OVER_S:
            self._seen.popleft()

    def per_second(self) -> float | None:
        if len(self._seen) < 2:
            return None
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - start) if end > start and last > first else None

    def seconds_left(self, done: int, total: int) -> float | None:
        rate = self.per_second()
        return None if rate is None else (total - done) / rate


class Display(ABC):
    """Is called with (stage, done, total), from any thread; a context manager."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._rates: dict[str, Rate] = {}
        self._last: tuple[str, int, int] | None = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        with self._lock:
            if self._last == (stage, done, total):
                return
            self._last = stage, done, total
            rate = self._rates.setdefault(stage, Rate(self._clock))
            rate.add(done)
            self.show(stage, done, total, rate)

    @abstractmethod
    def show(self, stage: str, done: int, total: int, rate: Rate) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Silent(Display):
    """Shows nothing."""

    def show(self, stage: str, done: int, total: int, rate: Rate) -> None:
        return None


class Lines(Display):
    """A plain line every few seconds and at the end of a stage: for logs."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        self._shown: dict[str, float] = {}

    def show(self, stage: str, done: int, total: int, rate: Rate) -> None:
        now = self._clock()
        if done < total and now - self._shown.setdefault(stage, now) < LINE_EVERY_S:
            return
        self._shown[stage] = now
        click.echo(f"{stage} {done}/{total}{_speed(rate, done, total)}", err=True)


class JsonLines(Display):
    """One JSON object a step, on stderr; a warning is one too: {"warning": TEXT}."""

    def __enter__(self) -> Self:
        self._show_warning, self._handlers = warnings.showwarning, logging.root.handlers
        warnings.showwarning = self._warn
        logging.root.handlers = [_JsonMessages(logging.WARNING)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        warnings.showwarning, logging.root.handlers = self._show_warning, self._handlers

    @staticmethod
    def _warn(message: Warning | str, *where: object, **more: object) -> None:
        del where, more
        click.echo(json.dumps({"warning": str(message)}), err=True)

    def show(self, stage: str, done: int, total: int, rate: Rate) -> None:
        left = rate.seconds_left(done, total)
        entry = {
            "stage": stage,
            "done": done,
            "total": total,
            "per_second": rate.per_second(),
            "seconds_left": None if left is None else round(left, 1),
        }
        click.echo(json.dumps(entry), err=True)


class _JsonMessages(logging.Handler):
    """Log records as JSON objects."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(json.dumps({"warning": record.getMessage()}), err=True)


class OpenJobLines(Display):
    """`openjd_progress` and `openjd_status` lines, on stdout as Open Job Description wants them."""

    def show(self, stage: str, done: int, total: int, rate: Rate) -> None:
        click.echo(f"openjd_progress: {100.0 * done / max(total, 1):.1f}")
        click.echo(f"openjd_status: {stage} {done}/{total}{_speed(rate, done, total)}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            click.echo(f"openjd_fail: {' '.join(str(error).split())}")


class Bars(Display):
    """Live bars on a terminal."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}

    def show(self, stage: str, done: int, total: int, rate: Rate) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total, speed="")
        self._progress.update(self._tasks[stage], completed=done, total=total, speed=_speed(rate, done, total))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def display(mode: str) -> Display:
    """The display of one of `MODES`; "auto" is live bars on a terminal and plain lines in a log."""
    if mode == "auto":
        return Bars() if sys.stderr.isatty() else Lines()
    displays: dict[str, Callable[[], Display]] = {
        "rich": Bars,
        "json": JsonLines,
        "openjd": OpenJobLines,
        "none": Silent,
    }
    return displays[mode]()


def _speed(rate: Rate, done: int, total: int) -> str:
    per_second = rate.per_second()
    if per_second is None:
        return ""
    speed = f"{per_second:.1f} a second" if per_second >= 1 else f"{1 / per_second:.1f} s each"
    return f"  {speed}" if done >= total else f"  {speed}  {duration((total - done) / per_second)} left"


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
