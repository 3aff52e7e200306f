"""Resuming: which frames a run leaves as they are, and the recipe beside the output that tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import Cancelled, UsageError
from ..media import atomic_bytes

OVERWRITE = ("never", "changed", "always")


def check_overwrite(word: str) -> None:
    """Refuses a word that is none of `OVERWRITE`.

    Raises:
        UsageError: it is none.
    """
    if word not in OVERWRITE:
        raise UsageError(f"overwrite is {word!r}: choose one of {', '.join(OVERWRITE)}")


def check_stopped(cancelled: Callable[[], bool] | None) -> None:
    """Ends the run where `cancelled` says so.

    Raises:
        Cancelled: it did.
    """
    if cancelled is not None and cancelled():
        raise Cancelled("stopped; every finished frame is kept: run the same command again to go on")


class Recipe:
    """The file that says what made the frames beside it; it is written anew, and so newer than they, when that changed.

    Args:
        path: Of the file.
        facts: All that decides the frames beside their own sources.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path = path
        text = (json.dumps(facts, indent=2) + "\n").encode()
        if not path.exists() or path.read_bytes() != text:
            atomic_bytes(path, text)

    def is_done(self, targets: Iterable[Path], sources: Iterable[Path], overwrite: str) -> bool:
        """Whether a frame stays as it is.

        Args:
            targets: Files that are written for it.
            sources: Files that it is made from.
            overwrite: "never", "changed" (this recipe or a source is newer than a target) or "always".
        """
        written = list(targets)
        if overwrite == "always" or not all(path.exists() for path in written):
            return False
        if overwrite == "never":
            return True
        newest = max(path.stat().st_mtime_ns for path in (self.path, *sources))
        return newest <= min(path.stat().st_mtime_ns for path in written)
