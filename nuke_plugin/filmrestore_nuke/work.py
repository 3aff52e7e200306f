"""What a node asks of the engine, as plain facts that a thread may hold: planned from the node, nothing done yet."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any

from filmrestore.errors import UsageError

from .colour import ScriptColour, of_script
from .frames import format_frames, frames_between
from .inputs import Files, connected, files_of, frame_range, views_of, with_view
from .panel import Node, node_of
from .places import absolute, folder_of

_ID = re.compile(r"(-?\d+)-[0-9a-f]{4,10}")


@dataclass(frozen=True)
class Render:
    """An input that Nuke writes for the engine.

    Attributes:
        input: Its name.
        pattern: Files, numbered as the scan.
        frames: In Nuke's time.
        whole: All that the node needs once; `frames` is what it needs now.
        is_mask: The alpha alone.
    """

    input: str
    pattern: str
    frames: tuple[int, ...]
    whole: tuple[int, ...]
    is_mask: bool


@dataclass(frozen=True)
class Work:
    """One view of a node.

    Attributes:
        title: The node's name, for the user.
        kind: "restore", "degrade" or "grain".
        view: "" where there is one.
        frames: In Nuke's time.
        offset: Number of the scan's frame minus Nuke's.
        folder: Of everything that belongs to this view.
        renders: Inputs to be written first.
        job: For the client: files in, files out.
        settings: Of the node.
        result, matte: Patterns as a Read takes them, with %V where there are views.
        show_as: Knobs of a Read of the result.
        without: Fixes that the artist rejected, of these frames.
        without_mask: Painted masks: a fix that touches white is rejected.
    """

    title: str
    kind: str
    view: str
    frames: tuple[int, ...]
    offset: int
    folder: str
    renders: tuple[Render, ...]
    job: dict[str, Any]
    settings: dict[str, Any]
    result: str
    matte: str | None
    show_as: dict[str, Any]
    without: list[str] = field(default_factory=list)
    without_mask: str | None = None

    @property
    def numbers(self) -> list[int]:
        """The scan's numbers of the frames."""
        return [frame + self.offset for frame in self.frames]


def plan(group: Any, frames: list[int]) -> list[Work]:
    """The work on these frames, view by view.

    Args:
        group: A node of ours.
        frames: In Nuke's time.

    Raises:
        UsageError: nothing is connected, a knob is out of range, or there is no place for the result.
        ColourError: the script's colour cannot be told.
    """
    return _Planner(group, frames).works()


def settings_of(group: Any, panel: Node) -> dict[str, Any]:
    """The node's settings, checked.

    Raises:
        UsageError: a value out of range.
    """
    kinds: dict[str, Any] = {"number": float, "whole": int, "switch": bool}
    values = {
        entry.name: kinds.get(entry.kind, str)(group[entry.name].value())
        for entry in panel.entries()
        if entry.is_setting
    }
    panel.settings.from_dict(values)
    return values


