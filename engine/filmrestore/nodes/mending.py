"""From a window to finished frames: what the tiles say of it, the repair laid over the scan, its fixes and record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..analysis import Analysis
from ..colour import Colour
from ..fixes import FrameRecord, RecordedFix, codes_checksum, file_checksum, find_fixes, persistence
from ..fixes.model import Cause
from ..frame import Codes, Frame
from ..media import Shot
from ..restorers.base import Restorer
from ..wide.lay import lay
from ..wide.plan import WidePlan
from .composite import Repair, marked, repair, view, widened
from .far import FarPlan
from .far_fill import FarFrames, with_far
from .inputs import Inputs
from .job import RestoreJob
from .lines import Lines, line_maps, through, with_lines
from .lumas import Lumas
from .mask_input import MaskInput
from .meter import Meter
from .rebuilding import Beside, guess_of, made_by, rebuilt
from .results import Made
from .tiles import Blended, TileMaker
from .windows import Unit

F32 = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A window as it was read, and what is known of its damage beforehand.

    Attributes:
        unit: The window.
        frames: Its frames by number.
        lumas: Of these.
        maps: Defect maps (h, w), 0..1, by number; None where the job has none.
        lines: Where lasting scratches and marks lie, by number; no entry where none do.
        far: What the window's far frames show; None where it has none.
    """

    unit: Unit
    frames: Mapping[int, Frame]
    lumas: Lumas
    maps: Mapping[int, F32] | None
    lines: Mapping[int, Lines]
    far: FarFrames | None


