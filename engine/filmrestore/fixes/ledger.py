"""Reading a ledger, in parts or merged, a frame at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from ..errors import LedgerError
from ..wide.record import Wide, check_id
from .merged import PIXELS, Merged
from .model import Fix, FrameRecord, Header, Pixels, RecordedFix, fix_id
from .parts import FramePart, bytes_of, lines_path, parse_part, parts_folder, pixels_path, read_header, whole_lines
from .pixel_store import ChunkReader


class Ledger:
    """Reads a ledger in either form, each file only while it is read. Not safe to share between threads.

    Attributes:
        path: Its folder.
        header: What its frames share.
    """

    def __init__(self, path: Path, header: Header, merged: Merged | None, parts: frozenset[int]) -> None:
        self.path, self.header = path, header
        self._merged, self._parts = merged, parts
        self._folder = parts_folder(path, header.identity())
        self._chunk: ChunkReader | None = None

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Opens a ledger's folder.

        Raises:
            LedgerError: there is none, or it cannot be read.
        """
        folder = Path(path)
        header = read_header(folder)
        parts = parts_folder(folder, header.identity())
        numbers = frozenset(int(file.stem) for file in parts.glob("*.jsonl")) if parts.is_dir() else frozenset()
        return cls(folder, header, Merged.open(folder, header.identity()), numbers)

    @property
    def parts(self) -> frozenset[int]:
        """Frames that have a part which no merge has taken in."""
        return self._parts

    @property
    def frames(self) -> tuple[int, ...]:
        """Frames that have a record, in order."""
        merged = self._merged.frames if self._merged is not None else ()
        return tuple(sorted(self._parts.union(merged)))

    def read(self, frame: int) -> FramePart | None:
        """The record and the fixes of a frame; None where the frame was not written.

        Raises:
            LedgerError: a line cannot be read; the message names the file and the line.
        """
        found = self._lines(frame)
        return None if found is None else parse_part(found[0], frame, found[1])

    def record(self, frame: int) -> FrameRecord | None:
        """The record of a frame; None where the frame was not written."""
        part = self.read(frame)
        return None if part is None else part.record

    def fixes(self, frame: int) -> tuple[Fix, ...]:
        """The fixes of a frame, rejected ones too."""
        part = self.read(frame)
        return () if part is None else part.fixes

    def wide(self, frame: int) -> tuple[Wide, ...]:
        """The frame-wide fixes of a frame, rejected ones too.

        Raises:
            LedgerError: the parameters of one are not those that its id names.
        """
        part = self.read(frame)
        return () if part is None else tuple(map(check_id, part.wide))

    def all_fixes(self) -> Iterator[Fix]:
        """Every fix, frame by frame."""
        for frame in self.frames:
            yield from self.fixes(frame)

    def pixels(self, fix: Fix) -> Pixels:
        """The pixels of a fix.

        Raises:
            LedgerError: they are missing, damaged, or not those that the fix's id names.
        """
        self._check_box(fix)
        pixels = self._chunk_of(fix.frame).read(fix)
        if fix_id(fix.frame, fix.box, pixels) != fix.id:
            raise LedgerError(f"{self.path}: the pixels of fix {fix.id} are not those that its id names")
        return pixels

    def recorded(self, frame: int) -> Iterator[RecordedFix]:
        """The fixes of a frame with their pixels, rejected ones too."""
        for fix in self.fixes(frame):
            yield RecordedFix(fix, self.pixels(fix))

    def _check_box(self, fix: Fix) -> None:
        x0, y0, x1, y1 = fix.box
        width, height = self.header.scan["width"], self.header.scan["height"]
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise LedgerError(f"{self.path}: fix {fix.id} lies at {fix.box}, outside the scan of {width}x{height}")

    def _chunk_of(self, frame: int) -> ChunkReader:
        if self._chunk is None or self._chunk.frame != frame:
            data, path = self.raw(frame)[1], self.path / PIXELS
            if not data:
                raise LedgerError(f"{path}: no pixels of frame {frame}; restore it again")
            self._chunk = ChunkReader(data, path)
            if self._chunk.frame != frame:
                raise LedgerError(f"{path}: pixels of frame {self._chunk.frame} stand where those of {frame} should")
        return self._chunk

    def _lines(self, frame: int) -> tuple[bytes, Path] | None:
        """The lines of a frame as they stand on disk, and their file."""
        if frame in self._parts:
            file = lines_path(self._folder, frame)
            data = bytes_of(file)
            if data is not None:
                return data, file
            # Another process has merged it since this ledger was opened.
            self._parts -= {frame}
            self._merged = Merged.open(self.path, self.header.identity())
        if self._merged is None:
            return None
        merged = self._merged.lines(frame)
        return None if merged is None else (merged, self._merged.path)

    def raw(self, frame: int) -> tuple[bytes, bytes]:
        """The lines and the chunk of pixels of a frame as they stand on disk, edits and all.

        Raises:
            LedgerError: the frame is not there, or its pixels are not.
        """
        found = self._lines(frame)
        if found is None:
            raise LedgerError(f"{self.path}: frame {frame} is not in the ledger")
        lines, file = found
        if frame not in self._parts:
            assert self._merged is not None
            return whole_lines(lines), self._merged.chunk(frame)
        record = parse_part(lines, frame, file).record
        chunk = bytes_of(pixels_path(self._folder, record)) if record.pixels else b""
        if chunk is None:
            if file.exists():
                raise LedgerError(f"{file}: the pixels of frame {frame} are not beside it; restore it again")
            return self.raw(frame)
        return whole_lines(lines), chunk
