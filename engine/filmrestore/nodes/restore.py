"""The restore node: scanned frames in; repaired frames, mattes and a ledger of every fix out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter, sleep

from .. import __version__
from ..cache import TileCache
from ..errors import Cancelled, FilmRestoreError, InputError, MissingFrames
from ..fixes import LedgerWriter, merge
from ..frame import Codes
from ..media import Writer, format_span, open_writer
from ..restorers.base import numeric_class
from ..scenes import read_cuts
from ..wide.plan import WidePlan, is_wide
from .choosing import settled
from .claims import Claims
from .far import FarPlan
from .inputs import Inputs
from .job import (
    LOCKS,
    Progress,
    RestoreJob,
    RunReport,
    is_held,
    ledger_path,
    load_device,
    mapped,
    matte_pattern,
    open_job,
    reel_analysis,
    units_of,
)
from .mask_input import MaskInput
from .mending import Mender
from .meter import Meter
from .reader import WindowReader
from .rebuilding import Beside, beside, lost_frames
from .results import Made, Results, header_of
from .tiles import TileMaker
from .windows import Unit, most_read, unit_of, without

_WAIT_S = 0.5  # between looks at frames that another process works on
SIDE_BY_SIDE = 8_400_000  # pixels of a frame up to which there is memory to finish a window beside the next one


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
        protect = MaskInput.open(job.protect, self.shot)
        defect_map = MaskInput.open(job.defect_map, self.shot, invert=job.settings.defect_map_invert)
        for masks in filter(None, (protect, defect_map)):
            stack.callback(masks.close)
        path = ledger_path(job, self.shot)
        self._claims = Claims(path / LOCKS)
        stack.callback(self._claims.release)
        history = f"filmrestore {__version__} restore {job.settings.digest()}"
        self._writer: Writer = stack.enter_context(
            open_writer(job.output, like=self.shot, lossy=job.lossy, overwrite=True, history=history)
        )
        mattes = matte_pattern(job, self.shot, self._writer)
        analysis = reel_analysis(job, self.shot, self.colour, progress, cancelled)
        self._repeats = analysis.repeats
        self._cuts = read_cuts(job.cuts, self.shot) if job.cuts else analysis.cuts
        self._lost = self._lost_ones()
        wide = None
        if job.settings.output == "result" and is_wide(job.settings):
            wide = WidePlan(analysis, self._cuts, job.settings, self.colour, self.shot.format, self._lost)
        self._inputs = Inputs(self.shot, analysis.digest(), roi=job.roi, protect=protect, defect_map=defect_map)
        network_class = numeric_class(self.restorer)
        header = header_of(job, self.shot, self.colour, self.restorer, network_class)
        self._ledger = LedgerWriter(path, header, replace=job.overwrite != "never")
        self._results = Results(job, self.shot, self._writer, mattes, self._ledger, self.meter)
        self._far = FarPlan(analysis, self._cuts, job.settings, self._lost)
        self._units = units_of(job, self.shot, self._cuts, self.restorer, self._repeats, self._lost, self._far)
        self._reader = stack.enter_context(WindowReader(self.shot, self.meter, hold=most_read(self._units) + 1))
        self._mender = Mender(
            job=job,
            shot=self.shot,
            colour=self.colour,
            restorer=self.restorer,
            network_class=network_class,
            tiles=self._open_tiles(stack, network_class),
            analysis=analysis,
            wide=wide,
            far=self._far,
            protect=protect,
            defect_map=defect_map,
            inputs=self._inputs,
            meter=self.meter,
        )
        workers = min(job.threads, self.restorer.facts.keep)
        self._finishers = stack.enter_context(ThreadPoolExecutor(workers, "finish"))
        self._finishing: dict[int, tuple[Future[Made], float]] = {}
        self._made: set[int] = set()
        self._asked = frozenset(self.shot.frames)
        self._told: set[int] = set()  # broken frames beside the span, each told once
        self.report = RunReport(
            frames=len(self.shot.frames) + len(self.shot.missing),
            failed={n: f"frame {n} is not on disk" for n in self.shot.missing if n not in self._lost},
            ledger=str(path),
            method=job.settings.method,
            why=job.why,
        )

    def _open_tiles(self, stack: ExitStack, network_class: Mapping[str, str]) -> TileMaker:
        job = self.job
        tiles = TileMaker(
            self.restorer,
            self.colour,
            job.settings,
            network_class,
            cache=TileCache(Path(job.cache), job.cache_size_mib) if job.cache else None,
            threads=job.threads,
            roi=job.roi,
            meter=self.meter,
            cancelled=self._check_cancelled,
        )
        stack.callback(tiles.close)
        return tiles

    def all_units(self) -> None:
        """Restores unit after unit, those that another process holds last; a whole reel's ledger is then merged."""
        units = self._units
        if self._writer.format.container == "movie":  # it is made whole or not at all
            self._results.takes_all |= not all(self._is_done(number, unit) for unit in units for number in unit.kept)
        todo = self._not_done(units)
        while todo:
            pairs = zip(todo, [*todo[1:], None], strict=True)
            try:
                busy = [unit for unit, following in pairs if not self._took(unit, following)]
            except BaseException as error:
                self._collect_after(error)
                raise
            self._collect()
            self._writer.flush()
            self._claims.release()
            self._tell()
            todo = self._not_done(busy)
            if todo:
                sleep(_WAIT_S)
        self._rebuild()
        if self.job.span is None and not self.report.failed:
            self._claims.remove()
            merge(self._ledger.path)
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
        self._claims.release({*self._writer.unwritten, *self._finishing})
        self._tell()
        return True

    def _tell(self) -> None:
        done = self.report.restored + self.report.skipped + len(self.report.failed)
        self._progress("restore", done, self.report.frames)

    def _check_cancelled(self) -> None:
        """Asked between patches and while they are at work, in the thread that writes: it has time for that, too."""
        if self._is_cancelled():
            raise Cancelled("stopped; every finished frame is kept: run the same command again to go on")
        self._write_finished()

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
        return number in self._made or self._results.has(number, self._inputs.digest(number, unit))

    def _one_unit(self, unit: Unit) -> None:
        """Restores one window; what fails is dealt with as `on_error` says.

        Its last frames are finished while the next window's tiles are at work, and written by `_collect`, unless the
        pictures of two windows would take too much memory.
        """
        unit = self._readable_part(unit)
        if not unit.kept:
            return
        frames = self._reader.get(unit.frames)
        started = perf_counter()
        try:
            seen = self._mender.look(unit, frames)
            blended = self._mender.blend(seen)
        except (InputError, MemoryError, RuntimeError) as error:
            self._failed(unit.kept, mapped(error))
            return
        share_s = (perf_counter() - started) / len(unit.kept)
        keep = self.restorer.facts.keep
        for start in range(0, len(unit.kept), keep):  # with repeats there are more, and each holds a whole result
            self._collect()
            self._finishing = {
                number: (self._finishers.submit(self._mender.finished, number, seen, blended[number]), share_s)
                for number in unit.kept[start : start + keep]
            }
        if self.shot.format.width * self.shot.format.height > SIDE_BY_SIDE:
            self._collect()

    def _collect(self) -> None:
        """Writes the frames that are being finished; those that fail come last, so that none beside them is lost."""
        failed: dict[int, Exception] = {}
        while self._finishing:
            number, (job, share_s) = next(iter(self._finishing.items()))
            del self._finishing[number]
            try:
                made = job.result()
            except (InputError, MemoryError, RuntimeError) as error:
                failed[number] = error
                continue
            self._write(made, share_s)
        for number, why in failed.items():
            self._failed((number,), mapped(why))

    def _write_finished(self) -> None:
        """Writes those that are ready, so that a kill loses none; one that failed is left to `_collect`."""
        while self._finishing:
            number, (job, share_s) = next(iter(self._finishing.items()))
            if not job.done() or job.exception() is not None:
                return
            del self._finishing[number]
            self._write(job.result(), share_s)

    def _collect_after(self, error: BaseException) -> None:
        """The same when the run ends for another reason, which is the one that is told."""
        try:
            self._collect()
        except (FilmRestoreError, RuntimeError, MemoryError) as second:
            error.add_note(f"and then: {second}")

    def _readable_part(self, unit: Unit) -> Unit:
        """The unit without frames that cannot be read: their neighbours stand in for them.

        Only a frame that is to be restored fails; one that the span leaves out, as its message advises, is none of it.
        """
        broken: dict[int, InputError] = {}
        part, tried = unit, set[int]()
        while untried := sorted(set(part.frames) - tried):  # what stands in for a broken frame may be broken, too
            broken |= self._unreadable(untried)
            tried.update(untried)
            part = without(unit, broken.keys()) if broken else unit
        for number, why in broken.items():
            is_near = number not in unit.far  # what lies far off fails when its own turn comes
            if number in unit.kept or (is_near and number in self._asked and self.job.on_error == "stop"):
                self._failed((number,), why)
            elif number not in self._asked | self._told:
                self._told.add(number)
                warnings.warn(f"{why}: frames beside it do without it", stacklevel=2)
        return part

    def _unreadable(self, numbers: Sequence[int]) -> dict[int, InputError]:
        """Those of the frames that cannot be read, and why."""
        broken: dict[int, InputError] = {}
        for number in numbers:
            try:
                self._reader.get([number])
            except InputError as error:
                broken[number] = error
        return broken

    def _failed(self, numbers: Sequence[int], error: FilmRestoreError) -> None:
        """One frame less, or the end of the run."""
        if self.job.on_error == "stop":
            raise error
        for number in numbers:
            self._made.add(number)
            self.report.failed[number] = str(error)
            if self.job.on_error == "copy":
                self._results.copy(number)

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
                if number in self._made or self._results.has(number, inputs):
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
        unit = self._far.with_far(unit, frozenset(unit.frames if is_held(self.job.settings) else sound))
        if broken := self._unreadable(unit.far):
            unit = without(unit, broken.keys())
        return replace(unit, kept=(number,), slots=(unit.slots[unit.kept.index(number)],))

    def _one_rebuilt(self, number: int, neighbours: Beside, units: Mapping[int, Unit], inputs: str) -> Made:
        """A frame from its neighbours, which are read and mended one after the other."""

        def restored(beside: int) -> Codes:
            seen = self._mender.look(units[beside], self._reader.get(units[beside].frames))
            return self._mender.repaired(beside, seen, self._mender.blend(seen)[beside]).codes

        return self._mender.rebuild(number, neighbours, restored, inputs)

    def _write(self, made: Made, share_s: float) -> None:
        """Writes the frame and counts it."""
        self._results.write(made, share_s)
        self._made.add(made.frame.number)
        self.report.restored += 1
        self.report.fixes += len(made.fixes)
        self.report.taken_back += made.spared
