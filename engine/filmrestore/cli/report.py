"""`filmrestore report`: one page to look at what was done, and to tick the fixes that should not stay."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UsageError
from .options import GroupedCommand
from .places import check_target, folder_of, ledger_beside
from .progress import MODES, Display, display


@click.command(cls=GroupedCommand)
@click.argument("scan")
@click.argument("result", required=False)
@click.option("--ledger", metavar="DIR", help="Where the fixes are recorded.  [beside RESULT]")
@click.option("-o", "--out", "page", type=click.Path(path_type=Path), metavar="HTML", help="[report.html by RESULT]")
@click.option("--progress", type=click.Choice(MODES), default="auto", show_default=True, help="How the run is shown.")
def command(*, scan: str, result: str | None, ledger: str | None, page: Path | None, progress: str) -> None:
    """Build the page of SCAN and RESULT: before and after, every fix, the doubtful ones first.

    Without RESULT, the ledger's pixels over the scan are shown. The page opens from disk; the list that it saves is
    what `filmrestore apply --without @LIST` takes.
    """
    if result is None and ledger is None:
        raise UsageError("there is no way to the fixes: give RESULT or --ledger")
    place = Path(ledger) if ledger is not None else ledger_beside(scan, str(result))
    page = page or (folder_of(result) if result is not None else place.parent) / "report.html"
    check_target(page, "the report")
    with display(progress) as shown:
        write_page(scan, result, place, page, shown)
    click.echo(str(page))


def write_page(
    scan: str, result: str | None, ledger: Path, page: Path, shown: Display, span: str | None = None
) -> None:
    """Build the page of a shot.

    Raises:
        FilmRestoreError: the scan, the result or the ledger cannot be read.
    """
    from ..report.pages import ReportJob, write_report

    job = ReportJob(source=scan, output=str(page), ledger=str(ledger), result=result, span=span)
    write_report(job, shown)
