"""Clips of the timeline restored: their files, or a render of them, to the engine; the result back as takes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filmrestore.errors import UsageError

from .added import Added, all_or_nothing
from .bootstrap import Host
from .choices import TimelineChoices, Wanted
from .clips import Clip, NotPlain, Source, clips_of, source_of
from .host import HostError, call, need, same
from .jobs import FOLDER, Job, make_job
from .media_pool import copy_markers, import_result, read_alike, read_as_rendered
from .outcome import Outcome
from .placing import Result, as_take, look_alike, new_track, on_track, still_there
from .renders import Rendered, render_clip
from .work import Watch, run_job


def restore_clips(host: Host, engine: Any, wanted: Wanted, watch: Watch) -> Outcome:
    """Restores the clips that the user means; one that fails leaves the project as it was and the others go on.

    Args:
        host: From `find_host`.
        engine: The client.
        wanted: What the user asked for.
        watch: Shows progress; its Cancel ends the run with finished clips kept.

    Raises:
        HostError: there is no project, timeline or clip.
        Cancelled: the user had enough.
    """
    place = _Place.open(host)
    run = wanted.run
    assert isinstance(run, TimelineChoices)
    clips = clips_of(place.timeline, place.pool, run)
    outcome, track = Outcome(), None
    for number, clip in enumerate(clips, 1):
        title = f"{clip.name} ({number} of {len(clips)})"
        with all_or_nothing(clip.name, outcome) as added:
            track = _one(place, engine, wanted, watch, clip, title, track, added, outcome)
    return outcome


@dataclass(frozen=True)
class _Place:
    """Where the run works: the project and timeline that were open when it began."""

    project: Any
    pool: Any
    timeline: Any

    @classmethod
    def open(cls, host: Host) -> _Place:
        if host.resolve is None:
            raise HostError("this is Fusion, which has no timeline: use FilmRestore of the Comp menu")
        manager = need(host.resolve, "GetProjectManager", todo="start Resolve anew")
        project = need(manager, "GetCurrentProject", todo="open a project")
        pool = need(project, "GetMediaPool", todo="open a project")
        return cls(project, pool, need(project, "GetCurrentTimeline", todo="open a timeline on the Edit page"))

    def check_current(self) -> None:
        """Clips are appended to the current timeline, whichever that is by now.

        Raises:
            HostError: it cannot be made this one.
        """
        if not same(call(self.project, "GetCurrentTimeline"), self.timeline):
            todo = "open the timeline again, and run the script again; nothing is restored twice"
            need(self.project, "SetCurrentTimeline", self.timeline, todo=todo)

    def rate(self) -> float:
        """Frames a second of the timeline."""
        text = str(need(self.timeline, "GetSetting", "timelineFrameRate", todo="set the timeline's frame rate"))
        try:
            return float(text.split(maxsplit=1)[0])
        except ValueError:
            raise HostError(
                f"Resolve says that the timeline has {text!r} frames a second: set its frame rate"
            ) from None


def _one(
    place: _Place,
    engine: Any,
    wanted: Wanted,
    watch: Watch,
    clip: Clip,
    title: str,
    track: int | None,
    added: Added,
    outcome: Outcome,
) -> int | None:
    """One clip, from its files to its take; the number of the run's new track, where one was made by now."""
    run = wanted.run
    assert isinstance(run, TimelineChoices)
    picture = _picture(place, clip, run, watch)
    span = picture.span(clip.duration, run.keep) if isinstance(picture, Source) else (picture.first, picture.last)
    job = make_job(clip.name, picture.pattern, span, wanted, run.form)
    run_job(engine, job, title, watch)
    still_there(clip)
    place.check_current()
    media = import_result(place.pool, job, added)
    notes = _read(place, clip, picture, media, job)
    result = _result(clip, picture, media, job)
    if isinstance(picture, Source) and run.place == "take" and as_take(clip, result, added):
        outcome.done.append(f"{clip.name}: a take on the clip; {job.folder}")
    else:
        track, item = _on_top(place, clip, result, track, added)
        if isinstance(picture, Source):
            if run.place == "take":
                notes.append("Resolve took no take, so the result is on a new track")
            notes += [f"could not be copied to the new track: {what}" for what in look_alike(clip, item)]
        outcome.done.append(f"{clip.name}: on the video track {track}; {job.folder}")
    outcome.notes += [f"{clip.name}: {note}" for note in notes]
    return track


def _picture(place: _Place, clip: Clip, run: TimelineChoices, watch: Watch) -> Source | Rendered:
    """The clip's files; or a render of it where it shows none, or where the user wants one."""
    why = "you chose to render"
    if run.picture != "render":
        try:
            return source_of(clip, place.rate())
        except NotPlain as reason:
            if run.picture == "source media":
                raise HostError(f"{reason}; choose Picture: render, or automatic") from reason
            why = str(reason)
    watch.say(f"{clip.name} is rendered: {why}")
    place.check_current()
    return render_clip(place.project, place.timeline, clip, _render_folder(place, clip, run), watch)


def _render_folder(place: _Place, clip: Clip, run: TimelineChoices) -> Path:
    """A folder for this render; a clip that was changed since, or graded anew, gets another one."""
    root = Path(run.folder).expanduser() if run.folder else None
    path = str(call(clip.media, "GetClipProperty", "File Path") or "") if clip.media is not None else ""
    if root is None and path:
        root = Path(path).parent / FOLDER
    if root is None or not root.is_absolute():
        raise UsageError(f"{clip.name} has no file to write beside: choose an absolute Folder in the dialog")
    facts = [call(place.timeline, "GetUniqueId"), call(clip.item, "GetUniqueId"), clip.start, clip.duration, clip.left]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]
    number = 1
    while (folder := root / f"render_{key}_{number:03d}").exists():
        number += 1
    return folder


def _read(place: _Place, clip: Clip, picture: Source | Rendered, media: Any, job: Job) -> list[str]:
    """Has the result read as what it was made from; notes for the user."""
    if isinstance(picture, Rendered):
        trouble = read_as_rendered(place.project, media)
    else:
        offset = job.first - picture.first
        trouble = read_alike(place.project, media, clip.media, offset=offset, rate=picture.rate)
        trouble += copy_markers(media, clip.media, offset=offset, frames=job.last - job.first + 1)
    return [f"could not be set on {call(media, 'GetName')}, set it by hand: {what}" for what in trouble]


def _result(clip: Clip, picture: Source | Rendered, media: Any, job: Job) -> Result:
    offset = picture.begin - (job.first - picture.first) if isinstance(picture, Source) else 0
    return Result(media, 0 if job.is_movie else job.first, job.last - job.first + 1, offset)


def _on_top(place: _Place, clip: Clip, result: Result, track: int | None, added: Added) -> tuple[int, Any]:
    """Puts the result on the run's own track, or on another new one where that is taken; the track and the item."""
    if track is not None:
        for item in call(place.timeline, "GetItemListInTrack", "video", track) or []:
            if call(item, "GetStart") < clip.start + clip.duration and call(item, "GetEnd") > clip.start:
                track = None
                break
    if track is None:
        track = new_track(place.timeline, added)
    return track, on_track(place.timeline, place.pool, clip, result, track, added)
