"""The lines in Nuke's init.py that add our folder: written between two marks, and taken out again to the byte."""

from __future__ import annotations

from pathlib import Path

from ..errors import OutputError
from .tree import as_output_error, replace_file

_OPEN = b"# >>> filmrestore: these lines are kept by `filmrestore install nuke`"
_CLOSE = b"# <<< filmrestore"
_LINES = (_OPEN, b"import nuke", b'nuke.pluginAddPath("./filmrestore_nuke")', _CLOSE)
BACKUP = "init.py.before-filmrestore"


@as_output_error
def add_lines(folder: Path) -> None:
    """Adds the lines to the folder's init.py, or puts them right; the user's own keep every byte.

    A copy of what was there stays beside it.

    Raises:
        OutputError: it cannot be written, or has one mark without the other.
    """
    if has_lines(folder):
        return
    path = folder / "init.py"
    own = own_lines(folder)
    end = b"\r\n" if b"\r\n" in own else b"\n"
    # The line end before the first mark is ours too, so that a file without one at its end gets it back that way.
    wanted = own + (end if own else b"") + end.join(_LINES) + end
    if own and path.read_bytes() == own:
        replace_file(folder / BACKUP, own)
    replace_file(path, wanted)


@as_output_error
def remove_lines(folder: Path, *, is_ours: bool) -> None:
    """Takes the lines out, and deletes the copy.

    Args:
        folder: Of init.py.
        is_ours: There was no init.py before: it goes when nothing is left in it.
    """
    path = folder / "init.py"
    (folder / BACKUP).unlink(missing_ok=True)
    if not path.exists():
        return
    own = own_lines(folder)
    if own != path.read_bytes():
        replace_file(path, own)
    if is_ours and not own:
        path.unlink()


def has_lines(folder: Path) -> bool:
    """Whether init.py has our lines as they are now."""
    path = folder / "init.py"
    if not path.exists():
        return False
    lines = path.read_bytes().replace(b"\r\n", b"\n")
    return b"\n".join(_LINES) in lines


def own_lines(folder: Path) -> bytes:
    """The user's init.py as it is without our lines; empty where there is none.

    Raises:
        OutputError: it cannot be read, or has one mark without the other.
    """
    path = folder / "init.py"
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        text = b""
    except OSError as error:
        raise OutputError(
            f"{path} cannot be read: {error.strerror}; make it readable, for its own lines are to stay"
        ) from error
    start, close = text.find(_OPEN[:15]), text.find(_CLOSE)
    if start < 0 and close < 0:
        return text
    if start < 0 or close < start:
        raise OutputError(
            f"{path} has one of the marks {_OPEN[:15].decode()!r} and {_CLOSE.decode()!r} without the other: "
            "delete what is left of the lines, and install again"
        )
    before, after = text[:start], text[close + len(_CLOSE) :]
    for end in (b"\r\n", b"\n"):
        if after.startswith(end):
            after = after[len(end) :]
            break
    for end in (b"\r\n", b"\n"):
        if before.endswith(end):
            shorter = before[: -len(end)]
            # Not where it would join the user's line before with the one after.
            before = before if after and not shorter.endswith(b"\n") else shorter
            break
    return before + after
