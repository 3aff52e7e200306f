"""What the entry files call: finds the host, asks for settings, does the work, and says what came of it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from filmrestore.client import ensure_server
from filmrestore.errors import Cancelled, FilmRestoreError, UsageError
from filmrestore.finding import recorded_engine

from .bootstrap import Host, describe, find_host
from .choices import wanted_of
from .comp import restore_tools
from .dialog import Window, WindowWatch
from .host import HostError
from .remembered import Values, last_used, remember, settings_file
from .timeline import restore_clips
from .work import Watch

Connect = Callable[[str], Any]
_WORK = {"timeline": restore_clips, "comp": restore_tools}
NO_WINDOW = "FILMRESTORE_NO_WINDOW"
"""Set to anything, scripts ask nothing and take the settings file."""


def run(page: str, given: Mapping[str, Any], connect: Connect | None = None) -> None:
    """Runs the script of a menu.

    Args:
        page: timeline or comp.
        given: The globals that the host gave the script.
        connect: Makes the client for a device; the user's server when None.
    """
    window: Window | None = None
    try:
        host = find_host(given)
        window = _window(host)
        text = _run(page, host, window, connect or _connect)
    except Cancelled as error:
        text = f"Stopped.\n{error}"
    except FilmRestoreError as error:
        text = f"FilmRestore could not do it: {error}"
    except Exception:
        text = "FilmRestore met an error that should not happen; please report it:\n" + traceback.format_exc()
    if text:
        print(text)
        if window is not None:
            window.message(text)


def _run(page: str, host: Host, window: Window | None, connect: Connect) -> str:
    values = _ask(page, window)
    if values is None:
        return ""
    wanted = wanted_of(page, values)
    remember(page, values)
    watch = WindowWatch(window) if window is not None else Watch()
    try:
        with connect(wanted.run.device) as engine:
            return _WORK[page](host, engine, wanted, watch).text()
    finally:
        if isinstance(watch, WindowWatch):
            watch.close()


def _ask(page: str, window: Window | None) -> Values | None:
    """The user's values: from the dialog, else the last-used ones; None when the user cancels."""
    values = last_used(page)
    if window is None:
        path = settings_file()
        if not path.exists():
            remember(page, values)
        print(f"No dialog here: the settings are those in {path}; edit that file to change them.")
        return values
    trouble = ""
    while True:
        answer = window.ask(page, values, trouble=trouble)
        if answer is None:
            return None
        try:
            wanted_of(page, answer)
        except UsageError as error:
            values, trouble = answer, str(error)
        else:
            return answer


def _window(host: Host) -> Window | None:
    if os.environ.get(NO_WINDOW):
        return None
    with suppress(HostError):
        return Window(host.fusion, host.bmd)
    print(f"{describe(host)} has no windows for scripts (UIManager is in Studio only since 19.1).")
    return None


def _connect(device: str) -> Any:
    return ensure_server(device or recorded_engine()[1], name="resolve")
