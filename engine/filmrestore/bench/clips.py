"""The bench's sequences: clean footage shrunk, grained and damaged, with the truth and exact masks."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..damage import Damage
from ..errors import InputError, UsageError
from ..motion import compensate, flow
from ..settings import DegradeSettings
from .light import Codes16, Floats, from_codes, to_codes, to_display, to_linear
from .paste import Pieces, paste

SCANNER_BLUR = 0.5
"""Sigma of the scanner's lens in pixels; softens picture, grain and damage alike."""

GRAIN = {"fine": (0.01, 0.5), "coarse": (0.02, 0.8), "none": (0.0, 0.5)}
"""Strength at mid grey (display units) and sigma of the clumps (pixels)."""

FRAME_WIDTH = 2048
"""The sequences are looked at as a part of a 2K frame: damage comes in the sizes and density that it has there."""

DAMAGE = DegradeSettings(
    dust=500,
    dirt=200,
    hair=60,
    gate_hair=6,
    scratches=12,
    scratches_moving=4,
    blotches=12,
    blotch_size=0.6,
    polarity="mixed",
    flicker=0.08,
    flicker_uneven=0.03,
    weave=1.0,
    scanner_blur=SCANNER_BLUR,
)
"""Of the sequences that the degrade node damages; their grain is the bench's own."""

FAST_FROM = 8.0
"""Pixels a frame: a sequence is fast when the 99th percentile of its motion is above this."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where a sequence comes from.

    Attributes:
        name: Of the sequence.
        clip: Stem of the clean file.
        first: Its first frame.
        grain: "fine" or "coarse"; "none" is the same sequence with the same damage and no grain.
        damage: "model" (the degrade node), "pieces" or "none".
        full: Only in the long form.
    """

    name: str
    clip: str
    first: int
    grain: str
    damage: str
    full: bool = False


