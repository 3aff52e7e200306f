"""The nodes on frames in memory, one at a time, as hosts ask for them: what files give, bit for bit.

That is, of the frames that are offered: who offers the window alone has no far frames, see `far_range`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis import Analysis
from ..cache import TileCache
from ..colour import Colour, open_colour
from ..damage import Damage
from ..errors import InputError, UsageError
from ..frame import Box, Format, Frame
from ..grain import GrainModel, measure
from ..restorers.base import Restorer
from ..settings import DegradeSettings, GrainSettings, RestoreSettings, Settings
from ..wide.plan import WidePlan, is_wide
from ..wide.record import Wide
from .choosing import chosen, is_usable
from .degrade import lit, of_stock
from .far import FarPlan
from .grain import apply_grain, measured_box, measured_frames
from .job import restorer_on
from .kept import Kept
from .lines import chosen as chosen_lines
from .live_restore import NOTHING, FrameJob, restore_one
from .windows import Unit, unit_of

F32 = NDArray[np.float32]
Key = tuple[str, int]
"""Plane ("source", "protect", "defect_map" or "reference") and frame number."""


@dataclass(frozen=True, kw_only=True)
class Plate:
    """What all frames of a clip share.

    Attributes:
        height, width: Pixels.
        channels: A letter each, "RGBA", "RGB", "Y" ...
        colourspace, working_space, config: See `colour.open_colour`.
    """

    height: int
    width: int
    channels: str
    colourspace: str = "scene_linear"
    working_space: str = "scene_linear"
    config: str | None = None

    @property
    def format(self) -> Format:
        """As a float32 EXR's."""
        return Format(
            width=self.width,
            height=self.height,
            channels=tuple(self.channels),
            dtype="float32",
            bits=32,
            container="exr",
            lossless=True,
        )

    def frame(self, number: int, codes: F32) -> Frame:
        """A frame with these codes, shape (height, width, channels)."""
        window = (0, 0, self.width, self.height)
        return Frame(number=number, codes=codes, format=self.format, data_window=window, display_window=window)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One frame that a host wants.

    Attributes:
        clip: Whatever tells the clip from others.
        plate: What its frames share.
        number: Frame number.
        settings: Of the node, which they choose.
        changes: What the host has; two frames of a clip with the same key and change are the same pixels.
        analysis: Path of the reel's analysis.
        cuts: First frame of every shot but the first; the analysis' when None.
        defect_alpha: The frames' alpha is the defect map.
        whole: Answer with all of the frame.
    """

    clip: tuple[object, ...]
    plate: Plate
    number: int
    settings: Settings
    changes: Mapping[Key, str]
    analysis: str | None = None
    cuts: tuple[int, ...] | None = None
    defect_alpha: bool = False
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a frame.

    Attributes:
        box: The part of the frame that `pixels` holds; outside of it the frame is as it was. Empty: nothing changed.
        pixels: (box.height, box.width, channels) float32.
        facts: For people and tests: changed pixels, tiles, seconds.
    """

    box: Box
    pixels: F32
    facts: dict[str, Any] = field(default_factory=dict)


