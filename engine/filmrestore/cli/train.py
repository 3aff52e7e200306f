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


@click.command(cls=GroupedCommand)
@click.option(
    "--model",
    type=click.Choice(("frdm", "restormer", "divd")),
    default="frdm",
    show_default=True,
    help="The method whose network is trained.",
)
@click.option("--data", type=FOLDER, required=True, metavar="DIR", help="Folder with train/stills and train/video.")
@click.option(
    "-o", "--out", type=FOLDER, required=True, metavar="DIR", help="Folder of the run; one found there goes on."
)
@click.option("--cache", type=FOLDER, metavar="DIR", help="Decoded footage.  [in OUT]")
@click.option("--samples", type=click.IntRange(1), metavar="N", help="Length of the whole schedule.")
@click.option("--budget", metavar="TIME", help="Stop after this time (90s, 25m, 1.5h) and leave a checkpoint.")
@click.option("--start", type=FOLDER, metavar="FILE", help="Weights to start from.")
@click.option("--batch", type=click.IntRange(1), metavar="N", help="Samples a step; frdm alone.")
@click.option(
    "--network", metavar="JSON", help='Configuration, such as {"windows": [3, 2, 1, 1]}.  [the method\'s small one]'
)
@click.option("--rate", type=float, help="Highest learning rate.")
@click.option("--seed", type=int, help="Of samples and noise.")
@click.option("--device", help="cpu, cuda.")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Of the training process.")
@click.option("--workers", type=click.IntRange(0), metavar="N", help="Processes that draw samples.")
@click.option("--validation", type=click.IntRange(0), metavar="N", help="Windows of the held-out set.")
@takes_progress
def command(
    *, model: str, budget: str | None, network: str | None, progress: str, as_json: bool, **values: Any
) -> None:
    """Train the network of a method on clean footage with made damage; run again to go on.

    An option that is not given keeps what `TrainJob`, or for other methods than frdm `MethodJob`, says.
    """
    from ..training.job import TrainJob, seconds
    from ..training.loop import train
    from ..training.method_job import MethodJob
    from ..training.method_loop import train_method

    given = {name: value for name, value in values.items() if value is not None}
    if budget is not None:
        given["budget_s"] = seconds(budget)
    if network is not None:
        given["network"] = _configuration(network)
    if model != "frdm" and "batch" in given:
        raise UsageError(f"--batch is for frdm: {model} has batches that shrink while its patches grow")
    with display(progress) as shown:
        if model == "frdm":
            outcome = train(TrainJob(**given), shown)
        else:
            outcome = train_method(MethodJob(model=model, **given), shown)
    if as_json:
        click.echo(
            json.dumps(
                {"samples": outcome.samples, "finished": outcome.finished, "checkpoint": str(outcome.checkpoint)}
            )
        )
    else:
        click.echo(f"samples     {outcome.samples}{'' if outcome.finished else ', not at the end of the schedule'}")
        click.echo(f"checkpoint  {outcome.checkpoint}")


def _configuration(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--network is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f'--network is {text}: give an object such as {{"windows": [3, 2, 1, 1]}}')
    return values
