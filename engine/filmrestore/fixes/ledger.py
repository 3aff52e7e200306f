"""The ledger on disk: one part a frame while nodes write, one pair of files when merged, read lazily either way.

NAME.ledger/
    header.json                     what all frames share; its identity names the run
    parts/RUN/0001001.jsonl         a frame's record, then a line a fix
    parts/RUN/0001001-CHECKSUM.px   the frame's pixels, named by their content
    ledger.jsonl, ledger.px         all frames, once merged
    ledger.index                    where each frame lies in them; rebuilt when it does not fit

A part is newer than the merged files. Lines may be deleted or edited by hand in either form.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import xxhash
from filelock import FileLock

from ..errors import LedgerError
from ..media.atomic import atomic_bytes, atomic_write, make_folder, sweep
from .merged import LINES, PIXELS, Index, Merged, save_index, stamp
from .model import FORMAT_VERSION, Fix, FrameRecord, Header, Pixels, RecordedFix, fix_id
from .pixel_store import ChunkReader, pack_chunk

_HEADER = "header.json"
_LINE = msgspec.json.Decoder(Fix | FrameRecord)


class FramePart(NamedTuple):
    """What the ledger holds of one frame, as it stands after edits."""

    record: FrameRecord
    fixes: tuple[Fix, ...]


class LedgerWriter:
    """Writes the parts of one run; any number of nodes may write into one ledger, each its own frames.

    Args:
        path: The ledger's folder, made when missing.
        header: What this run's frames share.
        replace: Begin anew when the folder holds a run with other settings; its frames become stale.

    Raises:
        LedgerError: the folder holds another run.
        OutputError: the folder cannot be written.
    """

    def __init__(self, path: str | Path, header: Header, *, replace: bool = False) -> None:
        self.path = Path(path)
        self.header = header
        self.run = header.identity()
        self._parts = parts_folder(self.path, self.run)
        make_folder(self._parts)
        self._claim(replace)
        self._merged = Merged.open(self.path, self.run)

    def _claim(self, replace: bool) -> None:
        file = self.path / _HEADER
        if file.exists():
            there = read_header(self.path)
            if there.identity() == self.run:
                return
            if not replace:
                raise LedgerError(_conflict(self.path, there, self.header))
        atomic_bytes(file, msgspec.json.format(msgspec.json.encode(self.header), indent=2) + b"\n")

    def write(self, record: FrameRecord, fixes: Sequence[RecordedFix]) -> FrameRecord:
        """Writes the part of one frame; a part that is already there is replaced.

        Returns:
            The record as written, with its run, count and checksum of pixels filled in.
        """
        assert all(fix.frame == record.frame for fix, _ in fixes)
        chunk = b""
        if fixes:
            scan = self.header.scan
            channels = fixes[0].pixels.before.shape[1]
            chunk = pack_chunk(record.frame, fixes, scan["dtype"], channels)
        record = msgspec.structs.replace(
            record,
            run=self.run,
            fixes=len(fixes),
            pixels=xxhash.xxh3_128_hexdigest(chunk) if chunk else "",
        )
        lines = [msgspec.json.encode(record), *(msgspec.json.encode(fix) for fix, _ in fixes)]
        old = self._part_record(record.frame)
        # The lines name the pixels by their content and come last: a part is whole once they are there.
        if chunk:
            atomic_bytes(pixels_path(self._parts, record), chunk)
        atomic_bytes(lines_path(self._parts, record.frame), b"\n".join(lines) + b"\n")
        if old is not None and old.pixels and old.pixels != record.pixels:
            pixels_path(self._parts, old).unlink(missing_ok=True)
        return record

    def record(self, frame: int) -> FrameRecord | None:
        """The record of a frame that this run wrote before, now or by another node; None where there is none."""
        if part := self._part_record(frame):
            return part
        lines = self._merged.lines(frame) if self._merged is not None else None
        return None if lines is None else parse_part(lines, frame, self.path / LINES).record

    def _part_record(self, frame: int) -> FrameRecord | None:
        file = lines_path(self._parts, frame)
        return parse_part(file.read_bytes(), frame, file).record if file.exists() else None


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
    def frames(self) -> tuple[int, ...]:
        """Frames that have a record, in order."""
        merged = self._merged.frames if self._merged is not None else ()
        return tuple(sorted(self._parts.union(merged)))

    def read(self, frame: int) -> FramePart | None:
        """The record and the fixes of a frame; None where the frame was not written.

        Raises:
            LedgerError: a line cannot be read; the message names the file and the line.
        """
        if frame in self._parts:
            file = lines_path(self._folder, frame)
            return parse_part(file.read_bytes(), frame, file)
        if self._merged is None:
            return None
        lines = self._merged.lines(frame)
        return None if lines is None else parse_part(lines, frame, self._merged.path)

    def record(self, frame: int) -> FrameRecord | None:
        """The record of a frame; None where the frame was not written."""
        part = self.read(frame)
        return None if part is None else part.record

    def fixes(self, frame: int) -> tuple[Fix, ...]:
        """The fixes of a frame, rejected ones too."""
        part = self.read(frame)
        return () if part is None else part.fixes

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
            data, path = self._raw(frame)[1], self.path / PIXELS
            if not data:
                raise LedgerError(f"{path}: no pixels of frame {frame}; restore it again")
            self._chunk = ChunkReader(data, path)
            if self._chunk.frame != frame:
                raise LedgerError(f"{path}: pixels of frame {self._chunk.frame} stand where those of {frame} should")
        return self._chunk

    def _write_merged(self) -> dict[int, bytes]:
        """Writes the merged files; returns the lines of the parts that went in, by frame."""
        taken: dict[int, bytes] = {}
        index = Index(run=self.header.identity(), lines_size=0, lines_mtime_ns=0, pixels_size=0, extents={}, chunks={})
        # Pixels land first: the old lines stay readable beside them, for parts win over what changed.
        with (
            atomic_write(self.path / LINES) as lines_file,
            lines_file.open("wb") as lines_out,
            atomic_write(self.path / PIXELS) as pixels_file,
            pixels_file.open("wb") as pixels_out,
        ):
            for frame in self.frames:
                lines, chunk = self._raw(frame)
                if frame in self._parts:
                    taken[frame] = xxhash.xxh3_128_digest(lines)
                index.add_lines(frame, lines_out.tell(), len(lines))
                lines_out.write(lines)
                if chunk:
                    index.chunks[frame] = pixels_out.tell()
                    pixels_out.write(chunk)
        index.lines_size, index.lines_mtime_ns, index.pixels_size = stamp(self.path)
        save_index(self.path, index)
        return taken

    def _raw(self, frame: int) -> tuple[bytes, bytes]:
        """The lines and the chunk of a frame as they stand on disk."""
        if frame not in self._parts:
            if self._merged is None or (merged := self._merged.lines(frame)) is None:
                raise LedgerError(f"{self.path}: frame {frame} is not in the ledger")
            return _whole_lines(merged), self._merged.chunk(frame)
        file = lines_path(self._folder, frame)
        lines = file.read_bytes()
        record = parse_part(lines, frame, file).record
        if not record.pixels:
            return _whole_lines(lines), b""
        try:
            return _whole_lines(lines), pixels_path(self._folder, record).read_bytes()
        except OSError as error:
            raise LedgerError(f"cannot read the pixels of frame {frame}: {error}; restore it again") from error

    def _drop_parts(self, taken: dict[int, bytes]) -> None:
        """Removes the parts that were merged, unless they were written anew meanwhile, and stale runs."""
        for frame, digest in taken.items():
            lines = lines_path(self._folder, frame)
            data = lines.read_bytes()
            if xxhash.xxh3_128_digest(_whole_lines(data)) == digest:
                record = parse_part(data, frame, lines).record
                lines.unlink()
                if record.pixels:
                    pixels_path(self._folder, record).unlink()
        sweep(self._folder)
        for run in (self.path / "parts").iterdir():
            if run != self._folder:
                shutil.rmtree(run)


def merge(path: str | Path) -> None:
    """Gathers a ledger's parts into `ledger.jsonl` and `ledger.px`, then removes the parts and stale runs.

    Interrupted at any moment, the ledger reads the same as before. Run it once the frames are done:
    a frame that is written meanwhile stays a part.

    Raises:
        LedgerError: a part cannot be read, or its pixels are missing.
        OutputError: the folder cannot be written.
    """
    folder = Path(path)
    read_header(folder)
    with FileLock(folder / ".merge.lock"):
        ledger = Ledger.open(folder)
        ledger._drop_parts(ledger._write_merged())


def read_header(folder: Path) -> Header:
    """The header of a ledger's folder.

    Raises:
        LedgerError: there is none, or it is of another version of the format.
    """
    file = folder / _HEADER
    try:
        header = msgspec.json.decode(file.read_bytes(), type=Header)
    except OSError as error:
        raise LedgerError(
            f"no ledger at {folder}: {error}; give the folder that restore wrote with --ledger"
        ) from error
    except msgspec.DecodeError as error:
        raise LedgerError(f"{file} cannot be read: {error}") from error
    if header.format_version != FORMAT_VERSION:
        raise LedgerError(f"{file}: format version {header.format_version}; this program reads {FORMAT_VERSION}")
    return header


def parse_part(lines: bytes, frame: int, file: Path) -> FramePart:
    """The record and fixes of one frame from its lines.

    Raises:
        LedgerError: a line cannot be read, is of another frame, or the record is missing or there twice.
    """
    records: list[FrameRecord] = []
    fixes: list[Fix] = []
    for line in filter(bytes.strip, lines.split(b"\n")):
        try:
            entry = _LINE.decode(line)
        except msgspec.DecodeError as error:
            raise LedgerError(f"{file}, frame {frame}: {error} in {line[:80]!r}; undo the edit of this line") from error
        if entry.frame != frame:
            raise LedgerError(f"{file}: a line of frame {entry.frame} among those of frame {frame}")
        (records if isinstance(entry, FrameRecord) else fixes).append(entry)
    if len(records) != 1:
        raise LedgerError(f"{file}: frame {frame} has {len(records)} records, expected 1; delete fixes, not records")
    if len({fix.id for fix in fixes}) != len(fixes):
        raise LedgerError(f"{file}: frame {frame} lists a fix twice")
    return FramePart(records[0], tuple(fixes))


def parts_folder(folder: Path, run: str) -> Path:
    """Where the parts of a run lie."""
    return folder / "parts" / run


def lines_path(parts: Path, frame: int) -> Path:
    """The lines of a frame's part."""
    return parts / f"{frame:07d}.jsonl"


def pixels_path(parts: Path, record: FrameRecord) -> Path:
    """The pixels of a frame's part, named by their content so that a new part never mixes with an old one."""
    return parts / f"{record.frame:07d}-{record.pixels[:16]}.px"


def _whole_lines(lines: bytes) -> bytes:
    return lines if lines.endswith(b"\n") else lines + b"\n"


def _conflict(folder: Path, there: Header, new: Header) -> str:
    old_values, new_values = there.compared(), new.compared()
    name = next(name for name in old_values if old_values[name] != new_values[name])
    old, now = old_values[name], new_values[name]
    if isinstance(old, dict) and isinstance(now, dict):
        key = next(key for key in {**old, **now} if old.get(key) != now.get(key))
        name, old, now = f"{name} {key}", old.get(key), now.get(key)
    return (
        f"the ledger {folder} was begun with {name} {old!r}, this run has {now!r}: "
        "give another --ledger, or --overwrite always to begin it anew"
    )
