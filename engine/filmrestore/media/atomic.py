"""Atomic writes: a file appears under its name whole, or not at all.

The temporary file lies in the target's folder, hidden, named `.NAME.HOST.SPACE.PID.TOKEN.tmp`: on storage shared by
many machines, HOST and SPACE (the process namespace) say whose process id it is.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from ..errors import OutputError

_ABANDONED_S = 86400.0  # a temporary file that nobody wrote to for a day belongs to nobody
_TEMPORARY = re.compile(r"\..*\.(?P<host>[\w-]+)\.(?P<space>\d+)\.(?P<pid>\d+)\.[0-9a-f]{8}\.tmp")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def atomic_write(path: str | Path, *, sync: bool = True) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` when the block ends well and vanishes when it does not.

    Args:
        path: The file to make or replace; its folder is made when it is not there.
        sync: Force the bytes to the disk before the rename, so that a power cut cannot leave an empty file under
            the final name. Costs a wait for the disk per file.

    Raises:
        OutputError: the folder or disk cannot be written.
    """
    target = Path(path)
    make_folder(target.parent)
    temporary = temporary_name(target)
    try:
        yield temporary
        if sync:
            sync_file(temporary)
        temporary.replace(target)
    except OSError as failure:
        raise output_error(target, failure) from failure
    finally:
        with suppress(OSError):  # after the rename it is gone; after a failure this is the best that can be done
            temporary.unlink()


def atomic_bytes(path: str | Path, data: bytes | bytearray | memoryview, *, sync: bool = True) -> None:
    """Write `data` as the whole content of `path`, atomically.

    Raises:
        OutputError: the folder or disk cannot be written.
    """
    with atomic_write(path, sync=sync) as temporary:
        temporary.write_bytes(data)


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents where they are missing.

    Raises:
        OutputError: it cannot be made, or a file of that name is in the way.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise output_error(folder, failure) from failure


def check_writable(path: Path) -> None:
    """Find out before the work whether `path` can be written after it; its folder is made when it is not there.

    Raises:
        OutputError: it cannot.
    """
    make_folder(path.parent)
    probe = temporary_name(path)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as failure:
        raise output_error(path, failure) from failure


def temporary_name(target: Path) -> Path:
    """A new hidden name beside `target`, short enough for every file system."""
    stem = target.name.encode()[:120].decode(errors="ignore")
    return target.with_name(f".{stem}.{_host()}.{_space()}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


def sweep(folder: str | Path) -> int:
    """Delete the temporary files that dead processes of this machine left in `folder`, and any that is a day old.

    Returns:
        How many were deleted.
    """
    swept = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name) if entry.name.endswith(".tmp") else None
            if match and _is_abandoned(entry, match):
                with suppress(OSError):  # another process may sweep the same folder
                    Path(entry.path).unlink()
                    swept += 1
    return swept


def output_error(path: Path, failure: OSError) -> OutputError:
    """`failure` in words: the file, the reason, the remedy."""
    reason = failure.strerror or str(failure)
    if failure.errno in _FULL:
        remedy = f"{free_space(path)}; make room and run again: finished files are kept"
    elif failure.errno in _DENIED:
        remedy = f"give this user the right to write in {path.parent}, or choose another folder"
    elif failure.errno in {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}:
        remedy = "something else has that name: move it away or choose another name"
    else:
        remedy = f"check the folder {path.parent} and its disk"
    return OutputError(f"{path}: cannot be written: {reason}; {remedy}")


def free_space(path: Path) -> str:
    """How much room is left on the disk of `path`, in words."""
    for folder in (path, *path.parents):
        with suppress(OSError):
            return f"{shutil.disk_usage(folder).free / 2**20:.1f} MiB are free there"
    return "the disk cannot be asked for its free space"


def sync_file(path: Path) -> None:
    """Force the bytes of `path` to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@cache
def _host() -> str:
    return re.sub(r"[^\w-]", "-", socket.gethostname())[:40] or "host"


@cache
def _space() -> int:
    """Number of the process namespace: two containers of one host name count their processes apart."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:  # not Linux
        return 0


def _is_abandoned(entry: os.DirEntry[str], match: re.Match[str]) -> bool:
    if match["host"] == _host() and int(match["space"]) == _space() and not _is_running(int(match["pid"])):
        return True
    with suppress(OSError):
        return time.time() - entry.stat().st_mtime > _ABANDONED_S
    return False


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