PLANS = (
    Plan(name="juggle-model", clip="juggle", first=104, grain="coarse", damage="model"),
    Plan(name="juggle-pieces", clip="juggle", first=212, grain="fine", damage="pieces"),
    Plan(name="dog-pieces", clip="dog", first=48, grain="coarse", damage="pieces"),
    Plan(name="dog-still-model", clip="dog", first=84, grain="fine", damage="model"),
    Plan(name="dog-still-pieces", clip="dog", first=160, grain="coarse", damage="pieces"),
    Plan(name="dashcam-model", clip="dashcam", first=0, grain="fine", damage="model"),
    Plan(name="juggle-clean", clip="juggle", first=184, grain="coarse", damage="none"),
    Plan(name="dog-clean", clip="dog", first=116, grain="coarse", damage="none"),
    Plan(name="dashcam-clean", clip="dashcam", first=180, grain="coarse", damage="none"),
    Plan(name="juggle-2-model", clip="juggle", first=12, grain="fine", damage="model", full=True),
    Plan(name="juggle-2-pieces", clip="juggle", first=155, grain="coarse", damage="pieces", full=True),
    Plan(name="dog-2-model", clip="dog", first=110, grain="coarse", damage="model", full=True),
    Plan(name="dog-2-still-model", clip="dog", first=205, grain="coarse", damage="model", full=True),
    Plan(name="dashcam-2-pieces", clip="dashcam", first=130, grain="coarse", damage="pieces", full=True),
    Plan(name="dashcam-3-pieces", clip="dashcam", first=60, grain="fine", damage="pieces", full=True),
    Plan(name="juggle-2-clean", clip="juggle", first=210, grain="fine", damage="none", full=True),
)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A sequence ready to be measured.

    Attributes:
        plan: Where it came from.
        scan: Damaged frames, 16-bit display codes, (t, h, w, 3).
        truth: The same without local damage; grain, flicker and weave are shared with the scan.
        masks: Alpha of each kind of damage, (t, h, w), 0..1; empty for undamaged sequences.
    """

    plan: Plan
    scan: Codes16
    truth: Codes16
    masks: dict[str, NDArray[np.float16]] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        return len(self.scan)

    @cached_property
    def alpha(self) -> NDArray[np.float32]:
        """All kinds together, (t, h, w)."""
        clear = np.ones(self.scan.shape[:3], np.float32)
        for mask in self.masks.values():
            clear *= 1 - mask.astype(np.float32)
        return 1 - clear

    def damaged(self, t: int) -> NDArray[np.bool_]:
        """Where frame t is visibly damaged: over 8/255 from the truth."""
        return metrics.largest_difference(from_codes(self.scan[t]), from_codes(self.truth[t])) > metrics.DAMAGED

    @cached_property
    def motion(self) -> list[NDArray[np.float32]]:
        """Flow of the truth from each frame but the first to the one before it, (h, w, 2)."""
        grey = [cv2.cvtColor((frame >> 8).astype(np.uint8), cv2.COLOR_RGB2GRAY) for frame in self.truth]
        return [np.asarray(flow(grey[t], grey[t - 1])) for t in range(1, self.frames)]

    @cached_property
    def speed(self) -> float:
        """99th percentile of the motion, pixels a frame."""
        return float(np.mean([np.percentile(np.hypot(f[..., 0], f[..., 1]), 99) for f in self.motion]))

    @property
    def is_fast(self) -> bool:
        return self.speed > FAST_FROM

    def before(self, frames: list[Floats], t: int) -> tuple[Floats, NDArray[np.bool_]]:
        """Frame t - 1 of `frames` brought onto frame t, and where that can be trusted."""
        moved, inside = compensate(frames[t - 1], self.motion[t - 1])
        seen, _ = compensate(from_codes(self.truth[t - 1]), self.motion[t - 1])
        gap = cv2.blur(np.abs(seen - from_codes(self.truth[t])).mean(axis=2), (5, 5))
        return np.asarray(moved), (inside > 0) & (gap < 0.06)


def choose(names: tuple[str, ...], *, full: bool) -> list[Plan]:
    """The plans of those names; of none, the default ones or, if `full`, all.

    Raises:
        UsageError: an unknown name.
    """
    known = {plan.name: plan for plan in PLANS}
    for name in names:
        if name not in known:
            raise UsageError(f"no sequence {name!r}: choose from {', '.join(known)}")
    return [known[name] for name in names] or [plan for plan in PLANS if full or not plan.full]


def build(plan: Plan, bench_dir: Path, pieces_dir: Path | None, frames: int, seed: int) -> Clip:
    """Make one sequence; the same arguments give the same codes.

    Raises:
        InputError: a clean clip or the pieces are missing.
    """
    rng = np.random.default_rng([seed, zlib.crc32(plan.name.encode())])
    linear = [to_linear(_grained(frame, plan.grain, rng)) for frame in footage(plan, bench_dir, frames)]
    if plan.damage == "none":
        clean = _scanned(linear)
        return Clip(plan=plan, scan=clean, truth=clean)
    if plan.damage == "model":
        return _modelled(plan, linear, seed)
    if pieces_dir is None:
        raise InputError(f"the sequence {plan.name} pastes damage pieces: give their folder with --pieces")
    damaged, masks = paste(linear, Pieces(pieces_dir), rng)
    soft = {kind: np.stack([_blurred(a) for a in alpha]).astype(np.float16) for kind, alpha in masks.items()}
    return Clip(plan=plan, scan=_scanned(damaged), truth=_scanned(linear), masks=soft)


def _modelled(plan: Plan, linear: list[Floats], seed: int) -> Clip:
    height, width = linear[0].shape[:2]
    settings = replace(DAMAGE, seed=zlib.crc32(plan.name.encode()) % 1000 + seed)
    model = Damage(settings, height, width, frame_width=FRAME_WIDTH)
    frames = [model.apply(frame, number) for number, frame in enumerate(linear, 1)]
    kinds = sorted({kind for frame in frames for kind in frame.masks})
    empty = np.zeros((height, width), np.float32)
    masks = {kind: np.stack([f.masks.get(kind, empty) for f in frames]).astype(np.float16) for kind in kinds}
    return Clip(
        plan=plan,
        scan=np.stack([to_codes(to_display(frame.scan)) for frame in frames]),
        truth=np.stack([to_codes(to_display(frame.truth)) for frame in frames]),
        masks={kind: mask for kind, mask in masks.items() if mask.any()},
    )


def footage(plan: Plan, bench_dir: Path, frames: int) -> list[Floats]:
    """Frames of the clean clip in display values, shrunk by two: that hides its compression."""
    import av

    path = bench_dir / f"{plan.clip}.mp4"
    if not path.exists():
        raise InputError(f"{path} is not there: give the folder of clean clips with --bench")
    found: list[Floats] = []
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number < plan.first:
                continue
            if len(found) == frames:
                break
            picture = frame.to_ndarray(format="rgb24").astype(np.float32) / 255
            half = (picture.shape[1] // 2, picture.shape[0] // 2)
            found.append(cv2.resize(picture, half, interpolation=cv2.INTER_AREA))
    if len(found) < frames:
        raise InputError(f"{path} has {len(found)} frames from {plan.first} on, {frames} are wanted: lower --frames")
    return found


def _grained(display: Floats, grain: str, rng: np.random.Generator) -> Floats:
    """Signal-dependent grain: strongest at mid grey, mostly shared by the layers, correlated over a pixel."""
    sigma = GRAIN[grain][1]
    shared, own = rng.standard_normal(display.shape[:2], np.float32), rng.standard_normal(display.shape, np.float32)
    noise = cv2.GaussianBlur(np.float32(0.8) * shared[:, :, None] + np.float32(0.6) * own, (0, 0), sigma)
    noise /= noise.std()
    return np.asarray(display + grain_amount(display, grain) * noise, np.float32)


def grain_amount(display: Floats, grain: str) -> Floats:
    """Deviation of the grain at each value, display units, before the scanner's blur."""
    grey = np.clip(display, 0, 1)
    return np.asarray(np.float32(GRAIN[grain][0]) * (np.float32(0.35) + np.float32(2.6) * grey * (1 - grey)))


def _blurred(picture: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), SCANNER_BLUR), np.float32)


def _scanned(linear: list[Floats]) -> Codes16:
    return np.stack([to_codes(to_display(_blurred(frame))) for frame in linear])
