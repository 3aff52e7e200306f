"""`filmrestore restore`: cleans frames, and writes matte and ledger with them."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import SomeFramesFailed, UsageError
from ..settings import RestoreSettings
from .options import (
    GroupedCommand,
    Verb,
    failures,
    takes_colour,
    takes_on_error,
    takes_output,
    takes_progress,
    takes_settings,
    takes_source,
)
from .places import cache_folder, check_no_picture, check_target
from .progress import Display, display
from .report import write_page
from .stopping import stop_on_signals

if TYPE_CHECKING:
    from ..frame import Box
    from ..nodes.estimate import Plan
    from ..nodes.job import RestoreJob, RunReport


def takes_repair(verb: Verb) -> Verb:
    """What a repair reads and writes beside the frames, each as `RestoreJob` names it, and `page`."""
    for option in (
        click.option(
            "--analysis", metavar="FILE", help="The reel's analysis by `filmrestore probe`.  [made beside OUT]"
        ),
        click.option("--cuts", metavar="FILE", help="Cuts: EDL, OTIO or a list of first frames.  [found]"),
        click.option(
            "--rebuild",
            metavar="FRAMES",
            help='Make these from their neighbours: "missing" numbers, or frames beyond repair such as 101,105-106.',
        ),
        click.option("--defect-map", metavar="PATTERN", help='Masks of known defects (infrared), or "alpha".'),
        click.option("--protect", metavar="PATTERN", help="Masks: where they are white, the scan stays."),
        click.option(
            "--roi",
            metavar="X0,Y0,X1,Y1",
            callback=lambda ctx, param, value: box(value),
            help="Restore this box only, px.",
        ),
        click.option(
            "--cache-size", "cache_size_mib", type=click.IntRange(1), default=8192, show_default=True, metavar="MIB"
        ),
        click.option("--no-cache", is_flag=True, help="Keep no tiles."),
        click.option("--cache", metavar="DIR", help="Where tiles are kept.  [the user's cache folder]"),
        click.option(
            "--report",
            "page",
            type=click.Path(path_type=Path),
            metavar="HTML",
            help="Build the page to check afterwards.",
        ),
        click.option("--ledger", metavar="DIR", help="Where the fixes are recorded.  [beside OUT]"),
        click.option("--matte-out", metavar="PATTERN", help="Write the mattes too."),
    ):
        verb = option(verb)
    return verb


@click.command(cls=GroupedCommand)
@takes_source
@takes_output
@takes_on_error
@takes_repair
@takes_colour
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps.")
@click.option(
    "--backend",
    type=click.Choice(("auto", "torch", "onnx")),
    default="auto",
    show_default=True,
    help="What runs the networks; auto takes the faster one, onnx wants onnxruntime and a method that can be exported.",
)
@click.option("--threads", type=click.IntRange(1), help="Patches side by side; changes no bit.  [one a core]")
@click.option(
    "--engine", type=click.Choice(("local", "dask")), default="local", show_default=True, help="Where it runs."
)
@click.option("--scheduler", metavar="ADDRESS", help="Of the dask cluster, such as tcp://host:8786.")
@click.option("--why", default="", hidden=True, help="Why the method was picked; a farm's job tells its chunks.")
@click.option("--dry-run", is_flag=True, help="Say frames, memory, disk and time, and do nothing.")
@takes_progress
@takes_settings(RestoreSettings)
def command(
    *,
    source: str,
    output: str,
    cache: str | None,
    no_cache: bool,
    threads: int | None,
    ocio: str | None,
    page: Path | None,
    engine: str,
    scheduler: str | None,
    dry_run: bool,
    progress: str,
    as_json: bool,
    **job_values: Any,
) -> None:
    """Restore the frames IN to OUT.

    Run it again to go on where it stopped. Outside the matte every code stays the scan's.
    """
    from ..nodes.estimate import plan
    from ..nodes.job import RestoreJob

    if (engine == "dask") != (scheduler is not None):
        raise UsageError("a dask cluster takes both --engine dask and --scheduler ADDRESS")
    check_no_picture(page, "the report")
    job = RestoreJob(
        source=source,
        output=output,
        config=ocio,
        cache=None if no_cache else cache or str(cache_folder()),
        threads=threads or os.cpu_count() or 1,
        **job_values,
    )
    if dry_run:
        show_plan(plan(job), as_json)
        return
    check_target(page, "the report")
    with stop_on_signals() as stop, display(progress) as shown:
        done = _run(job, scheduler, threads, shown, stop.is_set)
        if page is not None:
            write_page(source, output, Path(done.ledger), page, shown, job.span)
    show_run(done, as_json)
    if done.failed:
        raise SomeFramesFailed(failures(done.failed))


def _run(
    job: RestoreJob, scheduler: str | None, threads: int | None, shown: Display, cancelled: Callable[[], bool]
) -> RunReport:
    """The job here, or on the cluster of the scheduler."""
    if scheduler is None:
        from ..nodes.restore import restore

        return restore(job, progress=shown, cancelled=cancelled)
    from ..farm.cluster import restore_on_cluster

    return restore_on_cluster(job, scheduler, threads=threads, progress=shown, cancelled=cancelled)


def box(value: str | None) -> Box | None:
    """The box that "x0,y0,x1,y1" says.

    Raises:
        UsageError: it says none.
    """
    if value is None:
        return None
    from ..frame import Box

    try:
        x0, y0, x1, y1 = (int(part) for part in value.split(","))
    except ValueError as error:
        raise UsageError(f"--roi is {value!r}: give four whole numbers, x0,y0,x1,y1") from error
    if not (0 <= x0 < x1 and 0 <= y0 < y1):
        raise UsageError(f"--roi is {value!r}: the box is empty; x0 < x1 and y0 < y1, from 0 at the top left")
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)


def show_plan(plan: Plan, as_json: bool) -> None:
    """Print what a run would take."""
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(plan)))
        return
    for line in plan.text:
        click.echo(line)


def show_run(run: RunReport, as_json: bool) -> None:
    """Print what a run did."""
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(run), default=str))
        return
    click.echo(f"frames  {run.frames}: {run.restored} restored, {run.skipped} were done, {len(run.failed)} failed")
    click.echo(f"method  {run.method}{f', for {run.why}' if run.why else ''}")
    click.echo(f"fixes   {run.fixes}; {run.taken_back} more were taken for picture and left")
    click.echo(f"tiles   {run.tiles_computed} computed, {run.tiles_cached} from the cache")
    click.echo(f"ledger  {run.ledger}")
