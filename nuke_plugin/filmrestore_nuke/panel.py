"""What stands on the nodes' panels, as plain data made from filmrestore's settings; knows nothing of Nuke."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from filmrestore.errors import UsageError
from filmrestore.settings import (
    DEGRADE_PRESETS,
    DegradeSettings,
    Facts,
    GrainSettings,
    RestoreSettings,
    Settings,
)


@dataclass(frozen=True)
class Entry:
    """One knob.

    Attributes:
        kind: "number", "whole", "switch", "choice", "text", "lines", "file", "button" or "note".
        name: Of the knob; of a setting, the setting's own.
        label: Words on it.
        help: Tool tip.
        default: Value at first.
        low, high: Ends of the slider.
        choices: Words of a choice.
        action: What a button calls in `buttons`.
        is_setting: Whether the engine gets it as a setting.
        is_hidden: Kept in the script, not shown.
        on_line: Stands to the right of the one before.
    """

    kind: str
    name: str
    label: str
    help: str = ""
    default: Any = None
    low: float = 0.0
    high: float = 1.0
    choices: tuple[str, ...] = ()
    action: str = ""
    is_setting: bool = False
    is_hidden: bool = False
    on_line: bool = False


@dataclass(frozen=True)
class Node:
    """One node.

    Attributes:
        title: FilmRestore, FilmDegrade or FilmGrain.
        work: What the engine calls it: restore, degrade or grain.
        settings: The engine's settings.
        inputs: Names of the inputs, the plate first.
        views: What the output switch offers; its last is the source.
        help: Tool tip of the node.
    """

    title: str
    work: str
    settings: type[Settings]
    inputs: tuple[str, ...]
    views: tuple[str, ...]
    help: str

    def tabs(self) -> dict[str, list[Entry]]:
        """Title of each tab -> its knobs, in order."""
        tabs: dict[str, list[Entry]] = {self.title: _controls(self)}
        for entry in dataclasses.fields(self.settings):  # type: ignore[arg-type]
            if entry.name not in REPLACED:
                facts: Facts = entry.metadata["facts"]
                tabs.setdefault(facts.group, []).append(_of_setting(entry, facts))
        if self.work == "restore":
            tabs["Matte"].append(_DEFECT_ALPHA)
            tabs["Fixes"] = list(_FIXES)
        tabs["Files"] = _files(self)
        return tabs

    def entries(self) -> list[Entry]:
        """Every knob."""
        return [entry for tab in self.tabs().values() for entry in tab]


REPLACED = frozenset({"output"})
"""Settings that the panel offers otherwise: files hold result and matte, the node's own switch shows the rest."""


def _of_setting(entry: dataclasses.Field[Any], facts: Facts) -> Entry:
    kind = entry.type if isinstance(entry.type, str) else entry.type.__name__
    kinds = {"float": "number", "int": "whole", "bool": "switch", "str": "text"}
    return Entry(
        kind="choice" if facts.choices else kinds[kind],
        name=entry.name,
        label=facts.label,
        help=f"{facts.help} ({facts.unit})" if facts.unit else facts.help,
        default=entry.default,
        low=facts.soft_low if facts.soft_low is not None else 0.0,
        high=facts.soft_high if facts.soft_high is not None else 1.0,
        choices=facts.choices,
        is_setting=True,
    )


def _button(name: str, label: str, help: str, *, on_line: bool = True) -> Entry:
    return Entry("button", name, label, help, action=name, on_line=on_line)


