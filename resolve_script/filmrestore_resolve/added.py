"""What a run has added to the user's project: taken back when the run fails, so that nothing half done stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from filmrestore.errors import Cancelled, FilmRestoreError

from .outcome import Outcome


class Added:
    """Things added, newest last, each with what takes it back."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, Callable[[], Any]]] = []

    def note(self, what: str, undo: Callable[[], Any]) -> None:
        """Remembers one.

        Args:
            what: As the user would look for it.
            undo: Takes it back; raises or answers False where that fails.
        """
        self._steps.append((what, undo))

    def take_back(self) -> list[str]:
        """Takes all of it back, newest first.

        Returns:
            What could not be taken back, with why.
        """
        left = []
        while self._steps:
            what, undo = self._steps.pop()
            try:
                if undo() is False:
                    left.append(f"{what} (Resolve answered False)")
            except FilmRestoreError as error:
                left.append(f"{what} ({error})")
        return left


@contextmanager
def all_or_nothing(name: str, outcome: Outcome) -> Iterator[Added]:
    """What is added for one clip or tool: it stays when the block ends well, and is taken back when it fails.

    Args:
        name: Of the clip or tool.
        outcome: Takes why it failed, and what could not be taken back; the run goes on with the next one.

    Raises:
        Cancelled: the user had enough; with the words of the outcome.
    """
    added = Added()
    try:
        yield added
    except BaseException as error:  # whatever it is, nothing half done stays
        left = added.take_back()
        if left:
            outcome.notes.append(f"{name}: these could not be taken back, delete them: {'; '.join(left)}")
        if not isinstance(error, FilmRestoreError):
            raise
        outcome.failed.append(f"{name}: {'stopped' if isinstance(error, Cancelled) else error}")
        if isinstance(error, Cancelled):
            raise Cancelled(outcome.text()) from error
