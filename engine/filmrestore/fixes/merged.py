"""The merged form of a ledger: all lines in one file, all pixels in another, and an index that may be lost."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from ..errors import LedgerError, OutputError
from ..media.atomic import atomic_bytes
from .pixel_store import read_chunk, walk_chunks

LINES, PIXELS, INDEX = "ledger.jsonl", "ledger.px", "ledger.index"
_TRIES = 5

_FRAME = re.compile(rb'"frame"\s*:\s*(-?\d+)')
_RUN = re.compile(rb'"run"\s*:\s*"([0-9a-f]+)"')


Stamp = tuple[int, int]


class Index(msgspec.Struct, kw_only=True):
    """Where each frame lies in the merged files.

    Attributes:
        run: The run that the lines are of.
        lines_stamp, pixels_stamp: (size, time) of the files that it was made from; others make it void.
        extents: Per frame, (offset, size) of its runs of lines.
        chunks: Per frame with pixels, the start of its chunk.
    """

    run: str
    lines_stamp: Stamp
    pixels_stamp: Stamp
    extents: dict[int, list[tuple[int, int]]]
    chunks: dict[int, int]

    def add_lines(self, frame: int, offset: int, size: int) -> None:
        """Notes some whole lines of a frame; lines that follow on each other become one extent."""
        extents = self.extents.setdefault(frame, [])
        if extents and sum(extents[-1]) == offset:
            extents[-1] = (extents[-1][0], extents[-1][1] + size)
        else:
            extents.append((offset, size))


class Merged:
    """Reads the merged files of a ledger, each file only while it is read; use `open`.

    Another process may merge meanwhile: the index is loaded anew when the files are no longer those it fits.
    """

    def __init__(self, folder: Path, index: Index) -> None:
        self.path, self.pixels_path = folder / LINES, folder / PIXELS
        self._folder, self._index = folder, index

    @classmethod
    def open(cls, folder: Path, run: str) -> Self | None:
        """The merged files of `run`; None where there are none or they are another run's.

        Raises:
            LedgerError: they cannot be read.
        """
        if not (folder / LINES).exists():
            return None
        try:
            index = _load_index(folder) or _rebuild_index(folder)
            return cls(folder, index) if index.run == run else None
        except OSError as error:
            raise LedgerError(f"cannot read the ledger {folder}: {error}") from error

    @property
    def frames(self) -> frozenset[int]:
        """Frames that have lines."""
        return frozenset(self._index.extents)

    def lines(self, frame: int) -> bytes | None:
        """The lines of a frame; None where there are none."""
        with self._opened(self.path) as file:
            extents = self._index.extents.get(frame)
            return None if extents is None else b"".join(_read_at(file, offset, size) for offset, size in extents)

    def has_chunk(self, frame: int) -> bool:
        """Whether the frame has a chunk of pixels, by the index."""
        return frame in self._index.chunks

    def chunk(self, frame: int) -> bytes:
        """The frame's chunk of pixels; empty where it has none.

        Raises:
            LedgerError: the file is damaged.
        """
        if not self.pixels_path.exists():
            return b""
        with self._opened(self.pixels_path) as file:
            start = self._index.chunks.get(frame)
            return b"" if start is None else read_chunk(file, self.pixels_path, start)

    def _opened(self, path: Path) -> BinaryIO:
        """The file, open, with an index that fits it."""
        for _ in range(_TRIES):
            file = path.open("rb")
            stat = os.fstat(file.fileno())
            fits = self._index.lines_stamp if path == self.path else self._index.pixels_stamp
            if fits == (stat.st_size, stat.st_mtime_ns):
                return file
            file.close()
            self._index = _load_index(self._folder) or _rebuild_index(self._folder)
        raise LedgerError(f"{path} changes while it is read; try again when no merge is running")


def save_index(folder: Path, index: Index) -> None:
    """Writes the index beside the files that it was made from."""
    atomic_bytes(folder / INDEX, msgspec.json.encode(index))


def stamps(folder: Path) -> tuple[Stamp, Stamp]:
    """Of the lines and of the pixels, as they are on disk; no file is (0, 0)."""
    return _stamp(folder / LINES), _stamp(folder / PIXELS)


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _load_index(folder: Path) -> Index | None:
    """The index on disk, if it is whole and fits the files."""
    try:
        index = msgspec.json.decode((folder / INDEX).read_bytes(), type=Index)
    except (OSError, msgspec.DecodeError):
        return None
    return index if (index.lines_stamp, index.pixels_stamp) == stamps(folder) else None


def _rebuild_index(folder: Path) -> Index:
    """Reads the lines through once; they may have been edited, and are looked at by their frame number only."""
    lines_stamp, pixels_stamp = stamps(folder)
    index = Index(run="", lines_stamp=lines_stamp, pixels_stamp=pixels_stamp, extents={}, chunks={})
    offset = 0
    with (folder / LINES).open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                found = _FRAME.search(line)
                if found is None:
                    raise LedgerError(f"{folder / LINES}, line {number}: no frame number; undo the edit of this line")
                index.add_lines(int(found[1]), offset, len(line))
                if not index.run and (run := _RUN.search(line)):
                    index.run = run[1].decode()
            offset += len(line)
    if pixels_stamp[0]:
        index.chunks = {chunk.frame: chunk.start for chunk in walk_chunks(folder / PIXELS)}
    # An archive may be read-only: then the index is made anew each time.
    with contextlib.suppress(OSError, OutputError):
        save_index(folder, index)
    return index


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
