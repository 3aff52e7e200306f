"""`filmrestore train`: trains the network of a method, or goes on training it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .options import GroupedCommand, takes_progress
from .progress import display

FOLDER = click.Path(path_type=Path)
MODELS = ("frdm", "prior", "two_stage", "restormer", "divd", "iide")
"""Of `training.tasks`, which takes long to import."""


@click.command(cls=GroupedCommand)
@click.option("--model", type=click.Choice(MODELS), default="frdm", show_default=True, help="What is trained.")
@click.option("--data", type=FOLDER, required=True, metavar="DIR", help="Folder with train/stills and train/video.")
@click.option(
    "-o", "--out", type=FOLDER, required=True, metavar="DIR", help="Folder of the run; one found there goes on."
)
@click.option("--cache", type=FOLDER, metavar="DIR", help="Decoded footage.  [in OUT]")
@click.option("--samples", type=click.IntRange(1), metavar="N", help="Length of the whole schedule.")
@click.option("--budget", metavar="TIME", help="Stop after this time (90s, 25m, 1.5h) and leave a checkpoint.")
@click.option("--start", type=FOLDER, metavar="FILE", help="Weights to start from.")
@click.option("--hard", type=FOLDER, metavar="DIR", help="Hard examples, see docs/models/frdm.md; for frdm.")
@click.option(
    "--network", metavar="JSON", help='Configuration that differs, as {"kind": "unet"}, {"without": ["texture"]}.'
)
@click.option("--size", type=click.IntRange(16), metavar="PX", help="Edge of the samples.")
@click.option("--batch", type=click.IntRange(1), metavar="N", help="Samples a step.")
@click.option("--rate", type=float, help="Highest learning rate.")
@click.option("--muon/--no-muon", default=None, help="Whether Muon steps the matrices, or AdamW all weights.")
@click.option("--seed", type=int, help="Of samples and noise.")
@click.option("--device", help="cpu, cuda.")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Of the training process.")
@click.option("--workers", type=click.IntRange(0), metavar="N", help="Processes that draw samples.")
@click.option("--validation", type=click.IntRange(0), metavar="N", help="Held-out windows or samples.")
@takes_progress
def command(
    *, model: str, budget: str | None, network: str | None, progress: str, as_json: bool, **values: Any
) -> None:
    """Train a network on clean footage, with made damage where it is to find that; run again to go on.

    An option that is not given keeps what the model's recipe says.
    """
    from ..training import job_of, train
    from ..training.job import seconds

    given = {name: value for name, value in values.items() if value is not None}
    if budget is not None:
        given["budget_s"] = seconds(budget)
    if network is not None:
        given["network"] = _network(network)
    job = job_of(model, **given)
    with display(progress) as shown:
        outcome = train(job, shown)
    if as_json:
        click.echo(
            json.dumps(
                {"samples": outcome.samples, "finished": outcome.finished, "checkpoint": str(outcome.checkpoint)}
            )
        )
    else:
        click.echo(f"samples     {outcome.samples}{'' if outcome.finished else ', not at the end of the schedule'}")
        click.echo(f"checkpoint  {outcome.checkpoint}")


def _network(text: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise UsageError(f'--network is no JSON ({error}): write it like {{"kind": "unet"}}') from error
    if not isinstance(settings, dict):
        raise UsageError(f'--network is {text}: write it like {{"kind": "unet"}}')
    return settings
