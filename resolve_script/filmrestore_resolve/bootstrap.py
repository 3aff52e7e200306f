"""How the scripts get hold of Resolve and Fusion, and what this edition allows."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .host import HostError, call

NO_ANSWER = """DaVinci Resolve does not answer. One of three reasons:
1. it is not running: start it, open the project, and run the script from Workspace > Scripts;
2. it does not allow scripts: Preferences > System > General > External scripting using must be "Local"; the free
   edition runs no Python scripts since 21.1 and takes none from outside: use DaVinci Resolve Studio;
3. it does not like this Python ({version}): 3.10 to 3.12 are the safest."""


@dataclass(frozen=True)
class Host:
    """What the host gave us.

    Attributes:
        resolve: The Resolve object; None inside Fusion Studio.
        fusion: The Fusion object, or None.
        bmd: The module with UIDispatcher, or None.
        comp: The composition that a Comp script was started in, or None.
    """

    resolve: Any = None
    fusion: Any = None
    bmd: Any = None
    comp: Any = None


def find_host(given: Mapping[str, Any]) -> Host:
    """The host, from the globals that it gave the script; else from outside, by its scripting module.

    Raises:
        HostError: no host answers, with the reasons that there may be.
    """
    fusion = _first(given, "fusion", "fu", "app")
    resolve = _first(given, "resolve")
    bmd = _first(given, "bmd")
    comp = _first(given, "comp", "composition")
    if resolve is None and bmd is not None:
        resolve = _asked(bmd, "Resolve")
    if resolve is None and fusion is None:
        bmd = _scripting_module()
        resolve = _asked(bmd, "Resolve") if bmd is not None else None
        fusion = _asked(bmd, "Fusion") if bmd is not None and resolve is None else None
    if resolve is None and fusion is None:
        raise HostError(NO_ANSWER.format(version=sys.version.split()[0]))
    if fusion is None:
        fusion = call(resolve, "Fusion")
    return Host(resolve, fusion, bmd, comp)


def describe(host: Host) -> str:
    """The host's name and version, for messages and the server's log."""
    if host.resolve is None:
        return "Fusion"
    return f"{call(host.resolve, 'GetProductName')} {call(host.resolve, 'GetVersionString')}"


def _first(given: Mapping[str, Any], *names: str) -> Any:
    return next((given[name] for name in names if given.get(name) is not None), None)


def _asked(bmd: Any, name: str) -> Any:
    """An application by the scripting module; None where it does not answer."""
    scriptapp = getattr(bmd, "scriptapp", None)
    return scriptapp(name) if callable(scriptapp) else None


def _scripting_module() -> Any | None:
    """DaVinciResolveScript; None where it is not to be found."""
    folder = os.environ.get("RESOLVE_SCRIPT_API") or _standard_api()
    os.environ.setdefault("RESOLVE_SCRIPT_LIB", _standard_library())
    for place in (None, Path(folder) / "Modules"):
        if place is not None and str(place) not in sys.path:
            sys.path.append(str(place))
        try:
            return importlib.import_module("DaVinciResolveScript")
        except (ImportError, SystemError):  # SystemError: its library was built for another Python
            continue
    return None


def _standard_api() -> str:
    if sys.platform == "darwin":
        return "/Library/Application Support/Blackmagic Design/DaVinci Resolve/Developer/Scripting"
    if sys.platform.startswith("win"):
        data = os.environ.get("PROGRAMDATA", r"C:\ProgramData")
        return str(Path(data) / "Blackmagic Design" / "DaVinci Resolve" / "Support" / "Developer" / "Scripting")
    return "/opt/resolve/Developer/Scripting"


def _standard_library() -> str:
    if sys.platform == "darwin":
        return "/Applications/DaVinci Resolve/DaVinci Resolve.app/Contents/Libraries/Fusion/fusionscript.so"
    if sys.platform.startswith("win"):
        return r"C:\Program Files\Blackmagic Design\DaVinci Resolve\fusionscript.dll"
    return "/opt/resolve/libs/Fusion/fusionscript.so"
