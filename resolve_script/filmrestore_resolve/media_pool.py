"""Results into the Media Pool, read there as their source is: colour space, levels, rate, timecode, markers."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from filmrestore.errors import FilmRestoreError

from . import timecode
from .added import Added
from .host import HostError, attempt, call, listed, need
from .jobs import FOLDER, Job

MANAGED = "davinciYRGBColorManagedv2"
"""The only colorScienceMode in which a clip's Input Color Space can be set."""
_READ_ALIKE = ("Data Level", "PAR", "Alpha mode", "Input LUT", "H-FLIP", "V-FLIP")


def import_result(pool: Any, job: Job, added: Added) -> Any:
    """The Media Pool clip of a job's result, in the bin FilmRestore; the one that there is, if there is.

    Raises:
        HostError: Resolve does not take it, or takes another number of frames.
    """
    before = call(pool, "GetCurrentFolder")
    folder = _bin(pool, added)
    for clip in listed(call(folder, "GetClipList")):
        if _shows(clip, job):
            return clip
    need(pool, "SetCurrentFolder", folder, todo=f"open the bin {FOLDER} in the Media Pool by hand, and run it again")
    try:
        clips = listed(call(pool, "ImportMedia", _what(job)))
    finally:
        if before is not None:
            attempt(pool, "SetCurrentFolder", before)
    for clip in clips:
        added.note(f"{Path(job.output).name} in the bin {FOLDER}", partial(call, pool, "DeleteClips", [clip]))
    if len(clips) != 1:
        raise HostError(
            f"Resolve took {job.output} as {len(clips)} clips, expected 1: turn off Show Individual Frames in the "
            f"Media Pool's menu, check that it reads the format, or import it by hand from {job.folder}"
        )
    frames = call(clips[0], "GetClipProperty", "Frames")
    if str(frames) != str(job.last - job.first + 1):
        raise HostError(
            f"Resolve sees {frames} frames in {job.output}, expected {job.last - job.first + 1}: refresh the disk in "
            "Media Storage, and run the script again; nothing is restored twice"
        )
    return clips[0]


def read_alike(project: Any, media: Any, source: Any, *, offset: int, rate: float) -> list[str]:
    """Has the result read as its source is.

    Args:
        project: The host's.
        media: The result's Media Pool clip.
        source: Its source's.
        offset: The result's first frame, counted from the source's.
        rate: The source's frames a second.

    Returns:
        What could not be set, for the user to set by hand.
    """
    trouble = _set(media, "FPS", call(source, "GetClipProperty", "FPS"))
    for name in _READ_ALIKE:
        trouble += _set(media, name, call(source, "GetClipProperty", name))
    mode = str(call(project, "GetSetting", "colorScienceMode"))
    colour = "Input Color Space" if mode == MANAGED else "IDT" if mode.startswith("aces") else None
    if colour is not None:
        trouble += _set(media, colour, call(source, "GetClipProperty", colour))
    began = str(call(source, "GetClipProperty", "Start TC") or "")
    try:
        frames = timecode.to_frames(began, rate) + offset
    except ValueError:
        return trouble
    return trouble + _set(media, "Start TC", timecode.from_frames(frames, rate, drop=";" in began))


def read_as_rendered(project: Any, media: Any) -> list[str]:
    """Has a render read as what it is: pictures in the project's output colour space."""
    if call(project, "GetSetting", "colorScienceMode") != MANAGED:
        return []
    return _set(media, "Input Color Space", call(project, "GetSetting", "colorSpaceOutput"))


def copy_markers(media: Any, source: Any, *, offset: int, frames: int) -> list[str]:
    """The source's markers, flags and clip colour onto the result, at the same pictures; what could not be copied."""
    trouble = []
    there = call(media, "GetMarkers") or {}
    for at, marker in (call(source, "GetMarkers") or {}).items():
        place = at - offset
        if not 0 <= place < frames or place in there:
            continue
        values = [marker.get(key, "") for key in ("color", "name", "note")]
        if not attempt(media, "AddMarker", place, *values, marker.get("duration", 1), marker.get("customData", "")):
            trouble.append(f"the marker {marker.get('name')!r} at {at:g}")
    for flag in listed(call(source, "GetFlagList")):
        if flag not in listed(call(media, "GetFlagList")) and not attempt(media, "AddFlag", flag):
            trouble.append(f"the {flag} flag")
    return trouble


def _set(media: Any, name: str, value: Any) -> list[str]:
    """Sets a property where it is not so already; the words for the user where Resolve refuses."""
    if value in (None, "") or str(call(media, "GetClipProperty", name)) == str(value):
        return []
    try:
        call(media, "SetClipProperty", name, value)
        if str(call(media, "GetClipProperty", name)) == str(value):
            return []
    except FilmRestoreError as error:
        return [f"{name} {value!r} ({error})"]
    return [f"{name} {value!r}"]


def _bin(pool: Any, added: Added) -> Any:
    root = need(pool, "GetRootFolder", todo="open a project")
    for folder in listed(call(root, "GetSubFolderList")):
        if call(folder, "GetName") == FOLDER:
            return folder
    made = need(pool, "AddSubFolder", root, FOLDER, todo=f"make a bin named {FOLDER} by hand, and run it again")
    added.note(f"the bin {FOLDER}", lambda: call(pool, "DeleteFolders", [made]))
    return made


def _what(job: Job) -> list[Any]:
    if job.is_movie:
        return [job.output]
    path = Path(job.output)
    printf = path.with_name(re.sub("#+", lambda run: f"%0{len(run[0])}d", path.name))
    return [{"FilePath": str(printf), "StartIndex": job.first, "EndIndex": job.last}]


def _shows(clip: Any, job: Job) -> bool:
    """Whether that clip is the job's result, whole."""
    path = Path(str(call(clip, "GetClipProperty", "File Path") or ""))
    if job.is_movie:
        return path == Path(job.output)
    width = Path(job.output).name.count("#")
    name = Path(job.output).name.replace("#" * width, f"[{job.first:0{width}d}-{job.last:0{width}d}]")
    return path == Path(job.output).with_name(name)