class LiveEngine:
    """Restores, degrades and grains frames in memory; one `answer` at a time, `wanted` from any thread.

    Args:
        device: torch device.
        threads: Patches restored side by side; changes no bit.
        cache: Tiles on disk; None keeps none.
        keep_mib: Memory for results of frames that were restored along with another.
    """

    def __init__(self, *, device: str, threads: int, cache: TileCache | None, keep_mib: int) -> None:
        self._device, self._threads, self._cache = device, threads, cache
        self.kept = Kept(keep_mib * 2**20)
        self.tiles_computed = 0
        self._restorers: dict[tuple[str, str], Restorer] = {}
        self._usable = lru_cache(8)(is_usable)
        self._damage = lru_cache(2)(Damage)
        self._grain = lru_cache(32)(_grain_of)
        self._wide = lru_cache(4)(_wide_plan)
        self._far = lru_cache(4)(_far_plan)

    def restorer(self, settings: RestoreSettings) -> Restorer:
        """The restorer that the settings name, loaded once.

        Raises:
            FilmRestoreError: unknown, its weights damaged, or no such device.
        """
        key = (settings.method, settings.prior)
        if key not in self._restorers:
            self._restorers[key] = restorer_on(self._device, settings)
        return self._restorers[key]

    def wanted(self, ask: Ask) -> list[Key]:
        """The frames and masks, of those that the host has, that the answer takes.

        Raises:
            UsageError: the frame itself is not among them, or settings or analysis cannot be meant.
        """
        if ("source", ask.number) not in ask.changes:
            raise UsageError(f"frame {ask.number} is asked for and not offered: offer it with its neighbours")
        _check_plate(ask)
        ask, _ = self._settled(ask)
        if isinstance(ask.settings, RestoreSettings):
            unit = self._unit(ask, ask.settings)
            masks = [("defect_map", number) for number in unit.sources] + [("protect", ask.number)]
            keys = [("source", number) for number in (*unit.sources, ask.number, *unit.far)] + [
                key for key in masks if key in ask.changes
            ]
        elif isinstance(ask.settings, DegradeSettings):
            keys = [("source", ask.number), ("source", self._seen(ask, ask.settings))]
        else:
            assert isinstance(ask.settings, GrainSettings)
            keys = [("source", ask.number)]
            if ask.settings.mode != "keep":
                keys += [*_measured(ask, "source"), *_measured(ask, "reference")]
        return list(dict.fromkeys(keys))

    def answer(self, ask: Ask, planes: Mapping[Key, F32], cancelled: Callable[[], None]) -> Answer:
        """The frame.

        Args:
            ask: What is wanted.
            planes: At least what `wanted` names: sources (h, w, channels), masks (h, w, 1).
            cancelled: Called between patches; raises to end the work.

        Raises:
            FilmRestoreError: settings that cannot be meant, memory, what `cancelled` raises.
        """
        colour = _colour(ask.plate)
        frames = {n: ask.plate.frame(n, codes) for (plane, n), codes in planes.items() if plane == "source"}
        ask, why = self._settled(ask)
        if isinstance(ask.settings, RestoreSettings):
            answer = self._restored(ask, ask.settings, frames, planes, colour, cancelled)
            return replace(answer, facts={**answer.facts, "method": ask.settings.method, "why": why})
        if isinstance(ask.settings, DegradeSettings):
            codes = self._degraded(ask, ask.settings, frames, colour)
        else:
            assert isinstance(ask.settings, GrainSettings)
            codes = self._grained(ask, ask.settings, frames, planes, colour)
        if not ask.whole and np.array_equal(codes.view(np.uint32), frames[ask.number].codes.view(np.uint32)):
            return Answer(box=NOTHING, pixels=codes[:0, :0])
        return Answer(box=Box(x0=0, y0=0, x1=ask.plate.width, y1=ask.plate.height), pixels=codes)

    def _settled(self, ask: Ask) -> tuple[Ask, str]:
        """The ask with a method's own name in the place of auto, and why."""
        if not isinstance(ask.settings, RestoreSettings):
            return ask, ""
        settings, why = chosen(ask.settings, _found(ask), self._usable)
        return replace(ask, settings=settings), why

    def _restored(
        self,
        ask: Ask,
        settings: RestoreSettings,
        frames: Mapping[int, Frame],
        planes: Mapping[Key, F32],
        colour: Colour,
        cancelled: Callable[[], None],
    ) -> Answer:
        unit = self._unit(ask, settings)
        found = _found(ask)
        job = FrameJob(
            wide=self._wide_of(ask, settings),
            number=ask.number,
            unit=unit,
            frames=frames,
            name=self._name(ask, unit),
            settings=settings,
            colour=colour,
            restorer=self.restorer(settings),
            grain=found.grain if found else None,
            lasting=found.lasting if found else (),
            far=self._far_of(ask, settings),
            protect=planes.get(("protect", ask.number)),
            maps={n: plane for (kind, n), plane in planes.items() if kind == "defect_map"},
            defect_alpha=ask.defect_alpha,
            whole=ask.whole,
            cache=self._cache,
            threads=self._threads,
            cancelled=cancelled,
        )
        box, pixels, facts = restore_one(job, self.kept)
        self.tiles_computed += facts["tiles_computed"]
        return Answer(box=box, pixels=pixels, facts=facts)

    def _wide_of(self, ask: Ask, settings: RestoreSettings) -> tuple[Wide, ...]:
        """The frame-wide fixes of the frame that is asked for.

        Raises:
            UsageError: there is no analysis of these very pixels to take them from, or a mask that forbids them.
        """
        if settings.output != "result" or not is_wide(settings):
            return ()
        if ask.analysis is None:
            raise UsageError(
                "deflicker, unfade and stabilise take what the whole reel says: give the analysis that "
                "`filmrestore probe` made of the plate, or set them to 0"
            )
        if ("protect", ask.number) in ask.changes:
            raise UsageError(
                "a protect mask says what must stay, and deflicker, unfade and stabilise change the whole frame: "
                "disconnect the mask, or use a second node"
            )
        found = _analysis(ask.analysis, ask.plate)
        if name := found.other_colour(_colour(ask.plate)):
            raise UsageError(
                f"the analysis was made with {name.replace('_', ' ')} {found.colour.get(name)!r}, the plate has "
                f"{_colour(ask.plate).describe()[name]!r}: run `filmrestore probe` on the plate as it is here"
            )
        cuts = ask.cuts if ask.cuts is not None else found.cuts
        return self._wide(_Analysed(found), cuts, settings, ask.plate).of(ask.number)

    def _unit(self, ask: Ask, settings: RestoreSettings) -> Unit:
        found = _found(ask)
        cuts = ask.cuts if ask.cuts is not None else found.cuts if found else ()
        repeats = found.repeats if found else ()
        available = sorted(number for plane, number in ask.changes if plane == "source")
        unit = unit_of(ask.number, available, cuts, self.restorer(settings).facts, repeats)
        far = self._far_of(ask, settings)
        return unit if far is None else far.with_far(unit, frozenset(available))

    def _far_of(self, ask: Ask, settings: RestoreSettings) -> FarPlan | None:
        """Which far frames are asked for; None where nothing certain lasts. A host that offers none goes without."""
        found = _found(ask)
        if found is None or not chosen_lines(found.lasting, settings):
            return None
        return self._far(_Analysed(found), ask.cuts if ask.cuts is not None else found.cuts, settings)

    @staticmethod
    def _name(ask: Ask, unit: Unit) -> tuple[object, ...]:
        """What tells the window's pixels from all others'."""
        seen = [(key, change) for key, change in ask.changes.items() if key[0] in ("source", "defect_map")]
        here = tuple(sorted(pair for pair in seen if pair[0][1] in unit.sources))
        return (*ask.clip, ask.plate, here, ask.defect_alpha)

    def _damage_of(self, ask: Ask, settings: DegradeSettings) -> Damage:
        settings = of_stock(settings, len(ask.plate.format.picture))
        return self._damage(settings, ask.plate.height, ask.plate.width)

    def _seen(self, ask: Ask, settings: DegradeSettings) -> int:
        seen = self._damage_of(ask, settings).source_frame(ask.number)
        return seen if ("source", seen) in ask.changes else ask.number

    def _degraded(self, ask: Ask, settings: DegradeSettings, frames: Mapping[int, Frame], colour: Colour) -> F32:
        source = frames[self._seen(ask, settings)]
        linear = colour.to_linear(source.picture())
        done = self._damage_of(ask, settings).apply(linear, ask.number)
        return lit(source, linear, done.scan, colour)

    def _grained(
        self,
        ask: Ask,
        settings: GrainSettings,
        frames: Mapping[int, Frame],
        planes: Mapping[Key, F32],
        colour: Colour,
    ) -> F32:
        own = reference = None
        if settings.mode != "keep":
            own = self._model(ask, "source", planes)
            reference = self._model(ask, "reference", planes)
        if settings.mode == "match" and reference is None:
            raise UsageError("grain mode match needs a reference plate: connect one, or choose add")
        codes = frames[ask.number].codes.copy()
        codes[:, :, list(ask.plate.format.picture)] = apply_grain(
            frames[ask.number].picture(), colour, settings, frame=ask.number, own=own, reference=reference
        )
        return codes

    def _model(self, ask: Ask, plane: str, planes: Mapping[Key, F32]) -> GrainModel | None:
        """The grain of a plane's measured frames; None where the host has none."""
        keys = _measured(ask, plane)
        if not keys:
            return None
        name = (ask.clip, tuple((key, ask.changes[key]) for key in keys))
        return self._grain(_Measured(name, [planes[key] for key in keys]), ask.plate)


