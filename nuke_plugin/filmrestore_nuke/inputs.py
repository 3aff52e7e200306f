"""What is connected to a node, and whether the engine can read it from its own files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import nuke
from filmrestore.errors import UsageError

from .colour import ScriptColour, of_read, read_space
from .frames import has_place

_PASSES = frozenset({"Dot", "NoOp"})
_READ_BIT_EXACT = frozenset({".exr", ".dpx", ".tif", ".tiff", ".png"})


@dataclass(frozen=True)
class Files:
    """A plain Read's files.

    Attributes:
        pattern: Path with a place for the number, and %V or %v where there are views.
        first, last: Numbers that the Read shows.
        offset: File number minus Nuke's frame.
        colourspace: In the engine's words.
        show_as: Knobs that a Read of the result needs, so that it looks as the source does.
    """

    pattern: str
    first: int
    last: int
    offset: int
    colourspace: str
    show_as: dict[str, Any]


def connected(group: Any, name: str, names: tuple[str, ...]) -> Any | None:
    """The node at the input of that name; None where nothing is connected."""
    return group.input(names.index(name)) if name in names else None


def files_of(node: Any | None, script: ScriptColour) -> Files | None:
    """The files of a plain Read, possibly behind Dots; None where the picture has to be rendered."""
    while node is not None and node.Class() in _PASSES:
        node = node.input(0)
    if node is None or node.Class() != "Read" or node["disable"].value():
        return None
    pattern, offset, colourspace = _pattern(node), _offset(node), of_read(node, script)
    if pattern is None or offset is None or colourspace is None:
        return None
    show_as: dict[str, Any] = {"raw": bool(node["raw"].value()), "premultiplied": bool(node["premultiplied"].value())}
    if not show_as["raw"]:
        show_as["colorspace"] = read_space(node)
    first, last = int(node["first"].value()), int(node["last"].value())
    return Files(pattern, first, last, offset, colourspace, show_as)


def frame_range(node: Any) -> tuple[int, int]:
    """The frames, in Nuke's time, that a node has."""
    return int(node.firstFrame()), int(node.lastFrame())


def _pattern(read: Any) -> str | None:
    text = str(read["file"].value())
    if "[" in text:
        try:
            text = nuke.tcl("subst", text)
        except RuntimeError:  # only the Read itself can say: Nuke renders it, or says what is wrong
            return None
    if text and not os.path.isabs(text):
        folder = nuke.root()["project_directory"].evaluate()
        text = os.path.join(folder, text) if folder else ""
    text = text.replace("\\", "/")
    is_known = os.path.splitext(text)[1].lower() in _READ_BIT_EXACT
    return text if is_known and has_place(text) and "[" not in text else None


def _offset(read: Any) -> int | None:
    """File number minus Nuke's frame; None where it is not the same for every frame."""
    mode, text = str(read["frame_mode"].value()), str(read["frame"].value()).strip()
    if not text:
        return 0
    try:
        number = int(text)
    except ValueError:
        return None
    if mode == "offset":
        return number
    first = int(read["first"].value())
    is_whole = first == int(read["origfirst"].value())
    return first - number if mode == "start at" and is_whole else None


def views_of(pattern: str | None) -> list[str]:
    """The views to work on: of files without %V or %v one serves all."""
    views = [str(view) for view in nuke.views()]
    if len(views) < 2 or (pattern is not None and not has_view(pattern)):
        return [""]
    return views


def has_view(pattern: str) -> bool:
    """Whether a path differs by view."""
    return "%V" in pattern or "%v" in pattern


def with_view(pattern: str, view: str) -> str:
    """The path of one view: %V is its name, %v its first letter.

    Raises:
        UsageError: the path differs by view, and there is none.
    """
    if has_view(pattern) and not view:
        raise UsageError(f"{pattern} differs by view, and the script has one view: add the others in Project Settings")
    return pattern.replace("%V", view).replace("%v", view[:1])
