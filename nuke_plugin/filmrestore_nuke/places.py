"""Where a node keeps its files, and what relative paths of its knobs begin at."""

from __future__ import annotations

import os
import re
from typing import Any

import nuke
from filmrestore.errors import UsageError

_NOT_IN_FOLDERS = re.compile(r"[\[\]#%\x00-\x1f]")
"""Tcl, frame numbers and views to a file knob."""


def folder_of(group: Any) -> str:
    """Where the node keeps its files: the knob, else where it kept them before, else beside the script.

    Raises:
        UsageError: none is known, or Nuke would take its name for something else.
    """
    folder = _folder_of(group)
    if not folder:
        raise UsageError("there is no place for the result: save the script, or choose a folder on the tab Files")
    found = _NOT_IN_FOLDERS.search(folder)
    if found is not None:
        raise UsageError(
            f"the result cannot be kept in {folder!r}: in a file name {found[0]!r} means something else to Nuke; "
            "choose another folder on the tab Files"
        )
    return folder


def keep_place(group: Any) -> None:
    """Writes down where the files are, for a farm that opens a copy of the script; a copy of the node has its own."""
    group["place"].setValue(f"{group.fullName()}\n{folder_of(group)}")


def check_alone(group: Any) -> None:
    """Two nodes that write the same files would undo each other's work, and each show the other's as its own.

    Raises:
        UsageError: another node keeps its files in the same folder.
    """
    mine = os.path.normpath(folder_of(group))
    for other in nuke.allNodes("Group", nuke.root(), True):
        is_ours = other.knob("filmrestore") is not None and other.knob("place") is not None
        if not is_ours or other.fullName() == group.fullName():
            continue
        try:
            theirs = _folder_of(other)
        except UsageError:  # it has none yet, which is its own trouble
            continue
        if theirs and os.path.normpath(theirs) == mine:
            raise UsageError(
                f"{other.fullName()} keeps its files in {mine} too: give one of them another folder on the tab Files"
            )


def absolute(path: str, what: str) -> str:
    """A path of a knob; a relative one begins at the project's directory, as Nuke's do, else beside the script.

    Raises:
        UsageError: there is neither.
    """
    if not os.path.isabs(path):
        root = str(nuke.root()["project_directory"].evaluate() or os.path.dirname(str(nuke.root().name())))
        if not os.path.isabs(root):
            raise UsageError(f"{what} {path!r} is relative, and the script lies nowhere: save it, or give a whole path")
        path = os.path.join(root, path)
    return path.replace("\\", "/")


def _folder_of(group: Any) -> str:
    """The node's folder; empty where there is none to be told."""
    told = str(group["folder"].evaluate() or "").strip().rstrip("/\\")
    if told:
        return absolute(told, "the folder")
    name, _, place = str(group["place"].value()).partition("\n")
    if place and name == group.fullName():
        return place
    script = str(nuke.root().name())
    if not os.path.isabs(script):
        return ""
    return f"{os.path.dirname(script)}/filmrestore/{group.fullName().replace('.', '_')}".replace("\\", "/")
