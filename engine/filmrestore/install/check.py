"""Whether an installed adapter works: its files, its interpreter, a real handshake with the engine, its library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .. import __version__
from ..client import find_server
from ..errors import FilmRestoreError, InstallError, ProtocolError
from ..protocol import settings_digest
from . import startup
from .bundle import glibc_here, glibc_needed
from .hosts import HOSTS, Host, find, library, recorded_engine
from .sources import PACKAGE
from .tree import Record, compare

Told = Callable[[str, str], None]
_PROCESS_S = 300.0
_END_S = 10.0
_NODES = 3

_VERSION = "import filmrestore; print(filmrestore.__version__)"
_HANDSHAKE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from filmrestore.client import ensure_server
with ensure_server(sys.argv[3], python=sys.argv[2], name="filmrestore install") as engine:
    print(json.dumps({"software": engine.welcome["software"], "device": engine.welcome["device"]}))
    engine.stop_server()
"""
_COUNT = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).OfxGetNumberOfPlugins())"


def check(name: str, dest: Path | None, tell: Told) -> list[str]:
    """Looks at everything that a host needs.

    Args:
        name: Of `HOSTS`.
        dest: The host's folder; its places when None.
        tell: Called with a heading and what was found.

    Returns:
        What is wrong, each with what to do; empty when all is well.
    """
    host = HOSTS[name]
    try:
        root, record = find(name, dest)
        engine = recorded_engine(host, root)
    except InstallError as error:
        return [str(error)]
    tell("installed", f"{host.title}, in {root}")
    again = f"run `filmrestore install {name}{f' --dest {root}' if dest else ''}` again"
    wrong = _files(root, record, again, tell)
    if name == "nuke" and not startup.has_lines(root):
        wrong.append(f"{root / 'init.py'} does not add filmrestore_nuke: {again}")
    if name == "ofx":
        wrong += _library(library(root), again, tell)
    return wrong + _engine(host, root, engine, again, tell)


def _files(root: Path, record: Record, again: str, tell: Told) -> list[str]:
    found = compare(root, record)
    tell("files", f"{len(record.sums) - len(found.missing)} of filmrestore {record.version}")
    for path in found.changed:
        tell("changed", f"{path}, by somebody else than filmrestore")
    wrong = []
    if found.missing:
        wrong.append(f"{', '.join(found.missing)} are missing in {root}: {again}")
    if record.version != __version__:
        wrong.append(f"the adapter is of filmrestore {record.version}, this is {__version__}: {again}")
    return wrong


def _library(path: Path, again: str, tell: Told) -> list[str]:
    """Loads it in a process of its own, as a host would."""
    if not path.is_file():
        return [f"{path} is missing: {again}"]
    content = path.read_bytes()
    needed, here = glibc_needed(content), glibc_here()
    if needed and here and needed > here:
        asked, found = (".".join(map(str, version)) for version in (needed, here))
        return [f"{path} needs the C library {asked}, this system has {found}: build it here (`make ofx`), and {again}"]
    if settings_digest().encode() not in content:
        return [f"{path} is of other settings than this engine, which would refuse it: {again}"]
    code, out = _ask([sys.executable, "-I", "-c", _COUNT, str(path)])
    if code != 0 or out.strip() != str(_NODES):
        return [f"{path} cannot be loaded, or has not {_NODES} plug-ins: {out.strip()[-400:]}; {again}"]
    library_c = f", C library {needed[0]}.{needed[1]} or newer" if needed else ""
    tell("library", f"{len(content)} bytes, {_NODES} plug-ins{library_c}")
    return []


def _engine(host: Host, root: Path, engine: dict[str, str], again: str, tell: Told) -> list[str]:
    python, device = engine.get("python", ""), engine.get("device", "cpu")
    if not Path(python).is_file():
        return [f"the engine's interpreter {python or '(none)'} is not there: {again} where filmrestore is installed"]
    code, out = _ask([python, "-I", "-c", _VERSION])
    if code != 0:
        return [f"{python} cannot import filmrestore: {out.strip()[-400:]}; install it there, or {again}"]
    if out.strip() != __version__:
        return [f"{python} has filmrestore {out.strip()}, this is {__version__}: {again}"]
    tell("python", python)
    vendor = root / host.folder / "vendor"
    return _handshake(vendor if vendor.is_dir() else PACKAGE.parent, python, device, tell) + _running(device)


def _handshake(client: Path, python: str, device: str, tell: Told) -> list[str]:
    """Starts an engine of its own by the adapter's own client, apart from one that may run, and ends it."""
    with tempfile.TemporaryDirectory(prefix="fr-", ignore_cleanup_errors=True) as folder:
        start = time.monotonic()
        command = [sys.executable, "-I", "-B", "-c", _HANDSHAKE, str(client), python, device]
        code, out = _ask(command, FILMRESTORE_RUNTIME=folder)
        took = time.monotonic() - start
        while any(Path(folder).glob("server-*.json")) and time.monotonic() - start - took < _END_S:
            time.sleep(0.05)
    if code != 0:
        return [f"the engine does not start on {device}: {out.strip()[-1200:]}"]
    told = json.loads(out.splitlines()[-1])
    tell("engine", f"{told['software']} on {told['device']}, answered in {took:.1f} s")
    return []


def _running(device: str) -> list[str]:
    """An engine that runs already, of another version, would refuse hosts."""
    try:
        client = find_server(device, name="filmrestore install")
    except ProtocolError as error:
        return [
            f"an engine of another version runs for {device}: close its hosts and wait 15 minutes, or end it ({error})"
        ]
    except FilmRestoreError as error:
        return [str(error)]
    if client is not None:
        client.close()
    return []


def _ask(command: list[str], **environment: str) -> tuple[int, str]:
    """Exit code, and what was said: both streams, so that the reason of a failure is in it."""
    told = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_PROCESS_S,
        check=False,
        cwd=tempfile.gettempdir(),
        env={**os.environ, **environment},
    )
    return told.returncode, told.stdout
