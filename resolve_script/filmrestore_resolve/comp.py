"""Tools of a Fusion composition restored: a Loader's files, or what a Saver writes, to the engine; back as a Loader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filmrestore.errors import OutputError, UsageError

from .added import Added, all_or_nothing
from .bootstrap import Host
from .choices import CompChoices, Wanted
from .clips import file_of
from .host import HostError, attempt, call, listed, need, number_of
from .jobs import FOLDER, Job, make_job
from .outcome import Outcome
from .renders import whole_render
from .work import Watch, run_job

_FRAME = re.compile(r"(\d+)(\.\w+)$")
_KEPT = ("ClipTimeStart", "ClipTimeEnd", "HoldFirstFrame", "HoldLastFrame")
"""Inputs of a Loader that Fusion changes when the Loader is moved in time."""


@dataclass(frozen=True)
class Picture:
    """The files of a tool.

    Attributes:
        pattern: #### pattern or movie.
        first, last: Numbers of the frames.
        time: Where the first lies in the composition.
    """

    pattern: str
    first: int
    last: int
    time: int


def restore_tools(host: Host, engine: Any, wanted: Wanted, watch: Watch) -> Outcome:
    """Restores the selected tools, or the active one, over the composition's render range.

    Args:
        host: From `find_host`.
        engine: The client.
        wanted: What the user asked for.
        watch: Shows progress; its Cancel ends the run with finished tools kept.

    Raises:
        HostError: there is no composition or tool.
        Cancelled: the user had enough.
    """
    comp = host.comp if host.comp is not None else call(host.fusion, "GetCurrentComp")
    if comp is None:
        raise HostError("no composition is open: open the Fusion page on a clip, select a tool, and run the script")
    tools = listed(call(comp, "GetToolList", True)) or [tool for tool in [comp.ActiveTool] if tool is not None]
    if not tools:
        raise HostError("no tool is selected: select the tool whose picture is to be restored")
    outcome = Outcome()
    for tool in tools:
        _in_undo(comp, tool, engine, wanted, watch, outcome)
    return outcome


def _in_undo(comp: Any, tool: Any, engine: Any, wanted: Wanted, watch: Watch, outcome: Outcome) -> None:
    """One tool, as one step of the composition's undo; taken back when it fails."""
    name = str(_attributes(tool)["TOOLS_Name"])
    run = wanted.run
    assert isinstance(run, CompChoices)
    call(comp, "StartUndo", "FilmRestore")
    try:
        with all_or_nothing(name, outcome) as added:
            picture = _picture(comp, tool, name, run, watch)
            job = make_job(name, picture.pattern, (picture.first, picture.last), wanted, "automatic")
            run_job(engine, job, name, watch)
            loader = _load(comp, tool, name, job, picture, added)
            if run.connect:
                _connect(tool, loader, added)
            outcome.done.append(f"{name}: {_attributes(loader)['TOOLS_Name']}; {job.folder}")
    finally:
        attempt(comp, "EndUndo", True)


def _picture(comp: Any, tool: Any, name: str, run: CompChoices, watch: Watch) -> Picture:
    facts = need(comp, "GetAttrs", todo="open the composition again, and run the script again")
    if not {"COMPN_RenderStart", "COMPN_RenderEnd"} <= set(facts):
        raise HostError("the composition has no render range: set one in the time ruler")
    begin, end = int(facts["COMPN_RenderStart"]), int(facts["COMPN_RenderEnd"])
    plain = _loaded(comp, tool, begin, end) if run.picture == "automatic" else None
    if plain is not None:
        return plain
    watch.say(f"{name} is rendered through a Saver, frames {begin} to {end}")
    return _saved(comp, tool, name, run, begin, end)


def _loaded(comp: Any, tool: Any, begin: int, end: int) -> Picture | None:
    """The files of a Loader that shows one clip as it is, within the render range; None of any other tool."""
    facts = _attributes(tool)
    if facts.get("TOOLS_RegID") != "Loader" or len(facts.get("TOOLST_Clip_Name") or {}) != 1:
        return None

    def fact(key: str, default: Any) -> Any:
        return (facts.get(key) or {}).get(1, default)

    length, start = int(fact("TOOLIT_Clip_Length", 0)), int(fact("TOOLNT_Clip_Start", 0))
    changed = [fact(f"TOOLBT_Clip_{key}", False) for key in ("Reverse", "Loop")]
    changed += [fact(f"TOOLIT_Clip_{key}", 0) for key in ("TrimIn", "ExtendFirst", "ExtendLast")]
    if any(changed) or fact("TOOLIT_Clip_TrimOut", length - 1) != length - 1 or length < 1:
        return None
    path = Path(str(call(comp, "MapPath", fact("TOOLST_Clip_Name", ""))))
    if not path.exists():
        raise HostError(f"{path} is not there: connect its disk, or correct the Loader")
    found = _FRAME.search(path.name) if length > 1 else None
    number = int(found[1]) if found is not None else 1
    pattern = path.name[: found.start()] + "#" * len(found[1]) + found[2] if found is not None else path.name
    begin, end = max(begin, start), min(end, start + length - 1)
    if begin > end:
        raise HostError(f"the render range has no frame of {path.name}: it lies at {start} to {start + length - 1}")
    return Picture(str(path.with_name(pattern)), number + begin - start, number + end - start, begin)


