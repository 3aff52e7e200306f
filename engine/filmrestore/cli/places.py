"""Where things lie when nobody says: ledgers beside results, the user's folders."""

from __future__ import annotations

from pathlib import Path


def ledger_beside(scan: str, result: str) -> Path:
    """The ledger that `restore` writes when it is told no other place.

    Raises:
        InputError: the scan is not there.
    """
    from ..media import open_shot
    from ..nodes.job import RestoreJob, ledger_path

    with open_shot(scan, missing="allow") as shot:
        return ledger_path(RestoreJob(source=scan, output=result), shot)


def folder_of(pattern: str) -> Path:
    """The folder that frames of a pattern are written to."""
    path = Path(pattern)
    return path if path.is_dir() else path.parent


def cache_folder() -> Path:
    """Where the user's tiles are kept."""
    from platformdirs import user_cache_path

    return user_cache_path("filmrestore", appauthor=False) / "tiles"


def costs_file() -> Path:
    """Where is kept what methods cost on this machine."""
    return cache_folder().with_name("costs.json")


def check_no_picture(path: Path | None, what: str) -> None:
    """Refuses to write a page or a file of figures where a picture or movie is meant.

    Raises:
        UsageError: the name is that of an image or movie, or of a folder.
    """
    from ..errors import UsageError
    from ..media.containers import is_media

    if path is not None and (is_media(path.name) or path.is_dir()):
        raise UsageError(f"{path}: {what} would be written over a picture or folder; give it a name of its own")


def check_target(path: Path | None, what: str) -> None:
    """Refuses, before the work, to write a page or a file of figures where it cannot be or a picture is meant.

    Raises:
        UsageError: the name is that of an image or movie, or of a folder.
        OutputError: nothing can be written there.
    """
    from ..media.atomic import check_writable

    check_no_picture(path, what)
    if path is not None:
        check_writable(path)
