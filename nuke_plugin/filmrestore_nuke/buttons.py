"""What the buttons do. Work runs in a thread of its own where there is a user interface, and can be cancelled."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nuke
from filmrestore.errors import Cancelled, FilmRestoreError
from filmrestore.settings import preset

from . import live as live_mode
from .check import engine_lines, host_lines
from .frames import frames_between, on_disk
from .run import perform, reject, render_inputs, report_page, show
from .tell import Progress, in_main_thread, message, one_undo
from .work import Work, plan

_running: dict[str, threading.Event] = {}

Step = Callable[[Work, Progress], Any]


def restore_range(group: Any) -> None:
    """Restores the node's range."""
    try:
        frames = frames_between(int(group["first"].value()), int(group["last"].value()))
    except FilmRestoreError as error:
        message(f"{group.name()}: {error}")
        return
    _start(group, list(frames), _perform)


def restore_frame(group: Any) -> None:
    """Restores the frame that is looked at."""
    _start(group, [int(nuke.frame())], _perform)


def reject_fixes(group: Any) -> None:
    """Takes the rejected fixes back out of every frame that is done; an empty list brings all of them in again."""
    done = _done(group)
    if done:
        _start(group, done, lambda work, task: reject(work, task, task.is_cancelled), inputs=("protect",))


def open_report(group: Any) -> None:
    """Builds the page of all fixes and opens it in the browser."""
    done = _done(group)
    if done:
        _start(group, done, _report, inputs=())


def cancel(group: Any) -> None:
    """Stops the node's work."""
    stop = _running.get(group.fullName())
    if stop is not None:
        stop.set()


def look_again(group: Any) -> None:
    """Shows what is on disk, such as frames that a farm has written."""
    if not _done(group):
        message(f"{group.name()}: there is no finished frame in its folder")


def use_preset(group: Any) -> None:
    """Sets every setting to the preset's."""
    with one_undo("preset"):
        for name, value in preset(str(group["preset"].value())).to_dict().items():
            group[name].setValue(value)


def live(group: Any) -> None:
    """Turns the live repair on or off."""
    try:
        live_mode.toggle(group)
    except FilmRestoreError as error:
        message(str(error))


def check(group: Any) -> None:
    """Says what is installed and whether the engine answers."""
    del group
    of_host = host_lines()  # asked here, in Nuke's own thread; the engine may take its time
    _in_thread(lambda: message("\n".join([*of_host, *engine_lines()])))


def _done(group: Any) -> list[int]:
    """Nuke's frames that are done, shown; a message where the node is not ready."""
    try:
        works = plan(group, [int(group["first"].value())])
        found = sorted({n - work.offset for work in works for n in on_disk(work.job["output"])})
        return show(group, plan(group, found)) if found else []
    except FilmRestoreError as error:
        message(f"{group.name()}: {error}")
        return []


def _perform(work: Work, task: Progress) -> None:
    perform(work, task, task.is_cancelled)


def _report(work: Work, task: Progress) -> None:
    page = report_page(work, task, task.is_cancelled)
    if nuke.GUI:
        webbrowser.open(Path(page).as_uri())
    else:
        print(page)


def _start(group: Any, frames: list[int], step: Step, *, inputs: tuple[str, ...] | None = None) -> None:
    """Renders the inputs here, then does the step in a thread, then shows the result.

    Args:
        group: The node.
        frames: In Nuke's time.
        step: What the engine is to do for each view.
        inputs: Those that are rendered first; all when None.
    """
    name = group.fullName()
    if name in _running:
        message(f"{group.name()} is at work already: wait, or press Cancel")
        return
    stop = _running[name] = threading.Event()
    try:
        works = plan(group, frames)
        wanted = [_only(work, inputs) for work in works]
        render_inputs(group, wanted, stop.is_set)
    except BaseException as error:
        del _running[name]
        if not isinstance(error, FilmRestoreError):
            raise
        if not isinstance(error, Cancelled):
            message(f"{group.name()}: {error}")
        return
    _in_thread(lambda: _work(name, works, step, stop))


def _only(work: Work, inputs: tuple[str, ...] | None) -> Work:
    """The work with those inputs alone to be rendered."""
    if inputs is None:
        return work
    return replace(work, renders=tuple(render for render in work.renders if render.input in inputs))


def _work(name: str, works: list[Work], step: Step, stop: threading.Event) -> None:
    task = Progress(works[0].title, stop)
    failure: Exception | None = None
    try:
        for work in works:
            step(work, task)
    except Exception as error:  # a thread of ours must not end in silence
        failure = error
    finally:
        task.close()
        in_main_thread(_finish, name, works, failure)


def _finish(name: str, works: list[Work], failure: Exception | None) -> None:
    """In Nuke's main thread: shows what is there, and says what went wrong."""
    _running.pop(name, None)
    group = nuke.toNode(name)
    if group is not None:  # else it was deleted meanwhile
        show(group, works)
    if failure is not None and not isinstance(failure, Cancelled):
        known = isinstance(failure, FilmRestoreError)
        message(f"{works[0].title}: {failure}" if known else f"{works[0].title}: {type(failure).__name__}: {failure}")


def _in_thread(call: Callable[[], None]) -> None:
    if nuke.GUI:
        threading.Thread(target=call, name="filmrestore node", daemon=True).start()
    else:
        call()
