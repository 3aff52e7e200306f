"""`filmrestore grain`: keeps, matches, adds or reduces grain."""

from __future__ import annotations

import json
from typing import Any

import click

from ..settings import GrainSettings
from .options import GroupedCommand, takes_colour, takes_output, takes_progress, takes_settings, takes_source
from .progress import display
from .stopping import stop_on_signals


@click.command(cls=GroupedCommand)
@takes_source
@takes_output
@click.option("--reference", metavar="PLATE", help="Frames whose grain is matched or added.")
@click.option("--reference-colourspace", metavar="NAME", help="Of that plate.")
@takes_colour
@takes_progress
@takes_settings(GrainSettings)
def command(*, ocio: str | None, progress: str, as_json: bool, **job_values: Any) -> None:
    """Change the grain of the frames IN, and write OUT."""
    from ..nodes.grain import GrainJob, grain

    job = GrainJob(config=ocio, **job_values)
    with stop_on_signals() as stop, display(progress) as shown:
        done = grain(job, progress=shown, cancelled=stop.is_set)
    if as_json:
        models = {"own": done.own, "reference": done.reference}
        counts = {"frames": done.frames, "made": done.made, "skipped": done.skipped, "recipe": done.recipe}
        click.echo(json.dumps(counts | {name: model and model.to_dict() for name, model in models.items()}))
        return
    click.echo(f"frames  {done.frames}: {done.made} made, {done.skipped} were done")
    click.echo(f"recipe  {done.recipe}")