def _controls(node: Node) -> list[Entry]:
    verb = {"restore": "Restore", "degrade": "Degrade", "grain": "Make"}[node.work]
    entries = [
        Entry("choice", "output", "Show", "What the node gives out.", node.views[0], choices=node.views),
        Entry("whole", "first", "Range", "First frame of the shot.", 1, 1, 1000),
        Entry("whole", "last", "to", "Last frame of the shot.", 100, 1, 1000, on_line=True),
        _button("restore_range", f"{verb} range", f"{verb}s every frame that is not done.", on_line=False),
        _button("restore_frame", f"{verb} this frame", f"{verb}s the frame that you see."),
        _button("cancel", "Cancel", "Stops after the frame in flight; finished frames stay."),
        Entry("note", "status", "", default="no frame yet"),
        _button("look_again", "Look again", "Shows the frames that a farm has written since.", on_line=False),
        _button("check", "Check installation", "Says what is installed, and whether the engine answers."),
        Entry("text", "filmrestore", "", default=node.work, is_hidden=True),
        Entry("text", "place", "", default="", is_hidden=True),
    ]
    if node.work == "restore":
        entries.insert(-3, _button("open_report", "Open report", "Builds the page of all fixes, and opens it."))
        entries.insert(-3, _button("live", "Live on / off", "Repairs while you look, where the OpenFX plug-in is."))
    if node.work == "degrade":
        entries.insert(3, Entry("choice", "preset", "Preset", "Where to begin.", "worn", choices=(*DEGRADE_PRESETS,)))
        entries.insert(4, _button("use_preset", "Use", "Sets every knob to the preset's value."))
    return entries


_DEFECT_ALPHA = Entry(
    "switch",
    "defect_alpha",
    "Alpha is the defect map",
    "Takes the plate's alpha, as infrared scans have it, where no defect map is connected.",
    False,
)

_FIXES = (
    Entry(
        "lines",
        "reject",
        "Reject",
        "Fixes that should not stay, one a line: ids out of the report (1001-3f9a), @list.txt, "
        "frame:1001-1020, cause:scratch, confidence<0.5, box:120,40,400,300.",
        "",
    ),
    Entry(
        "switch",
        "reject_painted",
        "Reject what the protect input touches",
        "Paint over a fix to undo all of it.",
        False,
    ),
    _button(
        "reject_fixes", "Reject fixes", "Lays all other fixes over the scan again; renders nothing.", on_line=False
    ),
)


def _files(node: Node) -> list[Entry]:
    entries = [
        Entry("file", "folder", "Folder", "Where the result is kept; empty: filmrestore/NODE beside the script.", ""),
        Entry(
            "choice",
            "plate",
            "Plate",
            "automatic: an input that is a plain Read is read from its own files, bit for bit; any other is rendered.",
            "automatic",
            choices=("automatic", "rendered"),
        ),
        Entry(
            "whole",
            "frame_offset",
            "Frame offset",
            "Added to Nuke's frame to get the scan's frame number, for a plate that is rendered; a Read says its own.",
            0,
            -1000,
            1000,
        ),
        Entry(
            "choice",
            "not_done",
            "Frames not done",
            "What they do in a render of the terminal or a farm; with a user interface they show the source.",
            "fail the render",
            choices=("fail the render", "show the source"),
        ),
    ]
    if node.work == "restore":
        help = "Made by `filmrestore probe`; empty: made once, beside the result."
        entries.insert(1, Entry("file", "analysis", "Analysis", help, ""))
    return entries


NODES: dict[str, Node] = {
    "FilmRestore": Node(
        "FilmRestore",
        "restore",
        RestoreSettings,
        ("plate", "protect", "defects"),
        ("result", "matte", "difference", "overlay", "source"),
        "Removes dust, dirt, hair and scratches from scanned film; all else stays as it is, bit for bit.",
    ),
    "FilmDegrade": Node(
        "FilmDegrade",
        "degrade",
        DegradeSettings,
        ("plate",),
        ("result", "difference", "source"),
        "Damages a clean picture as time and projectors do.",
    ),
    "FilmGrain": Node(
        "FilmGrain",
        "grain",
        GrainSettings,
        ("plate", "reference"),
        ("result", "difference", "source"),
        "Keeps, matches, adds or reduces grain.",
    ),
}


def node_of(work: str) -> Node:
    """The node that the engine calls so.

    Raises:
        UsageError: none is called so.
    """
    for node in NODES.values():
        if node.work == work:
            return node
    raise UsageError(f"a node says that it does {work!r}: expected {', '.join(one.work for one in NODES.values())}")
