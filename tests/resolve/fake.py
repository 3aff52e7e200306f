"""A Resolve for tests: answers None or False as the real one does, and knows no name that the stubs do not.

Its classes hold what `do_NAME` does for each method that we call. Every answer wraps its object anew; an unknown name
is None and counts as a violation; each call can be made to fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace as State
from typing import Any

from .stubs import UNDOCUMENTED, methods

RATE = 24.0
START = 86400


class World:
    """One Resolve.

    Attributes:
        violations: What was asked and is in no stub, or with a wrong number of arguments.
        log: "Class.Method" of every call.
        refuse: "Class.Method" -> the answer that it gives instead of doing anything (an exception is raised).
        counts_from: "zero" or "file": how frames of a source are counted.
        includes_end: Whether an end frame is part of a range.
        takes: Whether AddTake works.
        offers_selection: Whether the timeline tells its selection.
        render: Writes a rendered frame.
        render_ends: How a render ends.
    """

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.log: list[str] = []
        self.refuse: dict[str, Any] = {}
        self.counts_from, self.includes_end, self.takes = "zero", True, True
        self.offers_selection, self.selection = False, []
        self.render: Callable[[Path, int], None] = lambda path, number: path.write_bytes(b"exr")
        self.render_ends = "Complete"
        self.count_movie: Callable[[Path], int] = lambda path: 0
        self._ids = 0
        self.root = self.folder("Master")
        self.project = State(
            id=self.new_id(), settings={"colorScienceMode": "davinciYRGB", "colorSpaceOutput": "Rec.709 Gamma 2.4"},
            bin=self.root, timeline=None, format="mov", codec="ProRes422HQ", mode=0, render={"TargetDir": "/mine"},
            presets={}, jobs={}, selected=[], polls=0,
        )  # fmt: skip
        self.timeline = State(id=self.new_id(), name="Cut", tracks=[], marks={}, playhead=None)
        self.project.timeline = self.timeline
        self.add_track()

    def new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"

    def folder(self, name: str) -> State:
        return State(id=self.new_id(), name=name, clips=[], folders=[])

    def add_track(self) -> State:
        track = State(name=f"Video {len(self.timeline.tracks) + 1}", enabled=True, items=[])
        self.timeline.tracks.append(track)
        return track

    def media(self, path: str, frames: int, start: int, **properties: str) -> State:
        """A clip of the Media Pool; `path` as Resolve says it: name.[1001-1100].dpx, or a movie."""
        facts = {
            "File Path": path, "Frames": str(frames), "Start": str(start), "End": str(start + frames - 1),
            "FPS": RATE, "Start TC": "00:00:00:00", "Input Color Space": "Rec.709 Gamma 2.4", "Data Level": "Auto",
            "PAR": "Square", "Alpha mode": "None", "Input LUT": "", "H-FLIP": "Off", "V-FLIP": "Off", "IDT": "",
            **properties,
        }  # fmt: skip
        return State(id=self.new_id(), name=Path(path).name, facts=facts, markers={}, flags=[])

    def clip(self, media: State | None, *, at: int, left: int = 0, duration: int = 10, track: int = 1) -> State:
        """A clip on the timeline."""
        item = State(
            id=self.new_id(), media=media, at=at, left=left, duration=duration, takes=[], take=0, colour="",
            enabled=True, markers={}, properties={"ZoomX": 1.0}, grade="mine", frames=None, source=None,
        )  # fmt: skip
        self.timeline.tracks[track - 1].items.append(item)
        return item

    def snapshot(self) -> Any:
        """All that a user would miss."""

        def item(state: State) -> Any:
            takes = [(take.media.id, take.left, take.duration) for take in state.takes]
            return (state.id, state.media and state.media.id, state.at, state.left, state.duration, takes, state.take,
                    dict(state.properties), state.grade, dict(state.markers))  # fmt: skip

        def folder(state: State) -> Any:
            clips = [(clip.id, dict(clip.facts), dict(clip.markers)) for clip in state.clips]
            return state.name, clips, [folder(inner) for inner in state.folders]

        project = self.project
        return (
            folder(self.root), project.bin.name, project.timeline.id, project.format, project.codec, project.mode,
            dict(project.render), dict(project.presets), dict(project.jobs), dict(self.timeline.marks),
            [(track.name, track.enabled, [item(one) for one in track.items]) for track in self.timeline.tracks],
        )  # fmt: skip

    def resolve(self) -> Resolve:
        return Resolve(self, State(id="resolve"))


class HostObject:
    """An object of the host: names are looked up as in Resolve, where `hasattr` is always true."""

    def __init__(self, world: World, state: State) -> None:
        self._world, self._state = world, state

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        kind = type(self).__name__
        if name not in methods()[kind]:
            if (kind, name) not in UNDOCUMENTED:
                self._world.violations.append(f"{kind}.{name} is in no stub")
                return None
            if not self._world.offers_selection:
                return None
        return _Call(self, kind, name)


class _Call:
    def __init__(self, owner: HostObject, kind: str, name: str) -> None:
        self._owner, self._kind, self._name = owner, kind, name

    def __call__(self, *arguments: Any) -> Any:
        world, key = self._owner._world, f"{self._kind}.{self._name}"
        least, most = methods()[self._kind].get(self._name, (0, 0))
        if not least <= len(arguments) <= most:
            world.violations.append(f"{key} takes {least} to {most} arguments, not {len(arguments)}")
        world.log.append(key)
        if key in world.refuse:
            answer = world.refuse[key]
            if isinstance(answer, BaseException):
                raise answer
            return answer
        return getattr(type(self._owner), f"do_{self._name}")(self._owner, *arguments)


class Resolve(HostObject):
    def do_GetProductName(self) -> str:
        return "DaVinci Resolve Studio"

    def do_GetVersionString(self) -> str:
        return "20.1.0"

    def do_Fusion(self) -> Any:
        return None

    def do_GetProjectManager(self) -> ProjectManager:
        return ProjectManager(self._world, State(id="manager"))


class ProjectManager(HostObject):
    def do_GetCurrentProject(self) -> Project:
        return Project(self._world, self._world.project)


class Project(HostObject):
    def do_GetMediaPool(self) -> MediaPool:
        return MediaPool(self._world, State(id="pool"))

    def do_GetCurrentTimeline(self) -> Timeline:
        return Timeline(self._world, self._state.timeline)

    def do_SetCurrentTimeline(self, timeline: Timeline) -> bool:
        self._state.timeline = timeline._state
        return True

    def do_GetSetting(self, name: str) -> str:
        return str(self._state.settings.get(name, ""))

    def do_GetRenderCodecs(self, form: str) -> dict[str, str]:
        names = {"RGB half (DWAA)": "RGBHalfDWAA", "RGB half": "RGBHalf", "RGB float": "RGBFloat"}
        return names if form == "exr" else {}

    def do_GetCurrentRenderFormatAndCodec(self) -> dict[str, str]:
        return {"format": self._state.format, "codec": self._state.codec}

    def do_SetCurrentRenderFormatAndCodec(self, form: str, codec: str) -> bool:
        self._state.format, self._state.codec = form, codec
        return True

    def do_GetCurrentRenderMode(self) -> int:
        return int(self._state.mode)

    def do_SetCurrentRenderMode(self, mode: int) -> bool:
        self._state.mode = mode
        return True

    def do_SaveAsNewRenderPreset(self, name: str) -> bool:
        if name in self._state.presets:
            return False
        self._state.presets[name] = dict(self._state.render)
        return True

    def do_LoadRenderPreset(self, name: str) -> bool:
        if name not in self._state.presets:
            return False
        self._state.render = dict(self._state.presets[name])
        return True

    def do_DeleteRenderPreset(self, name: str) -> bool:
        return self._state.presets.pop(name, None) is not None

    def do_SetRenderSettings(self, settings: dict[str, Any]) -> bool:
        self._state.render.update(settings)
        self._world.timeline.marks = {"video": {"in": settings["MarkIn"], "out": settings["MarkOut"]}}
        return True

    def do_AddRenderJob(self) -> str:
        job = self._world.new_id()
        self._state.jobs[job] = {
            "status": "Ready",
            **self._state.render,
            "tracks": [t.enabled for t in self._world.timeline.tracks],
        }
        return job

    def do_StartRendering(self, jobs: list[str], interactive: bool) -> bool:
        if not all(job in self._state.jobs for job in jobs):
            return False
        self._state.polls = 4
        for job in jobs:
            self._state.jobs[job]["status"] = "Rendering"
        return True

    def _tick(self) -> None:
        """Time passes: a render ends after a few questions."""
        self._state.polls -= 1
        for settings in self._state.jobs.values():
            if self._state.polls == 0 and settings["status"] == "Rendering":
                for number in range(settings["MarkIn"], settings["MarkOut"] + 1):
                    name = f"{settings['CustomName']}{number:08d}.exr"
                    self._world.render(Path(settings["TargetDir"]) / name, number)
                settings["status"] = self._world.render_ends

    def do_IsRenderingInProgress(self) -> bool:
        self._tick()
        return bool(self._state.polls > 0)

    def do_StopRendering(self) -> None:
        self._state.polls = 0
        for settings in self._state.jobs.values():
            settings["status"] = "Cancelled"

    def do_GetRenderJobStatus(self, job: str) -> dict[str, Any]:
        self._tick()
        status = self._state.jobs[job]["status"]
        return {"JobStatus": status, "CompletionPercentage": 100 if status == "Complete" else 50}

    def do_DeleteRenderJob(self, job: str) -> bool:
        self._world.rendered = self._state.jobs.get(job)
        return self._state.jobs.pop(job, None) is not None


class MediaPool(HostObject):
    def do_GetRootFolder(self) -> Folder:
        return Folder(self._world, self._world.root)

    def do_GetCurrentFolder(self) -> Folder:
        return Folder(self._world, self._world.project.bin)

    def do_SetCurrentFolder(self, folder: Folder) -> bool:
        self._world.project.bin = folder._state
        return True

    def do_AddSubFolder(self, folder: Folder, name: str) -> Folder:
        made = self._world.folder(name)
        folder._state.folders.append(made)
        return Folder(self._world, made)

    def do_DeleteFolders(self, folders: list[Folder]) -> bool:
        for folder in folders:
            self._world.root.folders.remove(folder._state)
        return True

    def do_ImportMedia(self, items: list[Any]) -> list[MediaPoolItem]:
        made = []
        for item in items:
            media = self._media(item)
            if media is not None:
                self._world.project.bin.clips.append(media)
                made.append(MediaPoolItem(self._world, media))
        return made

    def _media(self, item: Any) -> State | None:
        if isinstance(item, str):
            return self._world.media(item, self._world.count_movie(Path(item)), 0) if Path(item).exists() else None
        first, last = item["StartIndex"], item["EndIndex"]
        if not all(Path(item["FilePath"] % number).is_file() for number in range(first, last + 1)):
            return None
        digits = re.search(r"%0(\d+)d", item["FilePath"])
        assert digits is not None
        width = int(digits[1])
        path = item["FilePath"].replace(digits[0], f"[{first:0{width}d}-{last:0{width}d}]")
        return self._world.media(path, last - first + 1, first)

    def do_DeleteClips(self, clips: list[MediaPoolItem]) -> bool:
        gone = [clip._state.id for clip in clips]
        for folder in [self._world.root, *self._world.root.folders]:
            folder.clips = [clip for clip in folder.clips if clip.id not in gone]
        return True

    def do_GetSelectedClips(self) -> list[MediaPoolItem]:
        return [MediaPoolItem(self._world, media) for media in self._world.project.selected]

    def do_AppendToTimeline(self, clips: list[dict[str, Any]]) -> list[TimelineItem]:
        made = []
        for asked in clips:
            media, track = asked["mediaPoolItem"]._state, self._world.timeline.tracks[asked["trackIndex"] - 1]
            found = extent(self._world, media, asked["startFrame"], asked["endFrame"])
            at = asked["recordFrame"]
            if found is None:
                continue
            left, duration = found
            if any(other.at < at + duration and other.at + other.duration > at for other in track.items):
                continue  # overlaps are dropped without a word
            made.append(self._world.clip(media, at=at, left=left, duration=duration, track=asked["trackIndex"]))
        return [TimelineItem(self._world, item) for item in made]


def extent(world: World, media: State, first: int, last: int) -> tuple[int, int] | None:
    """(offset, length) of a range of a source, as this Resolve counts; None where it lies outside."""
    base = int(media.facts["Start"]) if world.counts_from == "file" else 0
    left, duration = first - base, last - first + world.includes_end
    inside = left >= 0 and duration > 0 and left + duration <= int(media.facts["Frames"])
    return (left, duration) if inside else None


class Folder(HostObject):
    def do_GetUniqueId(self) -> str:
        return str(self._state.id)

    def do_GetName(self) -> str:
        return str(self._state.name)

    def do_GetClipList(self) -> list[MediaPoolItem]:
        return [MediaPoolItem(self._world, clip) for clip in self._state.clips]

    def do_GetSubFolderList(self) -> list[Folder]:
        return [Folder(self._world, folder) for folder in self._state.folders]


class MediaPoolItem(HostObject):
    def do_GetUniqueId(self) -> str:
        return str(self._state.id)

    def do_GetName(self) -> str:
        return str(self._state.name)

    def do_GetClipProperty(self, name: str) -> Any:
        return self._state.facts.get(name, "")

    def do_SetClipProperty(self, name: str, value: Any) -> bool:
        managed = self._world.project.settings["colorScienceMode"] == "davinciYRGBColorManagedv2"
        if name not in self._state.facts or (name == "Input Color Space" and not managed):
            return False
        self._state.facts[name] = value
        return True

    def do_GetMarkers(self) -> dict[float, Any]:
        return dict(self._state.markers)

    def do_AddMarker(self, at: float, color: str, name: str, note: str, duration: float, data: str) -> bool:
        self._state.markers[at] = {
            "color": color, "name": name, "note": note, "duration": duration, "customData": data
        }  # fmt: skip
        return True

    def do_GetFlagList(self) -> list[str]:
        return list(self._state.flags)

    def do_AddFlag(self, colour: str) -> bool:
        self._state.flags.append(colour)
        return True


class Timeline(HostObject):
    def do_GetUniqueId(self) -> str:
        return str(self._state.id)

    def do_GetSetting(self, name: str) -> str:
        return {"timelineFrameRate": str(RATE)}.get(name, "")

    def do_GetStartFrame(self) -> int:
        return START

    def do_GetTrackCount(self, kind: str) -> int:
        return len(self._state.tracks) if kind == "video" else 0

    def do_AddTrack(self, kind: str) -> bool:
        self._world.add_track()
        return True

    def do_DeleteTrack(self, kind: str, index: int) -> bool:
        del self._state.tracks[index - 1]
        return True

    def do_SetTrackName(self, kind: str, index: int, name: str) -> bool:
        self._state.tracks[index - 1].name = name
        return True

    def do_GetIsTrackEnabled(self, kind: str, index: int) -> bool:
        return bool(self._state.tracks[index - 1].enabled)

    def do_SetTrackEnable(self, kind: str, index: int, enabled: bool) -> bool:
        self._state.tracks[index - 1].enabled = enabled
        return True

    def do_GetItemListInTrack(self, kind: str, index: int) -> list[TimelineItem] | None:
        items = [TimelineItem(self._world, item) for item in self._state.tracks[index - 1].items]
        return items or None

    def do_DeleteClips(self, items: list[TimelineItem], ripple: bool) -> bool:
        gone = [item._state.id for item in items]
        for track in self._state.tracks:
            track.items = [item for item in track.items if item.id not in gone]
        return True

    def do_GetCurrentVideoItem(self) -> TimelineItem | None:
        return TimelineItem(self._world, self._state.playhead) if self._state.playhead else None

    def do_GetSelectedItems(self) -> list[TimelineItem]:
        return [TimelineItem(self._world, item) for item in self._world.selection]

    do_GetSelectedTimelineItems = do_GetSelectedClips = do_GetSelectedItems

    def do_GetMarkInOut(self) -> dict[str, Any]:
        return dict(self._state.marks)

    def do_SetMarkInOut(self, begin: int, end: int, kind: str) -> bool:
        self._state.marks = {"video": {"in": begin, "out": end}}
        return True

    def do_ClearMarkInOut(self, kind: str) -> bool:
        self._state.marks = {}
        return True


class TimelineItem(HostObject):
    def do_GetUniqueId(self) -> str:
        return str(self._state.id)

    def do_GetName(self) -> str:
        return self._state.media.name if self._state.media else "Title"

    def do_GetTrackTypeAndIndex(self) -> list[Any]:
        for index, track in enumerate(self._world.timeline.tracks, 1):
            if self._state in track.items:
                return ["video", index]
        return []

    def do_GetMediaPoolItem(self) -> MediaPoolItem | None:
        return MediaPoolItem(self._world, self._state.media) if self._state.media else None

    def do_GetStart(self) -> int:
        return int(self._state.at)

    def do_GetEnd(self) -> int:
        return int(self._state.at + self._state.duration)

    def do_GetDuration(self) -> int:
        return int(self._state.duration)

    def do_GetLeftOffset(self) -> int:
        return int(self._state.left)

    def do_GetRightOffset(self) -> int:
        frames = self._state.frames or int(self._state.media.facts["Frames"] if self._state.media else 10**6)
        return frames - int(self._state.left) - int(self._state.duration)

    def do_GetSourceStartFrame(self) -> int:
        return int(self._state.source[0] if self._state.source else self._state.left)

    def do_GetSourceEndFrame(self) -> int:
        return int(self._state.source[1] if self._state.source else self._state.left + self._state.duration - 1)

    def do_GetClipColor(self) -> str:
        return str(self._state.colour)

    def do_GetClipEnabled(self) -> bool:
        return bool(self._state.enabled)

    def do_GetTakesCount(self) -> int:
        return len(self._state.takes)

    def do_GetSelectedTakeIndex(self) -> int:
        return int(self._state.take)

    def do_AddTake(self, media: MediaPoolItem, first: int, last: int) -> bool:
        found = extent(self._world, media._state, first, last)
        if not self._world.takes or found is None:
            return False
        if not self._state.takes:
            own = State(media=self._state.media, left=self._state.left, duration=self._state.duration)
            self._state.takes, self._state.take = [own], 1
        self._state.takes.append(State(media=media._state, left=found[0], duration=found[1]))
        return True

    def do_GetTakeByIndex(self, index: int) -> dict[str, Any] | None:
        if not 1 <= index <= len(self._state.takes):
            return None
        take = self._state.takes[index - 1]
        media = MediaPoolItem(self._world, take.media)
        return {"startFrame": take.left, "endFrame": take.left + take.duration - 1, "mediaPoolItem": media}

    def do_SelectTakeByIndex(self, index: int) -> bool:
        if not 1 <= index <= len(self._state.takes):
            return False
        take, self._state.take = self._state.takes[index - 1], index
        self._state.media, self._state.left, self._state.duration = take.media, take.left, take.duration
        return True

    def do_DeleteTakeByIndex(self, index: int) -> bool:
        if not 1 <= index <= len(self._state.takes) or index == self._state.take:
            return False
        del self._state.takes[index - 1]
        return True

    def do_FinalizeTake(self) -> bool:
        self._state.takes, self._state.take = [], 0
        return True

    def do_CopyGrades(self, items: list[TimelineItem]) -> bool:
        for item in items:
            item._state.grade = self._state.grade
        return True

    def do_GetProperty(self) -> dict[str, Any]:
        return dict(self._state.properties)

    def do_SetProperty(self, name: str, value: Any) -> bool:
        self._state.properties[name] = value
        return True

    def do_GetMarkers(self) -> dict[float, Any]:
        return dict(self._state.markers)

    do_AddMarker = MediaPoolItem.do_AddMarker
