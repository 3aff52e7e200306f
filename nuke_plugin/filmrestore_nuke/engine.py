"""The engine: which interpreter and device the installation recorded, and the one connection of this Nuke."""

from __future__ import annotations

import json
import os
import shutil
import threading
from typing import Any

from filmrestore.client import Client, ensure_server
from filmrestore.errors import EngineError

from . import HOME

_lock = threading.Lock()
_clients: dict[str, Client] = {}


def record() -> dict[str, Any]:
    """What the installation wrote into engine.json; empty where there is none.

    Raises:
        EngineError: it cannot be read.
    """
    file = HOME / "engine.json"
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise EngineError(f"{file} cannot be read ({error}): run `filmrestore install nuke` again") from error


def device() -> str:
    """The device that works: FILMRESTORE_DEVICE, else the recorded one, else cpu."""
    return str(os.environ.get("FILMRESTORE_DEVICE") or record().get("device") or "cpu")


def command() -> list[str]:
    """What starts the engine.

    Raises:
        EngineError: there is none.
    """
    python = os.environ.get("FILMRESTORE_PYTHON") or record().get("python")
    if not python:
        of_checkout = HOME.parent / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        python = str(of_checkout) if of_checkout.is_file() else None
    if python:
        return [str(python), "-m", "filmrestore.cli", "serve"]
    found = shutil.which("filmrestore")
    if found is None:
        raise EngineError(
            f"no engine is recorded in {HOME / 'engine.json'}: run `filmrestore install nuke` where the engine is "
            "installed, or set FILMRESTORE_PYTHON to its interpreter"
        )
    return [found, "serve"]


def connect() -> Client:
    """The client of this process; starts the engine where it does not run. Takes seconds: never in Nuke's main thread.

    Raises:
        EngineError: it did not start; with the last lines of its log.
    """
    name = device()
    with _lock:
        if name not in _clients:
            _clients[name] = ensure_server(name, command=command(), name="nuke")
        return _clients[name]
