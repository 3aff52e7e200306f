"""The fixed held-out set, and what a network does to it: found, fixed, harmed, erased."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..colour import decode_net
from ..metrics import (
    Error,
    Found,
    Reliability,
    Share,
    defect_error,
    found_objects,
    found_pixels,
    harm,
    largest_difference,
    objects_fixed,
    reliability,
)
from ..metrics.defects import CHANGED
from ..motion import AGREEMENT, NEXT, PREVIOUS, VALID
from .footage import Footage
from .task import SEED
from .windows import Recipe, Sample, draw_sample

Matte = NDArray[np.float32]
Answer = Callable[[Sample], tuple[Tensor, Tensor]]
"""A sample -> (matte (t, 1, h, w) 0..1, picture (t, 3, h, w) in net encoding to lay under it)."""

KEPT = slice(1, 4)
RECIPE = Recipe(size=160, evidence_off=0.0, neighbour_off=0.0, scratches=0.4, clean=0.0)


@dataclass
class Figures:
    """Sums over the set; see metrics for each one's definition."""

    pixels: Found = field(default_factory=Found)
    objects: Found = field(default_factory=Found)
    kinds: dict[str, Share] = field(default_factory=dict)
    error: Error = field(default_factory=Error)
    error_before: Error = field(default_factory=Error)
    fixed: Share = field(default_factory=Share)
    harm: Share = field(default_factory=Share)
    erased: list[float] = field(default_factory=list)
    reliability: Reliability | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded, for the curve and the model card; None where there was nothing to measure."""
        plain = {
            "pixel_recall": self.pixels.recall,
            "pixel_precision": self.pixels.precision,
            "pixel_f1": self.pixels.f1,
            "object_recall": self.objects.recall,
            "object_precision": self.objects.precision,
            "object_f1": self.objects.f1,
            "defect_psnr": self.error.psnr,
            "defect_psnr_scan": self.error_before.psnr,
            "objects_fixed": self.fixed.share,
            "harm_percent": 100 * self.harm.share,
            "erasure_percent": 100 * float(np.mean(self.erased)) if self.erased else math.nan,
            "erasure_worst_percent": 100 * max(self.erased, default=math.nan),
            "calibration_error": self.reliability.expected_error if self.reliability else math.nan,
        }
        kinds = {name: share.share for name, share in sorted(self.kinds.items()) if share.whole}
        return {**_rounded(plain), "recall_of_kind": _rounded(kinds), "reliability": _bins(self.reliability)}


def _bins(reliability: Reliability | None) -> list[tuple[float, float, int]]:
    """Mean confidence, observed share and count of every bin that is not empty."""
    if reliability is None:
        return []
    bins = zip(reliability.confidence, reliability.observed, reliability.counts, strict=True)
    return [(round(float(said), 4), round(float(seen), 4), int(count)) for said, seen, count in bins if count]


def _rounded(values: dict[str, float]) -> dict[str, float | None]:
    return {name: round(value, 4) if math.isfinite(value) else None for name, value in values.items()}


def validation_set(footage: Footage, count: int, seed: int = SEED) -> list[Sample]:
    """`count` damaged windows and half as many clean ones, of footage that is never trained on."""
    damaged = [draw_sample(footage, seed, step, RECIPE) for step in range(count)]
    clean = replace(RECIPE, clean=1.0)
    return damaged + [draw_sample(footage, seed, step, clean) for step in range(count, count + count // 2)]


def measure(samples: Iterable[Sample], answer: Answer, threshold: float = 0.5) -> Figures:
    """What an answer does to the kept middle frames of each sample.

    Its picture is laid over where the matte reaches `threshold` and one pixel around, as the restore node does it.
    """
    figures = Figures()
    for sample in samples:
        matte, picture = answer(sample)
        laid = functional.max_pool2d((matte >= threshold).float(), 3, stride=1, padding=1)
        result = torch.where(laid > 0, picture, sample.scan)
        shown = [_display(part[KEPT]) for part in (sample.scan, sample.truth, result)]
        for index in range(KEPT.start, KEPT.stop):
            if sample.present[index]:
                scan, truth, done = (part[index - KEPT.start] for part in shown)
                frame = _Frame(sample, index, matte[index, 0].numpy(), scan, truth, done)
                _measure_frame(figures, frame, threshold)
    return figures


@dataclass(frozen=True)
class _Frame:
    sample: Sample
    index: int
    matte: Matte
    scan: Matte
    truth: Matte
    result: Matte


def _measure_frame(figures: Figures, frame: _Frame, threshold: float) -> None:
    mask = frame.sample.matte[frame.index, 0].numpy() > 0
    asked = frame.sample.weight[frame.index, 0].numpy() > 0
    figures.pixels += found_pixels(frame.matte * asked, mask, threshold)
    figures.objects += found_objects(frame.matte * asked, mask, threshold)
    judged = reliability(frame.matte[asked], mask[asked])
    figures.reliability = judged if figures.reliability is None else figures.reliability + judged
    touched_up = mask | ~asked
    if not touched_up.any():
        figures.erased.append(float((largest_difference(frame.result, frame.scan) > CHANGED).mean()))
        return
    figures.error += defect_error(frame.result, frame.truth, mask)
    figures.error_before += defect_error(frame.scan, frame.truth, mask)
    figures.fixed += objects_fixed(frame.result, frame.scan, frame.truth)
    figures.harm += harm(frame.result, frame.truth, touched_up)
    for kind, where in frame.sample.kinds.items():
        share = found_objects(frame.matte, where[frame.index], threshold)
        figures.kinds[kind] = figures.kinds.get(kind, Share()) + Share(share.hits, share.real)


def _display(net: Tensor) -> Matte:
    linear = decode_net(np.ascontiguousarray(net.numpy()))
    return np.moveaxis(np.clip(linear, 0.0, 1.0) ** np.float32(1 / 2.2), 1, 3)


def classical(sample: Sample, spike: float = 0.045) -> tuple[Tensor, Tensor]:
    """The classical method on the same evidence: median of three where the frame differs from both neighbours alike."""
    scan, seen = sample.scan, sample.evidence
    before, after = scan - seen[:, PREVIOUS], scan - seen[:, NEXT]
    both = seen[:, VALID].prod(dim=1, keepdim=True)
    sharing = (before * after > 0) & (torch.minimum(before.abs(), after.abs()) > spike)
    found = sharing.any(dim=1, keepdim=True) * both * (seen[:, AGREEMENT].amin(dim=1, keepdim=True) > 0.5)
    grown = functional.max_pool2d(found.float(), 3, stride=1, padding=1)
    median = torch.stack([scan, seen[:, PREVIOUS], seen[:, NEXT]]).median(dim=0).values
    return grown, median
