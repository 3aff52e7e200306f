"""`filmrestore apply`: lays the fixes of a ledger over their scan again, all or some of them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from ..errors import SomeFramesFailed
from .options import GroupedCommand, failures, takes_on_error, takes_output, takes_progress, takes_source
from .progress import display


@click.command(
    cls=GroupedCommand,
    epilog="SELECT is an id (1001-3f9a), a list of such (@rejected.txt), frame:1001-1020, cause:scratch, "
    "cause:flicker, origin:generated, polarity:light, confidence<0.5, area>=4, change<=0.01, box:X0,Y0,X1,Y1, or several "
    "of them in quotes that must all hold.",
)
@takes_source
@takes_output
@takes_on_error
@click.option("--ledger", required=True, metavar="DIR", help="Where the fixes are recorded.")
@click.option("--without", multiple=True, metavar="SELECT", help="Leave these fixes out; may be given again.")
@click.option("--without-mask", metavar="PATTERN", help="Leave out fixes that touch white here.")
@takes_progress
def command(*, progress: str, as_json: bool, **job_values: Any) -> None:
    """Lay the fixes of a ledger over the scan IN, and write OUT.

    A fix that was edited out of the ledger, or is chosen by --without, is left out: the scan's pixels stay.
    """
    from ..fixes.replay import ApplyJob, apply
    from ..media import format_span

    with display(progress) as shown:
        done = apply(ApplyJob(**job_values), shown)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done)))
    else:
        click.echo(
            f"frames  {done.frames}: {done.written} written, {done.skipped} were done, {len(done.failed)} failed"
        )
        click.echo(f"fixes   {done.applied} laid over the scan, {done.left_out} left out")
    if done.other_scans:
        click.echo(f"filmrestore: in {len(done.other_scans)} frames the scan has changed outside the fixes", err=True)
    if done.unrecorded:
        raise SomeFramesFailed(
            f"the ledger {job_values['ledger']} lacks {len(done.unrecorded)} frames of the scan "
            f"({format_span(done.unrecorded)}), which were not written: it was cut short, or only some frames were "
            "restored; copy the ledger again, or say by -F which frames are meant"
        )
    if done.failed:
        raise SomeFramesFailed(failures(done.failed))
