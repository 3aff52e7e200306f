"""`filmrestore bench`: the measured tables."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ..bench import BENCHES, CLAIMS, BenchOptions
from ..errors import UsageError
from .options import GroupedCommand, takes_progress
from .progress import display

FOLDER = click.Path(path_type=Path)


@click.command(cls=GroupedCommand)
@click.argument("name", type=click.Choice(tuple(BENCHES)), metavar="|".join(BENCHES))
@click.option("-o", "--out", "out_dir", type=FOLDER, required=True, metavar="DIR", help="Tables and sheets; resumes.")
@click.option("--bench", "bench_dir", type=FOLDER, metavar="DIR", help="Clean clips: juggle, dog, dashcam .mp4.")
@click.option("--film", "film_dir", type=FOLDER, metavar="DIR", help="Real film, a folder of frames a shot.")
@click.option("--pieces", "pieces_dir", type=FOLDER, metavar="DIR", help="Damage pieces by kind.")
@click.option("--row", "rows", multiple=True, metavar="NAME", help="Row of the table; may be given again.  [all]")
@click.option(
    "--clip", "clips", multiple=True, metavar="NAME", help="Sequence, case or size; may be given again.  [all]"
)
@click.option("--frames", type=click.IntRange(0), default=0, help="Frames a sequence.  [the bench's own choice]")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--full", is_flag=True, help="The long form.")
@click.option("--vapoursynth", metavar="PYTHON", help="Python that has VapourSynth, MVTools and DeScratch.")
@click.option("--device", default="cpu", show_default=True)
@click.option(
    "--claims", "every_claim", is_flag=True, help="With the table of methods, each paper's claim against ours."
)
@click.option(
    "--claim",
    "claims",
    multiple=True,
    type=click.Choice(tuple(CLAIMS)),
    help="This paper's alone, without the table; may be given again.",
)
@takes_progress
def command(
    *,
    name: str,
    out_dir: Path,
    every_claim: bool,
    claims: tuple[str, ...],
    progress: str,
    as_json: bool,
    **values: Any,
) -> None:
    """Measure, and write the tables of one bench."""
    if name != "methods" and (every_claim or claims):
        raise UsageError(f"bench {name} has no claims: leave --claims and --claim to bench methods")
    if name not in ("restore", "methods") and values["rows"]:
        raise UsageError(f"bench {name} has no rows to choose from: leave --row to bench restore and methods")
    module, function = BENCHES[name].split(":")
    try:
        run = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        raise UsageError(f"bench needs {error.name}: pip install 'filmrestore[bench]'") from error
    with display(progress) as shown:
        wanted = tuple(CLAIMS) if every_claim else claims
        alone = bool(claims) and not every_claim
        figures = run(BenchOptions(out_dir=out_dir, claims=wanted, only_claims=alone, **values), shown)
    click.echo(json.dumps(figures) if as_json else str(out_dir / f"{name}.md"))
