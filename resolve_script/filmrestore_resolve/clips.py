"""Clips of the timeline: which are meant, and which files they show, if they plainly show files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filmrestore.errors import FilmRestoreError

from .choices import TimelineChoices
from .host import HostError, call, listed, need, number_of, same

# What some versions call the selection; none is in the published API, and where there is none the answer is None.
_SELECTION = ("GetSelectedItems", "GetSelectedTimelineItems", "GetSelectedClips")
_RANGE = re.compile(r"\[(\d+)-(\d+)\]")


class NotPlain(FilmRestoreError):
    """A clip that does not show its source's frames one by one."""


@dataclass(frozen=True)
class Clip:
    """A clip as it lies in the timeline; all lengths in the timeline's frames.

    Attributes:
        item: The host's TimelineItem.
        name: As the editor sees it.
        media: Its MediaPoolItem, or None.
        start: Where it lies in the timeline.
        duration: Its length.
        left, right: What the source has beyond its ends.
        track: Of video, from 1.
    """

    item: Any
    name: str
    media: Any
    start: int
    duration: int
    left: int
    right: int
    track: int


@dataclass(frozen=True)
class Source:
    """The files that a clip shows.

    Attributes:
        pattern: #### pattern or movie.
        first: The engine's number of the source's first frame: of a sequence its file number, of a movie 1.
        frames: Frames in all.
        begin: The clip's first frame, counted from the source's first.
        rate: Frames a second.
    """

    pattern: str
    first: int
    frames: int
    begin: int
    rate: float

    @property
    def is_movie(self) -> bool:
        """Whether it is one file."""
        return "#" not in Path(self.pattern).name

    def span(self, duration: int, keep: int) -> tuple[int, int]:
        """(first, last) number of the clip's frames, with up to `keep` frames beyond each end."""
        begin = max(0, self.begin - keep)
        end = min(self.frames, self.begin + duration + keep)
        return self.first + begin, self.first + end - 1


def clips_of(timeline: Any, pool: Any, run: TimelineChoices) -> list[Clip]:
    """The clips that the user means, in the order of the timeline.

    Raises:
        HostError: there is none, with what to do about it.
    """
    ways: dict[str, Callable[[Any], list[Any]]] = {
        "selected": _selected,
        "playhead": _at_playhead,
        "in to out": _between_marks,
        "clip colour": partial(_of_colour, colour=run.colour),
        "media pool": partial(_of_selected_sources, pool=pool),
    }
    items = ways[run.clips](timeline)
    if not items:
        raise HostError(
            f"no clip is meant by {run.clips!r}{' ' + run.colour if run.clips == 'clip colour' else ''}: choose "
            "another one of Clips in the dialog, or enable the track and the clip"
        )
    return sorted((clip_of(item) for item in items), key=lambda clip: (clip.start, clip.track))


def clip_of(item: Any) -> Clip:
    """What the host says of a clip.

    Raises:
        HostError: it is no clip of a video track.
    """
    name = str(call(item, "GetName"))
    place = need(item, "GetTrackTypeAndIndex", todo=f"{name} is on no track any more; run the script again")
    if place[0] != "video":
        raise HostError(f"{name} is on a track of {place[0]}: select clips of video")
    return Clip(
        item,
        name,
        call(item, "GetMediaPoolItem"),
        number_of(item, "GetStart"),
        number_of(item, "GetDuration"),
        number_of(item, "GetLeftOffset"),
        number_of(item, "GetRightOffset"),
        int(place[1]),
    )


def source_of(clip: Clip, timeline_rate: float) -> Source:
    """The files that the clip shows, frame by frame.

    Raises:
        NotPlain: it shows no files, or not frame by frame, with why.
    """
    if clip.media is None:
        raise NotPlain("it has no source in the Media Pool: a title, generator, adjustment, Fusion or compound clip")
    path = str(call(clip.media, "GetClipProperty", "File Path") or "")
    if not path:
        raise NotPlain("its source is no file: a compound, multicam, Fusion or timeline clip")
    frames, rate = _fact(clip, "Frames"), _fact(clip, "FPS")
    if abs(rate - timeline_rate) > 0.01:
        raise NotPlain(f"its source has {rate:g} frames a second, the timeline {timeline_rate:g}")
    if clip.left + clip.duration + clip.right != int(frames):
        raise NotPlain(
            f"it is retimed: its source has {int(frames)} frames, the clip {clip.left} before it, {clip.duration} "
            f"in it and {clip.right} after it"
        )
    _check_speed(clip)
    return _located(clip, path, int(frames), rate)