class _Planner:
    """What all views share."""

    def __init__(self, group: Any, frames: list[int]) -> None:
        self.group, self.frames = group, frames
        self.panel = node_of(str(group["filmrestore"].value()))
        self.script: ScriptColour = of_script()
        plate = group.input(0)
        if plate is None:
            raise UsageError(f"nothing is connected to {group.name()}: connect the plate")
        if not frames:
            raise UsageError("there are no frames to work on: set the range")
        self.settings = settings_of(group, self.panel)
        self.files: Files | None = None
        if str(group["plate"].value()) == "automatic":
            self.files = files_of(plate, self.script)
        self.offset = self.files.offset if self.files else int(group["frame_offset"].value())
        self.folder = folder_of(group)
        self.whole = self._whole()

    def works(self) -> list[Work]:
        """One for each view."""
        views = views_of(self.files.pattern if self.files else None)
        return [self._view(view, several=len(views) > 1) for view in views]

    def _whole(self) -> tuple[int, ...]:
        """All frames of the shot, in Nuke's time."""
        first, last = int(self.group["first"].value()), int(self.group["last"].value())
        if self.files:
            first, last = self.files.first - self.offset, self.files.last - self.offset
        else:
            first, last = min(first, *self.frames), max(last, *self.frames)
        return tuple(frames_between(first, last))

    def _around(self) -> tuple[int, ...]:
        """The frames with their handles, as far as the shot goes."""
        handles = max(3, int(self.settings.get("handles", 3)))
        wanted = {near for frame in self.frames for near in range(frame - handles, frame + handles + 1)}
        return tuple(frame for frame in self.whole if frame in wanted)

    def _view(self, view: str, *, several: bool) -> Work:
        folder = f"{self.folder}/{view}" if several else self.folder
        shown = f"{self.folder}/%V" if several else self.folder
        renders: list[Render] = []
        if self.files:
            source, colourspace, show_as = (
                with_view(self.files.pattern, view),
                self.files.colourspace,
                self.files.show_as,
            )
        else:
            source, colourspace = f"{folder}/plate/plate.%04d.exr", self.script.working_space
            show_as = {"raw": True}
            renders.append(Render("plate", source, self._around(), self.whole, False))
        name = f"result.%04d{os.path.splitext(source)[1]}"
        job: dict[str, Any] = {
            "source": source,
            "output": f"{folder}/{name}",
            "span": format_frames(frame + self.offset for frame in self.frames),
            "colourspace": colourspace,
            "working_space": self.script.working_space,
            "config": self.script.config,
        }
        mask = None
        if self.panel.work == "restore":
            job.update(self._of_restore(folder, renders))
            mask = job.get("protect") if self.group["reject_painted"].value() else None
        if self.panel.work == "grain":
            job.update(self._of_grain(folder, view, renders))
        return Work(
            title=str(self.group.name()),
            kind=self.panel.work,
            view=view,
            frames=tuple(self.frames),
            offset=self.offset,
            folder=folder,
            renders=tuple(renders),
            job=job,
            settings=self.settings,
            result=f"{shown}/{name}",
            matte=f"{shown}/matte/matte.%04d.png" if self.panel.work == "restore" else None,
            show_as=show_as,
            without=self._rejected(),
            without_mask=mask,
        )

    def _of_restore(self, folder: str, renders: list[Render]) -> dict[str, Any]:
        job: dict[str, Any] = {"matte_out": f"{folder}/matte/matte.%04d.png", "ledger": f"{folder}/ledger"}
        analysis = str(self.group["analysis"].evaluate() or "")
        if analysis:
            job["analysis"] = absolute(analysis, "the analysis")
        if self._is_connected("protect"):
            job["protect"] = f"{folder}/protect/protect.%04d.exr"
            renders.append(Render("protect", job["protect"], tuple(self.frames), tuple(self.frames), True))
        if self._is_connected("defects"):
            job["defect_map"] = f"{folder}/defects/defects.%04d.exr"
            renders.append(Render("defects", job["defect_map"], self._around(), self._around(), True))
        elif self.group["defect_alpha"].value():
            job["defect_map"] = "alpha"
        return job

    def _of_grain(self, folder: str, view: str, renders: list[Render]) -> dict[str, Any]:
        node = connected(self.group, "reference", self.panel.inputs)
        if node is None:
            return {}
        files = files_of(node, self.script)
        if files is not None:
            return {"reference": with_view(files.pattern, view), "reference_colourspace": files.colourspace}
        first, last = frame_range(node)
        pattern, frames = f"{folder}/reference/reference.%04d.exr", tuple(frames_between(first, last))
        renders.append(Render("reference", pattern, frames, frames, False))
        return {"reference": pattern, "reference_colourspace": self.script.working_space}

    def _is_connected(self, name: str) -> bool:
        return connected(self.group, name, self.panel.inputs) is not None

    def _rejected(self) -> list[str]:
        """The artist's list, without ids of other frames, which are not in every chunk's ledger."""
        if self.panel.work != "restore":
            return []
        numbers = {frame + self.offset for frame in self.frames}
        lines = [line.partition("#")[0].strip() for line in str(self.group["reject"].value() or "").splitlines()]
        found = [(line, _ID.fullmatch(line)) for line in lines if line]
        wanted = [line for line, name in found if name is None or int(name[1]) in numbers]
        return [f"@{absolute(line[1:], 'the list')}" if line.startswith("@") else line for line in wanted]
