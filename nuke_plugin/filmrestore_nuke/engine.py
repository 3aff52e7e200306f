"""The engine: which interpreter and device the installation recorded, and the one connection of this Nuke."""

from __future__ import annotations

import os
import shutil
import threading

from filmrestore.client import Client, ensure_server
from filmrestore.errors import EngineError
from filmrestore.finding import recorded_engine

from . import HOME

_lock = threading.Lock()
_clients: dict[str, Client] = {}


def device() -> str:
    """The device that works: see `finding.recorded_engine`."""
    return recorded_engine()[1]


def command() -> list[str]:
    """What starts the engine.

    Raises:
        EngineError: there is none.
    """
    python, _ = recorded_engine()
    if python is None:
        of_checkout = HOME.parent / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        python = str(of_checkout) if of_checkout.is_file() else None
    if python:
        return [python, "-m", "filmrestore.cli", "serve"]
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
