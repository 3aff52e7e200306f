"""A result into the timeline: as a take on its clip, or on a new track, and each time looked at whether it really is.

Versions differ in whether frames of a source are counted from 0 or from its first file's number, and whether an end is
inclusive. So each way is tried until the clip shows what it should; a way that did not is undone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .added import Added
from .clips import Clip
from .host import HostError, attempt, call, listed, need, number_of, same


@dataclass(frozen=True)
class Result:
    """A result in the Media Pool.

    Attributes:
        media: Its MediaPoolItem.
        first: The number of its first file.
        frames: How many it has.
        offset: Its frames before the clip's first.
    """

    media: Any
    first: int
    frames: int
    offset: int


def still_there(clip: Clip) -> None:
    """Refuses a clip that was changed while it was being restored.

    Raises:
        HostError: it was.
    """
    now = (number_of(clip.item, "GetStart"), number_of(clip.item, "GetDuration"), number_of(clip.item, "GetLeftOffset"))
    if now != (clip.start, clip.duration, clip.left):
        raise HostError(f"{clip.name} was moved or trimmed meanwhile: run the script again; nothing is restored twice")


def as_take(clip: Clip, result: Result, added: Added) -> bool:
    """Adds the result to the clip as a take, and selects it.

    Returns:
        False where Resolve does not take it; the clip is then as it was.

    Raises:
        HostError: the clip could not be put back as it was, with what it has now.
    """
    before = _Takes.of(clip.item)
    added.note(f"the new take of {clip.name}", lambda: before.put_back(clip))
    for begin, end in _ways(result, clip.duration):
        if call(clip.item, "AddTake", result.media, begin, end):
            index = number_of(clip.item, "GetTakesCount")
            if call(clip.item, "SelectTakeByIndex", index) and _shows_take(clip, result, index):
                return True
        before.put_back(clip)
    return False


def on_track(timeline: Any, pool: Any, clip: Clip, result: Result, track: int, added: Added) -> Any:
    """Puts the result on a track, over its clip.

    Returns:
        The new TimelineItem.

    Raises:
        HostError: it did not land there.
    """
    known = [call(item, "GetUniqueId") for item in _items(timeline, track)]
    added.note(f"{clip.name} on the video track {track}", lambda: _clear(timeline, track, known))
    where = {"mediaType": 1, "trackIndex": track, "recordFrame": clip.start}
    for begin, end in _ways(result, clip.duration):
        call(pool, "AppendToTimeline", [{"mediaPoolItem": result.media, "startFrame": begin, "endFrame": end, **where}])
        # It may have dropped the clip without a word, or answered with a clip that is not there.
        landed = _others(timeline, track, known)
        if len(landed) == 1 and _lies(landed[0], clip, result):
            return landed[0]
        _clear(timeline, track, known)
    raise HostError(
        f"{clip.name}: Resolve did not put the result on the video track {track}: unlock the tracks, or drag "
        f"{call(result.media, 'GetName')} from the bin FilmRestore over the clip"
    )


def new_track(timeline: Any, added: Added) -> int:
    """A new video track on top; its number.

    Raises:
        HostError: Resolve makes none.
    """
    count = number_of(timeline, "GetTrackCount", "video")
    need(timeline, "AddTrack", "video", todo="unlock the timeline, or choose Result: take")
    if number_of(timeline, "GetTrackCount", "video") != count + 1:
        raise HostError("Resolve said that it made a track, and there is none: make one by hand, and run it again")
    added.note(f"the video track {count + 1}", lambda: call(timeline, "DeleteTrack", "video", count + 1))
    attempt(timeline, "SetTrackName", "video", count + 1, "FilmRestore")
    return count + 1


def look_alike(clip: Clip, item: Any) -> list[str]:
    """Gives a result on its own track the clip's grade and transforms; what could not be given."""
    trouble = []
    if not attempt(clip.item, "CopyGrades", [item]):
        trouble.append("the grade")
    mine = call(item, "GetProperty") or {}
    for name, value in (call(clip.item, "GetProperty") or {}).items():
        if mine.get(name) != value and not attempt(item, "SetProperty", name, value):
            trouble.append(f"{name} {value}")
    for at, marker in (call(clip.item, "GetMarkers") or {}).items():
        values = [marker.get(key, "") for key in ("color", "name", "note")]
        if not attempt(item, "AddMarker", at, *values, marker.get("duration", 1), marker.get("customData", "")):
            trouble.append(f"the marker {marker.get('name')!r}")
    return trouble


@dataclass(frozen=True)
class _Takes:
    """The takes that a clip had."""

    count: int
    selected: int

    @classmethod
    def of(cls, item: Any) -> _Takes:
        return cls(number_of(item, "GetTakesCount"), number_of(item, "GetSelectedTakeIndex"))

    def put_back(self, clip: Clip) -> bool:
        """Selects what was selected, and removes what is new.

        Raises:
            HostError: Resolve refuses.
        """
        item, todo = clip.item, f"in the take selector of {clip.name}, select the first take and delete the others"
        count = number_of(item, "GetTakesCount")
        if count > self.count:
            need(item, "SelectTakeByIndex", self.selected or 1, todo=todo)
            for index in range(count, max(self.count, 1), -1):
                need(item, "DeleteTakeByIndex", index, todo=todo)
            if self.count == 0 and number_of(item, "GetTakesCount") > 0:
                need(item, "FinalizeTake", todo=todo)
        if number_of(item, "GetTakesCount") != self.count:
            raise HostError(f"{clip.name} has {call(item, 'GetTakesCount')} takes, before {self.count}: {todo}")
        return True


def _ways(result: Result, duration: int) -> Iterator[tuple[int, int]]:
    """(first, last) frame of the source for the host, in each way that it may count."""
    for base in dict.fromkeys((0, result.first)):
        begin = base + result.offset
        yield begin, begin + duration - 1
        yield begin, begin + duration


def _shows_take(clip: Clip, result: Result, index: int) -> bool:
    take = call(clip.item, "GetTakeByIndex", index) or {}
    return same(take.get("mediaPoolItem"), result.media) and _lies(clip.item, clip, result)


def _lies(item: Any, clip: Clip, result: Result) -> bool:
    """Whether an item lies where the clip did and shows the same pictures."""
    start, duration = number_of(item, "GetStart"), number_of(item, "GetDuration")
    return (start, duration) == (clip.start, clip.duration) and number_of(item, "GetLeftOffset") == result.offset


def _clear(timeline: Any, track: int, known: list[Any]) -> bool:
    """Removes what is on a track beside what was."""
    new = _others(timeline, track, known)
    return not new or bool(call(timeline, "DeleteClips", new, False))


def _others(timeline: Any, track: int, known: list[Any]) -> list[Any]:
    return [item for item in _items(timeline, track) if call(item, "GetUniqueId") not in known]


def _items(timeline: Any, track: int) -> list[Any]:
    return listed(call(timeline, "GetItemListInTrack", "video", track))
