"""Merging a ledger: its parts into two files and an index."""

from __future__ import annotations

import shutil
from pathlib import Path

import xxhash
from filelock import FileLock

from ..media.atomic import atomic_write, sweep
from .ledger import Ledger
from .merged import LINES, PIXELS, Index, save_index, stamps
from .parts import bytes_of, lines_path, parse_part, parts_folder, pixels_path, read_header, whole_lines


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
        _drop_parts(ledger, _write_merged(ledger))


def _write_merged(ledger: Ledger) -> dict[int, bytes]:
    """Writes the merged files; returns a digest of the lines of each part that went in, by frame."""
    taken: dict[int, bytes] = {}
    index = Index(run=ledger.header.identity(), lines_stamp=(0, 0), pixels_stamp=(0, 0), extents={}, chunks={})
    # Pixels land first: the old lines stay readable beside them, for parts win over what changed.
    with (
        atomic_write(ledger.path / LINES) as lines_file,
        lines_file.open("wb") as lines_out,
        atomic_write(ledger.path / PIXELS) as pixels_file,
        pixels_file.open("wb") as pixels_out,
    ):
        for frame in ledger.frames:
            lines, chunk = ledger.raw(frame)
            if frame in ledger.parts:
                taken[frame] = xxhash.xxh3_128_digest(lines)
            index.add_lines(frame, lines_out.tell(), len(lines))
            lines_out.write(lines)
            if chunk:
                index.chunks[frame] = pixels_out.tell()
                pixels_out.write(chunk)
    index.lines_stamp, index.pixels_stamp = stamps(ledger.path)
    save_index(ledger.path, index)
    return taken


def _drop_parts(ledger: Ledger, taken: dict[int, bytes]) -> None:
    """Removes the parts that were merged, unless they were written anew meanwhile, and stale runs."""
    parts = parts_folder(ledger.path, ledger.header.identity())
    for frame, digest in taken.items():
        lines = lines_path(parts, frame)
        data = bytes_of(lines)
        if data is not None and xxhash.xxh3_128_digest(whole_lines(data)) == digest:
            record = parse_part(data, frame, lines).record
            lines.unlink()
            if record.pixels:
                pixels_path(parts, record).unlink(missing_ok=True)
    sweep(parts)
    for run in (ledger.path / "parts").iterdir():
        if run != parts:
            shutil.rmtree(run)
