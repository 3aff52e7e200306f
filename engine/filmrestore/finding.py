"""Finds the user's engine, or starts it; docs/server.md says where it lies.

Standard library only, Python 3.9 and newer: hosts load this file inside their own Python.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

from .errors import EngineError

_SCRUBBED = ("PYTHON", "CONDA", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_", "VIRTUAL_ENV")
_LONGEST_SOCKET = 100  # bytes of a path; the system's limit is 104 to 108


def runtime_folder() -> Path:
    """The folder in which servers of this user are found; made, 0700, where it is not there.

    Raises:
        EngineError: it is a link, another user's, or open to others.
    """
    folder = _runtime_path()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise EngineError(f"the runtime folder {folder} cannot be made: {error}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise EngineError(f"the runtime folder {folder} is a link or file: remove it, or set FILMRESTORE_RUNTIME")
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077):
        raise EngineError(
            f"the runtime folder {folder} belongs to user {found.st_uid} and has the mode "
            f"{stat.S_IMODE(found.st_mode):04o}: expected {os.getuid()} and 0700; `chmod 700` it, or set "
            "FILMRESTORE_RUNTIME to another one"
        )
    return folder


def _runtime_path() -> Path:
    if os.environ.get("FILMRESTORE_RUNTIME"):
        return Path(os.environ["FILMRESTORE_RUNTIME"])
    if os.environ.get("XDG_RUNTIME_DIR"):
        return Path(os.environ["XDG_RUNTIME_DIR"]) / "filmrestore"
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", tempfile.gettempdir())) / "filmrestore" / "run"
    return Path(os.environ.get("TMPDIR") or "/tmp") / f"filmrestore-{os.getuid()}"


def server_path(device: str, ending: str) -> Path:
    """A file of the device's server: "json", "sock", "lock" or "log"."""
    return runtime_folder() / f"server-{re.sub(r'[^A-Za-z0-9._]', '-', device)}.{ending}"


def fits_socket(path: Path) -> bool:
    """Whether a Unix socket can have that path here."""
    return hasattr(socket, "AF_UNIX") and len(os.fsencode(path)) <= _LONGEST_SOCKET


def recorded_engine() -> Tuple[Optional[str], str]:
    """(interpreter, device) for hosts: $FILMRESTORE_PYTHON and $FILMRESTORE_DEVICE, else what install wrote down.

    The interpreter is None where nobody says; the device is cpu then.

    Raises:
        EngineError: the record cannot be read.
    """
    record = Path(__file__).resolve().parents[2] / "engine.json"  # an adapter has this file in vendor/filmrestore
    try:
        said = dict(json.loads(record.read_text(encoding="utf-8")))
    except FileNotFoundError:
        said = {}
    except (OSError, ValueError, TypeError) as error:
        raise EngineError(f"{record} cannot be read ({error}): run `filmrestore install` again") from error
    python = os.environ.get("FILMRESTORE_PYTHON") or said.get("python")
    return (str(python) if python else None), str(os.environ.get("FILMRESTORE_DEVICE") or said.get("device") or "cpu")


def interpreter() -> str:
    """The engine's Python: the one for hosts, else the running one.

    Raises:
        EngineError: the record cannot be read.
    """
    return recorded_engine()[0] or sys.executable


def facts(device: str) -> Optional[Dict[str, Any]]:
    """What the server's file says; None where there is none."""
    try:
        said = json.loads(server_path(device, "json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a half-written file cannot be: it is renamed into place
        return None
    return said if isinstance(said, dict) else None


def connect_to(device: str) -> Optional[socket.socket]:
    """A socket to the server that the runtime folder names; None where nobody answers."""
    said = facts(device)
    if said is None:
        return None
    try:
        if "socket" in said:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            address: Any = str(said["socket"])
        else:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host, _, port = str(said["address"]).rpartition(":")
            address = (host, int(port))
        try:
            sock.settimeout(10.0)
            sock.connect(address)
            sock.settimeout(None)
        except OSError:
            sock.close()
            return None
    except (KeyError, ValueError) as error:
        raise EngineError(f"{server_path(device, 'json')} cannot be read ({error}): delete it") from error
    return sock


def start(command: Sequence[str], device: str, start_s: float) -> socket.socket:
    """A socket to a server that is started now, once it answers.

    Raises:
        EngineError: it cannot be run, ended, or is silent for longer than `start_s`; with the last lines of its log.
    """
    log = server_path(device, "log")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SCRUBBED)}
    try:
        with log.open("wb") as output:
            log.chmod(0o600)
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
                cwd=str(runtime_folder()),
            )
    except OSError as error:
        raise EngineError(f"the engine {command[0]} cannot be run: {error}; run `filmrestore install` again") from error
    deadline = time.monotonic() + start_s
    threading.Thread(target=process.wait, name="engine", daemon=True).start()  # no zombie when it ends
    while time.monotonic() < deadline:
        sock = connect_to(device)
        if sock is not None:
            return sock
        code = process.poll()
        if code:
            raise EngineError(f"the engine ended with code {code} before it answered\n{last_lines(log)}")
        time.sleep(0.05)
    raise EngineError(f"the engine did not answer within {start_s:g} s; its log is {log}\n{last_lines(log)}")


def last_lines(log: Path) -> str:
    """The end of a server's log, for people."""
    try:
        text = log.read_bytes()[-8192:].decode("utf-8", "replace")
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(text.splitlines()[-12:])
