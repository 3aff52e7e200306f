"""`filmrestore bench bounds`: what the grain in the sequences of `bench restore` lets anyone find and mend."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..errors import UsageError
from ..media.atomic import atomic_bytes
from . import BenchOptions
from .clips import Clip, build, choose, grain_amount
from .figures import TRACE, Mean
from .light import Floats, from_codes
from .observer import Observer, marks
from .restore import FRAMES, FULL_FRAMES
from .tables import number, table

FILLS = ("truth", "picture without grain", "picture with new grain")
"""What is laid in exactly where the damage is: all that a perfect eye could know, with a share of chance."""
OBSERVERS = ("its shape", "an ideal observer")
CLASSES = ((8, 12), (12, 20), (20, 40), (40, 256))
"""Mean damage of an object, 8-bit codes."""


@dataclass
class Bounds:
    """Sums over objects: how many, the chances to tell them, and those that each fill mends; and grain by frame."""

    objects: int = 0
    told: dict[str, float] = field(default_factory=lambda: dict.fromkeys(OBSERVERS, 0.0))
    fixed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FILLS, 0))
    grain: dict[str, Mean] = field(default_factory=lambda: dict.fromkeys(FILLS, Mean()))


def run(options: BenchOptions, progress: Callable[[str, int, int], None] | None = None) -> dict[str, Any]:
    """Measure the damaged sequences; write bounds.md and bounds.json into the output folder.

    Returns:
        What bounds.json holds.

    Raises:
        UsageError: no folder of clean clips, an unknown sequence.
        InputError: clips or pieces are missing.
    """
    if options.bench_dir is None:
        raise UsageError("the clean clips are missing: give their folder with --bench")
    cv2.setNumThreads(1)
    plans = [plan for plan in choose(options.clips, full=options.full) if plan.damage != "none"]
    frames = options.frames or (FULL_FRAMES if options.full else FRAMES)
    names = ["all", "fine grain", "coarse grain", *(_class_name(*bounds) for bounds in CLASSES)]
    groups = {name: Bounds() for name in names}
    for done, plan in enumerate(plans):
        clip, bare = (
            build(one, options.bench_dir, options.pieces_dir, frames, options.seed)
            for one in (plan, replace(plan, grain="none"))
        )
        _measure(clip, [from_codes(codes) for codes in bare.truth], groups)
        if progress:
            progress("sequences", done + 1, len(plans))
    figures = {name: _figures(bounds) for name, bounds in groups.items() if bounds.objects}
    atomic_bytes(options.out_dir / "bounds.json", json.dumps(figures, indent=1).encode())
    atomic_bytes(options.out_dir / "bounds.md", _table(figures).encode())
    return figures


def _measure(clip: Clip, bare: list[Floats], groups: dict[str, Bounds]) -> None:
    """Adds a sequence, of which `bare` is the truth without grain."""
    truths = [from_codes(codes) for codes in clip.truth]
    strengths = [grain_amount(picture, clip.plan.grain) for picture in bare]
    grain = [(truth - base) / strength for truth, base, strength in zip(truths, bare, strengths, strict=True)]
    observer = Observer.of(grain)
    for t, (truth, base, strength) in enumerate(zip(truths, bare, strengths, strict=True)):
        scan = from_codes(clip.scan[t])
        damage = metrics.largest_difference(scan, truth)
        labels, count = metrics.label(damage > metrics.DAMAGED)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        depth = np.bincount(labels.ravel(), damage.ravel(), minlength=count + 1)[1:] / np.maximum(sizes, 1) * 255
        told = np.array(
            [
                observer.chances(mark, area, float(strength[place].mean()))
                for mark, area, place in marks((scan - truth) / strength, labels, count)
            ]
        ).reshape(-1, len(OBSERVERS))
        fills = dict(zip(FILLS, (truth, base, base + grain[t - 1] * strength), strict=True))  # grain of another frame
        fixed = {
            name: np.bincount(labels[metrics.largest_difference(fill, truth) <= damage / 2], minlength=count + 1)[1:]
            * 2
            > sizes
            for name, fill in fills.items()
        }
        for name, chosen in _chosen(clip, depth).items():
            _count(groups[name], told[chosen], {fill: mended[chosen] for fill, mended in fixed.items()})
        for fill, picture in fills.items():
            laid = np.where((labels > 0)[..., None], picture, truth)
            distance = metrics.grain_distance(laid, labels > 0, exclude=clip.alpha[t] >= TRACE)
            for name in ("all", f"{clip.plan.grain} grain"):
                groups[name].grain[fill] = groups[name].grain[fill].with_value(distance)


def _count(bounds: Bounds, told: NDArray[np.float64], fixed: dict[str, NDArray[np.bool_]]) -> None:
    bounds.objects += len(told)
    for observer, chances in zip(OBSERVERS, told.T, strict=True):
        bounds.told[observer] += float(chances.sum())
    for fill, mended in fixed.items():
        bounds.fixed[fill] += int(mended.sum())


def _chosen(clip: Clip, depth: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
    """Which of a frame's objects belong to which group."""
    every = np.ones(len(depth), bool)
    classes = {_class_name(low, high): (depth >= low) & (depth < high) for low, high in CLASSES}
    return {"all": every, f"{clip.plan.grain} grain": every} | classes


def _class_name(low: int, high: int) -> str:
    return f"damage over {low}/255" if high > 255 else f"damage {low} to {high}/255"


def _figures(bounds: Bounds) -> dict[str, Any]:
    return {
        "objects": bounds.objects,
        "told": {observer: chances / bounds.objects for observer, chances in bounds.told.items()},
        "fixed": {fill: count / bounds.objects for fill, count in bounds.fixed.items()},
        "grain": {fill: mean.mean for fill, mean in bounds.grain.items() if mean.count},
    }


def _table(figures: dict[str, dict[str, Any]]) -> str:
    head = ["objects", "number", *(f"told from grain by {observer}, %" for observer in OBSERVERS)]
    head += [f"fixed by the {fill}, %" for fill in FILLS[1:]] + [f"grain distance of the {fill}" for fill in FILLS]
    lines = [
        [name, str(one["objects"])]
        + [number(one["told"][observer], 1, 100) for observer in OBSERVERS]
        + [number(one["fixed"][fill], 1, 100) for fill in FILLS[1:]]
        + [number(one["grain"].get(fill, math.nan)) for fill in FILLS]
        for name, one in figures.items()
    ]
    return table(head, lines)
