"""The merged form of a ledger: all lines in one file, all pixels in another, and an index that may be lost."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from ..errors import LedgerError, OutputError
from ..media.atomic import atomic_bytes
from .pixel_store import read_chunk, walk_chunks

LINES, PIXELS, INDEX = "ledger.jsonl", "ledger.px", "ledger.index"

_FRAME = re.compile(rb'"frame"\s*:\s*(-?\d+)')
_RUN = re.compile(rb'"run"\s*:\s*"([0-9a-f]+)"')


class Index(msgspec.Struct, kw_only=True):
    """Where each frame lies in the merged files.

    Attributes:
        run: The run that the lines are of.
        lines_size, lines_mtime_ns, pixels_size: Of the files that it was made from; others make it void.
        extents: Per frame, (offset, size) of its runs of lines.
        chunks: Per frame with pixels, the start of its chunk.
    """

    run: str
    lines_size: int
    lines_mtime_ns: int
    pixels_size: int
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
    """Reads the merged files of a ledger, each file only while it is read; use `open`."""

    def __init__(self, folder: Path, index: Index) -> None:
        self.path, self.pixels_path = folder / LINES, folder / PIXELS
        self._index = index

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
        extents = self._index.extents.get(frame)
        if extents is None:
            return None
        with self.path.open("rb") as file:
            return b"".join(_read_at(file, offset, size) for offset, size in extents)

    def chunk(self, frame: int) -> bytes:
        """The frame's chunk of pixels; empty where it has none.

        Raises:
            LedgerError: the file is damaged.
        """
        start = self._index.chunks.get(frame)
        return b"" if start is None else read_chunk(self.pixels_path, start)


def save_index(folder: Path, index: Index) -> None:
    """Writes the index beside the files that it was made from."""
    atomic_bytes(folder / INDEX, msgspec.json.encode(index))


def stamp(folder: Path) -> tuple[int, int, int]:
    """(size and time of the lines, size of the pixels): what an index must fit."""
    lines, pixels = (folder / LINES).stat(), folder / PIXELS
    return lines.st_size, lines.st_mtime_ns, pixels.stat().st_size if pixels.exists() else 0


def _load_index(folder: Path) -> Index | None:
    """The index on disk, if it is whole and fits the files."""
    try:
        index = msgspec.json.decode((folder / INDEX).read_bytes(), type=Index)
    except (OSError, msgspec.DecodeError):
        return None
    return index if (index.lines_size, index.lines_mtime_ns, index.pixels_size) == stamp(folder) else None


def _rebuild_index(folder: Path) -> Index:
    """Reads the lines through once; they may have been edited, and are looked at by their frame number only."""
    size, mtime_ns, pixels_size = stamp(folder)
    index = Index(run="", lines_size=size, lines_mtime_ns=mtime_ns, pixels_size=pixels_size, extents={}, chunks={})
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
    if pixels_size:
        index.chunks = {chunk.frame: chunk.start for chunk in walk_chunks(folder / PIXELS)}
    # An archive may be read-only: then the index is made anew each time.
    with contextlib.suppress(OSError, OutputError):
        save_index(folder, index)
    return index


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