@dataclass(frozen=True, kw_only=True)
class Mender:
    """Makes the frames of one run; frames of a window side by side, in any number of threads.

    Attributes:
        job: Of the run.
        shot, colour: The scan.
        restorer: The job's.
        network_class: That it runs in.
        tiles: Its tiles.
        analysis: Of the reel.
        wide: Frame-wide fixes; None where none are asked for.
        far: Which far frames a window asks.
        protect, defect_map: The shot's masks.
        inputs: Digests of what decides a frame.
        meter: Told how long the stages take.
    """

    job: RestoreJob
    shot: Shot
    colour: Colour
    restorer: Restorer
    network_class: Mapping[str, str]
    tiles: TileMaker
    analysis: Analysis
    wide: WidePlan | None
    far: FarPlan
    protect: MaskInput | None
    defect_map: MaskInput | None
    inputs: Inputs
    meter: Meter

    def look(self, unit: Unit, frames: Mapping[int, Frame]) -> Seen:
        """The window with what is known of it.

        Raises:
            InputError: a mask of it cannot be read.
        """
        maps = self._maps(unit, frames)
        lines = line_maps(unit, frames, self.analysis.lasting, self.colour, self.job.settings)
        far = FarFrames(unit, frames, self.far, self.colour) if unit.far else None
        return Seen(unit=unit, frames=frames, lumas=Lumas(frames, self.colour), maps=maps, lines=lines, far=far)

    def _maps(self, unit: Unit, frames: Mapping[int, Frame]) -> dict[int, F32] | None:
        """The defect maps of a window, of its neighbour frames those that there are; a repeat has its original's."""
        if self.defect_map is None:
            return None
        needed = {unit.source(n) for n in unit.kept}
        return {
            n: self.defect_map.read(n, frames[n]) for n in set(unit.sources) if n in needed or self.defect_map.holds(n)
        }

    def blend(self, seen: Seen) -> dict[int, Blended]:
        """What the tiles say of the window's kept frames.

        Raises:
            Cancelled, MemoryError, RuntimeError: of the tiles.
        """
        return self.tiles.blend(seen.unit, seen.frames, with_lines(seen.maps, seen.lines))

    def repaired(self, number: int, seen: Seen, blended: Blended) -> Repair:
        """The repaired picture of one kept frame."""
        frame, unit = seen.frames[number], seen.unit
        return repair(
            frame,
            blended,
            lambda: seen.lumas.around(number, unit),
            self.colour,
            self.job.settings,
            grain=self.analysis.grain,
            protect=self.protect.read(number, frame) if self.protect else None,
            defect_map=seen.maps[unit.source(number)] if seen.maps else None,
            lines=seen.lines.get(unit.source(number)),
            ways=through(self.analysis.lasting, unit.source(number), len(frame.codes)),
            roi=self.job.roi,
            marks=not self.restorer.facts.cause,
            grain_frame=unit.numbers[unit.place(number)],
            far=None if seen.far is None else partial(seen.far.fill, unit.source(number)),
            meter=self.meter,
        )

    def finished(self, number: int, seen: Seen, blended: Blended) -> Made:
        """One kept frame with everything that is written of it."""
        started = perf_counter()
        frame, settings = seen.frames[number], self.job.settings
        done = self.repaired(number, seen, blended)
        with self.meter.stage("fixes"):
            fixes = find_fixes(
                frame.picture(),
                done.codes,
                done.matte,
                done.origin,
                blended.confidence,
                frame=number,
                model=f"{self.restorer.facts.name}@{self.restorer.weights_hash[:12]}",
                settings=settings.digest(),
                format=self.shot.format,
                persistence=persistence(blended.others) if blended.others else None,
                given=self._given(number, seen, done),
            )
        if done.far is not None:
            fixes = with_far(fixes, done.far, seen.unit.far)
        shown = view(settings.output, frame, done, settings.mix)
        return self._made(
            frame, done, shown, fixes, self.inputs.digest(number, seen.unit), started, note=self.far.without(seen.unit)
        )

    def _given(self, number: int, seen: Seen, done: Repair) -> dict[Cause, NDArray[np.bool_]]:
        """Causes that are known before a mark's shape is looked at, and where they hold, (h, w)."""
        if cause := self.restorer.facts.cause:
            return {cause: np.ones(seen.frames[number].codes.shape[:2], np.bool_)}
        settings, source = self.job.settings, seen.unit.source(number)
        given: dict[Cause, NDArray[np.bool_]] = {}
        if seen.maps:
            given["infrared"] = widened(marked(seen.maps[source], settings), settings)
        if source in seen.lines and seen.lines[source].scratches.any():
            scratches = seen.lines[source].scratches
            given["scratch"] = widened(scratches if done.hairlines is None else scratches | done.hairlines, settings)
        return given

    def rebuild(self, number: int, neighbours: Beside, restored: Callable[[int], Codes], inputs: str) -> Made:
        """A lost frame with everything that is written of it.

        Args:
            number: The frame.
            neighbours: What it is made from.
            restored: Gives the picture channels of a neighbour, mended: its dirt must not get into the frame.
            inputs: Digest of what decides it.

        Raises:
            InputError: a neighbour cannot be read.
        """
        started = perf_counter()
        job, shot = self.job, self.shot
        guess = guess_of(self.restorer, job.settings)
        frame, done, has_none = rebuilt(
            number, neighbours, restored, shot, self.colour, job.settings, self.analysis.grain, guess
        )
        everywhere = np.ones(frame.codes.shape[:2], np.float32)
        fixes = find_fixes(
            frame.picture(),
            done.codes,
            done.matte,
            done.origin,
            everywhere,
            frame=number,
            model=made_by(self.restorer, guess),
            settings=job.settings.digest(),
            format=shot.format,
            given={"lost_frame": everywhere > 0},
        )
        return self._made(frame, done, done.codes, fixes, inputs, started, has_scan=not has_none)

    def _made(
        self,
        frame: Frame,
        done: Repair,
        shown: Codes,
        fixes: list[RecordedFix],
        inputs: str,
        started: float,
        *,
        has_scan: bool = True,
        note: str = "",
    ) -> Made:
        """All channels as they are written, the frame-wide fixes laid in last, and the record of both."""
        result = frame.codes.copy()
        result[:, :, list(frame.format.picture)] = shown
        wide = self.wide.of(frame.number) if self.wide is not None else ()
        with self.meter.stage("frame-wide"):
            result = lay(result, wide, frame.format)
        record = FrameRecord(
            frame=frame.number,
            run="",
            source=self.shot.path_of(frame.number).name if has_scan else "",
            result="",
            scan_codes=codes_checksum(frame.codes),
            result_codes=codes_checksum(result),
            scan_file=file_checksum(self.shot.path_of(frame.number)) if has_scan and not self.shot.is_movie else "",
            network_class=" ".join(f"{key}={value}" for key, value in self.network_class.items()),
            inputs=inputs,
            seconds=perf_counter() - started,
            note=note,
        )
        return Made(
            frame=frame.replaced(result),
            matte=done.matte,
            record=record,
            fixes=fixes,
            wide=wide,
            spared=done.taken_back,
        )
