"""`filmrestore models`: the restorers, their facts, and whether their weights are sound."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from ..errors import WeightsError
from .options import GroupedCommand


@click.command(cls=GroupedCommand)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--memory",
    "models",
    multiple=True,
    metavar="DIR",
    help='Say instead what a full-size model of that folder takes on a card; "motion" and "video" are published ones.',
)
@click.option(
    "--budget", type=click.FloatRange(1.0), default=24.0, show_default=True, metavar="GIB", help="The card's memory."
)
def command(*, as_json: bool, models: tuple[str, ...], budget: float) -> None:
    """List the restorers, and load each one's weights to check them."""
    if models:
        _tell_memory(models, budget, as_json)
        return
    from ..restorers.base import REGISTRY, load_restorer

    found: list[dict[str, object]] = []
    broken = []
    for name in sorted(REGISTRY):
        try:
            restorer = load_restorer(name)
        except WeightsError as error:
            broken.append(f"{name}: {error}")
            continue
        facts = restorer.facts
        found.append(
            {
                "name": name,
                "window": facts.window,
                "patch": facts.patch,
                "needs": sorted(facts.needs),
                "weights": facts.weights,
                "hash": restorer.weights_hash,
                "licence": facts.licence,
                "source": facts.source,
            }
        )
    if as_json:
        click.echo(json.dumps(found))
    for entry in () if as_json else found:
        click.echo(f"{entry['name']}: windows of {entry['window']} frames, patches of {entry['patch']} px")
        click.echo(f"  weights  {entry['weights'] or 'none'}, sound, {entry['hash']}, {entry['licence']}")
        click.echo(f"  source   {entry['source']}")
    if broken:
        raise WeightsError("\n".join(broken))


def _tell_memory(models: tuple[str, ...], budget_gib: float, as_json: bool) -> None:
    """Print the memory plans of full-size models."""
    from ..restorers.frdm.full.configs import PUBLISHED, published, read_configs
    from ..restorers.frdm.full.memory import plan
    from ..restorers.frdm.full.telling import lines

    for name in models:
        configs = published(name) if name in PUBLISHED else read_configs(Path(name))
        made = plan(configs, budget_mib=1024 * budget_gib)
        if as_json:
            click.echo(json.dumps({"model": name, **dataclasses.asdict(made), "dtype": str(made.dtype)}))
        else:
            click.echo("\n".join(lines(name, made)))
