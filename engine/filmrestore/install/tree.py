"""Files in a host's folder, with a record of what we wrote: nothing else is ever overwritten or deleted."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path, PurePosixPath
from typing import Any, ParamSpec, TypeVar

from .. import __version__
from ..errors import InstallError, OutputError

_P = ParamSpec("_P")
_R = TypeVar("_R")
_STAGING = ".filmrestore-"
_MODE, _PROGRAM_MODE, _FOLDER_MODE = 0o644, 0o755, 0o755
"""Readable by all: an install by root is for every user, whatever root's umask is."""


@dataclass(frozen=True)
class Record:
    """What was written.

    Attributes:
        version: Of filmrestore.
        sums: SHA-256 of each file that we wrote, by its path with `/` below the root. Two while one replaces another.
        facts: What else has to be known to take it away again.
    """

    version: str
    sums: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Compared:
    """The files on disk against the record."""

    missing: tuple[str, ...]
    changed: tuple[str, ...]


def as_output_error(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Makes an OutputError of what the system says."""

    @wraps(function)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except OSError as error:
            raise OutputError(
                f"{_named(error, args[0])} cannot be written: {error.strerror or error}; {_remedy(error)}, or name "
                "another folder with --dest"
            ) from error

    return guarded


def _named(error: OSError, otherwise: object) -> Path:
    """What cannot be written, as users know it: not our temporary files, but the folder that they stand in."""
    path = Path(os.fsdecode(error.filename or str(otherwise)))
    staging = next((one for one in (path, *path.parents) if one.name.startswith(_STAGING)), None)
    return staging.parent if staging is not None else path


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "make room on the disk"
    if error.errno in (errno.EACCES, errno.EPERM) and os.name != "nt":
        return "run the command as a user who may write there"
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return "a file stands where a folder is to be: move it away"
    return "close the hosts that use it, see that the disk can be written"


def read_record(root: Path, name: str) -> Record | None:
    """The record, or None where nothing is installed.

    Raises:
        InstallError: it cannot be read, or names files outside of the root.
    """
    path = root / name
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        record = Record(told["version"], {key: tuple(sums) for key, sums in told["files"].items()}, told["facts"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InstallError(f"{path} cannot be read: {error.strerror}; be a user who may, or give --dest") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InstallError(f"{path} cannot be read ({error}): delete it and install again") from error
    for inner in map(PurePosixPath, record.sums):
        if inner.is_absolute() or ".." in inner.parts or "\\" in str(inner):
            raise InstallError(f"{path} names {inner}, which is not below {root}: delete it and install again")
    return record


@as_output_error
def write_tree(
    root: Path,
    name: str,
    files: Mapping[str, bytes],
    *,
    programs: frozenset[str] = frozenset(),
    merged: frozenset[str] = frozenset(),
    facts: Mapping[str, Any],
) -> list[Path]:
    """Writes all files, or none: they are complete on the disk before the first takes its place.

    Files that are there with the same bytes are not touched. Files of an earlier install that somebody has changed
    are set aside under another name; those that are gone from this version are removed.

    Args:
        root: The host's folder; made where it is missing.
        name: Path of the record below it.
        files: Contents by path below it, in the order in which they take their places.
        programs: Those that are loaded or run.
        merged: Those whose new content holds what somebody changed in the old.
        facts: For the record.

    Returns:
        What was set aside.

    Raises:
        OutputError: a file of somebody else's is in the way, or the folder cannot be written.
    """
    old = read_record(root, name) or Record(__version__, {})
    sums = {path: _sum(content) for path, content in files.items()}
    _check_free(root, old, sums)
    root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=root))
    try:
        todo = [path for path in files if _sum_on_disk(root / path) != sums[path]]
        for path in todo:
            _write(staging / path, files[path], _PROGRAM_MODE if path in programs else _MODE)
        both = {path: tuple(dict.fromkeys((*old.sums.get(path, ()), one))) for path, one in sums.items()}
        _write_record(root / name, Record(old.version, {**old.sums, **both}, {**old.facts, **facts}), staging)
        lost = [path for path in todo if path not in merged and _is_changed(root / path, old.sums.get(path, ()))]
        aside = [_set_aside(root / path) for path in lost]
        for path in todo:
            _make_folder((root / path).parent)
            (staging / path).replace(root / path)
        stale = {path: known for path, known in old.sums.items() if path not in sums}
        kept = _remove_files(root, stale)
        final = Record(__version__, {path: (one,) for path, one in sums.items()}, {**old.facts, **facts})
        _write_record(root / name, final, staging)
        return aside + kept
    finally:
        shutil.rmtree(staging)


@as_output_error
def remove_tree(root: Path, name: str, record: Record) -> list[Path]:
    """Deletes the files that we wrote and nobody changed, and the folders that are empty then.

    Returns:
        What was changed since, and stays.
    """
    kept = _remove_files(root, record.sums)
    (root / name).unlink()
    own = root / PurePosixPath(name).parts[0]
    folders = {folder for folder in own.rglob("*") if folder.is_dir() and not folder.is_symlink()} | {own}
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    return kept


def compare(root: Path, record: Record) -> Compared:
    """The files on disk against the record."""
    found = {path: _sum_on_disk(root / path) for path in record.sums}
    return Compared(
        missing=tuple(path for path, one in found.items() if one is None),
        changed=tuple(path for path, one in found.items() if one is not None and one not in record.sums[path]),
    )


@as_output_error
def replace_file(path: Path, content: bytes) -> None:
    """Writes a file under a temporary name, then renames it; what a link points to, where it is one."""
    target = path.resolve()
    mode = target.stat().st_mode & 0o7777 if target.exists() else _MODE
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=target.parent))
    try:
        _write(staging / target.name, content, mode)
        (staging / target.name).replace(target)
    finally:
        shutil.rmtree(staging)


def _check_free(root: Path, old: Record, sums: Mapping[str, str]) -> None:
    for path in sums:
        for folder in [root / part for part in PurePosixPath(path).parents if str(part) != "."]:
            if folder.is_symlink():
                raise OutputError(f"{folder} is a link to {folder.readlink()}: remove it, or give another --dest")
    new = {path: one for path, one in sums.items() if path not in old.sums}
    foreign = [path for path, one in new.items() if _sum_on_disk(root / path) not in (None, one)]
    if foreign:
        raise OutputError(
            f"{', '.join(foreign)} in {root} were not written by filmrestore: move them away, or give another --dest"
        )


def _remove_files(root: Path, sums: Mapping[str, tuple[str, ...]]) -> list[Path]:
    kept = []
    for path, known in sums.items():
        file = root / path
        if _is_changed(file, known):
            kept.append(file)
            continue
        file.unlink(missing_ok=True)
        for compiled in file.parent.glob(f"__pycache__/{file.stem}.*.pyc"):  # made by the host from our file
            compiled.unlink()
    return kept


def _is_changed(file: Path, known: tuple[str, ...]) -> bool:
    found = _sum_on_disk(file)
    return found is not None and found not in known


def _set_aside(file: Path) -> Path:
    aside = file.with_name(f"{file.name}.changed")
    number = 1
    while aside.exists():
        number += 1
        aside = file.with_name(f"{file.name}.changed{number}")
    file.replace(aside)
    return aside


def _write_record(path: Path, record: Record, staging: Path) -> None:
    files = {name: list(sums) for name, sums in record.sums.items()}
    told = {"version": record.version, "facts": dict(record.facts), "files": files}
    text = json.dumps(told, indent=1, sort_keys=True) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    _write(staging / "record", text.encode(), _MODE)
    _make_folder(path.parent)
    (staging / "record").replace(path)


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(_FOLDER_MODE)


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sum_on_disk(path: Path) -> str | None:
    """None where there is no such file."""
    if not os.path.lexists(path):
        return None
    return _sum(path.read_bytes()) if path.is_file() else "no file"
