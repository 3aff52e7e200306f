"""A chunk in the terminal: renders what feeds the node, lets the engine work, then renders the Write nodes."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import nuke
from filmrestore.errors import Cancelled, FilmRestoreError, InputError, UsageError

from .frames import frames_between, parse_frames, path_of
from .run import perform, render_inputs, result_path, show
from .work import Work, plan


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command says.

    Returns:
        0 done, 1 failed, 2 usage, 3 some frames failed, 4 input missing or corrupt, 5 device or memory, 130 stopped.
    """
    options = _options(arguments)
    with _stopping() as stop:
        try:
            _run(options, stop)
        except Cancelled as error:
            print(f"filmrestore: {error}", file=sys.stderr)
            return error.exit_code
        except FilmRestoreError as error:
            print(f"Error: {error}", file=sys.stderr)
            return error.exit_code
        except RuntimeError as error:  # Nuke's own way to say that a render failed
            print(f"Error: {error}", file=sys.stderr)
            return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="nuke -t render.py",
        description="Renders what feeds a FilmRestore node, restores it, and renders the Write nodes.",
        epilog="Write the frames as one word, --frames=1001-1100: Nuke takes a range of its own from the end.",
    )
    parser.add_argument("script", help="the Nuke script")
    parser.add_argument("--node", required=True, help="name of the FilmRestore, FilmDegrade or FilmGrain node")
    parser.add_argument("--frames", help="frames in Nuke's time, such as 1001-1100; the node's range")
    parser.add_argument("--write", action="append", default=[], help="Write node to render then; may be given again")
    parser.add_argument("--overwrite", choices=("never", "changed", "always"), default="changed")
    parser.add_argument("--on-error", choices=("stop", "skip", "copy"), default="stop", help="of FilmRestore")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, stop: threading.Event) -> None:
    try:
        nuke.scriptOpen(options.script)
    except RuntimeError as error:
        raise InputError(f"the script {options.script} cannot be opened: {error}") from error
    group = _node(options.node)
    if group.knob("filmrestore") is None:
        raise UsageError(f"{options.node} is no FilmRestore, FilmDegrade or FilmGrain node")
    writes = [_node(name) for name in options.write]
    first, last = int(group["first"].value()), int(group["last"].value())
    frames = parse_frames(options.frames) if options.frames else list(frames_between(first, last))
    works = plan(group, frames)
    for work in works:
        work.job["overwrite"] = options.overwrite
        if work.kind == "restore":
            work.job["on_error"] = options.on_error
    render_inputs(group, works, stop.is_set)
    for work in works:
        perform(work, _Lines(work), stop.is_set)
    show(group, works)
    for write in writes:
        _render(write, frames, stop)


def _node(name: str) -> Any:
    found = nuke.toNode(name)
    if found is None:
        raise UsageError(f"the script has no node {name}: give its name as in the node graph")
    return found


class _Lines:
    """Prints what farms read: a line for each frame that is done."""

    def __init__(self, work: Work) -> None:
        self._work, self._told, self._since = work, 0, time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._work.kind:
            print(f"{stage} {done} of {total}", flush=True)
            return
        now, new = time.monotonic(), done - self._told
        for frame in self._work.frames[self._told : done]:
            self._told += 1
            _tell(result_path(self._work, frame), (now - self._since) / new, frame, self._told, len(self._work.frames))
        self._since = now


def _render(write: Any, frames: list[int], stop: threading.Event) -> None:
    """A Write node, frame by frame, so that a farm can stop it between two."""
    views = str(write["views"].value()).split() or [str(nuke.views()[0])]
    for done, frame in enumerate(frames, 1):
        if stop.is_set():
            raise Cancelled("stopped; every finished frame is kept: run the same command again to go on")
        since = time.monotonic()
        nuke.execute(write, frame, frame, 1, views)
        _tell(path_of(str(nuke.filename(write) or ""), frame), time.monotonic() - since, frame, done, len(frames))


def _tell(path: str, seconds: float, frame: int, done: int, total: int) -> None:
    print(f"Writing {path} took {seconds:.2f} seconds", flush=True)
    print(f"Frame {frame} ({done} of {total})", flush=True)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set: a farm that stops a task gives it time to end well."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
