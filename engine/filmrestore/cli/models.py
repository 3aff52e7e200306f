"""`filmrestore models`: the restorers, what each is for and costs, and whether its weights are sound."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from math import prod
from pathlib import Path
from typing import Any

import click

from ..errors import WeightsError
from .options import GroupedCommand
from .places import costs_file


@click.command(cls=GroupedCommand)
@click.argument("names", nargs=-1, metavar="[METHOD]...")
@click.option("--measure", is_flag=True, help="Measure time and memory of each first, on this machine: minutes each.")
@click.option("--device", default="cpu", show_default=True, help="Whose figures: cpu, cuda, cuda:1, mps.")
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
def command(
    *, names: tuple[str, ...], measure: bool, device: str, as_json: bool, models: tuple[str, ...], budget: float
) -> None:
    """List the restorers, all or those named, and load each one's weights to check them; damaged ones are an error."""
    if models:
        _tell_memory(models, budget, as_json)
        return
    from ..restorers.base import REGISTRY

    found = [_entry(name, device, measure) for name in names or sorted(REGISTRY)]
    if as_json:
        click.echo(json.dumps(found))
    for entry in () if as_json else found:
        _show(entry)
    damaged = [f"{entry['name']}: {entry['trouble']}" for entry in found if entry["state"] == "damaged"]
    if damaged:
        raise WeightsError("\n".join(damaged))


def _entry(name: str, device: str, measure: bool) -> dict[str, Any]:
    """Facts and state of a method; "hash" is None and "trouble" tells why where its weights cannot be used."""
    from ..bench import costs
    from ..restorers.base import facts_of, load_restorer, weight_files

    facts, digest, state, trouble = facts_of(name), None, "sound", None
    try:
        digest = load_restorer(name).weights_hash
    except WeightsError as error:
        missing = isinstance(error.__cause__, FileNotFoundError)
        state, trouble = "missing" if missing else "damaged", str(error)
    if measure and digest is not None:
        costs.keep(costs_file(), name, costs.measure(name, device))
    cost = costs.kept(costs_file(), name, digest, device)
    return {
        "name": name,
        "purpose": facts.purpose,
        "window": facts.window,
        "patch": facts.patch,
        "needs": sorted(facts.needs),
        "weights": facts.weights,
        "files": [_file(path) for path in weight_files(name) if path.is_file()],
        "state": state,
        "trouble": trouble,
        "hash": digest,
        "licence": facts.licence,
        "source": facts.source,
        "cost": None if cost is None else {**vars(cost), "edge": costs.EDGE, "threads": 1},
    }


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


def _file(path: Path) -> dict[str, Any]:
    """A file of weights: its size, what it holds, and the hash by which it is known."""
    data = path.read_bytes()
    parameters = None
    try:  # as safetensors lays it out: the header's length, then JSON of every tensor's shape
        header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
        shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
        parameters = sum(prod(shape) for shape in shapes)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError):
        pass  # damaged: its state says so
    return {
        "name": path.name,
        "bytes": len(data),
        "parameters": parameters,
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def _show(entry: dict[str, Any]) -> None:
    click.echo(f"{entry['name']}: {entry['purpose']}")
    click.echo(f"  sees     windows of {entry['window']} frames, patches of {entry['patch']} px")
    sound = f"sound, {entry['hash']}" if entry["hash"] else f"{entry['state']}: {entry['trouble']}"
    click.echo(f"  weights  {entry['weights'] or 'none'}, {sound}, {entry['licence']}")
    for file in entry["files"]:
        held = f"{file['parameters'] / 1e6:.1f} M parameters, " if file["parameters"] else ""
        click.echo(f"           {file['name']}: {file['bytes'] / 2**20:.1f} MiB, {held}sha256 {file['sha256'][:12]}")
    click.echo(f"  source   {entry['source']}")
    cost = entry["cost"]
    if cost is None:
        click.echo("  cost     not measured on this machine: --measure does")
        return
    click.echo(
        f"  cost     {cost['seconds']} s a frame of {cost['edge']} x {cost['edge']}, {cost['peak_mib']:.0f} MiB, "
        f"one thread ({cost['device']}, {cost['machine']})"
    )
