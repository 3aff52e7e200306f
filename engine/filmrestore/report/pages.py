"""The page of a scan and its result, from their paths."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from ..errors import Cancelled
from ..fixes import Ledger
from ..fixes.result import open_result
from ..media import open_shot
from .build import Progress, build_report


@dataclass(frozen=True, kw_only=True)
class ReportJob:
    """Which page to build.

    Attributes:
        source: Pattern, folder or movie of the scan.
        output: The HTML file.
        ledger: Folder of the ledger.
        result: What restore or apply wrote; None: the ledger's pixels over the scan.
        span: Frames; all when None.
    """

    source: str
    output: str
    ledger: str
    result: str | None = None
    span: str | None = None


@dataclass(frozen=True, kw_only=True)
class PageReport:
    """What was built.

    Attributes:
        page: The HTML file.
    """

    page: str


def write_report(
    job: ReportJob, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
) -> PageReport:
    """Builds the page.

    Args:
        job: The job.
        progress: Called with ("report", steps done, steps in all).
        cancelled: Asked at every step.

    Raises:
        Cancelled: `cancelled` said so; no page was written.
        FilmRestoreError: the scan, the result or the ledger cannot be read, or the page not written.
    """

    def step(stage: str, done: int, total: int) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("stopped while the report was built; no page was written")
        if progress is not None:
            progress(stage, done, total)

    with ExitStack() as opened:
        before = opened.enter_context(open_shot(job.source, job.span, missing="allow"))
        after = None
        if job.result is not None:
            after = opened.enter_context(open_result(job.result, Ledger.open(job.ledger), before.frames))
        return PageReport(page=str(build_report(job.ledger, before, after, job.output, progress=step)))
