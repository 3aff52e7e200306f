"""What "Check installation" says."""

from __future__ import annotations

import sys

import nuke
from filmrestore import __version__
from filmrestore.errors import FilmRestoreError

from . import HOME
from .colour import of_script
from .engine import command, connect, device
from .live import class_of


def host_lines() -> list[str]:
    """What the plug-in and the open script say, a line each. In Nuke's main thread."""
    lines = [
        f"plug-in: {HOME.as_posix()}, filmrestore {__version__}",
        f"Nuke: {nuke.NUKE_VERSION_STRING}, Python {sys.version.split()[0]}",
    ]
    try:
        colour = of_script()
        lines.append(f"colour: {colour.config}, working space {colour.working_space}")
    except FilmRestoreError as error:
        lines.append(f"colour: {error}")
    found = class_of("FilmRestore")
    lines.append(f"live mode: {found}" if found else "live mode: the OpenFX plug-in is not installed")
    return lines


def engine_lines() -> list[str]:
    """What the engine says, a line each; starts it. In any thread."""
    try:
        lines = [f"engine: {' '.join(command())}", f"device: {device()}"]
    except FilmRestoreError as error:
        return [f"engine: {error}"]
    try:
        client = connect()
        lines.append(f"answers: {client.welcome['software']}, methods {', '.join(client.welcome['methods'])}")
        lines.append(f"busy: {client.status()['running']} at work, {client.status()['waiting']} waiting")
    except FilmRestoreError as error:
        lines.append(f"does not answer: {error}")
    return lines
