"""The restore node's job: what to restore, to where and how; what a run of it did; and opening what it names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import filelock
import torch

from ..analysis import Analysis, analyse
from ..colour import Colour, open_colour
from ..errors import FilmRestoreError, ResourceError, UsageError
from ..fixes import merge
from ..frame import Box
from ..media import Shot, Writer, open_shot
from ..media.atomic import check_writable
from ..media.patterns import Pattern
from ..media.planes import plane_container
from ..media.writer import is_folder, is_movie, output_pattern
from ..restorers.base import Facts, Restorer, load_restorer
from ..settings import RestoreSettings
from ..wide.plan import is_wide
from .far import FarPlan
from .ranks import Ranks
from .resuming import check_overwrite, check_stopped
from .windows import Unit, units_for

Progress = Callable[[str, int, int], None]
_LOOK_S = 0.5  # between looks at the stop, while another process makes the analysis

LOCKS = "locks"
"""Folder in a ledger of the locks on windows that a process works on."""


@dataclass(frozen=True, kw_only=True)
class RestoreJob:
    """What to restore, to where, and how.

    Attributes:
        source: Pattern, folder, image or movie of the scan.
        output: Pattern or movie to write; never the source.
        span: Frames to restore, "1001-1100"; all when None.
        settings: Of the node.
        matte_out: Pattern for mattes (single channel PNG, TIFF or EXR).
        ledger: Folder of the ledger; beside the output when None.
        cache: Folder of the tile cache; None keeps no tiles.
        cache_size_mib: Bound of that folder.
        roi: Repair only here (top left of the data window is 0, 0).
        protect: Pattern of masks, white where nothing may be touched.
        defect_map: Pattern of masks, white where there is a defect, or "alpha" for the scan's own alpha.
        cuts: EDL, OTIO or list of cuts; found in the picture when None.
        rebuild: Frames to make from their neighbours: "missing" (numbers that the sequence leaves out), a span of
            frames that are damaged beyond repair, or both with a comma between. Every chunk is given the same.
        analysis: The reel's analysis file; beside the output when None; made where it is not there.
        colourspace, working_space, config: See `colour.open_colour`.
        device: torch device.
        backend: What runs the networks: "torch", "onnx", or "auto" for what was measured to be fastest on the device.
        threads: Patches restored side by side; changes no bit.
        overwrite: "never", "changed" (frames whose inputs, settings or weights changed) or "always".
        on_error: "stop", "skip" (leave the frame out) or "copy" (the scan as it is); for a frame that fails.
        lossy: Allow containers that do not keep codes.
        why: The settings' method was picked, where the engine picked it; for report and ledger.
    """

    source: str
    output: str
    span: str | None = None
    settings: RestoreSettings = field(default_factory=RestoreSettings)
    matte_out: str | None = None
    ledger: str | None = None
    cache: str | None = None
    cache_size_mib: int = 8192
    roi: Box | None = None
    protect: str | None = None
    defect_map: str | None = None
    cuts: str | None = None
    rebuild: str | None = None
    analysis: str | None = None
    colourspace: str | None = None
    working_space: str = "scene_linear"
    config: str | None = None
    device: str = "cpu"
    backend: str = "auto"
    threads: int = field(default_factory=lambda: max(1, os.cpu_count() or 1))
    overwrite: str = "changed"
    on_error: str = "stop"
    lossy: bool = False
    why: str = ""


@dataclass(kw_only=True)
class RunReport:
    """What a run did.

    Attributes:
        frames: Frames asked for.
        restored, skipped: Of them, done now, and found done already (by an earlier or another run).
        failed: Frame -> why.
        fixes: Fixes made now.
        taken_back: Marks that the guard spared.
        seconds: Wall time of the run.
        seconds_by_stage: Time in each stage, added up over threads.
        tiles_computed, tiles_cached: Patches that went through the network, and that the cache had.
        ledger: The ledger's folder.
        method: The restorer that did it.
        why: It was picked, where the job left that to the engine.
    """

    frames: int = 0
    restored: int = 0
    skipped: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    fixes: int = 0
    taken_back: int = 0
    seconds: float = 0.0
    seconds_by_stage: dict[str, float] = field(default_factory=dict)
    tiles_computed: int = 0
    tiles_cached: int = 0
    ledger: str = ""
    method: str = ""
    why: str = ""


def ledger_path(job: RestoreJob, shot: Shot) -> Path:
    """Where the job's ledger lies."""
    return Path(job.ledger) if job.ledger else _beside(job.output, shot.name, ".ledger")


