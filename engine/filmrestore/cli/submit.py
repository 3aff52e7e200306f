"""`filmrestore submit`: writes the bundle with which a render farm runs a shot in chunks."""

from __future__ import annotations

import dataclasses
import functools
import getpass
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..settings import RestoreSettings
from .options import GroupedCommand, Verb, takes_colour, takes_on_error, takes_output, takes_settings, takes_source
from .places import check_no_picture
from .restore import takes_repair

if TYPE_CHECKING:
    from ..farm.model import FarmJob, Needs
    from ..nodes.job import RestoreJob

THREADS = 8
GPU_MIB = 4096
_OF_NUKE = {"node", "write", "render_script"}
_OF_BOTH = {
    "given_source",
    "option_source",
    "span",
    "bundle",
    "nuke",
    "program",
    "chunk",
    "threads",
    "memory",
    "gpu_memory",
    "device",
    "show",
    "shot",
    "as_json",
}


def takes_farm(verb: Verb) -> Verb:
    """What a farm job is made of, beside what it restores."""
    whole = click.IntRange(1)
    for option in (
        click.option("--shot", envvar="SHOT", default="default", show_default="$SHOT", help="For OpenCue."),
        click.option("--show", envvar="SHOW", default="default", show_default="$SHOW", help="For OpenCue."),
        click.option("--gpu-memory", type=whole, default=GPU_MIB, show_default=True, metavar="MIB", help="With cuda."),
        click.option("--memory", type=whole, metavar="MIB", help="That a machine must have.  [estimated]"),
        click.option(
            "--threads", type=whole, default=THREADS, show_default=True, help="Of a task; a machine must have them."
        ),
        click.option("--device", default="cpu", show_default=True, help="Of the farm's machines: cpu, cuda."),
        click.option("--program", metavar="COMMAND", help="What they call the command.  [filmrestore, or nuke]"),
        click.option("--chunk", type=whole, metavar="FRAMES", help="Most frames of a task.  [48]"),
        click.option("--bundle", required=True, type=click.Path(path_type=Path), metavar="DIR", help="To write."),
    ):
        verb = option(verb)
    return verb


def takes_nuke(verb: Verb) -> Verb:
    """--nuke and what it needs."""
    for option in (
        click.option(
            "--render-script",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The Nuke plug-in's render.py, as the farm's machines see it.  [the installed one]",
        ),
        click.option("--write", metavar="NAME", help="Write node to render afterwards."),
        click.option("--node", metavar="NAME", help="The restore node in the script."),
        click.option("--nuke", is_flag=True, help="IN is a Nuke script; its node says how to restore."),
    ):
        verb = option(verb)
    return verb


@click.command(cls=GroupedCommand)
@takes_source
@functools.partial(takes_output, required=False)
@takes_farm
@takes_nuke
@takes_on_error
@takes_repair
@takes_colour
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@takes_settings(RestoreSettings)
def command(
    *,
    bundle: Path,
    nuke: bool,
    node: str | None,
    write: str | None,
    render_script: Path | None,
    show: str,
    shot: str,
    as_json: bool,
    **values: Any,
) -> None:
    """Write a job that restores IN to OUT on a render farm, in chunks, then verifies it and builds the report.

    The bundle is Open Job Description as Deadline Cloud and openjd take it, and an OpenCue specification beside it.
    All chunks together give the bits of one whole run; a chunk that is started again goes on where it stopped.
    """
    from ..farm.bundle import write_bundle
    from ..farm.opencue import Owner

    _check_given(nuke)
    job = _nuke_job(node, write, render_script, values) if nuke else _restore_job(values)
    owner = Owner(show=show, shot=shot, user=getpass.getuser(), uid=os.getuid() if hasattr(os, "getuid") else 0)
    commands = write_bundle(job, bundle, owner)
    if as_json:
        steps = {step.name: max(1, len(step.chunks)) for step in job.steps}
        click.echo(json.dumps({"bundle": str(bundle.absolute()), "tasks": steps, "next": commands}))
        return
    tasks = ", ".join(f"{step.name} {max(1, len(step.chunks))}" for step in job.steps)
    click.echo(f"{'bundle':<16}{bundle.absolute()}")
    click.echo(f"{'tasks':<16}{tasks}")
    for farm, line in commands.items():
        click.echo(f"{farm:<16}{line}")


def _check_given(nuke: bool) -> None:
    """Refuses options of the other kind of job: they would be ignored in silence."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = str(parameter.name)
        if context.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            continue
        if nuke and name not in _OF_NUKE | _OF_BOTH:
            raise UsageError(f"{parameter.opts[-1]} does not go with --nuke: the node in the script says it")
        if not nuke and name in _OF_NUKE:
            raise UsageError(f"{parameter.opts[-1]} goes with --nuke only")


def _restore_job(values: dict[str, Any]) -> FarmJob:
    from ..farm.chunks import FRAMES, absolute
    from ..farm.steps import restore_job
    from ..nodes.choosing import AUTO, settled_by
    from ..nodes.job import RestoreJob, known_analysis, load_device, open_job

    page, program, chunk, ocio = (values.pop(name) for name in ("page", "program", "chunk", "ocio"))
    memory, gpu_memory = values.pop("memory"), values.pop("gpu_memory")
    cache, no_cache = values.pop("cache"), values.pop("no_cache")
    if values["output"] is None:
        raise UsageError("there is no place to write to: give --out")
    if no_cache and cache:
        raise UsageError("--cache and --no-cache exclude each other: give one")
    # The farm's machines may have another $OCIO: what counts here is written down.
    job = absolute(RestoreJob(**values, cache=cache, config=ocio or os.environ.get("OCIO")))
    check_no_picture(page, "the report")
    shot, colour = open_job(job)
    with shot:
        found = known_analysis(job, shot, colour)
        if found is None and job.settings.method == AUTO:
            raise UsageError(
                "--method auto goes by the reel's analysis, and chunks are cut for one method: run `filmrestore probe` "
                "first and give its file as --analysis, or choose a --method"
            )
        job = settled_by(job, found)
        return restore_job(
            job,
            shot,
            load_device(dataclasses.replace(job, device="cpu")).facts,
            program=program or "filmrestore",
            report=page,
            size=chunk or FRAMES,
            needs=_needs(values["threads"], memory or _memory(job), gpu_memory, job.device),
            keeps_tiles=not no_cache,
        )


def _memory(job: RestoreJob) -> int:
    from ..nodes.estimate import plan

    return math.ceil(plan(dataclasses.replace(job, device="cpu")).memory_mib)


def _nuke_job(node: str | None, write: str | None, render: Path | None, values: dict[str, Any]) -> FarmJob:
    from ..farm.chunks import FRAMES
    from ..farm.steps import nuke_job
    from ..install.hosts import render_script
    from ..restorers.base import load_restorer

    if node is None or values["span"] is None:
        raise UsageError("a Nuke job needs --node NAME and --frames SPAN: the script is not opened here")
    render = render or render_script()
    return nuke_job(
        Path(values["source"]),
        render,
        node=node,
        span=values["span"],
        keep=load_restorer(RestoreSettings().method).facts.keep,
        write=write,
        program=values["program"] or "nuke",
        size=values["chunk"] or FRAMES,
        needs=_needs(values["threads"], values["memory"] or 0, values["gpu_memory"], values["device"]),
    )


def _needs(threads: int, memory: int, gpu_memory: int, device: str) -> Needs:
    from ..farm.model import Needs

    return Needs(threads=threads, memory_mib=memory, gpu_mib=gpu_memory if device.startswith("cuda") else 0)
