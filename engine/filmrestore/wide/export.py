"""The weave of a reel for other programs: a Nuke Transform, a table, or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError

Place = tuple[float, float, float]
FORMS = (".nk", ".csv", ".json")


def weave_text(path: Mapping[int, Place], size: tuple[int, int], target: Path) -> str:
    """The content of a file that says how each frame stands off its place, in the form of its ending.

    The Transform brings the frames to their place: its signs are those of Nuke, y up and angles against the clock. The
    table and JSON say how far each frame stands off: x to the right, y down, px; turn clockwise, degrees, about the
    middle of the frame.

    Args:
        path: (x, y, turn) by frame.
        size: (width, height) of the frames.
        target: The file.

    Raises:
        UsageError: an ending that is none of `FORMS`.
    """
    if target.suffix == ".nk":
        return _nuke(path, size)
    if target.suffix == ".csv":
        rows = (f"{number},{x:.4f},{y:.4f},{turn:.6f}" for number, (x, y, turn) in sorted(path.items()))
        return "\n".join(("frame,x,y,turn", *rows)) + "\n"
    if target.suffix == ".json":
        frames = {str(number): [round(value, 6) for value in path[number]] for number in sorted(path)}
        return json.dumps({"width": size[0], "height": size[1], "columns": ["x", "y", "turn"], "frames": frames}) + "\n"
    raise UsageError(f"{target}: the weave is written as one of {', '.join(FORMS)}")


def _nuke(path: Mapping[int, Place], size: tuple[int, int]) -> str:
    def curve(values: Mapping[int, float]) -> str:
        keys = " ".join(f"x{number} {values[number] + 0.0:.5f}" for number in sorted(values))
        return f"{{curve {keys}}}"

    x = curve({number: -place[0] for number, place in path.items()})
    y = curve({number: place[1] for number, place in path.items()})
    turn = curve({number: place[2] for number, place in path.items()})
    return (
        "Transform {\n"
        f" translate {{{x} {y}}}\n"
        f" rotate {{{turn}}}\n"
        f" center {{{size[0] / 2:g} {size[1] / 2:g}}}\n"
        " filter Keys\n"
        ' label "weave undone"\n'
        " name FilmRestoreWeave\n"
        "}\n"
    )
