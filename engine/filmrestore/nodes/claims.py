"""Who works on which unit: a lock a unit, so that any number of processes share one folder."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

import filelock

from .windows import Unit


class Claims:
    """The units that this run holds; a unit is held until its frames are on disk.

    Args:
        folder: Where the locks lie, the same for every process that shares the work.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[tuple[Unit, filelock.BaseFileLock]] = []

    def take(self, unit: Unit) -> bool:
        """Whether the unit is ours now; False while another process holds it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self._folder / f"{unit.name}.lock")
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            return False
        self._held.append((unit, lock))
        return True

    def release(self, unwritten: Collection[int] = ()) -> None:
        """Gives back the units none of whose frames is among `unwritten`: others find those frames done."""
        held, self._held = self._held, []
        for unit, lock in held:
            if set(unit.kept).isdisjoint(unwritten):
                lock.release()
            else:
                self._held.append((unit, lock))

    def remove(self) -> None:
        """Deletes the locks, once nothing is left to do."""
        self.release()
        shutil.rmtree(self._folder, ignore_errors=True)
