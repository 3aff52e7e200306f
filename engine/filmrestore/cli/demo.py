"""`filmrestore demo`: the whole way once, from a damaged shot to the page to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from ..errors import InputError, LedgerError
from ..settings import DEGRADE_PRESETS
from .options import GroupedCommand
from .places import cache_folder
from .progress import MODES, Display, display
from .report import write_page
from .stopping import stop_on_signals

IMAGES = (".dpx", ".exr", ".tif", ".tiff", ".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Scan:
    """A shot to restore: its name, its frames, and the ending that results get."""

    name: str
    source: str
    ending: str


@click.command(cls=GroupedCommand)
@click.option("--film", type=click.Path(path_type=Path), metavar="DIR", help="Folder of frames, or of such folders.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, metavar="DIR")
@click.option("-F", "--frames", "span", metavar="SPAN", help="Frames of each shot.  [all]")
@click.option("--preset", type=click.Choice(tuple(DEGRADE_PRESETS)), default="worn", show_default=True)
@click.option("--progress", type=click.Choice(MODES), default="auto", show_default=True, help="How the run is shown.")
def command(*, film: Path | None, out: Path, span: str | None, preset: str, progress: str) -> None:
    """Make a damaged sample shot, or take real film with --film; restore it, check it, and build its page."""
    with stop_on_signals() as stop, display(progress) as shown:
        scans = film_scans(film) if film is not None else [sample_scan(out, preset, shown)]
        pages = [one_shot(scan, out / scan.name, span, shown, stop.is_set) for scan in scans]
    for page in pages:
        click.echo(f"Open {page.resolve().as_uri()}")


def sample_scan(out: Path, preset: str, shown: Display) -> Scan:
    """The sample shot with the damage of a preset.

    Raises:
        FilmRestoreError: it cannot be made or written.
    """
    from ..nodes.degrade import DegradeJob, degrade
    from .sample import make_sample

    folder = out / "sample"
    clean = make_sample(folder / "clean", shown)
    damaged = str(folder / "scan" / "sample.####.dpx")
    degrade(DegradeJob(source=clean, output=damaged, settings=DEGRADE_PRESETS[preset]), shown)
    return Scan("sample", damaged, ".dpx")


def film_scans(film: Path) -> list[Scan]:
    """The folder's frames, or the frames of each folder in it.

    Raises:
        InputError: there are none.
    """
    folders = [film, *sorted(path for path in film.iterdir() if path.is_dir())] if film.is_dir() else []
    scans = []
    for folder in folders:
        endings = sorted({path.suffix.lower() for path in folder.iterdir()} & set(IMAGES))
        if endings:
            scans.append(Scan(folder.resolve().name, str(folder), endings[0]))
    if not scans:
        raise InputError(f"{film} holds no frames: expected a folder of {' '.join(IMAGES)}, or of such folders")
    return scans


def one_shot(scan: Scan, folder: Path, span: str | None, shown: Display, cancelled: Callable[[], bool]) -> Path:
    """Restore a shot, check the result, and build its page.

    Raises:
        LedgerError: the result is not the scan plus its fixes.
        FilmRestoreError: a frame cannot be read, restored or written.
    """
    from ..fixes.verify import VerifyJob, verify
    from ..nodes.job import RestoreJob
    from ..nodes.restore import restore

    result = str(folder / "restored" / f"####{scan.ending}")
    job = RestoreJob(
        source=scan.source,
        output=result,
        span=span,
        matte_out=str(folder / "matte" / "####.png"),
        ledger=str(folder / "ledger"),
        analysis=str(folder / "analysis.json"),
        cache=str(cache_folder()),
        lossy=scan.ending in (".jpg", ".jpeg"),
    )
    done = restore(job, progress=shown, cancelled=cancelled)
    checked = verify(VerifyJob(source=scan.source, result=result, ledger=done.ledger, span=span), shown)
    if checked.failures:
        raise LedgerError(checked.text())
    page = folder / "report.html"
    write_page(scan.source, result, Path(done.ledger), page, shown, span)
    return page