def _check_speed(clip: Clip) -> None:
    """A speed change that keeps the length shows in what is shown of the source."""
    begin, end = number_of(clip.item, "GetSourceStartFrame"), number_of(clip.item, "GetSourceEndFrame")
    if not clip.duration - 1 <= end - begin <= clip.duration:  # the end is inclusive in some versions
        raise NotPlain(
            f"it is retimed or reversed: {clip.duration} frames long, it shows {begin} to {end} of its source"
        )


def _located(clip: Clip, path: str, frames: int, rate: float) -> Source:
    start = int(_fact(clip, "Start"))
    found = _RANGE.search(Path(path).name)
    if found is None:
        if start != 0:
            raise NotPlain(f"it is of a subclip that starts at frame {start} of {path}")
        source = Source(path, 1, frames, clip.left, rate)
        needed = [Path(path)]
    else:
        first, last = int(found[1]), int(found[2])
        if start not in (0, first) or last - first + 1 != frames:
            raise NotPlain(f"it is of a subclip, or frames are missing: {frames} frames from {start} of {path}")
        name = Path(path).name
        pattern = name[: found.start()] + "#" * len(found[1]) + name[found.end() :]
        source = Source(str(Path(path).with_name(pattern)), first, frames, clip.left, rate)
        needed = [file_of(source.pattern, number) for number in source.span(clip.duration, 0)]
    for file in needed:
        if not file.exists():
            raise HostError(f"{clip.name}: {file} is not there: connect its disk, or relink the clip")
    return source


def file_of(pattern: str, number: int) -> Path:
    """A file of a #### pattern."""
    path = Path(pattern)
    return path.with_name(re.sub("#+", lambda run: str(number).zfill(len(run[0])), path.name))


def _fact(clip: Clip, name: str) -> float:
    answer = call(clip.media, "GetClipProperty", name)
    try:
        return float(answer)
    except (TypeError, ValueError):
        raise NotPlain(f"Resolve says {answer!r} for the {name} of its source: expected a number") from None


def _selected(timeline: Any) -> list[Any]:
    for name in _SELECTION:
        function = getattr(timeline, name, None)
        items = listed(function()) if callable(function) else []
        videos = [item for item in items if (call(item, "GetTrackTypeAndIndex") or [""])[0] == "video"]
        if videos:
            return videos
    return _at_playhead(timeline)


def _at_playhead(timeline: Any) -> list[Any]:
    item = call(timeline, "GetCurrentVideoItem")
    return [] if item is None or item is False else [item]


def _between_marks(timeline: Any) -> list[Any]:
    marks = (call(timeline, "GetMarkInOut") or {}).get("video") or {}
    if "in" not in marks or "out" not in marks:
        raise HostError("the timeline has no in and out marks: set both (I and O), or choose another one of Clips")
    begin, end = int(marks["in"]), int(marks["out"])
    origin = number_of(timeline, "GetStartFrame")
    if end < origin:  # counted from the timeline's start
        begin, end = begin + origin, end + origin
    return [
        item
        for item in _all_items(timeline)
        if number_of(item, "GetStart") <= end and number_of(item, "GetStart") + number_of(item, "GetDuration") > begin
    ]


def _of_colour(timeline: Any, colour: str) -> list[Any]:
    return [item for item in _all_items(timeline) if call(item, "GetClipColor") == colour]


def _of_selected_sources(timeline: Any, pool: Any) -> list[Any]:
    sources = listed(call(pool, "GetSelectedClips"))
    return [
        item for item in _all_items(timeline) if any(same(call(item, "GetMediaPoolItem"), source) for source in sources)
    ]


def _all_items(timeline: Any) -> Iterator[Any]:
    """The clips of all video tracks that are on."""
    for track in range(1, number_of(timeline, "GetTrackCount", "video") + 1):
        if call(timeline, "GetIsTrackEnabled", "video", track) is False:
            continue
        for item in listed(call(timeline, "GetItemListInTrack", "video", track)):
            if call(item, "GetClipEnabled") is not False:
                yield item
