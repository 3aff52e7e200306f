"""Slots: files in shared memory through which pixels go to and fro; each side reads and checks, nothing is trusted."""

from __future__ import annotations

import errno
import os
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from ..errors import ProtocolError
from ..protocol import SLOT_HEAD, SLOT_MAGIC, SLOT_OFFSET, byte_count
from .frames import bytes_of

F32 = NDArray[np.float32]
SHARED_MEMORY = Path("/dev/shm")
_NAME = re.compile(r"filmrestore-(\d+)-(\d+)-[0-9a-f]{32}")


@dataclass(kw_only=True)
class Slot:
    """One file of a connection.

    Attributes:
        number: Its name on the wire.
        path: Where it lies.
        capacity: Bytes of pixels that fit.
        generation: Whoever names another one means an earlier use.
        file: Open for reading and writing; the client cannot shrink what it reads into a fault, as a map could be.
    """

    number: int
    path: Path
    capacity: int
    generation: int
    file: FileIO
    lock: threading.Lock = field(default_factory=threading.Lock)


class SlotPool:
    """The slots of all connections, bounded in bytes; safe to share by threads.

    Args:
        folders: Where files may lie, tried in order.
        limit: Bytes of all of them.
    """

    def __init__(self, folders: Sequence[Path], limit: int) -> None:
        self._folders = [folder for folder in folders if folder.is_dir()]
        self._limit, self._lock = limit, threading.Lock()
        self._next = 0
        self.bytes = 0

    def make(self, capacity: int) -> Slot:
        """A new slot, its memory reserved.

        Raises:
            ProtocolError: with code "slot": no room.
        """
        size = SLOT_OFFSET + capacity
        with self._lock:
            if self.bytes + size > self._limit:
                raise ProtocolError(f"slots hold {self.bytes} bytes of {self._limit}: send inline", code="slot")
            self.bytes += size
            self._next += 1
            number = self._next
        try:
            path, file = self._file(size)
        except ProtocolError:
            with self._lock:
                self.bytes -= size
            raise
        return Slot(number=number, path=path, capacity=capacity, generation=1, file=file)

    def drop(self, slot: Slot) -> None:
        """Removes a slot's file."""
        with slot.lock:  # a descriptor that is closed while pixels go through it may be another file's by then
            slot.file.close()
        slot.path.unlink(missing_ok=True)
        with self._lock:
            self.bytes -= SLOT_OFFSET + slot.capacity

    def _file(self, size: int) -> tuple[Path, FileIO]:
        problem = "no folder for them"
        for folder in self._folders:
            path = folder / f"filmrestore-{_uid()}-{os.getpid()}-{secrets.token_hex(16)}"
            try:
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
            except OSError as error:
                problem = f"{folder}: {error.strerror}"
                continue
            try:
                _reserve(file, size)
            except OSError as error:
                os.close(file)
                path.unlink()
                problem = f"{folder}: {error.strerror}"
                continue
            return path, FileIO(file, "r+")
        raise ProtocolError(f"a slot of {size} bytes cannot be made ({problem}): send inline", code="slot")


def check(slot: Slot, generation: int, offset: int, shape: list[int]) -> None:
    """Refuses a slot that is not meant, or pixels that it cannot hold.

    Raises:
        ProtocolError: with code "slot".
    """
    if generation != slot.generation:
        raise ProtocolError(f"slot {slot.number} is at generation {slot.generation}, not {generation}", code="slot")
    if offset != SLOT_OFFSET or byte_count(shape) > slot.capacity:
        raise ProtocolError(
            f"{byte_count(shape)} bytes at {offset} of slot {slot.number}: pixels begin at {SLOT_OFFSET}, "
            f"{slot.capacity} fit",
            code="slot",
        )


def read(slot: Slot, pixels: F32) -> None:
    """Fills `pixels` from a slot that `check` has passed.

    Raises:
        ProtocolError: with code "slot": the head says something else, or the file was cut.
    """
    view = bytes_of(pixels)
    with slot.lock:
        _check_head(slot, len(view))
        slot.file.seek(SLOT_OFFSET)
        done = 0
        while done < len(view):
            got = slot.file.readinto(view[done:])
            if not got:
                raise ProtocolError(f"slot {slot.number} ends after {done} of {len(view)} bytes", code="slot")
            done += got
        _check_head(slot, len(view))


def write(slot: Slot, pixels: F32) -> None:
    """Puts `pixels` into the slot, under the next generation.

    Raises:
        ProtocolError: with code "slot": it is gone, or its file was cut and the disk is full.
    """
    view = bytes_of(pixels)
    try:
        with slot.lock:
            slot.file.seek(SLOT_OFFSET)
            done = 0
            while done < len(view):
                done += slot.file.write(view[done:])
            slot.generation += 1
            slot.file.seek(0)
            slot.file.write(SLOT_HEAD.pack(SLOT_MAGIC, slot.number, slot.generation, len(view)))
    except (OSError, ValueError) as error:
        raise ProtocolError(f"slot {slot.number} cannot be written: {error}", code="slot") from error


def sweep(folders: Sequence[Path]) -> None:
    """Removes what servers of this user that are no more left behind."""
    for folder in folders:
        for path in folder.glob(f"filmrestore-{_uid()}-*"):
            match = _NAME.fullmatch(path.name)
            if match and not psutil.pid_exists(int(match[2])):
                path.unlink(missing_ok=True)


def _check_head(slot: Slot, size: int) -> None:
    try:
        slot.file.seek(0)
        head = slot.file.read(SLOT_HEAD.size)
    except ValueError as error:  # closed
        raise ProtocolError(f"slot {slot.number} is gone", code="slot") from error
    expected = (SLOT_MAGIC, slot.number, slot.generation, size)
    if len(head) < SLOT_HEAD.size or SLOT_HEAD.unpack(head) != expected:
        raise ProtocolError(
            f"the head of slot {slot.number} does not say generation {slot.generation} and {size} bytes: "
            "write it before `put`",
            code="slot",
        )


def _reserve(file: int, size: int) -> None:
    """Gives the file its memory now: a full disk must be an error here, not a fault in who writes to the map."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    block = bytes(1 << 20)
    for start in range(0, size, len(block)):
        part = block[: size - start]
        if os.write(file, part) != len(part):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _uid() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
