"""A shot over a dask cluster, for studios with no farm manager; the machines share the disk that the paths name."""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import Callable
from time import monotonic, perf_counter, sleep
from typing import TYPE_CHECKING

from ..errors import Cancelled, FilmRestoreError, ResourceError, UsageError
from ..nodes.choosing import settled
from ..nodes.job import (
    Progress,
    RestoreJob,
    RunReport,
    analysis_path,
    finish_ledger,
    ledger_path,
    load_device,
    open_job,
    reel_analysis,
)
from ..nodes.restore import restore
from ..scenes import read_cuts
from .chunks import FRAMES, absolute, check_handles, is_one_file, shot_chunks, span_of

if TYPE_CHECKING:
    from distributed import Client, Future

_LOOK_S = 0.2  # between looks at what is finished
_ASK_S = 1.0  # between a worker's questions whether it shall stop


def restore_on_cluster(
    job: RestoreJob,
    scheduler: str,
    *,
    size: int = FRAMES,
    threads: int | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> RunReport:
    """Restore the job in chunks on the workers of a dask scheduler, with the bits of one whole run.

    The reel is analysed here, once. A worker that dies costs the frame in flight: its chunk goes to another one, which
    finds the finished frames.

    Args:
        job: The job; its `threads` are not looked at.
        scheduler: Address, "tcp://host:8786".
        size: Most frames of a chunk.
        threads: Patches side by side in each task; a worker's processors, shared by its tasks, when None.
        progress: Called with ("restore", frames of finished chunks, frames in all).
        cancelled: Asked all the time; True stops every worker after the frame in flight.

    Raises:
        UsageError: a job that chunks cannot do, or the farm extra is not installed.
        ResourceError: no scheduler answers at the address.
        Cancelled: `cancelled` said so.
        FilmRestoreError: as `nodes.restore.restore`.
    """
    started = perf_counter()
    cancelled = cancelled or _never
    progress = progress or _silent
    job = absolute(job)
    if is_one_file(job):
        raise UsageError(f"{job.output} is a movie, which one process writes: give a sequence, or --engine local")
    client = _connect(scheduler)
    try:
        job, chunks, total = _planned(job, size, progress, cancelled)
        report = _gather(client, job, chunks, total, threads, progress, cancelled)
    finally:
        client.close()
    report.frames, report.ledger = total, str(job.ledger)
    report.method, report.why = job.settings.method, job.why
    if job.span is None and not report.failed:
        finish_ledger(report.ledger)
    report.seconds = perf_counter() - started
    return report


def _silent(stage: str, done: int, total: int) -> None:
    """A progress call for those who watch none."""


def _never() -> bool:
    return False


def _connect(scheduler: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("dask is not installed here: pip install 'filmrestore[farm]'") from error
    try:
        return Client(scheduler, timeout=20, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ResourceError(
            f"no dask scheduler answers at {scheduler} ({error}): start one with `dask scheduler`, and workers with "
            "`dask worker ADDRESS --nthreads 1`"
        ) from error


def _planned(
    job: RestoreJob, size: int, progress: Progress, cancelled: Callable[[], bool]
) -> tuple[RestoreJob, tuple[tuple[int, ...], ...], int]:
    """The job with its analysis and ledger named, its chunks, and the number of its frames."""
    shot, colour = open_job(job)
    with shot:
        job = settled(job, shot, colour, progress, cancelled)
        facts = load_device(dataclasses.replace(job, device="cpu")).facts
        check_handles(job, facts)
        found = reel_analysis(job, shot, colour, progress, cancelled)
        cuts = read_cuts(job.cuts, shot) if job.cuts else found.cuts
        chunks = shot_chunks(shot, cuts, keep=facts.keep, size=size, repeats=found.repeats)
        ledger, analysis = str(ledger_path(job, shot)), str(analysis_path(job, shot))
        return dataclasses.replace(job, ledger=ledger, analysis=analysis), chunks, len(shot.frames) + len(shot.missing)


def _gather(
    client: Client,
    job: RestoreJob,
    chunks: tuple[tuple[int, ...], ...],
    total: int,
    threads: int | None,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> RunReport:
    """Hands the chunks out, and adds up what comes back; the first failure stops the rest."""
    from distributed import Event

    run = f"filmrestore-{uuid.uuid4().hex}"
    stop = Event(run, client=client)
    waiting: dict[Future, int] = {}
    for order, chunk in enumerate(chunks):
        part = dataclasses.replace(job, span=span_of(chunk))
        future = client.submit(
            _restore_chunk, part, threads, run, key=f"{run}-{part.span}", pure=False, priority=-order
        )
        waiting[future] = len(chunk)
    report = RunReport()
    failure: BaseException | None = None
    done = 0
    progress("restore", done, total)
    while waiting:
        if failure is None and cancelled():
            failure = Cancelled("stopped; every finished frame is kept: run the same command again to go on")
            stop.set()
        for future in [future for future in waiting if future.done()]:
            done += waiting.pop(future)
            if future.status == "finished":
                _add(report, future.result())
                progress("restore", done, total)
            elif failure is None:
                failure = _failure(future)
                stop.set()
        sleep(_LOOK_S)
    if failure is not None:
        raise failure
    return report


def _failure(future: Future) -> BaseException:
    """Why a chunk was not restored; the cluster's own reasons as ours."""
    from distributed import CancelledError, KilledWorker

    error: BaseException | None = future.exception()
    if isinstance(error, FilmRestoreError):
        return error
    if error is None or isinstance(error, (CancelledError, KilledWorker)):
        return ResourceError(f"the cluster gave up {future.key} ({error}): see the log of its workers, then run again")
    return error


def _restore_chunk(job: RestoreJob, threads: int | None, run: str) -> RunReport:
    """On a worker: the frames of one chunk."""
    from distributed import Event, get_client, get_worker

    threads = threads or max(1, (os.cpu_count() or 1) // get_worker().state.nthreads)
    stop = Event(run, client=get_client())
    asked, answer = 0.0, False

    def cancelled() -> bool:
        nonlocal asked, answer
        if not answer and monotonic() - asked > _ASK_S:
            asked, answer = monotonic(), stop.is_set()
        return answer

    return restore(dataclasses.replace(job, threads=threads), cancelled=cancelled)


def _add(report: RunReport, part: RunReport) -> None:
    for name in ("restored", "skipped", "fixes", "taken_back", "tiles_computed", "tiles_cached"):
        setattr(report, name, getattr(report, name) + getattr(part, name))
    report.failed |= part.failed
    for stage, seconds in part.seconds_by_stage.items():
        report.seconds_by_stage[stage] = report.seconds_by_stage.get(stage, 0.0) + seconds
