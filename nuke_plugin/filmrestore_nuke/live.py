"""Live repair: where the OpenFX plug-in is, it sits inside the node while the switch is on.

It is inside only so long, for a script that holds it does not open where the OpenFX plug-in is missing.
"""

from __future__ import annotations

from typing import Any

import nuke
from filmrestore.errors import UsageError

from .colour import of_script
from .panel import node_of
from .tell import one_undo

_CLASSES = ("OFXorg.filmrestore.{}_v1", "OFXorg.filmrestore.{}_v100", "OFXorg.filmrestore.{}_v1_0")
"""Nuke's name of an OpenFX plug-in: its identifier, as written or in small letters, and its version."""


def class_of(title: str) -> str | None:
    """Nuke's class of our OpenFX plug-in; None where it is not installed."""
    names = [name.rpartition("/")[2] for name in nuke.plugins(nuke.ALL, "OFX*", "ofx*")]
    offered = {name.lower(): name for name in names}
    for form in _CLASSES:
        name = form.format(title)
        for candidate in (name, "OFX" + name[3:].lower()):
            if candidate.lower() in offered:
                return str(offered[candidate.lower()])
            if _is_known(candidate):
                return candidate
    return None


def _is_known(name: str) -> bool:
    """Whether Nuke can make such a node: only trying tells, and what was made goes again at once."""
    undo = nuke.Undo()
    undo.disable()
    try:
        nuke.delete(nuke.createNode(name, inpanel=False))
    except RuntimeError:
        return False
    finally:
        undo.enable()
    return True


def toggle(group: Any) -> None:
    """Turns the live repair of a node on or off.

    Raises:
        UsageError: the OpenFX plug-in is not installed.
        ColourError: the script's colour cannot be told.
    """
    switch = group.node("live")
    with one_undo("live"):
        if group.node("live_ofx") is not None:
            switch["which"].setValue(0)
            nuke.delete(group.node("live_ofx"))
            return
        panel = node_of(str(group["filmrestore"].value()))
        name = class_of(panel.title)
        if name is None:
            raise UsageError("live mode needs the OpenFX plug-in: run `filmrestore install ofx`, then start Nuke again")
        with group:
            node = nuke.createNode(name, inpanel=False)
        node.setName("live_ofx")
        for number, plate in enumerate(panel.inputs):
            node.setInput(number, group.node(plate))
        for entry in panel.entries():
            if not entry.is_setting or group.knob(entry.name) is None:
                continue
            if entry.kind == "text":
                node[entry.name].setValue(group[entry.name].value())  # expressions are numbers: texts go over once
            else:
                node[entry.name].setExpression(f"parent.{entry.name}")
        colour = of_script()
        node["colourspace"].setValue(colour.working_space)
        node["config"].setValue(colour.config)
        node["frame_offset"].setExpression("parent.frame_offset")
        switch.setInput(1, node)
        switch["which"].setValue(1)
