"""`filmrestore probe`: looks at a whole reel once, and writes the analysis that every chunk reads."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import GroupedCommand, takes_colour, takes_progress, takes_source
from .places import check_target
from .progress import display
from .stopping import stop_on_signals

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..media import Shot


@click.command(cls=GroupedCommand)
@takes_source
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="The analysis.  [NAME.analysis.json, here]"
)
@click.option("--cuts", "cut_list", metavar="FILE", help="Cuts: EDL, OTIO or a list of first frames.  [found]")
@takes_colour
@takes_progress
def command(
    *,
    source: str,
    span: str | None,
    out: Path | None,
    cut_list: str | None,
    colourspace: str | None,
    working_space: str,
    ocio: str | None,
    progress: str,
    as_json: bool,
) -> None:
    """Look at every frame of IN, whatever the span, and say what it is.

    Give the file to every chunk of a farm job with `restore --analysis`, so that all see the same reel.
    """
    from ..analysis import analyse
    from ..colour import open_colour
    from ..media import open_shot
    from ..scenes import read_cuts

    check_target(out, "the analysis")
    with open_shot(source, span, missing="allow") as shot:
        colour = open_colour(
            shot.format,
            colourspace=colourspace,
            working_space=working_space,
            config=ocio,
            path=shot.path_of(shot.frames[0]),
        )
        path = out or Path(f"{shot.name}.analysis.json")
        check_target(path, "the analysis")
        cuts = None if cut_list is None else read_cuts(cut_list, shot)
        with stop_on_signals() as stop, display(progress) as shown:
            found = analyse(shot, colour, cuts=cuts, progress=shown, cancelled=stop.is_set)
        found.save(path)
        facts = summary(shot, found, path)
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        click.echo(f"{name:<11}{value if not isinstance(value, list) else '; '.join(map(str, value)) or 'none'}")


def summary(shot: Shot, found: Analysis, path: Path) -> dict[str, object]:
    """What a person wants to know of a reel, by name."""
    from ..media import format_span

    form = shot.format
    grain = found.grain
    middle = None if grain is None else max(grain.deviation[len(grain.levels) // 2])
    return {
        "shot": str(shot.path),
        "frames": f"{len(shot.available)} ({format_span(shot.available)})",
        "missing": format_span(shot.missing) if shot.missing else "none",
        "unreadable": format_span(found.unreadable) if found.unreadable else "none",
        "picture": f"{form.width} x {form.height}, {' '.join(form.channels)}, {form.bits} bits, {form.container}",
        "rate": f"{float(shot.rate):g}" if shot.rate else "not said",
        "colour": f"{found.colour.get('colourspace')} (by {found.colour.get('chosen_by')})",
        "cuts": list(found.cuts),
        "repeats": f"{len(found.repeats)} ({format_span(found.repeats)})" if found.repeats else "none",
        "flicker": f"{100 * found.flicker:.1f} % of light",
        "weave": "{:.2f} x {:.2f} px".format(*found.weave),
        "grain": "not measured" if middle is None else f"{middle:.4f} net, at the middle level",
        "sharpness": f"edges blurred over {found.blur:.1f} px" if found.blur else "no edge to tell it by",
        "scratches": [
            f"{scratch.polarity}{'' if scratch.certain else ' (or a thin edge of the picture)'} at column "
            f"{math.floor(scratch.columns[0][0])}, {scratch.first} to {scratch.last}"
            for scratch in found.scratches
        ],
        "marks": [
            f"{mark.polarity}{'' if mark.certain else ' (or a part of the picture)'} at column "
            f"{mark.step * mark.views[0].x}, row {mark.step * mark.views[0].y}, {mark.first} to {mark.last}"
            for mark in found.marks
        ],
        "dirt": f"about {100 * found.dirt:.2f} % of the picture",
        "analysis": str(path),
    }
