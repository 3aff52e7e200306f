"""Lays the fixes of a ledger over its scan again, all or some of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..errors import Cancelled, FilmRestoreError, InputError, LedgerError, MissingFrames
from ..frame import Codes, Format, Frame
from ..media import Shot, Writer, open_shot, open_writer
from ..media.patterns import format_span
from ..wide.lay import lay
from ..wide.record import Wide
from .ledger import Ledger
from .lost import blank, is_lost
from .model import FrameRecord, RecordedFix, bit_pattern, codes_checksum, scan_facts
from .selection import Selection

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class ApplyJob:
    """What to lay over what.

    Attributes:
        source: Pattern, folder, image or movie of the scan.
        ledger: Folder of the ledger.
        output: Pattern or movie to write.
        span: Frames; those of the ledger when None.
        without: Selectors of the fixes to leave out, see `selection.FORMS`.
        without_mask: Pattern of painted masks: a fix that touches white is left out. One image is for all frames.
        overwrite: "never" keeps every frame that is there, "changed" those with the same codes, "always" none.
        on_error: "stop", "skip" (leave the frame out) or "copy" (the scan as it is); for a frame that fails.
        lossy: Allow containers that do not keep codes.
    """

    source: str | Path
    ledger: str | Path
    output: str | Path
    span: str | None = None
    without: tuple[str, ...] = ()
    without_mask: str | Path | None = None
    overwrite: str = "changed"
    on_error: str = "stop"
    lossy: bool = False


@dataclass(kw_only=True)
class ApplyReport:
    """What an apply did.

    Attributes:
        frames: Frames asked for.
        written, skipped: Of them, written now, and left as they were.
        applied, left_out: Fixes laid over the scan, and not (edited out, rejected or chosen by `without`); those of
            whole frames count too.
        other_scans: Frames whose scan differs, outside the fixes, from the one that was restored.
        unrecorded: Frames of the scan that the ledger does not hold, where no span was asked for.
        failed: Frame -> why.
    """

    frames: int = 0
    written: int = 0
    skipped: int = 0
    applied: int = 0
    left_out: int = 0
    other_scans: list[int] = field(default_factory=list)
    unrecorded: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)


def apply_fixes(frame: Frame, fixes: Iterable[RecordedFix], *, without: Selection | None = None) -> Frame:
    """The frame with the new pixels of every applied fix in place of the scan's; all else keeps its bits.

    Args:
        frame: The scan.
        fixes: Fixes of that frame; rejected ones are left out.
        without: Fixes to leave out as well.

    Raises:
        LedgerError: the scan's pixels under a fix are not those that were restored.
    """
    codes = frame.codes.copy()
    picture = list(frame.format.picture)
    for fix, pixels in fixes:
        if fix.state == "rejected" or (without is not None and fix in without):
            continue
        region = codes[fix.where.slices]
        rows, columns = np.nonzero(pixels.mask)
        here = np.ascontiguousarray(region[rows, columns][:, picture])
        if here.dtype != pixels.before.dtype or here.shape != pixels.before.shape:
            raise LedgerError(
                f"fix {fix.id} holds {pixels.before.dtype} x {pixels.before.shape[1]} channels, "
                f"the scan {here.dtype} x {len(picture)}: this ledger is of another scan"
            )
        differs = (bit_pattern(here) != bit_pattern(pixels.before)).any(axis=1)
        if differs.any():
            first = int(np.argmax(differs))
            raise LedgerError(
                f"frame {frame.number}: the scan is not the one that was restored: fix {fix.id} was made over "
                f"{pixels.before[first].tolist()} at x {fix.box[0] + columns[first]}, y {fix.box[1] + rows[first]}, "
                f"the scan has {here[first].tolist()}; give the scan that the ledger was made from"
            )
        region[rows[:, None], columns[:, None], picture] = pixels.after
    return frame.replaced(codes)


def apply(job: ApplyJob, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None) -> ApplyReport:
    """Writes the result that a ledger says, as it stands after edits.

    Args:
        job: The job.
        progress: Called with ("apply", frames done, frames in all).
        cancelled: Asked before each frame; True ends the run with what is finished kept.

    Raises:
        Cancelled: `cancelled` said so.
        LedgerError: the ledger cannot be read or does not fit the scan.
        FilmRestoreError: with on_error "stop", at the first frame that fails; else for the job as a whole.
    """
    ledger = Ledger.open(job.ledger)
    without = Selection(job.without)
    without.check(ledger)
    if not ledger.frames:
        raise LedgerError(f"{job.ledger} holds no frame: restore the scan again, or give the ledger that is meant")
    span = job.span or format_span(ledger.frames, whole=True)
    with open_shot(job.source, span, missing="allow") as shot:
        check_fits(ledger, shot.format)
        frames = _there(shot, ledger)
        chosen = _Chosen(
            ledger, without, _Mask(job.without_mask, shot.format) if job.without_mask is not None else None
        )
        report = ApplyReport(frames=len(frames))
        if job.span is None:
            report.unrecorded = sorted(set(shot.available).difference(ledger.frames))
        if job.overwrite == "never" and Path(job.output).is_file():
            report.skipped = report.frames
            return report
        history = f"filmrestore {__version__} apply {ledger.header.settings_digest}"
        with open_writer(job.output, like=shot, lossy=job.lossy, overwrite=True, history=history) as writer:
            for done, number in enumerate(frames, 1):
                if cancelled is not None and cancelled():
                    raise Cancelled("stopped; every finished frame is kept: run the same command again to go on")
                try:
                    _apply_frame(job, shot, writer, chosen, number, report)
                except (InputError, LedgerError) as error:
                    _failed(job, shot, writer, number, error, report)
                if progress is not None:
                    progress("apply", done, report.frames)
    return report


def _there(shot: Shot, ledger: Ledger) -> tuple[int, ...]:
    """The frames of the span: those of the scan, and those that were rebuilt without one.

    Raises:
        MissingFrames: one is in neither.
    """
    records = {number: ledger.record(number) for number in shot.missing}
    absent = [number for number, record in records.items() if record is None or not is_lost(record)]
    if absent:
        raise MissingFrames(
            f"{shot.path}: {len(absent)} frames of the span are not there: {format_span(absent)}; copy them again, or "
            "give the span that is"
        )
    return tuple(sorted((*shot.frames, *shot.missing)))


def check_fits(ledger: Ledger, format: Format) -> None:
    """Whether a scan can be the ledger's.

    Raises:
        LedgerError: it has another size, depth or other channels; the message names what differs.
    """
    there, here = ledger.header.scan, scan_facts(format)
    for name in ("width", "height", "channels", "dtype", "bits"):
        if there.get(name) != here[name]:
            raise LedgerError(
                f"{ledger.path} is of a scan with {name} {there.get(name)!r}, this scan has {here[name]!r}: "
                "give the scan that the ledger was made from"
            )


def _apply_frame(
    job: ApplyJob,
    shot: Shot,
    writer: Writer,
    chosen: _Chosen,
    number: int,
    report: ApplyReport,
) -> None:
    if job.overwrite == "never" and writer.exists(number):
        report.skipped += 1
        return
    record, fixes, wide = chosen.of(number)
    frame = blank(shot, number) if is_lost(record) else shot.read(number)
    if codes_checksum(frame.codes) != record.scan_codes:
        report.other_scans.append(number)
    result = apply_fixes(frame, fixes)
    result = result.replaced(lay(result.codes, wide, frame.format))
    applied = len(fixes) + len(wide)
    report.applied += applied
    report.left_out += record.fixes + record.wide - applied
    is_one_file = writer.format.container == "movie"
    if job.overwrite == "changed" and not is_one_file and _holds(writer.path_of(number), result.codes):
        report.skipped += 1
        return
    writer.write(result)
    report.written += 1


def _failed(
    job: ApplyJob, shot: Shot, writer: Writer, number: int, error: FilmRestoreError, report: ApplyReport
) -> None:
    if job.on_error == "stop":
        raise error
    report.failed[number] = str(error)
    if job.on_error == "copy" and not isinstance(error, InputError):
        writer.write(shot.read(number))


def _holds(path: Path, codes: Codes) -> bool:
    """Whether that image is there and holds just these codes."""
    try:
        with open_shot(path) as there:
            return codes_checksum(there.read(there.frames[0]).codes) == codes_checksum(codes)
    except InputError:
        return False


class _Chosen:
    """The fixes that are to be applied: neither rejected in the ledger, nor selected, nor painted over."""

    def __init__(self, ledger: Ledger, without: Selection, mask: _Mask | None) -> None:
        self._ledger, self._without, self._mask = ledger, without, mask

    def of(self, number: int) -> tuple[FrameRecord, list[RecordedFix], list[Wide]]:
        """The record of a frame and its chosen fixes; a painted mask leaves out none of the whole frame."""
        part = self._ledger.read(number)
        if part is None:
            raise LedgerError(f"frame {number} is not in {self._ledger.path}: restore it, or leave it out of -F")
        fixes = [fix for fix in part.fixes if fix.state == "applied" and fix not in self._without]
        chosen = [RecordedFix(fix, self._ledger.pixels(fix)) for fix in fixes]
        if self._mask is not None and chosen:
            painted = self._mask.read(number)
            chosen = [entry for entry in chosen if not (painted[entry.fix.where.slices] & entry.pixels.mask).any()]
        wide = [fix for fix in self._ledger.wide(number) if fix.state == "applied" and fix not in self._without]
        return part.record, chosen, wide


class _Mask:
    """Painted masks, one for each frame or one for all."""

    def __init__(self, path: str | Path, format: Format) -> None:
        self._shot = open_shot(path, missing="allow")
        there = self._shot.format
        if (there.width, there.height) != (format.width, format.height):
            raise InputError(
                f"the mask {path} is {there.width}x{there.height}, the scan {format.width}x{format.height}: "
                "paint it at the scan's size"
            )
        self._only = self._shot.frames[0] if Path(path).is_file() and not self._shot.is_movie else None

    def read(self, number: int) -> NDArray[np.bool_]:
        """Shape (h, w): where it is over half white; nowhere in a frame that has no mask."""
        if self._only is None and number not in self._shot.frames:
            return np.zeros((self._shot.format.height, self._shot.format.width), np.bool_)
        codes = self._shot.read(number if self._only is None else self._only).picture()
        white: NDArray[np.bool_] = codes.max(axis=2) > 0.5 * self._shot.format.white
        return white