class _Measured:
    """Frames that a cache knows by name, and holds on to by nothing else."""

    def __init__(self, name: object, codes: list[F32]) -> None:
        self.name, self.codes = name, codes

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Measured) and self.name == other.name


class _Analysed:
    """An analysis that a cache knows by its content."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis, self._digest = analysis, analysis.digest()

    def __hash__(self) -> int:
        return hash(self._digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Analysed) and self._digest == other._digest


def _wide_plan(analysed: _Analysed, cuts: tuple[int, ...], settings: RestoreSettings, plate: Plate) -> WidePlan:
    return WidePlan(analysed.analysis, cuts, settings, _colour(plate), plate.format)


def _far_plan(analysed: _Analysed, cuts: tuple[int, ...], settings: RestoreSettings) -> FarPlan:
    return FarPlan(analysed.analysis, cuts, settings)


def _grain_of(measured: _Measured, plate: Plate) -> GrainModel:
    colour = _colour(plate)
    box = measured_box(*measured.codes[0].shape[:2])
    crops = [plate.frame(0, codes).picture(box) for codes in measured.codes]
    measured.codes = []
    return measure(colour.to_net(crop) for crop in crops)


def _measured(ask: Ask, plane: str) -> list[Key]:
    numbers = sorted(number for kind, number in ask.changes if kind == plane)
    return [(plane, number) for number in measured_frames(numbers)] if numbers else []


@lru_cache(16)
def _colour(plate: Plate) -> Colour:
    return open_colour(
        plate.format, colourspace=plate.colourspace, working_space=plate.working_space, config=plate.config
    )


def _check_plate(ask: Ask) -> None:
    if ask.defect_alpha and ask.plate.format.alpha is None:
        raise UsageError(f"the defect map is to be the alpha, and the channels are {ask.plate.channels!r}")
    _colour(ask.plate)


def _found(ask: Ask) -> Analysis | None:
    """The analysis that the ask names; None where it names none.

    Raises:
        InputError, UsageError: as `_analysis`.
    """
    return _analysis(ask.analysis, ask.plate) if ask.analysis else None


def _analysis(path: str, plate: Plate) -> Analysis:
    """The analysis, read again when the file has changed.

    Raises:
        InputError: it is not there or damaged.
        UsageError: it is of frames of another size.
    """
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise InputError(f"cannot read the analysis {path}: {error.strerror}") from error
    found = _loaded(path, stat.st_mtime_ns, stat.st_size)
    if (found.width, found.height) != (plate.width, plate.height):
        raise UsageError(
            f"the analysis {path} is of frames of {found.width} x {found.height}, the plate has {plate.width} x "
            f"{plate.height}: run `filmrestore probe` on the plate"
        )
    return found


@lru_cache(8)
def _loaded(path: str, changed_ns: int, size: int) -> Analysis:
    del changed_ns, size  # a file that was written again is another file
    return Analysis.load(path)
