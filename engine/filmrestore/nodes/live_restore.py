"""One frame of the restore node in memory: its window through the tiles, its repair, and the box that changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cache import TileCache
from ..colour import Colour
from ..frame import Box, Frame
from ..grain import GrainModel
from ..restorers.base import Restorer, numeric_class
from ..settings import RestoreSettings
from ..wide.lay import lay
from ..wide.record import Wide
from .composite import Repair, repair, view
from .far import FarPlan
from .far_fill import FarFrames
from .job import mapped
from .kept import Kept, Name
from .lines import Lasting, chosen, line_maps, through, with_lines
from .lumas import Lumas
from .mask_input import mask_values
from .meter import Meter
from .tiles import Blended, TileMaker
from .windows import Unit

F32 = NDArray[np.float32]
NOTHING = Box(x0=0, y0=0, x1=0, y1=0)


@dataclass(frozen=True, kw_only=True)
class FrameJob:
    """One frame to restore.

    Attributes:
        number: Which.
        unit: Its window.
        frames: At least the window's, and the frame itself.
        name: Tells the window's pixels from all others'.
        settings: Of the node.
        colour: Of the clip.
        restorer: The method's.
        grain: The reel's.
        wide: Fixes of the whole frame, laid over it last.
        lasting: The reel's scratches and marks.
        far: Which far frames a window asks; None where there is no analysis.
        protect: (h, w, 1), 0..1.
        maps: Defect maps by frame, (h, w, 1).
        defect_alpha: The frames' alpha is the defect map.
        whole: The answer is all of the frame, whatever changed.
        cache: Tiles on disk.
        threads: Patches side by side.
        cancelled: Called between patches; raises to end the work.
    """

    number: int
    unit: Unit
    frames: Mapping[int, Frame]
    name: Name
    settings: RestoreSettings
    colour: Colour
    restorer: Restorer
    grain: GrainModel | None = None
    wide: tuple[Wide, ...] = ()
    lasting: tuple[Lasting, ...] = ()
    far: FarPlan | None = None
    protect: F32 | None = None
    maps: Mapping[int, F32] = field(default_factory=dict)
    defect_alpha: bool = False
    whole: bool = False
    cache: TileCache | None = None
    threads: int = 1
    cancelled: Callable[[], None]


def restore_one(job: FrameJob, kept: Kept) -> tuple[Box, F32, dict[str, Any]]:
    """The box that changed, its pixels (h, w, channels), and facts for people.

    Args:
        job: The frame.
        kept: Results of earlier windows; takes those of this one.

    Raises:
        FilmRestoreError: memory, or what `job.cancelled` raises.
    """
    started = perf_counter()
    meter = Meter()
    frame, settings = job.frames[job.number], job.settings
    if settings.output == "result" and settings.strength * settings.mix == 0:
        box = _everything(frame) if job.whole or job.wide else NOTHING
        return box, np.asarray(lay(frame.codes, job.wide, frame.format)[box.slices], np.float32), _facts(meter, started)
    maps = _maps(job)
    lines = line_maps(job.unit, job.frames, job.lasting, job.colour, settings)
    blended = _blended(job, with_lines(maps, lines), kept, meter)
    job.cancelled()  # the patches are kept; what follows takes a second on a large frame
    lumas = Lumas(job.frames, job.colour)
    source = job.unit.source(job.number)
    far = FarFrames(job.unit, job.frames, job.far, job.colour) if job.far is not None and job.unit.far else None
    done = repair(
        frame,
        blended,
        lambda: lumas.around(job.number, job.unit),
        job.colour,
        settings,
        grain=job.grain,
        protect=None if job.protect is None else mask_values(job.protect[:, :, 0], 1.0, invert=False),
        defect_map=maps.get(source),
        lines=lines.get(source),
        ways=through(job.lasting, source, len(frame.codes)),
        grain_frame=job.unit.numbers[job.unit.place(job.number)],
        marks=not job.restorer.facts.cause,
        far=None if far is None else partial(far.fill, source),
        meter=meter,
    )
    is_partial = settings.output == "result" and not job.whole and not job.wide
    box = _changed(done) if is_partial else _everything(frame)
    facts = {"taken_back": done.taken_back, "changed": int(np.count_nonzero(done.origin)), **_facts(meter, started)}
    pixels = _pixels(box, frame, done, settings)
    return box, np.asarray(lay(pixels, job.wide, frame.format), np.float32), facts


def _blended(job: FrameJob, maps: Mapping[int, F32] | None, kept: Kept, meter: Meter) -> Blended:
    """What the tiles say of the frame: kept from an earlier window, or of a window now."""
    lines = chosen(job.lasting, job.settings)
    near = replace(job.unit, far=())  # no tile sees what lies far off
    name = (*job.name, near, lines, tuple(sorted(job.settings.network_values().items())))
    found = kept.get(name, job.number)
    if found is not None:
        return found
    tiles = TileMaker(
        job.restorer,
        job.colour,
        job.settings,
        numeric_class(job.restorer),
        cache=job.cache,
        threads=job.threads,
        roi=None,
        meter=meter,
        cancelled=job.cancelled,
    )
    try:
        results = tiles.blend(job.unit, job.frames, maps)
    except (MemoryError, RuntimeError) as error:
        raise mapped(error) from error
    finally:
        tiles.close()
    kept.put(name, results)
    return results[job.number]


def _maps(job: FrameJob) -> dict[int, F32]:
    """Defect maps (h, w), 0..1, of the window's frames."""
    invert = job.settings.defect_map_invert
    if job.defect_alpha:
        alpha = next(iter(job.frames.values())).format.alpha
        planes = {n: job.frames[n].codes[:, :, alpha] for n in set(job.unit.sources)}
    else:
        planes = {n: plane[:, :, 0] for n, plane in job.maps.items()}
    return {n: mask_values(plane, 1.0, invert=invert) for n, plane in planes.items()}


def _everything(frame: Frame) -> Box:
    return Box(x0=0, y0=0, x1=frame.format.width, y1=frame.format.height)


def _changed(done: Repair) -> Box:
    """The smallest box around every pixel whose code changed."""
    rows = np.flatnonzero(done.origin.any(axis=1))
    if not rows.size:
        return NOTHING
    columns = np.flatnonzero(done.origin[rows[0] : rows[-1] + 1].any(axis=0))
    return Box(x0=int(columns[0]), y0=int(rows[0]), x1=int(columns[-1]) + 1, y1=int(rows[-1]) + 1)


def _pixels(box: Box, frame: Frame, done: Repair, settings: RestoreSettings) -> F32:
    if settings.output == "result" and not done.origin.any():
        return np.asarray(frame.codes[box.slices], np.float32)
    pixels = frame.codes[box.slices].copy()
    pixels[:, :, list(frame.format.picture)] = view(settings.output, frame, done, settings.mix)[box.slices]
    return np.asarray(pixels, np.float32)


def _facts(meter: Meter, started: float) -> dict[str, Any]:
    return {
        "tiles_computed": meter.computed,
        "tiles_cached": meter.cached,
        "seconds": round(perf_counter() - started, 4),
    }
