"""Checks a result against its scan and its ledger, by its own reading of all three.

It lays the ledger's pixels over the scan by code of its own, compares the result with that byte for byte, so that NaN
and -0.0 count as well, and says where they differ.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from ..errors import InputError, LedgerError, UsageError
from ..frame import Codes, Frame
from ..media import Shot, open_shot
from ..wide.lay import lay
from ..wide.record import Wide
from .ledger import Ledger
from .lost import blank, is_lost
from .parts import FramePart
from .result import open_result
from .selection import Selection
from .verdict import Failure, Kind, VerifyReport

Progress = Callable[[str, int, int], None]

_SAID_PER_FRAME = 8
_DPX_FREE = ((36, 160),)  # SMPTE ST 268-1: the file's own name (36..135) and its time of creation (136..159)


@dataclass(frozen=True, kw_only=True)
class VerifyJob:
    """What to check.

    Attributes:
        source: Pattern, folder, image or movie of the scan.
        result: The same of what restore or apply wrote.
        ledger: Folder of the ledger.
        span: Frames; all of the ledger and all of the result when None.
        without: Selectors of the fixes that were left out of the result.
    """

    source: str | Path
    result: str | Path
    ledger: str | Path
    span: str | None = None
    without: tuple[str, ...] = ()


def verify(job: VerifyJob, progress: Progress | None = None) -> VerifyReport:
    """Checks every pixel of every frame.

    Args:
        job: The job.
        progress: Called with ("verify", frames done, frames in all).

    Raises:
        LedgerError: there is no ledger, or a list names fixes that it does not hold.
        InputError: the scan or the result is not there at all.
        UsageError: the run wrote something else than the restored picture.
    """
    ledger = Ledger.open(job.ledger)
    _check_output(ledger)
    without = Selection(job.without)
    without.check(ledger)
    report = VerifyReport()
    with (
        open_shot(job.source, job.span, missing="allow") as scan,
        open_result(job.result, ledger, scan.frames if job.span is not None else None) as result,
    ):
        report.provable = result.format.lossless
        if not report.provable:
            report.notes.append(f"{job.result} is lossy ({result.format.container}): its pixels prove nothing")
        if not report.provable or _same_format(scan, result, report):
            numbers = _numbers(job, scan, result, ledger)
            for done, number in enumerate(numbers, 1):
                _verify_frame(scan, result, ledger, without, number, report)
                if progress is not None:
                    progress("verify", done, len(numbers))
    report.ok = report.provable and not report.failures and report.frames > 0
    return report


def _check_output(ledger: Ledger) -> None:
    output = ledger.header.settings.get("output", "result")
    if output != "result":
        raise UsageError(
            f"{ledger.path} is of a run that wrote the {output}, not the restored picture; nothing to check"
        )


def _same_format(scan: Shot, result: Shot, report: VerifyReport) -> bool:
    """Whether the result can hold the scan's codes at all."""
    for name in ("width", "height", "channels", "dtype", "bits"):
        one, other = getattr(scan.format, name), getattr(result.format, name)
        if one != other:
            text = f"the scan has {name} {one!r}, the result {other!r}: they cannot hold the same codes"
            report.add(Failure(frame=None, kind="format", text=text))
            return False
    return True


def _numbers(job: VerifyJob, scan: Shot, result: Shot, ledger: Ledger) -> list[int]:
    if job.span is not None:
        return sorted({*scan.frames, *scan.missing})
    return sorted({*ledger.frames, *result.available})


