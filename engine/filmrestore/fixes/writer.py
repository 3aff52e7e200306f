"""Writing a ledger: one part a frame, atomically, by any number of nodes at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import xxhash

from ..errors import LedgerError
from ..media.atomic import atomic_bytes, make_folder
from ..wide.record import Wide
from .merged import LINES, Merged
from .model import FrameRecord, Header, RecordedFix
from .parts import HEADER, bytes_of, lines_path, parse_part, parts_folder, pixels_path, read_header
from .pixel_store import pack_chunk


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
        self._merged: Merged | None = None

    def _claim(self, replace: bool) -> None:
        file = self.path / HEADER
        if file.exists():
            there = read_header(self.path)
            if there.identity() == self.run:
                return
            if not replace:
                raise LedgerError(_conflict(self.path, there, self.header))
        atomic_bytes(file, msgspec.json.format(msgspec.json.encode(self.header), indent=2) + b"\n")

    def write(self, record: FrameRecord, fixes: Sequence[RecordedFix], wide: Sequence[Wide] = ()) -> FrameRecord:
        """Writes the part of one frame; a part that is already there is replaced, also that of another run.

        A frame has one picture, so it has one record: who goes back to earlier settings finds the frame to be made
        again, not a record of pixels that are no longer there.

        Returns:
            The record as written, with its run, count and checksum of pixels filled in.
        """
        assert all(fix.frame == record.frame for fix, _ in fixes) and all(fix.frame == record.frame for fix in wide)
        chunk = b""
        if fixes:
            scan = self.header.scan
            channels = fixes[0].pixels.before.shape[1]
            chunk = pack_chunk(record.frame, fixes, scan["dtype"], channels)
        record = msgspec.structs.replace(
            record,
            run=self.run,
            fixes=len(fixes),
            wide=len(wide),
            pixels=xxhash.xxh3_128_hexdigest(chunk) if chunk else "",
        )
        lines = [msgspec.json.encode(entry) for entry in (record, *wide, *(fix for fix, _ in fixes))]
        old = self._part_record(record.frame)
        for parts in self._others(record.frame):
            _remove_part(parts, record.frame)
        # The lines name the pixels by their content and come last: a part is whole once they are there.
        if chunk:
            atomic_bytes(pixels_path(self._parts, record), chunk)
        atomic_bytes(lines_path(self._parts, record.frame), b"\n".join(lines) + b"\n")
        if old is not None and old.pixels and old.pixels != record.pixels:
            pixels_path(self._parts, old).unlink(missing_ok=True)
        return record

    def record(self, frame: int) -> FrameRecord | None:
        """The record of a frame that this run wrote before, now or by another node.

        Returns:
            None where there is none, or its pixels are lost: then the frame is to be made again.
        """
        if part := self._part_record(frame):
            return part if not part.pixels or pixels_path(self._parts, part).exists() else None
        if self._others(frame):
            return None
        if self._merged is None:
            self._merged = Merged.open(self.path, self.run)
        lines = self._merged.lines(frame) if self._merged is not None else None
        if lines is None or self._merged is None:
            return None
        record = parse_part(lines, frame, self.path / LINES).record
        return record if not record.pixels or self._merged.has_chunk(frame) else None

    def _others(self, frame: int) -> list[Path]:
        """The parts folders of other runs that hold the frame."""
        runs = (parts_folder(self.path, run.name) for run in self._parts.parent.iterdir())
        return [parts for parts in runs if parts != self._parts and lines_path(parts, frame).exists()]

    def _part_record(self, frame: int) -> FrameRecord | None:
        file = lines_path(self._parts, frame)
        data = bytes_of(file)
        return None if data is None else parse_part(data, frame, file).record


def _remove_part(parts: Path, frame: int) -> None:
    """Removes a frame's lines, then its pixels; another node may do so at the same time."""
    lines_path(parts, frame).unlink(missing_ok=True)
    for pixels in parts.glob(f"{lines_path(parts, frame).stem}-*.px"):
        pixels.unlink(missing_ok=True)


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