def analysis_path(job: RestoreJob, shot: Shot) -> Path:
    """Where the reel's analysis lies, or will once it is made."""
    return Path(job.analysis) if job.analysis else _beside(job.output, shot.name, ".analysis.json")


def finish_ledger(path: str | Path) -> None:
    """Merges the ledger of a job whose frames are all done, and clears the locks of its runs away.

    Raises:
        LedgerError, OutputError: see `fixes.merge`.
    """
    shutil.rmtree(Path(path) / LOCKS, ignore_errors=True)
    merge(path)


def _beside(output: str, name: str, ending: str) -> Path:
    """`name` + `ending` in the folder of the output, which may be given as such: reels of one name stay apart."""
    return (Path(output) if is_folder(output) else Path(output).parent) / (name + ending)


def matte_pattern(job: RestoreJob, shot: Shot, writer: Writer) -> Pattern | None:
    """The names of the mattes; None where none are wanted.

    Raises:
        UsageError: a name that holds no mattes, or is the scan's or the result's.
    """
    if job.matte_out is None:
        return None
    pattern = output_pattern(job.matte_out, shot)
    first = pattern.path_of(shot.frames[0])
    plane_container(first)
    if first.resolve() == writer.path_of(shot.frames[0]).resolve():
        raise UsageError(f"{job.matte_out}: mattes and result would both be written there: give two names")
    return pattern


def check_job(job: RestoreJob) -> None:
    """Refuses what cannot be meant.

    Raises:
        UsageError: an unknown word, no threads, or a part of the frame to be kept and all of it to be changed.
    """
    check_overwrite(job.overwrite)
    if job.on_error not in ("stop", "skip", "copy"):
        raise UsageError(f"on_error is {job.on_error!r}: choose one of stop, skip, copy")
    if (job.roi is not None or job.protect is not None) and job.settings.output == "result" and is_wide(job.settings):
        raise UsageError(
            "a region or a protect mask says what must stay, and deflicker, unfade and stabilise change the whole "
            "frame: leave one or the other out; two runs do both, the second over the first's result"
        )
    if job.rebuild is not None and (is_movie(job.output) or job.settings.output != "result"):
        raise UsageError("rebuilt frames go into a sequence of results: give a pattern such as shot.####.dpx as output")
    if job.threads < 1:
        raise UsageError(f"threads is {job.threads}: give 1 or more")


def open_job(job: RestoreJob) -> tuple[Shot, Colour]:
    """The job's shot and its colour.

    Raises:
        InputError, UsageError: see `media.open_shot` and `colour.open_colour`.
    """
    check_job(job)
    refuses = job.on_error == "stop" and job.rebuild is None
    shot = open_shot(job.source, job.span, missing="refuse" if refuses else "allow")
    if job.roi is not None and (job.roi.x0 >= shot.format.width or job.roi.y0 >= shot.format.height):
        shot.close()
        raise UsageError(
            f"the region {job.roi.x0},{job.roi.y0},{job.roi.x1},{job.roi.y1} lies outside the frames of {shot.path}, "
            f"{shot.format.width} x {shot.format.height}: give one within them"
        )
    colour = open_colour(
        shot.format,
        colourspace=job.colourspace,
        working_space=job.working_space,
        config=job.config,
        path=shot.path_of(shot.frames[0]),
    )
    return shot, colour


def load_device(job: RestoreJob) -> Restorer:
    """The job's restorer on its device.

    Raises:
        ResourceError: the device is not there.
        UsageError: the method has no such backend, or that is not installed.
    """
    return restorer_on(job.device, job.settings, job.backend)


