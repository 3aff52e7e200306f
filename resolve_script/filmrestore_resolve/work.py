"""The engine at work: in a thread of its own, while the host's thread shows how far it is and listens for Cancel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filmrestore.errors import Cancelled

from .jobs import Job

Step = Callable[[], bool]
Notify = Callable[[str], None]
_ASKS = {"restore": "restore_span", "degrade": "degrade", "grain": "grain"}
_POLL_S = 0.2


class Watch:
    """Shows progress on the console; a file named `cancel` in the folder of the work ends it, and so does Ctrl-C.

    The dialog's window does the same with a window and a button.
    """

    def __init__(self, tell: Notify = print) -> None:
        self._tell = tell
        self._told = ""
        self._cancelled = threading.Event()
        self.cancel_file: Path | None = None

    def say(self, text: str) -> None:
        """A line for the user."""
        self._tell(text)

    def progress(self, text: str) -> None:
        """How far it is; said when it has changed."""
        if text != self._told:
            self._told = text
            self._tell(text)

    def cancel(self) -> None:
        """Ends the work soon."""
        self._cancelled.set()

    def is_cancelled(self) -> bool:
        """Whether the user has had enough."""
        if self.cancel_file is not None and self.cancel_file.exists():
            self.cancel_file.unlink()
            self.cancel()
        return self._cancelled.is_set()

    def until(self, step: Step) -> None:
        """Calls `step` in this thread, five times a second, until it says True."""
        while not step():
            try:
                time.sleep(_POLL_S)
            except KeyboardInterrupt:
                self.cancel()


def run_job(engine: Any, job: Job, title: str, watch: Watch) -> dict[str, Any]:
    """Has the engine do the job.

    Args:
        engine: The client.
        job: What is to be done.
        title: For the user.
        watch: Shows progress; its Cancel ends the work, and what is finished stays on disk.

    Returns:
        The run's report.

    Raises:
        FilmRestoreError: as the engine says.
    """
    work = _Work(getattr(engine, _ASKS[job.node]), job)
    watch.cancel_file = job.folder / "cancel"
    thread = threading.Thread(target=work.run, name="filmrestore", daemon=True)
    thread.start()

    def step() -> bool:
        if watch.is_cancelled():
            work.wants_end.set()
        stage, done, total = work.at
        watch.progress(f"{title}: {stage} {done} of {total}" if total else f"{title}: {stage}")
        return work.ended.is_set()

    watch.until(step)
    thread.join()
    if work.error is not None:
        raise work.error
    if watch.is_cancelled():
        raise Cancelled(f"{title}: stopped; what is finished stays in {job.folder}")
    return work.report


class _Work:
    """What the engine's thread and the host's share. The host's objects are for the host's thread alone."""

    def __init__(self, ask: Callable[..., dict[str, Any]], job: Job) -> None:
        self._ask, self._job = ask, job
        self.at: tuple[str, int, int] = ("waiting for the engine", 0, 0)
        self.wants_end, self.ended = threading.Event(), threading.Event()
        self.report: dict[str, Any] = {}
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.report = self._ask(
                self._job.fields, self._job.settings, progress=self._set, cancelled=self.wants_end.is_set
            )
        except BaseException as error:  # raised again in the host's thread
            self.error = error
        finally:
            self.ended.set()

    def _set(self, stage: str, done: int, total: int) -> None:
        self.at = (stage, done, total)