def _verify_frame(
    scan: Shot, result: Shot, ledger: Ledger, without: Selection, number: int, report: VerifyReport
) -> None:
    report.frames += 1
    try:
        part = ledger.read(number)
    except LedgerError as error:
        report.add(Failure(frame=number, kind="missing", text=f"frame {number}: cannot be read: {error}"))
        return
    lost = part is not None and is_lost(part.record)
    for place, is_there in (("scan", lost or number in scan), ("result", number in result)):
        if not is_there:
            report.add(Failure(frame=number, kind="missing", text=f"frame {number}: not in the {place}"))
            return
    try:
        before, after = blank(scan, number) if lost else scan.read(number), result.read(number)
    except (InputError, LedgerError) as error:
        report.add(Failure(frame=number, kind="missing", text=f"frame {number}: cannot be read: {error}"))
        return
    if part is None:
        report.add(Failure(frame=number, kind="missing", text=f"frame {number}: not in the ledger"))
        return
    report.pixels += before.codes.shape[0] * before.codes.shape[1]
    expected = _Expected(before, part, ledger, without, report)
    _verify_scan(scan, part, before, report)
    if report.provable:
        _compare(expected, after, report)
        if expected.is_whole and _checksum(after.codes) != part.record.result_codes:
            text = f"frame {number}: the result's codes are not those that were written (checksum)"
            report.add(Failure(frame=number, kind="checksum", text=text))
        if not lost:
            _verify_around(scan, result, before, after, report)


class _Expected:
    """What a frame must hold: the scan's codes, and the new pixels of the fixes that are in.

    Attributes:
        scan: The scan's frame.
        codes: What the result must hold: frame-wide fixes come after all others. Their arithmetic is the one thing that
            is not written twice: it is additions and products of what the ledger says.
        fixes: Ids of the fixes, 0 for none.
        owner: Shape (h, w): index into `fixes` of the applied fix that changes a pixel.
        is_whole: Whether every fix that was found is in.
    """

    def __init__(self, scan: Frame, part: FramePart, ledger: Ledger, without: Selection, report: VerifyReport) -> None:
        self.scan, self.codes = scan, scan.codes.copy()
        self.fixes = [""]
        self.owner = np.zeros(self.codes.shape[:2], np.int32)
        self._picture = np.array(scan.format.picture)
        applied = [fix for fix in part.fixes if fix.state == "applied" and fix not in without]
        for fix in applied:
            try:
                pixels = ledger.pixels(fix)
                self._lay(fix.box, fix.id, pixels.mask, pixels.before, pixels.after)
            except LedgerError as error:
                report.add(Failure(frame=scan.number, kind="ledger", text=f"frame {scan.number}: {error}", fix=fix.id))
        report.fixes += part.record.fixes
        report.applied += len(applied)
        report.left_out += part.record.fixes - len(applied)
        report.changed += int((self.owner > 0).sum())
        wide = self._wide(part, ledger, without, report)
        self.codes = lay(self.codes, wide, scan.format)
        report.wide += len(wide)
        self.is_whole = (len(applied), len(wide)) == (part.record.fixes, part.record.wide)

    def _wide(self, part: FramePart, ledger: Ledger, without: Selection, report: VerifyReport) -> list[Wide]:
        try:
            found = ledger.wide(self.scan.number)
        except LedgerError as error:
            report.add(Failure(frame=self.scan.number, kind="ledger", text=str(error)))
            return []
        applied = [fix for fix in found if fix.state == "applied" and fix not in without]
        report.left_out += part.record.wide - len(applied)
        report.fixes += part.record.wide
        return applied

    def _lay(
        self, box: tuple[int, int, int, int], name: str, mask: NDArray[np.bool_], before: Codes, after: Codes
    ) -> None:
        ys, xs = np.nonzero(mask)
        ys, xs = ys + box[1], xs + box[0]
        if before.dtype != self.codes.dtype or before.shape[1] != len(self._picture):
            raise LedgerError(f"fix {name}: its pixels are {before.dtype}, the scan's {self.codes.dtype}")
        if (self.owner[ys, xs] > 0).any():
            raise LedgerError(f"fix {name}: another fix of the frame claims the same pixels")
        here = self.scan.codes[ys[:, None], xs[:, None], self._picture]
        if here.tobytes() != before.tobytes():
            raise LedgerError(f"fix {name} at {box}: the scan's pixels are not those that were restored")
        self.codes[ys[:, None], xs[:, None], self._picture] = after
        self.fixes.append(name)
        self.owner[ys, xs] = len(self.fixes) - 1


