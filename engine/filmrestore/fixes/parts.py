"""A ledger's folder: its names, its header, and the lines of one frame.

NAME.ledger/
    header.json                     what all frames share; its identity names the run
    parts/RUN/0001001.jsonl         a frame's record, then a line a fix
    parts/RUN/0001001-CHECKSUM.px   the frame's pixels, named by their content
    ledger.jsonl, ledger.px         all frames, once merged
    ledger.index                    where each frame lies in them; rebuilt when it does not fit

A part is newer than the merged files. Lines may be deleted or edited by hand in either form.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from ..errors import LedgerError
from .model import FORMAT_VERSION, Fix, FrameRecord, Header

HEADER = "header.json"
_LINE = msgspec.json.Decoder(Fix | FrameRecord)
_MARK = b"\xef\xbb\xbf"  # some editors begin a UTF-8 file with it


class FramePart(NamedTuple):
    """What the ledger holds of one frame, as it stands after edits."""

    record: FrameRecord
    fixes: tuple[Fix, ...]


def read_header(folder: Path) -> Header:
    """The header of a ledger's folder.

    Raises:
        LedgerError: there is none, or it is of another version of the format.
    """
    file = folder / HEADER
    try:
        header = msgspec.json.decode(file.read_bytes().removeprefix(_MARK), type=Header)
    except OSError as error:
        raise LedgerError(
            f"no ledger at {folder}: {error}; give the folder that restore wrote with --ledger"
        ) from error
    except msgspec.DecodeError as error:
        raise LedgerError(
            f"{file} cannot be read: {error}; copy the ledger again, or delete {folder} and restore the scan again"
        ) from error
    if header.format_version != FORMAT_VERSION:
        raise LedgerError(
            f"{file}: format version {header.format_version}; this program reads {FORMAT_VERSION}: "
            "use the program that wrote it, or give another --ledger"
        )
    return header


def parse_part(lines: bytes, frame: int, file: Path) -> FramePart:
    """The record and fixes of one frame from its lines.

    Raises:
        LedgerError: a line cannot be read, is of another frame, or the record is missing or there twice.
    """
    records: list[FrameRecord] = []
    fixes: list[Fix] = []
    for line in filter(bytes.strip, lines.removeprefix(_MARK).split(b"\n")):
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
        raise LedgerError(f"{file}: frame {frame} lists a fix twice; delete one of the two lines")
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


def bytes_of(file: Path) -> bytes | None:
    """The file's bytes; None where there is no such file.

    Raises:
        LedgerError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"cannot read {file}: {error}; check the disk and the right to read it") from error


def whole_lines(lines: bytes) -> bytes:
    return lines if lines.endswith(b"\n") else lines + b"\n"
