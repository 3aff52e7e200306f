"""What a run has added to the user's project: taken back when the run fails, so that nothing half done stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from filmrestore.errors import FilmRestoreError


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

    def keep(self) -> None:
        """All of it stays."""
        self._steps = []

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
