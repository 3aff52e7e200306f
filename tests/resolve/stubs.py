"""What Resolve's published stubs say: the methods of every class, and how many arguments they take."""

from __future__ import annotations

import ast
from functools import cache
from importlib.metadata import files
from pathlib import Path

Arity = tuple[int, int]

# The stubs ask for more than Resolve's own README and scripts that run do: these are optional there.
TOO_STRICT = {
    "TimelineItem": {"GetStart": 0, "GetEnd": 0, "GetDuration": 0, "GetLeftOffset": 0, "GetRightOffset": 0},
    "Timeline": {"AddTrack": 1, "DeleteClips": 1},
    "MediaPoolItem": {"GetClipProperty": 0, "AddMarker": 5},
}
# Not in the stubs, and None in most versions: asked for by name once, see clips.py.
UNDOCUMENTED = {("Timeline", name) for name in ("GetSelectedItems", "GetSelectedTimelineItems", "GetSelectedClips")}


@cache
def methods() -> dict[str, dict[str, Arity]]:
    """Class -> method -> least and most arguments, over all overloads."""
    found: dict[str, dict[str, Arity]] = {}
    for node in ast.parse(_stub().read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            table = found.setdefault(node.name, {})
            for entry in node.body:
                if isinstance(entry, ast.FunctionDef):
                    low, high = _arity(entry)
                    known = table.get(entry.name, (low, high))
                    table[entry.name] = min(low, known[0]), max(high, known[1])
    for name, least in TOO_STRICT.items():
        for method, count in least.items():
            found[name][method] = min(count, found[name][method][0]), found[name][method][1]
    return found


def _stub() -> Path:
    listed = files("fusionscript-stubs") or []
    return Path(str(next(file for file in listed if file.name == "fusionscript.pyi").locate()))


def _arity(function: ast.FunctionDef) -> Arity:
    named = function.args.args[1:]
    optional = len(function.args.defaults)
    for entry in reversed(named[: len(named) - optional]):
        if entry.annotation is None or not ast.unparse(entry.annotation).startswith("Optional"):
            break
        optional += 1
    return len(named) - optional, 99 if function.args.vararg else len(named)
