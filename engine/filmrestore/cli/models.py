"""`filmrestore models`: the restorers, their facts, and whether their weights are sound."""

from __future__ import annotations

import json
from typing import Any

import click

from ..errors import WeightsError
from .options import GroupedCommand


@click.command(cls=GroupedCommand)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(*, as_json: bool) -> None:
    """List the restorers, and load each one's weights to check them; damaged ones are an error."""
    from ..restorers.base import REGISTRY

    found = [_entry(name) for name in sorted(REGISTRY)]
    if as_json:
        click.echo(json.dumps(found))
    for entry in () if as_json else found:
        click.echo(f"{entry['name']}: windows of {entry['window']} frames, patches of {entry['patch']} px")
        sound = f"sound, {entry['hash']}" if entry["hash"] else f"{entry['state']}: {entry['trouble']}"
        click.echo(f"  weights  {entry['weights'] or 'none'}, {sound}, {entry['licence']}")
        click.echo(f"  source   {entry['source']}")
    damaged = [f"{entry['name']}: {entry['trouble']}" for entry in found if entry["state"] == "damaged"]
    if damaged:
        raise WeightsError("\n".join(damaged))


def _entry(name: str) -> dict[str, Any]:
    """Facts and state of a method; "hash" is None and "trouble" tells why where its weights cannot be used."""
    from ..restorers.base import facts_of, load_restorer

    facts, digest, state, trouble = facts_of(name), None, "sound", None
    try:
        digest = load_restorer(name).weights_hash
    except WeightsError as error:
        missing = isinstance(error.__cause__, FileNotFoundError)
        state, trouble = "missing" if missing else "damaged", str(error)
    return {
        "name": name,
        "window": facts.window,
        "patch": facts.patch,
        "needs": sorted(facts.needs),
        "weights": facts.weights,
        "state": state,
        "trouble": trouble,
        "hash": digest,
        "licence": facts.licence,
        "source": facts.source,
    }
