"""The degrade node: clean frames in; frames with film damage, their truth and the masks of every kind out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from .. import __version__
from ..colour import Colour, open_colour
from ..damage import AMOUNTS, Damage, Damaged, MaskFolder
from ..damage.canvas import Light, Plane
from ..errors import UsageError
from ..frame import Codes, Frame
from ..media import Shot, Writer, open_shot, open_writer, write_plane
from ..settings import DegradeSettings
from .resuming import Recipe, check_overwrite, check_stopped

UNITED = "united"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class DegradeJob:
    """What to damage, to where, and how.

    Attributes:
        source: Pattern, folder, image or movie of the clean shot.
        output: Pattern or movie to write; never the source.
        span: Frames, "1001-1100"; all when None.
        settings: Every amount.
        masks_out: Folder for the masks: a subfolder for each kind that is turned on and one for all united, 16-bit PNG.
        truth_out: Pattern or movie for the truth: all that the scan has, without the local defects.
        shapes: Folder of masks that marks are drawn from.
        exclude_every: Leaves out masks of that folder whose number is divisible by this; 0 leaves out none.
        colourspace, working_space, config: See `colour.open_colour`.
        overwrite: "never", "changed" (frames made with other settings or from a newer source) or "always".
        lossy: Allow containers that do not keep codes.
    """

    source: str
    output: str
    span: str | None = None
    settings: DegradeSettings = field(default_factory=DegradeSettings)
    masks_out: str | None = None
    truth_out: str | None = None
    shapes: str | None = None
    exclude_every: int = 0
    colourspace: str | None = None
    working_space: str = "scene_linear"
    config: str | None = None
    overwrite: str = "changed"
    lossy: bool = False


@dataclass(kw_only=True)
class DegradeReport:
    """What a run did.

    Attributes:
        frames: Frames asked for.
        made, skipped: Of them, made now, and found there already.
        moved: Frame -> frame of the source that is seen there instead (repeated and missing frames).
        covered: Mean share of the picture that local defects change, over the frames made now.
        seconds: Wall time.
        recipe: File with the settings that made the frames.
    """

    frames: int = 0
    made: int = 0
    skipped: int = 0
    moved: dict[int, int] = field(default_factory=dict)
    covered: float = 0.0
    seconds: float = 0.0
    recipe: str = ""


def degrade(
    job: DegradeJob, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
) -> DegradeReport:
    """Runs the job. Frames that are there from the same settings are left alone, so that running again resumes.

    Args:
        job: The job.
        progress: Called with ("degrade", frames done, frames in all).
        cancelled: Asked before each frame; True ends the run with what is finished kept.

    Raises:
        Cancelled: `cancelled` said so.
        FilmRestoreError: at the first frame that cannot be read or written.
    """
    started = perf_counter()
    with ExitStack() as stack:
        run = _Run(job, stack)
        for number in run.shot.frames:
            check_stopped(cancelled)
            run.one_frame(number)
            if progress is not None:
                progress("degrade", run.report.made + run.report.skipped, run.report.frames)
    report = run.report
    report.covered /= max(1, report.made)
    report.seconds = perf_counter() - started
    return report


class _Run:
    """One run of the job: what is open, and what was done."""

    def __init__(self, job: DegradeJob, stack: ExitStack) -> None:
        _check(job)
        self.job = job
        self.shot: Shot = stack.enter_context(open_shot(job.source, job.span))
        self._colour = _open_colour(job, self.shot)
        self._settings = of_stock(job.settings, len(self.shot.format.picture))
        shapes = MaskFolder(job.shapes, exclude_every=job.exclude_every) if job.shapes else None
        self._damage = Damage(self._settings, self.shot.format.height, self.shot.format.width, shapes=shapes)
        self._kinds = [kind for kind, amount in AMOUNTS.items() if getattr(self._settings, amount)]
        self._scan = self._writer(stack, job.output)
        self._truth = self._writer(stack, job.truth_out) if job.truth_out else None
        beside = Path(job.output).parent / f"{self.shot.name}.degrade.json"
        self._recipe = Recipe(beside, _facts(job, self._colour))
        self.report = DegradeReport(frames=len(self.shot.frames), recipe=str(beside))

    def one_frame(self, number: int) -> None:
        """Damage one frame, unless it is done."""
        if self._is_done(number):
            self.report.skipped += 1
            return
        seen = self._seen(number)
        frame = self.shot.read(number)
        source = frame if seen == number else self.shot.read(seen)
        linear = self._colour.to_linear(source.picture())
        done = self._damage.apply(linear, number)
        self._write_masks(number, frame, done)
        if self._truth is not None:
            self._truth.write(frame.replaced(lit(source, linear, done.truth, self._colour)))
        self._scan.write(frame.replaced(lit(source, linear, done.scan, self._colour)))
        self.report.made += 1
        self.report.covered += float(done.united().mean())
        if seen != number:
            self.report.moved[number] = seen

    def _seen(self, number: int) -> int:
        """The frame of the source that shows in frame `number`: itself, unless it is lost or one is repeated."""
        seen = self._damage.source_frame(number)
        return seen if seen in self.shot else number

    def _write_masks(self, number: int, frame: Frame, done: Damaged) -> None:
        if self.job.masks_out is None:
            return
        planes: dict[str, Plane] = {UNITED: done.united(), **{kind: done.mask(kind) for kind in self._kinds}}
        for name, plane in planes.items():
            write_plane(self._mask_path(name, number), plane, like=frame)

    def _mask_path(self, name: str, number: int) -> Path:
        assert self.job.masks_out is not None
        return Path(self.job.masks_out) / name / f"{self.shot.name}.{number:04d}.png"

    def _is_done(self, number: int) -> bool:
        if self._scan.format.container == "movie":
            return False
        wanted = [self._scan.path_of(number)]
        wanted += [self._truth.path_of(number)] if self._truth else []
        wanted += [self._mask_path(name, number) for name in (UNITED, *self._kinds)] if self.job.masks_out else []
        made_from = (self.shot.path_of(number), self.shot.path_of(self._seen(number)))
        return self._recipe.is_done(wanted, made_from, self.job.overwrite)

    def _writer(self, stack: ExitStack, path: str) -> Writer:
        history = f"filmrestore {__version__} degrade {self._settings.digest()}"
        return stack.enter_context(
            open_writer(
                path,
                like=self.shot,
                lossy=self.job.lossy,
                overwrite=self.job.overwrite != "never",
                history=history,
            )
        )


def lit(source: Frame, linear: Light, light: Light, colour: Colour) -> Codes:
    """The source's codes under another light; where that is its own, its codes stay, bit for bit.

    Args:
        source: The frame.
        linear: Its own light, (h, w, 3).
        light: The light wanted, (h, w, 3).
    """
    picture = source.picture()
    still = (light == linear).all(axis=2, keepdims=True)
    made: Codes = picture if still.all() else np.where(still, picture, colour.from_linear(light))
    codes = source.codes.copy()
    codes[:, :, list(source.format.picture)] = made
    return codes


def of_stock(settings: DegradeSettings, channels: int) -> DegradeSettings:
    """The settings for a picture of 1 or 3 channels: one channel is monochrome film."""
    return replace(settings, stock="monochrome") if channels == 1 else settings


def _check(job: DegradeJob) -> None:
    check_overwrite(job.overwrite)
    if job.truth_out is not None and Path(job.truth_out).resolve() == Path(job.output).resolve():
        raise UsageError(f"scan and truth would both be written to {job.output}: give two names")


def _open_colour(job: DegradeJob, shot: Shot) -> Colour:
    return open_colour(
        shot.format,
        colourspace=job.colourspace,
        working_space=job.working_space,
        config=job.config,
        path=shot.path_of(shot.frames[0]),
    )


def _facts(job: DegradeJob, colour: Colour) -> dict[str, Any]:
    """What made the frames."""
    return {
        "software": f"filmrestore {__version__}",
        "source": job.source,
        "settings": job.settings.to_dict(),
        "shapes": job.shapes,
        "exclude_every": job.exclude_every,
        "colour": colour.describe(),
    }
