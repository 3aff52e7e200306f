"""The grain node: scanned frames in; frames with their grain kept, matched, added to or reduced out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from .. import __version__
from ..colour import Colour, open_colour
from ..errors import UsageError
from ..frame import Box, Codes
from ..grain import GrainModel, measure, treat
from ..media import Shot, Writer, open_shot, open_writer, read_ahead
from ..settings import GrainSettings
from .resuming import Recipe, check_overwrite, check_stopped

Progress = Callable[[str, int, int], None]

_PLACES = 3  # of the reel where grain is measured
_RUN = 3  # neighbouring frames at each
_EDGE = 1024  # pixels, of the window in the middle that is measured


@dataclass(frozen=True, kw_only=True)
class GrainJob:
    """Whose grain to change, to where, and how.

    Attributes:
        source: Pattern, folder, image or movie of the plate.
        output: Pattern or movie to write; never the source.
        span: Frames, "1001-1100"; all when None.
        settings: Of the node.
        reference: Plate whose grain is matched or added.
        reference_colourspace: Of that plate; chosen as for any shot when None.
        colourspace, working_space, config: See `colour.open_colour`.
        overwrite: "never", "changed" (frames made with other settings or from a newer source) or "always".
        lossy: Allow containers that do not keep codes.
    """

    source: str
    output: str
    span: str | None = None
    settings: GrainSettings = field(default_factory=GrainSettings)
    reference: str | None = None
    reference_colourspace: str | None = None
    colourspace: str | None = None
    working_space: str = "scene_linear"
    config: str | None = None
    overwrite: str = "changed"
    lossy: bool = False


@dataclass(kw_only=True)
class GrainReport:
    """What a run did.

    Attributes:
        frames: Frames asked for.
        made, skipped: Of them, made now, and found there already.
        own, reference: The plates' grain; None where nothing was measured.
        seconds: Wall time.
        recipe: File with the settings and grain that made the frames.
    """

    frames: int = 0
    made: int = 0
    skipped: int = 0
    own: GrainModel | None = None
    reference: GrainModel | None = None
    seconds: float = 0.0
    recipe: str = ""


def grain(job: GrainJob, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None) -> GrainReport:
    """Runs the job. Frames that are there from the same settings are left alone, so that running again resumes.

    Args:
        job: The job.
        progress: Called with ("grain", frames done, frames in all).
        cancelled: Asked before each frame; True ends the run with what is finished kept.

    Raises:
        UsageError: mode match without a reference, or a setting that cannot be meant.
        Cancelled: `cancelled` said so.
        FilmRestoreError: at the first frame that cannot be read or written.
    """
    started = perf_counter()
    with ExitStack() as stack:
        run = _Run(job, stack)
        tell = progress or _silent
        tell("grain", run.report.skipped, run.report.frames)
        for frame in stack.enter_context(read_ahead(run.shot, run.todo)):
            check_stopped(cancelled)
            codes = frame.codes.copy()
            picture = list(frame.format.picture)
            codes[:, :, picture] = apply_grain(
                frame.picture(),
                run.colour,
                job.settings,
                frame=frame.number,
                own=run.report.own,
                reference=run.report.reference,
            )
            run.writer.write(frame.replaced(codes))
            run.report.made += 1
            tell("grain", run.report.skipped + run.report.made, run.report.frames)
    run.report.seconds = perf_counter() - started
    return run.report


def apply_grain(
    codes: Codes,
    colour: Colour,
    settings: GrainSettings,
    *,
    frame: int,
    own: GrainModel | None,
    reference: GrainModel | None = None,
) -> Codes:
    """One frame with the settings' grain; codes move by the grain alone, and "keep" keeps them bit for bit.

    Args:
        codes: Shape (h, w, 1 or 3), the frame's picture.
        frame: Source frame number.
        own: The plate's grain, as `measure` gives it; not needed for "keep".
        reference: The grain to match or to add.

    Raises:
        UsageError: "match" without a reference.
    """
    if settings.mode == "keep":
        return codes.copy()
    assert own is not None
    return colour.add(codes, treat(colour.to_net(codes), settings, frame, own, reference))


def measure_shot(shot: Shot, colour: Colour) -> GrainModel:
    """The grain of a shot, from a few neighbouring frames at a few places of it all: the same for every chunk."""
    box = measured_box(shot.format.height, shot.format.width)
    frames = (shot.read(number, box) for number in measured_frames(shot.available))
    return measure(colour.to_net(frame.picture()) for frame in frames)


def measured_frames(available: Sequence[int]) -> list[int]:
    """Those of the rising frame numbers whose grain is measured."""
    count = len(available)
    firsts = np.unique(np.linspace(0, max(count - _RUN, 0), _PLACES).astype(int))
    places = {int(first) + step for first in firsts for step in range(_RUN) if first + step < count}
    return [available[place] for place in sorted(places)]


def measured_box(height: int, width: int) -> Box:
    """The window in the middle of a frame in which grain is measured."""
    x0, y0 = max(0, (width - _EDGE) // 2), max(0, (height - _EDGE) // 2)
    return Box(x0=x0, y0=y0, x1=min(width, x0 + _EDGE), y1=min(height, y0 + _EDGE))


class _Run:
    """One run of the job: what is open, and what was done."""

    def __init__(self, job: GrainJob, stack: ExitStack) -> None:
        _check(job)
        self.shot: Shot = stack.enter_context(open_shot(job.source, job.span))
        self.colour = _colour(job, self.shot, job.colourspace)
        self.report = GrainReport(frames=len(self.shot.frames))
        if job.settings.mode != "keep":
            self.report.own = measure_shot(self.shot, self.colour)
        if job.reference is not None:
            with open_shot(job.reference) as plate:
                self.report.reference = measure_shot(plate, _colour(job, plate, job.reference_colourspace))
        history = f"filmrestore {__version__} grain {job.settings.digest()}"
        self.writer: Writer = stack.enter_context(
            open_writer(
                job.output, like=self.shot, lossy=job.lossy, overwrite=job.overwrite != "never", history=history
            )
        )
        beside = Path(job.output).parent / f"{self.shot.name}.grain.json"
        self.report.recipe = str(beside)
        self._recipe = Recipe(beside, self._facts(job))
        self.todo = [number for number in self.shot.frames if not self._is_done(job, number)]
        self.report.skipped = self.report.frames - len(self.todo)

    def _is_done(self, job: GrainJob, number: int) -> bool:
        if self.writer.format.container == "movie":
            return False
        return self._recipe.is_done([self.writer.path_of(number)], [self.shot.path_of(number)], job.overwrite)

    def _facts(self, job: GrainJob) -> dict[str, Any]:
        """What made the frames."""
        return {
            "software": f"filmrestore {__version__}",
            "source": job.source,
            "settings": job.settings.to_dict(),
            "reference": job.reference,
            "colour": self.colour.describe(),
            "own_grain": self.report.own.to_dict() if self.report.own else None,
            "reference_grain": self.report.reference.to_dict() if self.report.reference else None,
        }


def _check(job: GrainJob) -> None:
    check_overwrite(job.overwrite)
    if job.settings.mode == "match" and job.reference is None:
        raise UsageError("grain mode match needs a reference plate: give one with --reference, or choose add")


def _colour(job: GrainJob, shot: Shot, colourspace: str | None) -> Colour:
    return open_colour(
        shot.format,
        colourspace=colourspace,
        working_space=job.working_space,
        config=job.config,
        path=shot.path_of(shot.frames[0]),
    )


def _silent(stage: str, done: int, total: int) -> None:
    """A progress call for those who watch none."""
