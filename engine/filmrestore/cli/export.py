"""`filmrestore export`: a method's networks as files that other programs run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .options import GroupedCommand


@click.command(cls=GroupedCommand)
@click.option("--method", required=True, metavar="NAME", help="frdm, restormer, divd or two_stage.")
@click.option(
    "--to",
    type=click.Choice(("onnx", "torchscript")),
    required=True,
    help="ONNX, or TorchScript in the layout of Nuke's Inference node (experimental).",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder to write into."
)
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE", help="Safetensors file.  [the shipped one]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(*, method: str, to: str, out: Path, weights: Path | None, as_json: bool) -> None:
    """Write a method's networks as ONNX or TorchScript."""
    from ..restorers.exports import export

    written = [str(path) for path in export(method, to, out, weights)]
    if as_json:
        click.echo(json.dumps(written))
        return
    for path in written:
        click.echo(path)
