"""Telling the user: messages and progress, with a user interface and without; and steps that leave no undo."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import nuke


def message(text: str) -> None:
    """Shows a text: a window, or a line on stderr where there is no user interface."""
    if not nuke.GUI:
        print(f"filmrestore: {text}", file=sys.stderr)
        return
    in_main_thread(nuke.message, text)


def in_main_thread(call: Callable[..., Any], *values: Any) -> None:
    """Has Nuke call it where nodes may be touched; at once where that is here."""
    if not nuke.GUI or threading.current_thread() is threading.main_thread():
        call(*values)
        return
    nuke.executeInMainThread(call, args=values)


class Progress:
    """A bar with a Cancel button, or nothing where there is no user interface; called with (stage, done, total).

    Args:
        title: Words over the bar.
        stop: Set by whoever else may cancel.
    """

    def __init__(self, title: str, stop: threading.Event) -> None:
        self._task: Any | None = nuke.ProgressTask(title) if nuke.GUI else None
        self._stop = stop

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._task is not None:
            self._task.setMessage(f"{stage} {done} of {total}")
            self._task.setProgress(int(100 * done / max(1, total)))

    def is_cancelled(self) -> bool:
        """Whether the user has had enough."""
        if self._task is not None and self._task.isCancelled():
            self._stop.set()
        return self._stop.is_set()

    def close(self) -> None:
        """Takes the bar away: Nuke does so when the task is let go."""
        self._task = None


@contextmanager
def one_undo(name: str) -> Iterator[None]:
    """All that is done inside is one step of undo."""
    undo = nuke.Undo()
    undo.begin(name)
    try:
        yield
    finally:
        undo.end()


@contextmanager
def no_undo() -> Iterator[None]:
    """What is done inside leaves no step of undo: Ctrl-Z after a render must not take the artist's own step twice."""
    undo = nuke.Undo()
    undo.disable()
    try:
        yield
    finally:
        undo.enable()
