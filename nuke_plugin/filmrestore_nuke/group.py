"""Builds a node: a Group of standard nodes, so that a script opens and renders where the plug-in is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nuke

from .panel import NODES, Entry, Node
from .tell import one_undo

_CALL = """import nuke
try:
    from filmrestore_nuke import buttons
except ImportError:
    if nuke.GUI:
        nuke.message("The filmrestore plug-in is not installed here. Frames that are done still show and render.")
else:
    buttons.{action}(nuke.thisNode())
"""


def create(title: str) -> Any:
    """A node of that title, connected to what is selected; one step of undo.

    Args:
        title: A name of `NODES`.
    """
    selected = nuke.selectedNodes()
    with one_undo(title):
        group = build(NODES[title])
        for node in selected:
            node.setSelected(False)
        if selected:
            group.setInput(0, selected[0])
            group.setXYpos(selected[0].xpos(), selected[0].ypos() + 80)
            group["first"].setValue(int(selected[0].firstFrame()))
            group["last"].setValue(int(selected[0].lastFrame()))
        else:
            group["first"].setValue(int(nuke.root()["first_frame"].value()))
            group["last"].setValue(int(nuke.root()["last_frame"].value()))
        group.setSelected(True)
    if nuke.GUI:
        group.showControlPanel()
    return group


def build(node: Node) -> Any:
    """The Group with its knobs and what is inside it; nothing is connected."""
    group = nuke.nodes.Group()
    group.setName(f"{node.title}1")  # Nuke counts on where the name is taken
    for title, entries in node.tabs().items():
        group.addKnob(nuke.Tab_Knob(f"tab_{title.replace(' ', '_').replace('&', 'and')}", title))
        for entry in entries:
            group.addKnob(_knob(entry))
    group["help"].setValue(node.help)
    with group:
        _fill(node)
    return group


_MAKERS: dict[str, Callable[[Entry], Any]] = {
    "number": lambda entry: nuke.Double_Knob(entry.name, entry.label),
    "whole": lambda entry: nuke.Int_Knob(entry.name, entry.label),
    "switch": lambda entry: nuke.Boolean_Knob(entry.name, entry.label),
    "choice": lambda entry: nuke.Enumeration_Knob(entry.name, entry.label, list(entry.choices)),
    "text": lambda entry: nuke.String_Knob(entry.name, entry.label),
    "lines": lambda entry: nuke.Multiline_Eval_String_Knob(entry.name, entry.label),
    "file": lambda entry: nuke.File_Knob(entry.name, entry.label),
    "note": lambda entry: nuke.Text_Knob(entry.name, entry.label, str(entry.default)),
    "button": lambda entry: nuke.PyScript_Knob(entry.name, entry.label, _CALL.format(action=entry.action)),
}


def _knob(entry: Entry) -> Any:
    knob = _MAKERS[entry.kind](entry)
    if entry.kind == "number":
        knob.setRange(entry.low, entry.high)
    if entry.default is not None and entry.kind not in ("note", "button"):
        knob.setValue(entry.default)
    if entry.help:
        knob.setTooltip(entry.help)
    if entry.on_line:
        knob.clearFlag(nuke.STARTLINE)
    elif entry.kind in ("switch", "button"):
        knob.setFlag(nuke.STARTLINE)
    if entry.is_hidden:
        knob.setFlag(nuke.INVISIBLE)
    return knob


def _fill(node: Node) -> None:
    """What is inside: the files of the result, and the ways to look at them."""
    inputs = {}
    for number, name in enumerate(node.inputs):
        inputs[name] = _make("Input", name)
        inputs[name]["number"].setValue(number)
    plate, result = inputs["plate"], _read("result")
    shown = {"result": result, "source": plate}
    shown["difference"] = _make("Merge2", "difference", plate, result)
    shown["difference"]["operation"].setValue("difference")
    if "matte" in node.views:
        shown["matte"] = _read("matte")
        shown["overlay"] = _overlay(plate, shown["matte"])
    view = _make("Switch", "view", *(shown[name] for name in node.views))
    view["which"].setExpression("parent.output")
    ready = _make("Switch", "ready", plate, view)
    ready["which"].setExpression("parent.not_done==0&&!$gui")
    live = _make("Switch", "live", ready)
    _make("Output", "output", live)


def _overlay(plate: Any, matte: Any) -> Any:
    """The matte in red over the source, as the engine shows it."""
    red = _make("Constant", "red")
    red["channels"].setValue("rgba")
    red["color"].setValue([1.0, 0.0, 0.0, 1.0])
    overlay = _make("Keymix", "overlay", plate, red, matte)
    overlay["maskChannel"].setValue("rgba.red")
    overlay["bbox"].setValue("B side")
    overlay["mix"].setValue(0.6)
    return overlay


def _read(name: str) -> Any:
    """A Read that has no files yet."""
    read = _make("Read", name)
    read["on_error"].setValue("error")
    return read


def _make(kind: str, name: str, *inputs: Any) -> Any:
    made = getattr(nuke.nodes, kind)()
    made.setName(name)
    for number, node in enumerate(inputs):
        made.setInput(number, node)
    return made