def _saved(comp: Any, tool: Any, name: str, run: CompChoices, begin: int, end: int) -> Picture:
    """What the tool shows, written by a Saver that is gone afterwards."""
    output = call(tool, "FindMainOutput", 1)
    if output is None:
        raise HostError(f"{name} has no picture: select a tool with an output")
    folder = _new_folder(comp, name, run)
    saver = _add(comp, tool, "Saver")
    try:
        into = need(saver, "FindMainInput", 1, todo="add a Saver by hand, and select the Loader of its files")
        call(into, "ConnectTo", output)
        call(saver, "SetInput", "Clip", str(folder / "render.0000.exr"))
        call(saver, "SetInput", "OutputFormat", "OpenEXRFormat")
        call(saver, "SetInput", "OpenEXRFormat.Depth", 2)  # float; where it is not known, Fusion writes half
        asked = {"Start": begin, "End": end, "Tool": saver, "Wait": True}
        if not call(comp, "Render", asked):
            raise HostError(f"{name}: Fusion did not render frames {begin} to {end}: see its console")
    finally:
        call(saver, "Delete")
    found = whole_render(folder, end - begin + 1)
    if found is None:
        raise HostError(
            f"{name}: the render is not whole: expected {end - begin + 1} EXR files in {folder}; see Fusion's console"
        )
    return Picture(found.pattern, found.first, found.last, begin)


def _load(comp: Any, tool: Any, name: str, job: Job, picture: Picture, added: Added) -> Any:
    """A Loader of the result, beside the tool and at its time."""
    loader = _add(comp, tool, "Loader")
    added.note("the Loader of the result", lambda: call(loader, "Delete"))
    call(loader, "SetAttrs", {"TOOLS_Name": f"FilmRestore_{name}"})
    first = job.output if job.is_movie else str(file_of(job.output, job.first))
    call(loader, "SetInput", "Clip", first, comp.TIME_UNDEFINED)
    _move(comp, loader, picture.time)
    facts = _attributes(loader)
    length = (facts.get("TOOLIT_Clip_Length") or {}).get(1)
    if length != job.last - job.first + 1 or call(loader, "GetInput", "GlobalIn", comp.TIME_UNDEFINED) != picture.time:
        raise HostError(
            f"the Loader shows {length} frames from {call(loader, 'GetInput', 'GlobalIn', comp.TIME_UNDEFINED)}, "
            f"expected {job.last - job.first + 1} from {picture.time}: load {job.output} by hand"
        )
    return loader


def _move(comp: Any, loader: Any, time: int) -> None:
    """Moves a Loader in time. Its in can never lie after its out, so the one that gives way goes first."""
    always = comp.TIME_UNDEFINED
    begin, end = (number_of(loader, "GetInput", key, always) for key in ("GlobalIn", "GlobalOut"))
    shift = time - begin
    if shift == 0:
        return
    kept = {key: call(loader, "GetInput", key, always) for key in _KEPT}
    moves = [("GlobalIn", begin + shift), ("GlobalOut", end + shift)]
    for key, value in reversed(moves) if shift > 0 else moves:
        call(loader, "SetInput", key, value, always)
    for key, value in kept.items():
        call(loader, "SetInput", key, value, always)


def _connect(tool: Any, loader: Any, added: Added) -> None:
    """Gives the result to all that the tool's picture goes to."""
    old = need(tool, "FindMainOutput", 1, todo="wire the Loader in by hand")
    new = need(loader, "FindMainOutput", 1, todo="wire the Loader in by hand")
    for entry in listed(call(old, "GetConnectedInputs")):
        call(entry, "ConnectTo", new)
        added.note("a connection", partial(call, entry, "ConnectTo", old))
        if call(entry, "GetConnectedOutput") is None:
            raise HostError("Fusion did not connect the Loader: turn off Connect, and wire it in by hand")


def _add(comp: Any, tool: Any, kind: str) -> Any:
    """A new tool beside another. The lock keeps Fusion from asking for a file; no input may be set under it."""
    table = call(comp.CurrentFrame.FlowView, "GetPosTable", tool) or {}
    call(comp, "Lock")
    try:
        return need(comp, "AddTool", kind, table.get(1, 0) + 1, table.get(2, 0) + 1, todo=f"add a {kind} by hand")
    finally:
        call(comp, "Unlock")


def _new_folder(comp: Any, name: str, run: CompChoices) -> Path:
    """A new folder for a render."""
    if run.folder:
        root = Path(run.folder).expanduser()
    else:
        saved = str((call(comp, "GetAttrs") or {}).get("COMPS_FileName") or "")
        root = Path(saved).parent / FOLDER if saved else Path()
    if not root.is_absolute():
        raise UsageError("the composition is not a saved file to write beside: choose an absolute Folder in the dialog")
    number = 1
    while (folder := root / f"{re.sub(r'[^A-Za-z_]+', '_', name)}_render_{number:03d}").exists():
        number += 1
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error}; choose another Folder in the dialog") from error
    return folder


def _attributes(tool: Any) -> dict[str, Any]:
    return dict(need(tool, "GetAttrs", todo="select the tool again, and run the script again"))
