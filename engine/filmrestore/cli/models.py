"""`filmrestore models`: the restorers, their facts, and whether their weights are sound."""

from __future__ import annotations

import json

import click

from ..errors import WeightsError
from .options import GroupedCommand


@click.command(cls=GroupedCommand)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(*, as_json: bool) -> None:
    """List the restorers, and load each one's weights to check them."""
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