def restorer_on(name: str, settings: RestoreSettings, backend: str = "auto") -> Restorer:
    """The restorer that the settings name on the device of that name.

    Raises:
        ResourceError: the device is not there.
        UsageError: the method has no such backend, or that is not installed.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ResourceError(f"device {name!r} cannot be used: {error}; try --device cpu") from error
    return load_restorer(settings.method, device, backend, prior=settings.prior)


def mapped(error: Exception) -> FilmRestoreError:
    """Foreign failures of the network as ours; an error of another kind is raised as it is."""
    if isinstance(error, FilmRestoreError):
        return error
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower() or "allocate" in str(error).lower():
        return ResourceError(f"memory ran out: {error}; use fewer --threads or another --device")
    raise error


def reel_analysis(
    job: RestoreJob, shot: Shot, colour: Colour, progress: Progress, cancelled: Callable[[], bool]
) -> Analysis:
    """The reel's analysis: read, or made and saved for every later chunk; made anew when only the colour changed.

    Raises:
        UsageError: it is of another reel, or the one that `job.analysis` names was made in other colour.
    """
    path = analysis_path(job, shot)
    if (found := _usable_analysis(job, path, shot, colour)) is not None:
        return found
    check_writable(path)
    with _alone(path, cancelled):
        found = _usable_analysis(job, path, shot, colour)  # another process was faster
        if found is None:
            found = analyse(shot, colour, progress=progress, cancelled=cancelled)
            found.save(path)
    return found


def known_analysis(job: RestoreJob, shot: Shot, colour: Colour) -> Analysis | None:
    """The reel's analysis, if it has been made.

    Raises:
        UsageError: as `reel_analysis`.
    """
    return _usable_analysis(job, analysis_path(job, shot), shot, colour)


def _usable_analysis(job: RestoreJob, path: Path, shot: Shot, colour: Colour) -> Analysis | None:
    if not path.exists():
        return None
    found = Analysis.load(path)
    if job.analysis is None and found.other_colour(colour) is not None:
        return None
    found.check(shot, colour)
    return found


@contextmanager
def _alone(path: Path, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Waits until no other process makes that file."""
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"))
    while True:
        check_stopped(cancelled)
        try:
            lock.acquire(timeout=_LOOK_S)
        except filelock.Timeout:
            continue
        break
    try:
        yield
    finally:
        # Gone before it is free: who waits for it looks at the file first, and who comes later makes a new one.
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def handles_of(settings: RestoreSettings, facts: Facts) -> int:
    """Frames read beyond a span: as many as the method looks at, unless fewer than the default were asked for."""
    asked = settings.handles
    return max(asked, facts.reach) if asked >= RestoreSettings().handles else asked


def is_held(settings: RestoreSettings) -> bool:
    """Whether handles were set below their default, which says that nothing else may be read."""
    return settings.handles < RestoreSettings().handles


def units_of(
    job: RestoreJob,
    shot: Shot,
    cuts: Sequence[int],
    restorer: Restorer,
    repeats: Sequence[int] = (),
    lost: Collection[int] = (),
    far: FarPlan | None = None,
) -> list[Unit]:
    """The units of the job's frames; its handles are pictures, so that repeats among them leave no window short.

    Frames of `lost` are neither restored nor looked at. Far frames are read wherever they lie in the reel, unless the
    handles were set below their default, which says that nothing else may be read.
    """
    facts = restorer.facts
    handles, ranks = handles_of(job.settings, facts), Ranks(repeats, cuts)
    first = ranks.frames(ranks.rank(min(shot.frames)) - handles).start
    last = ranks.frames(ranks.rank(max(shot.frames)) + handles).stop - 1
    readable = [n for n in shot.available if first <= n <= last and n not in lost]
    wanted = [n for n in shot.frames if n not in lost]
    units = units_for(facts, wanted, readable, cuts, repeats)
    if far is None:
        return units
    there = frozenset(readable if is_held(job.settings) else shot.available).difference(lost)
    return [far.with_far(unit, there) for unit in units]
