"""`filmrestore report`: one page to look at what was done, and to tick the fixes that should not stay."""

from __future__ import annotations

from pathlib import Path

import click

from .options import GroupedCommand, takes_progress


@click.command(cls=GroupedCommand)
@click.argument("scan")
@click.argument("result")
@click.option("--ledger", metavar="DIR", help="Where the fixes are recorded.  [beside RESULT]")
@click.option("-o", "--out", "page", type=click.Path(path_type=Path), metavar="HTML", help="[beside RESULT]")
@takes_progress
def command(*, scan: str, result: str, ledger: str | None, page: Path | None, progress: str, as_json: bool) -> None:
    """Build the page of SCAN and RESULT: before and after, every fix, the doubtful ones first.

    It opens from disk. The list that it saves is what `filmrestore apply --without @LIST` takes.
    """
