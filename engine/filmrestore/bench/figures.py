"""What one row of the table did to one sequence, in sums that add up over sequences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..frame import Box
from ..metrics import Error, Flicker, Found, Share, Touched
from .clips import Clip
from .light import Codes16, Floats, from_codes

TRACE = 1 / 255
"""Alpha from which a pixel is no longer clean."""


class Mean(msgspec.Struct, frozen=True):
    """A mean that adds up; nan values are left out."""

    total: float = 0.0
    count: int = 0

    def __add__(self, other: Mean) -> Mean:
        return Mean(self.total + other.total, self.count + other.count)

    def with_value(self, value: float) -> Mean:
        return self if math.isnan(value) else Mean(self.total + value, self.count + 1)

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else math.nan


class KindFigures(msgspec.Struct, frozen=True):
    """Figures of one kind of damage."""

    error: Error = Error()
    found: Share = Share()
    fixed: Share = Share()

    def __add__(self, other: KindFigures) -> KindFigures:
        return KindFigures(self.error + other.error, self.found + other.found, self.fixed + other.fixed)


class Calibration(msgspec.Struct, frozen=True):
    """Confidences of repairs in ten bins, see `metrics.reliability`; a repair is right with visible damage under it."""

    confidence: list[float] = []
    true: list[int] = []
    counts: list[int] = []

    def __add__(self, other: Calibration) -> Calibration:
        if not self.counts or not other.counts:
            return other if other.counts else self
        return Calibration(
            [a + b for a, b in zip(self.confidence, other.confidence, strict=True)],
            [a + b for a, b in zip(self.true, other.true, strict=True)],
            [a + b for a, b in zip(self.counts, other.counts, strict=True)],
        )

    @property
    def expected_error(self) -> float:
        total = sum(self.counts)
        gaps = sum(abs(c - t) for c, t in zip(self.confidence, self.true, strict=True))
        return gaps / total if total else math.nan


class Figures(msgspec.Struct, frozen=True):
    """Sums of every metric; see `filmrestore.metrics` for the definitions.

    Attributes:
        erased: Sum over the undamaged frames of the share changed; `worst_erased` is the worst frame's.
        grain: Distance over frames; `frozen` and `frozen_truth` the correlations with the frame before.
        likeness: psnr, ssim, ms_ssim of the whole frame (the last two on its grey value).
    """

    frames: int = 0
    seconds: float = 0.0
    error: Error = Error()
    fixed: Share = Share()
    harm: Share = Share()
    touched: Touched = Touched()
    pixels: Found = Found()
    objects: Found = Found()
    erased: Mean = Mean()
    worst_erased: float = 0.0
    grain: Mean = Mean()
    frozen: Mean = Mean()
    frozen_truth: Mean = Mean()
    flicker: Flicker = Flicker()
    psnr: Mean = Mean()
    ssim: Mean = Mean()
    ms_ssim: Mean = Mean()
    kinds: dict[str, KindFigures] = {}
    calibration: Calibration = Calibration()

    def __add__(self, other: Figures) -> Figures:
        summed = {
            name: getattr(self, name) + getattr(other, name)
            for name in self.__struct_fields__
            if name not in ("kinds", "worst_erased")
        }
        names = [*self.kinds, *(name for name in other.kinds if name not in self.kinds)]
        nothing = KindFigures()
        summed["kinds"] = {n: self.kinds.get(n, nothing) + other.kinds.get(n, nothing) for n in names}
        summed["worst_erased"] = max(self.worst_erased, other.worst_erased)
        return Figures(**summed)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One repair that a method stands for: how sure it is, and the pixels of its box that it changed."""

    frame: int
    confidence: float
    box: Box
    pixels: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a row gives for a sequence.

    Attributes:
        result: Restored codes, (t, h, w, 3).
        matte: How much of the scan each pixel lost, 0..1, (t, h, w); None for methods that have none.
        claims: Repairs with confidences, of methods that give them; frames count from 0.
        seconds: Processor time, all threads and child processes.
    """

    result: Codes16
    matte: NDArray[np.float32] | None
    claims: tuple[Claim, ...] = ()
    seconds: float


def measure(clip: Clip, answer: Answer) -> Figures:
    """All figures of one answer. A method without a matte is taken to detect what it changed by over 8/255."""
    if clip.plan.damage == "none":
        return _measure_clean(clip, answer)
    result = [from_codes(frame) for frame in answer.result]
    truth = [from_codes(frame) for frame in clip.truth]
    total = Figures(seconds=answer.seconds)
    for t in range(clip.frames):
        total += _measure_frame(clip, answer, result, truth, t)
    return total


def _measure_clean(clip: Clip, answer: Answer) -> Figures:
    shares = [
        float((metrics.largest_difference(from_codes(a), from_codes(b)) > metrics.CHANGED).mean())
        for a, b in zip(answer.result, clip.scan, strict=True)
    ]
    return Figures(
        frames=clip.frames,
        seconds=answer.seconds,
        erased=Mean(sum(shares), len(shares)),
        worst_erased=max(shares),
    )


def _measure_frame(clip: Clip, answer: Answer, result: list[Floats], truth: list[Floats], t: int) -> Figures:
    scan, alpha = from_codes(clip.scan[t]), clip.alpha[t]
    damaged = clip.damaged(t)
    marked = alpha >= TRACE
    change = metrics.largest_difference(result[t], scan)
    matte = (change > metrics.DAMAGED).astype(np.float32) if answer.matte is None else answer.matte[t]
    outright = matte * (damaged | ~metrics.dilate(marked))  # the margin of a mark is neither right nor wrong
    grey, grey_truth = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (result[t], truth[t]))
    steadiness = _steadiness(clip, result, truth, t, damaged & (change > metrics.DAMAGED / 2))
    return steadiness + Figures(
        frames=1,
        error=metrics.defect_error(result[t], truth[t], damaged),
        fixed=metrics.objects_fixed(result[t], scan, truth[t]),
        harm=metrics.harm(result[t], truth[t], marked),
        touched=metrics.touched(result[t], scan, marked),
        pixels=metrics.found_pixels(outright, damaged),
        objects=metrics.found_objects(matte, damaged),
        psnr=Mean(metrics.psnr(result[t], truth[t]), 1),
        ssim=Mean(metrics.ssim(grey, grey_truth), 1),
        ms_ssim=Mean(metrics.ms_ssim(grey, grey_truth), 1),
        kinds={
            kind: _measure_kind(damaged & (masks[t] >= TRACE), matte, result[t], scan, truth[t])
            for kind, masks in clip.masks.items()
        },
        calibration=_calibration([claim for claim in answer.claims if claim.frame == t], damaged),
    )


def _steadiness(clip: Clip, result: list[Floats], truth: list[Floats], t: int, repaired: NDArray[np.bool_]) -> Figures:
    """Grain and flicker inside what was damaged and visibly changed."""
    grain = Mean().with_value(metrics.grain_distance(result[t], repaired, exclude=clip.alpha[t] >= TRACE))
    if t == 0:
        return Figures(grain=grain)
    before, valid = clip.before(result, t)
    true_before, _ = clip.before(truth, t)
    trusted = repaired & valid
    return Figures(
        grain=grain,
        frozen=Mean().with_value(metrics.frozen_grain(result[t], before, trusted)),
        frozen_truth=Mean().with_value(metrics.frozen_grain(truth[t], true_before, trusted)),
        flicker=metrics.flicker(result[t], before, repaired, valid),
    )


def _measure_kind(
    mask: NDArray[np.bool_], matte: NDArray[np.float32], result: Floats, scan: Floats, truth: Floats
) -> KindFigures:
    """Only this kind's visible damage: outside its mask the scan counts as undamaged."""
    found = metrics.found_objects(matte, mask)
    inside = mask[:, :, None]
    scan_here, result_here = np.where(inside, scan, truth), np.where(inside, result, truth)
    return KindFigures(
        metrics.defect_error(result, truth, mask),
        Share(found.hits, found.real),
        metrics.objects_fixed(result_here, scan_here, truth),
    )


def _calibration(claims: list[Claim], damaged: NDArray[np.bool_]) -> Calibration:
    if not claims:
        return Calibration()
    right = np.array([bool(damaged[claim.box.slices][claim.pixels].any()) for claim in claims])
    found = metrics.reliability(np.array([claim.confidence for claim in claims]), right)
    return Calibration(found.confidence_sums.tolist(), found.true_counts.tolist(), found.counts.tolist())
