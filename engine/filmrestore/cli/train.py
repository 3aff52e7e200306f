"""`filmrestore train`: trains the network of a method, or goes on training it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .options import GroupedCommand, takes_progress
from .progress import display

if TYPE_CHECKING:
    from ..training import Outcome

Shown = Callable[[str, int, int], None]
FOLDER = click.Path(path_type=Path)


MODELS = ("frdm", "prior", "two_stage", "restormer", "divd")


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
@click.option(
    "--network",
    metavar="JSON",
    help='Configuration that differs, as {"kind": "unet"}, {"without": ["texture"]}.',
)
@click.option("--size", type=click.IntRange(16), metavar="PX", help="Edge of the samples (prior, two_stage).")
@click.option("--batch", type=click.IntRange(1), metavar="N", help="Samples a step.")
@click.option("--rate", type=float, help="Highest learning rate.")
@click.option("--seed", type=int, help="Of samples and noise.")
@click.option("--device", help="cpu, cuda.")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Of the training process.")
@click.option("--workers", type=click.IntRange(0), metavar="N", help="Processes that draw samples.")
@click.option("--validation", type=click.IntRange(0), metavar="N", help="Held-out windows or samples.")
@takes_progress
def command(*, model: str, budget: str | None, progress: str, as_json: bool, **values: Any) -> None:
    """Train a network on clean footage, with made damage where it is to find that; run again to go on.

    An option that is not given keeps what the model's recipe says.
    """
    from ..training.job import seconds

    given = {name: value for name, value in values.items() if value is not None}
    if budget is not None:
        given["budget_s"] = seconds(budget)
    with display(progress) as shown:
        outcome = _trained(model, given, shown)
    if as_json:
        click.echo(
            json.dumps(
                {"samples": outcome.samples, "finished": outcome.finished, "checkpoint": str(outcome.checkpoint)}
            )
        )
    else:
        click.echo(f"samples     {outcome.samples}{'' if outcome.finished else ', not at the end of the schedule'}")
        click.echo(f"checkpoint  {outcome.checkpoint}")


def _trained(model: str, given: dict[str, Any], shown: Shown) -> Outcome:
    if model == "frdm":
        return _frdm(given, shown)
    if model in ("prior", "two_stage"):
        return _plain(model, given, shown)
    from ..training.method_job import MethodJob
    from ..training.method_loop import train_method

    _refuse(model, given, ("size", "batch"))
    if "network" in given:
        given["network"] = _network(given["network"])
    return train_method(MethodJob(model=model, **given), shown)


def _frdm(given: dict[str, Any], shown: Shown) -> Outcome:
    from ..training import TrainJob, train

    _refuse("frdm", given, ("size",))
    if "network" in given:
        given["network"] = _network(given["network"])
    return train(TrainJob(**given), shown)


def _plain(model: str, given: dict[str, Any], shown: Shown) -> Outcome:
    from ..training.plain import PlainJob, train_plain
    from ..training.tasks import DEFAULTS, task_of

    _refuse(model, given, ("start",))
    if "network" in given:
        given["network"] = _network(given["network"])
    return train_plain(task_of(model), PlainJob(**{**DEFAULTS[model], **given}), shown)


def _refuse(model: str, given: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if name in given:
            raise UsageError(f"--{name} is not for --model {model}: leave it out")


def _network(text: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise UsageError(f'--network is no JSON ({error}): write it like {{"kind": "unet"}}') from error
    if not isinstance(settings, dict):
        raise UsageError(f'--network is {text}: write it like {{"kind": "unet"}}')
    return settings
