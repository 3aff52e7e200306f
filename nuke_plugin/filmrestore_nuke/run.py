"""The three steps of a restoration: render what feeds the node, let the engine work, show what it wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from filmrestore.errors import FilmRestoreError, OutputError, SomeFramesFailed

from .engine import connect
from .frames import format_frames, on_disk, path_of, runs_of
from .places import check_alone, keep_place
from .rendering import render_input
from .tell import no_undo
from .work import Render, Work

Report = Callable[[str, int, int], None]


def render_inputs(group: Any, works: list[Work], is_stopped: Callable[[], bool]) -> None:
    """Writes what the engine cannot read by itself. In Nuke's main thread.

    Raises:
        UsageError: another node keeps its files in the same folder.
        Cancelled, FilmRestoreError: see `rendering.render_input`.
    """
    check_alone(group)
    for work in works:
        for render in work.renders:
            if render.input == "plate":
                _render_plate(group, work, render, is_stopped)
            else:
                _render(group, work, render, render.frames, is_stopped)


def perform(work: Work, progress: Report, is_cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Lets the engine do the work; in any thread. Frames that are done already are left as they are.

    Returns:
        What the run did.

    Raises:
        Cancelled: what is finished stays.
        SomeFramesFailed: the others are done.
        FilmRestoreError: as the engine says.
    """
    client = connect()
    call = {"restore": client.restore_span, "degrade": client.degrade, "grain": client.grain}[work.kind]
    report = call(work.job, work.settings, progress=progress, cancelled=is_cancelled)
    if work.without or work.without_mask:
        reject(work, progress, is_cancelled)
    if report.get("failed"):
        lines = [f"  frame {number}: {why}" for number, why in report["failed"].items()]
        raise SomeFramesFailed("\n".join([f"{len(lines)} frames failed", *lines]))
    return report


def reject(work: Work, progress: Report, is_cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Lays the fixes over the scan again without the rejected ones; nothing is rendered anew.

    Raises:
        FilmRestoreError: as the engine says.
    """
    job = {name: work.job[name] for name in ("source", "ledger", "output", "span")}
    job.update(without=work.without, without_mask=work.without_mask)
    return connect().apply(job, progress=progress, cancelled=is_cancelled)


def report_page(work: Work, progress: Report, is_cancelled: Callable[[], bool]) -> str:
    """Builds the page of all fixes.

    Returns:
        Its path.

    Raises:
        FilmRestoreError: as the engine says.
    """
    job = {"source": work.job["source"], "ledger": work.job["ledger"], "result": work.job["output"]}
    page = f"{work.folder}/report.html"
    return str(connect().report({**job, "output": page}, progress=progress, cancelled=is_cancelled)["page"])


def show(group: Any, works: list[Work]) -> list[int]:
    """Points the node's own Reads at what is on disk; frames that are not there stay the source. In the main thread.

    Returns:
        Nuke's frames that are done, in every view.
    """
    done = set.intersection(*({n - work.offset for n in on_disk(work.job["output"])} for work in works))
    work = works[0]
    with no_undo():
        keep_place(group)
        _point(group.node("result"), work.result, done, work.offset, work.show_as)
        if work.matte is not None:
            _point(group.node("matte"), work.matte, done, work.offset, {"raw": True})
        group.node("ready")["which"].setExpression(_ready(done))
        group["status"].setValue(f"{format_frames(done)} done" if done else "no frame yet")
    return sorted(done)


def _point(read: Any, pattern: str, frames: set[int], offset: int, show_as: dict[str, Any]) -> None:
    if not frames:
        return
    read["file"].setValue(pattern)
    for name, number in (("first", min(frames)), ("last", max(frames))):
        read[name].setValue(number + offset)
        read[f"orig{name}"].setValue(number + offset)
    # An expression, for it says itself which way the offset goes.
    read["frame_mode"].setValue("expression")
    read["frame"].setValue(f"frame+{offset}" if offset else "")
    for name, value in show_as.items():
        read[name].setValue(value)
    read["reload"].execute()


def _ready(done: set[int]) -> str:
    """An expression that is true where the result can be shown; in a render a frame that is not done is to fail."""
    runs = [f"(frame>={first}&&frame<={last})" for first, last in runs_of(done)]
    return "||".join([*runs, "(parent.not_done==0&&!$gui)"])


def _render(
    group: Any, work: Work, render: Render, frames: tuple[int, ...], is_stopped: Callable[[], bool]
) -> list[int]:
    return render_input(
        group,
        render.input,
        render.pattern,
        frames,
        offset=work.offset if render.input != "reference" else 0,
        view=work.view,
        is_mask=render.is_mask,
        is_stopped=is_stopped,
    )


def _render_plate(group: Any, work: Work, render: Render, is_stopped: Callable[[], bool]) -> None:
    """The plate, as much of it as has to be.

    The engine looks at the whole shot once, so that every chunk sees the same cuts and grain. Later only the frames
    asked for are rendered, unless they show that something upstream has changed: then all are.
    """
    found = _analysed(work)
    numbers = {frame + work.offset for frame in render.whole}
    folder = os.path.dirname(render.pattern)
    there = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    is_whole = all(os.path.basename(path_of(render.pattern, number)) in there for number in numbers)
    is_whole = is_whole and (found is None or numbers <= found)
    changed = _render(group, work, render, render.frames if is_whole else render.whole, is_stopped)
    if changed and is_whole:
        _render(group, work, render, render.whole, is_stopped)
    if changed or not is_whole:
        _forget_analysis(work)


def _analysis(work: Work) -> str:
    """The analysis that the engine makes beside the result; one that the artist names is theirs."""
    return f"{os.path.dirname(work.job['output'])}/plate.analysis.json"


def _analysed(work: Work) -> Any:
    """Numbers of the frames that the analysis is of; None where there is none to mind."""
    if "analysis" in work.job or not os.path.exists(_analysis(work)):
        return None
    try:
        with open(_analysis(work), encoding="utf-8") as file:
            found = json.load(file)
        return {*found["frames"], *found["unreadable"]}
    except (OSError, ValueError, KeyError) as error:
        raise FilmRestoreError(f"{_analysis(work)} cannot be read ({error}): delete it") from error


def _forget_analysis(work: Work) -> None:
    try:
        os.remove(_analysis(work))
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{_analysis(work)} is of other frames and cannot be removed: {error}") from error


def result_path(work: Work, frame: int) -> str:
    """The result of one of Nuke's frames."""
    return path_of(work.job["output"], frame + work.offset)
