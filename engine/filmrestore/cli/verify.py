"""`filmrestore verify`: proves that a result is its scan plus the fixes on record, and nothing else."""

from __future__ import annotations

import click

from ..errors import LedgerError
from .options import GroupedCommand, takes_progress
from .places import ledger_beside
from .progress import display


@click.command(cls=GroupedCommand)
@click.argument("scan")
@click.argument("result")
@click.option("-F", "--frames", "span", metavar="SPAN", help="Frames to check.  [all of the ledger and the result]")
@click.option("--ledger", metavar="DIR", help="Where the fixes are recorded.  [beside RESULT]")
@click.option("--without", multiple=True, metavar="SELECT", help="Fixes that RESULT was made without, as in `apply`.")
@click.option("--merge", "gather", is_flag=True, help="Gather the ledger of finished chunks into one file first.")
@takes_progress
def command(
    *,
    scan: str,
    result: str,
    span: str | None,
    ledger: str | None,
    without: tuple[str, ...],
    gather: bool,
    progress: str,
    as_json: bool,
) -> None:
    """Check RESULT against SCAN and its ledger: every pixel outside the fixes identical, every fix accounted for."""
    from ..fixes.verify import VerifyJob, verify
    from ..nodes.job import finish_ledger

    ledger = ledger or str(ledger_beside(scan, result))
    job = VerifyJob(source=scan, result=result, ledger=ledger, span=span, without=without)
    if gather:
        finish_ledger(ledger)
    with display(progress) as shown:
        found = verify(job, shown)
    click.echo(found.to_json().decode() if as_json else found.text())
    if found.failures:
        raise LedgerError(f"{result} is not {scan} plus the fixes of {ledger}: see the differences above")
    if not found.ok:
        raise LedgerError(f"{result}: its container does not keep every code, so nothing can be proven")
