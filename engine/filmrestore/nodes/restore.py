"""The restore node: scanned frames in; repaired frames, mattes and a ledger of every fix out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from .. import __version__
from ..cache import TileCache
from ..errors import Cancelled, FilmRestoreError, InputError, MissingFrames
from ..fixes import (
    FrameRecord,
    Header,
    LedgerWriter,
    RecordedFix,
    codes_checksum,
    file_checksum,
    find_fixes,
    merge,
    persistence,
    scan_facts,
)
from ..fixes.model import Cause
from ..frame import Codes, Frame
from ..grain import GrainModel
from ..media import Writer, atomic_bytes, format_span, open_writer, write_plane
from ..restorers.base import numeric_class
from ..scenes import read_cuts
from ..wide.lay import lay
from ..wide.plan import WidePlan, is_wide
from ..wide.record import Wide
from .choosing import settled
from .claims import Claims
from .composite import Repair, marked, repair, view, widened
from .inputs import Inputs
from .job import (
    LOCKS,
    Progress,
    RestoreJob,
    RunReport,
    ledger_path,
    load_device,
    mapped,
    matte_pattern,
    open_job,
    reel_analysis,
    units_of,
)
from .lines import line_maps, with_lines
from .lumas import Lumas
from .mask_input import MaskInput
from .meter import Meter
from .reader import WindowReader
from .rebuilding import Beside, beside, guess_of, lost_frames, made_by, rebuilt
from .tiles import Blended, TileMaker
from .windows import Unit, most_read, unit_of, without

F32 = NDArray[np.float32]
_WAIT_S = 0.5  # between looks at frames that another process works on


def restore(
    job: RestoreJob, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
) -> RunReport:
    """Runs the job; frames that are done already are left alone, so that running again resumes.

    Args:
        job: The job.
        progress: Called with ("restore", frames done, frames in all).
        cancelled: Asked between patches; True ends the run with what is finished kept.

    Raises:
        Cancelled: `cancelled` said so.
        FilmRestoreError: with on_error "stop", at the first frame that fails; else for the job as a whole.
    """
    started = perf_counter()
    with ExitStack() as stack:
        run = _Run(job, stack, progress or _silent, cancelled or _never)
        run.all_units()
    report = run.report
    report.seconds = perf_counter() - started
    report.seconds_by_stage = dict(run.meter.seconds)
    report.tiles_computed, report.tiles_cached = run.meter.computed, run.meter.cached
    return report


def _silent(stage: str, done: int, total: int) -> None:
    """A progress call for those who watch none."""


def _never() -> bool:
    return False


class _Run:
    """One run of the job: what is open, and what was done."""

    def __init__(self, job: RestoreJob, stack: ExitStack, progress: Progress, cancelled: Callable[[], bool]) -> None:
        self._progress, self._is_cancelled = progress, cancelled
        self.meter = Meter()
        self.shot, self.colour = open_job(job)
        stack.callback(self.shot.close)
        job = settled(job, self.shot, self.colour, progress, cancelled)
        self.job = job
        self.restorer = load_device(job)
        self._class = numeric_class(self.restorer)
        self._protect = MaskInput.open(job.protect, self.shot)
        self._map = MaskInput.open(job.defect_map, self.shot, invert=job.settings.defect_map_invert)
        for masks in filter(None, (self._protect, self._map)):
            stack.callback(masks.close)
        self._ledger_path = ledger_path(job, self.shot)
        self._claims = Claims(self._ledger_path / LOCKS)
        stack.callback(self._claims.release)
        history = f"filmrestore {__version__} restore {job.settings.digest()}"
        self._writer: Writer = stack.enter_context(
            open_writer(job.output, like=self.shot, lossy=job.lossy, overwrite=True, history=history)
        )
        self._matte_pattern = matte_pattern(job, self.shot, self._writer)
        analysis = reel_analysis(job, self.shot, self.colour, progress, cancelled)
        self._cuts = read_cuts(job.cuts, self.shot) if job.cuts else analysis.cuts
        self._grain: GrainModel | None = analysis.grain
        self._lost = self._lost_ones()
        self._wide = None
        if job.settings.output == "result" and is_wide(job.settings):
            self._wide = WidePlan(analysis, self._cuts, job.settings, self.colour, self.shot.format, self._lost)
        self._scratches = analysis.scratches
        self._inputs = Inputs(self.shot, analysis.digest(), roi=job.roi, protect=self._protect, defect_map=self._map)
        self._ledger = LedgerWriter(self._ledger_path, self._header(), replace=job.overwrite != "never")
        facts = self.restorer.facts
        self._repeats = analysis.repeats
        self._units = units_of(job, self.shot, self._cuts, self.restorer, self._repeats, self._lost)
        self._reader = stack.enter_context(WindowReader(self.shot, self.meter, hold=most_read(self._units) + 1))
        self._tiles = TileMaker(
            self.restorer,
            self.colour,
            job.settings,
            self._class,
            cache=TileCache(Path(job.cache), job.cache_size_mib) if job.cache else None,
            threads=job.threads,
            roi=job.roi,
            meter=self.meter,
            cancelled=self._check_cancelled,
        )
        stack.callback(self._tiles.close)
        self._finishers = stack.enter_context(ThreadPoolExecutor(min(job.threads, facts.keep), "finish"))
        self._made: set[int] = set()
        self._asked = frozenset(self.shot.frames)
        self._told: set[int] = set()  # broken frames beside the span, each told once
        self._takes_all = job.overwrite == "always"
        self.report = RunReport(
            frames=len(self.shot.frames) + len(self.shot.missing),
            failed={n: f"frame {n} is not on disk" for n in self.shot.missing if n not in self._lost},
            ledger=str(self._ledger_path),
            method=job.settings.method,
            why=job.why,
        )

    def all_units(self) -> None:
        """Restores unit after unit, those that another process holds last; a whole reel's ledger is then merged."""
        units = self._units
        if self._writer.format.container == "movie":  # it is made whole or not at all
            self._takes_all |= not all(self._is_done(number, unit) for unit in units for number in unit.kept)
        todo = self._not_done(units)
        while todo:
            pairs = zip(todo, [*todo[1:], None], strict=True)
            busy = [unit for unit, following in pairs if not self._took(unit, following)]
            self._writer.flush()
            self._claims.release()
            todo = self._not_done(busy)
            if todo:
                sleep(_WAIT_S)
        self._rebuild()
        if self.job.span is None and not self.report.failed:
            self._claims.remove()
            merge(self._ledger_path)
        self._tell()

    def _took(self, unit: Unit, following: Unit | None) -> bool:
        """Makes what is left to do of the unit; False where another process works on it."""
        self._check_cancelled()
        if not self._claims.take(unit):
            return False
        for mine in self._not_done([unit]):
            if following is not None:
                self._reader.ahead([*unit.frames, *following.frames])
            self._one_unit(mine)
        self._claims.release(self._writer.unwritten)
        self._tell()
        return True

    def _tell(self) -> None:
        done = self.report.restored + self.report.skipped + len(self.report.failed)
        self._progress("restore", done, self.report.frames)

    def _check_cancelled(self) -> None:
        if self._is_cancelled():
            raise Cancelled("stopped; every finished frame is kept: run the same command again to go on")

    def _not_done(self, units: Sequence[Unit]) -> list[Unit]:
        """The units with the frames that still have to be made; counts the others as skipped."""
        rest = []
        for unit in units:
            wanted = [pair for pair in zip(unit.kept, unit.slots, strict=True) if not self._is_done(pair[0], unit)]
            self.report.skipped += sum(n not in self._made for n in unit.kept) - len(wanted)
            if wanted:
                kept, slots = zip(*wanted, strict=True)
                rest.append(replace(unit, kept=kept, slots=slots))
        return rest

    def _is_done(self, number: int, unit: Unit) -> bool:
        if number in self._made:
            return True
        return self._has(number, self._inputs.digest(number, unit))

    def _has(self, number: int, inputs: str) -> bool:
        """Whether an earlier run made the frame of these inputs."""
        if self._takes_all or not self._writer.exists(number):
            return False
        if self.job.overwrite == "never":
            return True
        record = self._ledger.record(number)
        if record is None or record.inputs != inputs:
            return False
        return self._matte_pattern is None or self._matte_pattern.path_of(number).exists()

    def _one_unit(self, unit: Unit) -> None:
        """Restores one window; what fails is dealt with as `on_error` says."""
        unit = self._readable_part(unit)
        if not unit.kept:
            return
        frames = self._reader.get(unit.frames)
        started = perf_counter()
        try:
            maps = self._maps(unit, frames)
            lines = line_maps(unit, frames, self._scratches, self.colour, self.job.settings)
            blended = self._tiles.blend(unit, frames, with_lines(maps, lines))
        except (InputError, MemoryError, RuntimeError) as error:
            self._failed(unit.kept, mapped(error))
            return
        share = (perf_counter() - started) / len(unit.kept)
        lumas = Lumas(frames, self.colour)
        keep = self.restorer.facts.keep
        for start in range(0, len(unit.kept), keep):  # with repeats there are more, and each holds a whole result
            jobs = {
                number: self._finishers.submit(
                    self._one_frame, number, unit, frames, blended[number], lumas, maps, lines
                )
                for number in unit.kept[start : start + keep]
            }
            for number, job in jobs.items():
                try:
                    made = job.result()
                except (InputError, MemoryError) as error:
                    self._failed((number,), mapped(error))
                    continue
                self._write(made, share)

    def _maps(self, unit: Unit, frames: Mapping[int, Frame]) -> dict[int, F32] | None:
        """The defect maps of a window, of its neighbour frames those that there are; a repeat has its original's."""
        if self._map is None:
            return None
        needed = {unit.source(n) for n in unit.kept}
        return {n: self._map.read(n, frames[n]) for n in set(unit.sources) if n in needed or self._map.holds(n)}

    def _readable_part(self, unit: Unit) -> Unit:
        """The unit without frames that cannot be read: their neighbours stand in for them.

        Only a frame that is to be restored fails; one that the span leaves out, as its message advises, is none of it.
        """
        broken: dict[int, InputError] = {}
        part, tried = unit, set[int]()
        while untried := sorted(set(part.frames) - tried):  # what stands in for a broken frame may be broken, too
            for number in untried:
                try:
                    self._reader.get([number])
                except InputError as error:
                    broken[number] = error
            tried.update(untried)
            part = without(unit, broken.keys()) if broken else unit
        for number, why in broken.items():
            if number in unit.kept or (number in self._asked and self.job.on_error == "stop"):
                self._failed((number,), why)
            elif number not in self._asked | self._told:
                self._told.add(number)
                warnings.warn(f"{why}: frames beside it do without it", stacklevel=2)
        return part

    def _failed(self, numbers: Sequence[int], error: FilmRestoreError) -> None:
        """One frame less, or the end of the run."""
        if self.job.on_error == "stop":
            raise error
        for number in numbers:
            self._made.add(number)
            self.report.failed[number] = str(error)
            if self.job.on_error == "copy" and not self.shot.is_movie:
                self._copy(number)

    def _copy(self, number: int) -> None:
        """The scan's file as the result, where that is of the same kind and the file can be read at all."""
        source, target = self.shot.path_of(number), self._writer.path_of(number)
        if target.suffix != source.suffix:
            return
        try:
            data = source.read_bytes()
        except OSError:  # the report says already that this frame cannot be read
            return
        atomic_bytes(target, data)

    def _one_frame(
        self,
        number: int,
        unit: Unit,
        frames: Mapping[int, Frame],
        blended: Blended,
        lumas: Lumas,
        maps: Mapping[int, F32] | None,
        lines: Mapping[int, F32],
    ) -> _Made:
        """Composite, fixes and checksums of one frame."""
        started = perf_counter()
        frame = frames[number]
        settings = self.job.settings
        done = self._repaired(number, unit, frames, blended, lumas, maps, lines)
        with self.meter.stage("fixes"):
            fixes = find_fixes(
                frame.picture(),
                done.codes,
                done.matte,
                done.origin,
                blended.confidence,
                frame=number,
                model=f"{self.restorer.facts.name}@{self.restorer.weights_hash[:12]}",
                settings=settings.digest(),
                format=self.shot.format,
                persistence=persistence(blended.others) if blended.others else None,
                given=self._given(frame, unit.source(number), maps, lines),
            )
        result, wide = self._result(frame, view(settings.output, frame, done, settings.mix))
        record = FrameRecord(
            frame=number,
            run="",
            source=self.shot.path_of(number).name,
            result=self._writer.path_of(number).name,
            scan_codes=codes_checksum(frame.codes),
            result_codes=codes_checksum(result),
            scan_file="" if self.shot.is_movie else file_checksum(self.shot.path_of(number)),
            network_class=" ".join(f"{key}={value}" for key, value in self._class.items()),
            inputs=self._inputs.digest(number, unit),
            seconds=perf_counter() - started,
        )
        return _Made(
            frame=frame.replaced(result),
            matte=done.matte,
            record=record,
            fixes=fixes,
            wide=wide,
            spared=done.taken_back,
        )

    def _repaired(
        self,
        number: int,
        unit: Unit,
        frames: Mapping[int, Frame],
        blended: Blended,
        lumas: Lumas,
        maps: Mapping[int, F32] | None,
        lines: Mapping[int, F32],
    ) -> Repair:
        frame = frames[number]
        return repair(
            frame,
            blended,
            lambda: lumas.around(number, unit),
            self.colour,
            self.job.settings,
            grain=self._grain,
            protect=self._protect.read(number, frame) if self._protect else None,
            defect_map=maps[unit.source(number)] if maps else None,
            lines=lines.get(unit.source(number)),
            roi=self.job.roi,
            marks=not self.restorer.facts.cause,
            grain_frame=unit.numbers[unit.place(number)],
            meter=self.meter,
        )

    def _result(self, frame: Frame, picture: Codes) -> tuple[Codes, tuple[Wide, ...]]:
        """All channels as they are written, and the frame-wide fixes in them, which come last."""
        result = frame.codes.copy()
        result[:, :, list(frame.format.picture)] = picture
        wide = self._wide.of(frame.number) if self._wide is not None else ()
        with self.meter.stage("frame-wide"):
            return lay(result, wide, frame.format), wide

    def _lost_ones(self) -> frozenset[int]:
        """The frames of the reel that are to be rebuilt."""
        lost = lost_frames(self.job.rebuild, self.shot)
        others = sorted(set(self.shot.missing) - lost)
        if others and self.job.on_error == "stop":
            raise MissingFrames(
                f"{self.shot.path}: {len(others)} frames of the span are not there: {format_span(others)}; copy them "
                "again, or have them made from their neighbours with --rebuild missing"
            )
        return lost

    def _rebuild(self) -> None:
        """Makes the lost frames of the span, once the others are done."""
        sound = [n for n in self.shot.available if n not in self._lost]
        for number in sorted(self._lost.intersection((*self.shot.frames, *self.shot.missing))):
            self._check_cancelled()
            try:
                neighbours = beside(number, sound, self._cuts)
                units = {n: self._unit_of(n, sound) for n in (neighbours.before, neighbours.after)}
                inputs = self._inputs.rebuilt(number, units)
                if number in self._made or self._has(number, inputs):
                    self.report.skipped += number not in self._made
                else:
                    self._write(self._one_rebuilt(number, neighbours, units, inputs), 0.0)
            except (InputError, MemoryError, RuntimeError) as error:
                self._failed((number,), mapped(error))
            self._tell()
        self._writer.flush()

    def _unit_of(self, number: int, sound: Sequence[int]) -> Unit:
        """The window that restores a frame wherever it lies, with that frame alone kept."""
        unit = unit_of(number, sound, self._cuts, self.restorer.facts, self._repeats)
        return replace(unit, kept=(number,), slots=(unit.slots[unit.kept.index(number)],))

    def _one_rebuilt(self, number: int, neighbours: Beside, units: Mapping[int, Unit], inputs: str) -> _Made:
        """A frame from its neighbours, which are mended first: their dirt must not get into it."""
        started = perf_counter()
        settings, shot = self.job.settings, self.shot

        def restored(beside: int) -> Codes:
            unit = units[beside]
            frames = self._reader.get(unit.frames)
            maps = self._maps(unit, frames)
            lines = line_maps(unit, frames, self._scratches, self.colour, settings)
            blended = self._tiles.blend(unit, frames, with_lines(maps, lines))[beside]
            return self._repaired(beside, unit, frames, blended, Lumas(frames, self.colour), maps, lines).codes

        guess = guess_of(self.restorer, settings)
        frame, done, has_none = rebuilt(number, neighbours, restored, shot, self.colour, settings, self._grain, guess)
        everywhere = np.ones(frame.codes.shape[:2], np.float32)
        fixes = find_fixes(
            frame.picture(),
            done.codes,
            done.matte,
            done.origin,
            everywhere,
            frame=number,
            model=made_by(self.restorer, guess),
            settings=settings.digest(),
            format=shot.format,
            given={"lost_frame": everywhere > 0},
        )
        result, wide = self._result(frame, done.codes)
        record = FrameRecord(
            frame=number,
            run="",
            source="" if has_none else shot.path_of(number).name,
            result=self._writer.path_of(number).name,
            scan_codes=codes_checksum(frame.codes),
            result_codes=codes_checksum(result),
            scan_file="" if has_none or shot.is_movie else file_checksum(shot.path_of(number)),
            network_class=" ".join(f"{key}={value}" for key, value in self._class.items()),
            inputs=inputs,
            seconds=perf_counter() - started,
        )
        return _Made(frame=frame.replaced(result), matte=done.matte, record=record, fixes=fixes, wide=wide, spared=0)

    def _given(
        self, frame: Frame, source: int, maps: Mapping[int, F32] | None, lines: Mapping[int, F32]
    ) -> dict[Cause, NDArray[np.bool_]]:
        """Causes that are known beforehand, and where they hold, (h, w); `source` is the frame whose maps count."""
        if cause := self.restorer.facts.cause:
            return {cause: np.ones(frame.codes.shape[:2], np.bool_)}
        settings = self.job.settings
        given: dict[Cause, NDArray[np.bool_]] = {}
        if maps:
            given["infrared"] = widened(marked(maps[source], settings), settings)
        if source in lines:
            given["scratch"] = widened(lines[source] > 0, settings)
        return given

    def _write(self, made: _Made, share: float) -> None:
        """Matte and ledger first, the picture last: a frame counts as done once all are there.

        An earlier picture goes before its new record comes: a run that dies between would leave a frame that looks
        done and is not.
        """
        number = made.frame.number
        with self.meter.stage("write"):
            if self._matte_pattern is not None:
                write_plane(self._matte_pattern.path_of(number), made.matte, like=made.frame)
            record = structs.replace(made.record, seconds=round(made.record.seconds + share, 4))
            self._writer.discard(number)
            self._ledger.write(record, made.fixes, made.wide)
            self._writer.write(made.frame)
        self._made.add(number)
        self.report.restored += 1
        self.report.fixes += len(made.fixes)
        self.report.taken_back += made.spared

    def _header(self) -> Header:
        settings = self.job.settings
        return Header(
            software=f"filmrestore {__version__}",
            method=settings.method,
            weights=self.restorer.weights_hash,
            settings=settings.to_dict(),
            settings_digest=settings.digest(),
            colour=dict(self.colour.describe()),
            scan=scan_facts(self.shot.format),
            network_class=dict(self._class),
            span=self.job.span or "",
            why=self.job.why,
        )


@dataclass(frozen=True, kw_only=True)
class _Made:
    """One finished frame, not yet written."""

    frame: Frame
    matte: F32
    record: FrameRecord
    fixes: list[RecordedFix]
    wide: tuple[Wide, ...]
    spared: int
