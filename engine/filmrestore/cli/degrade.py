"""`filmrestore degrade`: gives clean frames the damage of film, with the truth and the exact masks."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from ..settings import DEGRADE_PRESETS, DegradeSettings
from .options import GroupedCommand, takes_colour, takes_output, takes_progress, takes_settings, takes_source
from .progress import display
from .stopping import stop_on_signals


@click.command(cls=GroupedCommand)
@takes_source
@takes_output
@click.option("--masks-out", metavar="DIR", help="Write the exact mask of each kind of damage, and all united.")
@click.option("--truth-out", metavar="PATTERN", help="Write the frames without their local defects.")
@click.option("--shapes", metavar="DIR", help="Folder of masks that marks are drawn from.")
@click.option(
    "--exclude-every",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Leave out every Nth mask of it.",
)
@takes_colour
@takes_progress
@takes_settings(DegradeSettings, DEGRADE_PRESETS)
def command(*, ocio: str | None, progress: str, as_json: bool, **job_values: Any) -> None:
    """Damage the clean frames IN to OUT: dust, scratches, flicker, grain and more, the same for the same seed."""
    from ..nodes.degrade import DegradeJob, degrade

    job = DegradeJob(config=ocio, **job_values)
    with stop_on_signals() as stop, display(progress) as shown:
        done = degrade(job, progress=shown, cancelled=stop.is_set)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done)))
        return
    click.echo(f"frames   {done.frames}: {done.made} made, {done.skipped} were done")
    click.echo(f"damaged  {100 * done.covered:.2f} % of the picture")
    click.echo(f"recipe   {done.recipe}")
