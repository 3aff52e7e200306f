"""A clip rendered by Resolve's own Deliver page, as it is seen; everything that this changes there is put back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filmrestore.errors import Cancelled, FilmRestoreError, OutputError

from .clips import Clip
from .host import HostError, attempt, call, need, number_of
from .work import Watch

PRESET = "FilmRestore was here"
_LOSSY = ("dwa", "b44", "pxr")
_DONE, _ENDED = "Complete", ("Complete", "Failed", "Cancelled")


@dataclass(frozen=True)
class Rendered:
    """A render on disk.

    Attributes:
        pattern: #### pattern.
        first, last: Numbers of its frames.
    """

    pattern: str
    first: int
    last: int


def render_clip(project: Any, timeline: Any, clip: Clip, folder: Path, watch: Watch) -> Rendered:
    """Renders a clip as it is seen, alone on its track, to half float EXR.

    Args:
        project, timeline: The host's.
        clip: What is rendered; without handles, as the timeline shows none.
        folder: Where to; made anew.
        watch: Shows progress; its Cancel stops the render.

    Raises:
        HostError: Resolve is rendering already, refuses, or the render failed.
        OutputError: the folder cannot be written.
        Cancelled: the user had enough.
    """
    if call(project, "IsRenderingInProgress"):
        raise HostError("Resolve is rendering something else: wait until it is done, and run the script again")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error}; choose another Folder in the dialog") from error
    with _deliver_put_back(project, timeline, watch), _alone(timeline, clip, watch):
        _set_up(project, clip, folder)
        _render(project, clip, watch)
    found = whole_render(folder, clip.duration)
    if found is None:
        raise HostError(
            f"{clip.name}: the render is not whole: expected {clip.duration} EXR files in {folder}, found "
            f"{len(list(folder.glob('*.exr')))}; make room on the disk, delete the folder, and run the script again"
        )
    return found


def _set_up(project: Any, clip: Clip, folder: Path) -> None:
    codec = _codec(project)
    todo = "open the Deliver page, choose EXR with RGB half by hand once, and run the script again"
    need(project, "SetCurrentRenderFormatAndCodec", "exr", codec, todo=todo)
    need(project, "SetCurrentRenderMode", 1, todo="choose Single clip on the Deliver page, and run the script again")
    settings = {
        "SelectAllFrames": False,
        "MarkIn": clip.start,
        "MarkOut": clip.start + clip.duration - 1,
        "TargetDir": str(folder),
        "CustomName": "render",
        "ExportVideo": True,
        "ExportAudio": False,
    }
    need(project, "SetRenderSettings", settings, todo=f"check that {folder} can be written; else choose another Folder")


def _codec(project: Any) -> str:
    """The name of lossless half float EXR; names differ between versions."""
    codecs = need(project, "GetRenderCodecs", "exr", todo="this Resolve writes no EXR: choose Picture: source media")
    for words, codec in sorted(codecs.items()):
        text = f"{words} {codec}".lower()
        if "half" in text and not any(word in text for word in _LOSSY):
            return str(codec)
    raise HostError(f"this Resolve writes no lossless half float EXR, but {codecs}: choose Picture: source media")


def _render(project: Any, clip: Clip, watch: Watch) -> None:
    job = need(project, "AddRenderJob", todo="look at the Deliver page for what it misses, and run the script again")
    try:
        need(project, "StartRendering", [job], False, todo="look at the Deliver page for what it misses")

        def step() -> bool:
            status = call(project, "GetRenderJobStatus", job) or {}
            watch.progress(f"{clip.name}: rendering, {status.get('CompletionPercentage', 0)} %")
            if watch.is_cancelled():
                raise Cancelled(f"{clip.name}: stopped while rendering")
            return status.get("JobStatus") in _ENDED or not call(project, "IsRenderingInProgress")

        watch.until(step)
        status = call(project, "GetRenderJobStatus", job) or {}
    except FilmRestoreError:
        attempt(project, "StopRendering")
        raise
    finally:
        if not attempt(project, "DeleteRenderJob", job):
            watch.say("A render job of FilmRestore is left in the queue of the Deliver page: delete it there")
    if status.get("JobStatus") != _DONE:
        raise HostError(
            f"{clip.name}: the render ended as {status.get('JobStatus')!r} ({status.get('Error', 'no reason given')}): "
            "render it on the Deliver page to see why"
        )


@contextmanager
def _deliver_put_back(project: Any, timeline: Any, watch: Watch) -> Iterator[None]:
    """The Deliver page as the user left it: its settings by way of a preset, format, mode and the in and out marks."""
    mode = call(project, "GetCurrentRenderMode")
    form = call(project, "GetCurrentRenderFormatAndCodec") or {}
    marks = (call(timeline, "GetMarkInOut") or {}).get("video") or {}
    attempt(project, "DeleteRenderPreset", PRESET)  # of a run that was killed
    if not call(project, "SaveAsNewRenderPreset", PRESET):
        raise HostError(
            "Resolve does not save the settings of the Deliver page as a preset, so they could not be put back: save "
            "them by hand and reset the page, or choose Picture: source media"
        )
    try:
        yield
    finally:
        left = []
        if not attempt(project, "LoadRenderPreset", PRESET):
            left.append(f"load the preset {PRESET!r}, then delete it")
        elif not attempt(project, "DeleteRenderPreset", PRESET):
            left.append(f"delete the preset {PRESET!r}")
        if form.get("format") and not attempt(project, "SetCurrentRenderFormatAndCodec", form["format"], form["codec"]):
            left.append(f"choose {form['format']}, {form['codec']}")
        if mode in (0, 1) and not attempt(project, "SetCurrentRenderMode", mode):
            left.append("choose Individual clips" if mode == 0 else "choose Single clip")
        marked = ("SetMarkInOut", marks["in"], marks["out"], "video") if len(marks) == 2 else ("ClearMarkInOut", "all")
        if not attempt(timeline, *marked):
            left.append("put the in and out marks where they were")
        if left:
            watch.say("Not all of the Deliver page could be put back; please " + ", ".join(left))


@contextmanager
def _alone(timeline: Any, clip: Clip, watch: Watch) -> Iterator[None]:
    """The clip's track alone is on: what lies over and under it would be in the render."""
    others = [
        track
        for track in range(1, number_of(timeline, "GetTrackCount", "video") + 1)
        if track != clip.track and call(timeline, "GetIsTrackEnabled", "video", track)
    ]
    off = []
    try:
        for track in others:
            off.append(track)
            need(timeline, "SetTrackEnable", "video", track, False, todo=f"turn off the video track {track} by hand")
        yield
    finally:
        stuck = [track for track in off if not attempt(timeline, "SetTrackEnable", "video", track, True)]
        if stuck:
            watch.say(f"Please turn these video tracks on again: {', '.join(map(str, stuck))}")


def whole_render(folder: Path, count: int) -> Rendered | None:
    """The EXR files in a folder, where they are so many in a row."""
    numbers: dict[int, str] = {}
    for file in folder.glob("*.exr"):
        found = re.search(r"(\d+)\.exr$", file.name)
        if found is not None and file.stat().st_size > 0:
            numbers[int(found[1])] = file.name[: found.start()] + "#" * len(found[1]) + ".exr"
    if len(numbers) != count or len(set(numbers.values())) != 1 or max(numbers) - min(numbers) != count - 1:
        return None
    return Rendered(str(folder / next(iter(numbers.values()))), min(numbers), max(numbers))
