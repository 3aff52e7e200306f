"""Colour: what the script and its Reads say, in the engine's words; nothing is guessed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

import nuke
from filmrestore.errors import ColourError

BUILTIN_CONFIG = "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4"
"""The engine's own, for scripts without OCIO; named, so that the engine's environment decides nothing."""

_CURVES = {
    "linear": "linear rec709",
    "sRGB": "srgb",
    "rec709": "rec709",
    "Cineon": "cineon",
    "Gamma2.2": "gamma22",
    "Gamma2.4": "gamma24",
}
"""Nuke's own curves, which change no primaries, and what they are in the engine's config."""

_WORDS = re.compile(r"(\w+) \((.+)\)")  # "default (sRGB)", "scene_linear (ACES - ACEScg)"
_ROLES = frozenset(
    {
        "scene_linear",
        "compositing_log",
        "compositing_linear",
        "color_picking",
        "color_timing",
        "data",
        "matte_paint",
        "texture_paint",
        "rendering",
        "reference",
        "aces_interchange",
    }
)


@dataclass(frozen=True)
class ScriptColour:
    """How the script works.

    Attributes:
        config: OCIO config.
        working_space: Name or role in it.
        is_ocio: Whether Nuke uses OCIO.
    """

    config: str
    working_space: str
    is_ocio: bool


def of_script() -> ScriptColour:
    """The open script's colour.

    Raises:
        ColourError: the config is not there, or the working space is not linear.
    """
    root = nuke.root()
    working = spoken(_text(root, "workingSpaceLUT"))
    if os.environ.get("OCIO"):
        return ScriptColour(os.environ["OCIO"], working or "scene_linear", True)
    if _text(root, "colorManagement") == "OCIO":
        is_custom = _text(root, "OCIO_config") == "custom"
        name = "customOCIOConfigPath" if is_custom else "OCIOConfigPath"
        knob = root.knob(name)
        path = str(knob.evaluate() or "") if knob is not None else ""
        if not path:
            raise ColourError(
                f"the script works with OCIO, and its {name} is empty: set the config in Project Settings"
            )
        return ScriptColour(path, working or "scene_linear", True)
    if working not in ("", "linear"):
        raise ColourError(f"the script's working space is {working!r}: set it to linear in Project Settings")
    return ScriptColour(BUILTIN_CONFIG, "linear rec709", False)


def of_read(read: Any, script: ScriptColour) -> str | None:
    """The colourspace of a Read's files in the engine's words; None where the engine has no such space.

    Args:
        read: A Read node.
        script: The script's colour.
    """
    if read["raw"].value():
        return "raw"
    name = read_space(read)
    return (name or None) if script.is_ocio else _CURVES.get(name)


def read_space(read: Any) -> str:
    """The colourspace that a Read uses, by Nuke's name, "default" resolved; "" where Nuke does not say."""
    name = spoken(str(read["colorspace"].value()))
    if name != "default":
        return name
    return _default_curve(str(read["file"].value()))


def spoken(value: str) -> str:
    """The space that a colourspace knob's text means: roles by their own name, "default (x)" as x."""
    found = _WORDS.fullmatch(value)
    if found is None:
        return value
    return found[1] if found[1] in _ROLES else found[2] if found[1] == "default" else value


def _default_curve(path: str) -> str:
    """What the project says of files of that kind; "" where one kind has two answers."""
    ending = os.path.splitext(path)[1].lower()
    root = nuke.root()
    if ending in (".dpx", ".cin"):
        return spoken(_text(root, "logLut"))
    if ending == ".exr":
        return spoken(_text(root, "floatLut"))
    eight, sixteen = spoken(_text(root, "int8Lut")), spoken(_text(root, "int16Lut"))
    return eight if ending in (".png", ".jpg", ".jpeg") and eight == sixteen else ""


def _text(node: Any, name: str) -> str:
    knob = node.knob(name)
    return str(knob.value()) if knob is not None else ""
