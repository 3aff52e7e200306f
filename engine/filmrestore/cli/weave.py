"""`filmrestore weave`: writes how a reel weaves in the gate, for programs that stabilise it themselves."""

from __future__ import annotations

from pathlib import Path

import click

from .options import GroupedCommand
from .places import check_target


@click.command(cls=GroupedCommand)
@click.argument("analysis", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A Nuke Transform (.nk), a table (.csv) or .json.",
)
@click.option(
    "--amount", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="How much of the weave is undone."
)
def command(*, analysis: Path, target: Path, amount: float) -> None:
    """Write the weave that ANALYSIS, made by `filmrestore probe`, has measured.

    No frame is read or written: the pictures are stabilised where FILE is used, or by `restore --stabilise`.
    """
    from ..analysis import Analysis
    from ..media import atomic_bytes
    from ..wide.export import weave_text
    from ..wide.plan import weave_path

    check_target(target, "the weave")
    found = Analysis.load(analysis)
    path = weave_path(found, found.cuts)
    scaled = {number: (amount * x, amount * y, amount * turn) for number, (x, y, turn) in path.items()}
    atomic_bytes(target, weave_text(scaled, (found.width, found.height), target).encode())
    click.echo(str(target))