def _compare(expected: _Expected, after: Frame, report: VerifyReport) -> None:
    """Every byte of every channel."""
    differs = _differing(expected.codes, after.codes)
    if differs is None:
        return
    wrong = differs.any(axis=2)
    report.wrong += int(wrong.sum())
    for said, (y, x) in enumerate(zip(*np.nonzero(wrong), strict=True)):
        if said == _SAID_PER_FRAME:
            rest = int(wrong.sum()) - said
            text = f"frame {after.number}: {rest} more pixels differ"
            report.add(Failure(frame=after.number, kind="outside", text=text))
            break
        report.add(_pixel_failure(expected, after, differs, int(y), int(x)))


def _differing(one: Codes, other: Codes) -> NDArray[np.bool_] | None:
    """Shape (h, w, c): where any byte differs; None where none does."""
    left, right = np.ascontiguousarray(one).view(np.uint8), np.ascontiguousarray(other).view(np.uint8)
    if np.array_equal(left, right):
        return None
    bytes_differ = (left != right).reshape(*one.shape, one.dtype.itemsize)
    return np.asarray(bytes_differ.any(axis=3))


def _pixel_failure(expected: _Expected, after: Frame, differs: NDArray[np.bool_], y: int, x: int) -> Failure:
    channel = int(np.argmax(differs[y, x]))
    name = after.format.channels[channel]
    fix = expected.fixes[expected.owner[y, x]]
    codes = [float(frame[y, x, channel]) for frame in (expected.scan.codes, expected.codes, after.codes)]
    if channel not in after.format.picture:
        kind: Kind = "channel"
        words = "a channel that is never restored changed"
    elif fix:
        kind, words = "inside", f"not what fix {fix} recorded"
    else:
        kind, words = "outside", "changed outside every fix"
    text = (
        f"frame {after.number}, x {x}, y {y}, {name}: {words}: {codes[2]:g}, expected {codes[1]:g}, scan {codes[0]:g}"
    )
    return Failure(
        frame=after.number,
        kind=kind,
        text=text,
        x=x,
        y=y,
        channel=name,
        scan=codes[0],
        expected=codes[1],
        result=codes[2],
        fix=fix or None,
    )


def _verify_scan(scan: Shot, part: FramePart, before: Frame, report: VerifyReport) -> None:
    number, record = before.number, part.record
    if _checksum(before.codes) != record.scan_codes:
        text = f"frame {number}: the scan's codes are not those that were restored (checksum)"
        report.add(Failure(frame=number, kind="checksum", text=text))
    elif record.scan_file and _file_checksum(scan.path_of(number)) != record.scan_file:
        report.notes.append(f"frame {number}: the scan's file changed since, its codes did not")


def _verify_around(scan: Shot, result: Shot, before: Frame, after: Frame, report: VerifyReport) -> None:
    """What is stored around the pixels."""
    for name in ("data_window", "display_window"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            words = name.replace("_", " ")
            text = f"frame {after.number}: the scan's {words} is {one}, the result's {other}"
            report.add(Failure(frame=after.number, kind="window", text=text))
    if scan.format.container == result.format.container == "dpx":
        for at in _dpx_differences(scan.path_of(before.number), result.path_of(after.number)):
            text = f"frame {after.number}: byte {at} of the DPX header differs"
            report.add(Failure(frame=after.number, kind="header", text=text))


def _dpx_differences(scan: Path, result: Path) -> Iterator[int]:
    """Bytes before the picture that differ, the file's name and time apart; the first few of them."""
    heads = []
    for path in (scan, result):
        with path.open("rb") as file:
            start = file.read(8)
            (size,) = struct.unpack(">I" if start[:4] == b"SDPX" else "<I", start[4:])
            heads.append(np.frombuffer(start + file.read(min(size, path.stat().st_size) - 8), np.uint8))
    one, other = heads
    if len(one) != len(other):
        yield min(len(one), len(other))
        return
    differs = one != other
    for start_at, end_at in _DPX_FREE:
        differs[start_at:end_at] = False
    yield from np.flatnonzero(differs)[:_SAID_PER_FRAME].tolist()


def _checksum(codes: Codes) -> str:
    stored = np.ascontiguousarray(codes.astype(codes.dtype.newbyteorder("<"), copy=False))
    return xxhash.xxh3_128_hexdigest(stored.data)


def _file_checksum(path: Path) -> str:
    return xxhash.xxh3_128_hexdigest(path.read_bytes())
