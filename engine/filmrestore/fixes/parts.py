"""A ledger's folder: its names, its header, and the lines of one frame.

NAME.ledger/
    header.json                     what all frames share; its identity names the run
    parts/RUN/0001001.jsonl         a frame's record, then a line a fix, frame-wide ones first
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
from ..wide.record import Fade, Flicker, Weave, Wide
from .model import READABLE, Fix, FrameRecord, Header

HEADER = "header.json"
_LINE = msgspec.json.Decoder(Fix | FrameRecord | Flicker | Fade | Weave)
_MARK = b"\xef\xbb\xbf"  # some editors begin a UTF-8 file with it


class FramePart(NamedTuple):
    """What the ledger holds of one frame, as it stands after edits."""

    record: FrameRecord
    fixes: tuple[Fix, ...]
    wide: tuple[Wide, ...] = ()


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
    if header.format_version not in READABLE:
        raise LedgerError(
            f"{file}: format version {header.format_version}; this program reads {READABLE}: "
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
    wide: list[Wide] = []
    for line in filter(bytes.strip, lines.removeprefix(_MARK).split(b"\n")):
        try:
            entry = _LINE.decode(line)
        except msgspec.DecodeError as error:
            raise LedgerError(f"{file}, frame {frame}: {error} in {line[:80]!r}; undo the edit of this line") from error
        if entry.frame != frame:
            raise LedgerError(f"{file}: a line of frame {entry.frame} among those of frame {frame}")
        if isinstance(entry, FrameRecord):
            records.append(entry)
        elif isinstance(entry, Fix):
            fixes.append(entry)
        else:
            wide.append(entry)
    if len(records) != 1:
        raise LedgerError(f"{file}: frame {frame} has {len(records)} records, expected 1; delete fixes, not records")
    if len({fix.id for fix in fixes}) != len(fixes) or len({fix.cause for fix in wide}) != len(wide):
        raise LedgerError(f"{file}: frame {frame} lists a fix twice; delete one of the two lines")
    return FramePart(records[0], tuple(fixes), tuple(wide))


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
