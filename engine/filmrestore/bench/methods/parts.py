"""What the methods are handed: a part of a sequence of `bench restore`, small enough for the slow ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ... import metrics
from ...errors import InputError, UsageError
from .. import BenchOptions
from ..clips import PLANS, Clip, Plan, build

EDGE = 256
"""px of the square that is cut out of the middle of the frames."""

HANDED = 12
"""Frames: those of `bench restore`, so that the damage is the same."""

MEASURED, FULL_MEASURED = 5, 12
"""Of these in the middle; the others are neighbours to look at."""

NAMES = ("juggle-model", "dog-pieces", "dashcam-model", "juggle-clean")
"""Fast and slow motion, damage from the model and from pieces; the last is undamaged, for erasure."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a sequence.

    Attributes:
        whole: All frames that a method may look at.
        first: Of the measured ones among them, from 0.
        count: Of the measured ones.
    """

    whole: Clip
    first: int
    count: int

    @property
    def frames(self) -> slice:
        """The measured ones."""
        return slice(self.first, self.first + self.count)

    @cached_property
    def measured(self) -> Clip:
        """What answers are measured against."""
        masks = {kind: mask[self.frames] for kind, mask in self.whole.masks.items()}
        return Clip(
            plan=self.whole.plan,
            scan=self.whole.scan[self.frames],
            truth=self.whole.truth[self.frames],
            masks={kind: mask for kind, mask in masks.items() if mask.any()},
        )

    @cached_property
    def matte(self) -> NDArray[np.bool_]:
        """Where each frame is visibly damaged, with a pixel around it, (t, h, w): what `telea-true-mask` is told."""
        return np.stack([metrics.dilate(self.whole.damaged(t), 1) for t in range(self.whole.frames)])

    @property
    def coverage(self) -> float:
        """Share of the measured pixels that are visibly damaged."""
        return float(np.mean([self.measured.damaged(t).mean() for t in range(self.count)]))


def chosen(options: BenchOptions) -> list[Plan]:
    """The sequences of those names; of none, the short list, or all of them in the long form.

    Raises:
        UsageError: an unknown name.
    """
    known = {plan.name: plan for plan in PLANS}
    for name in options.clips:
        if name not in known:
            raise UsageError(f"no sequence {name!r}: choose from {', '.join(known)}")
    return [known[name] for name in options.clips or (known if options.full else NAMES)]


def measured_frames(options: BenchOptions) -> int:
    """Of a sequence."""
    return options.frames or (FULL_MEASURED if options.full else MEASURED)


def part_of(plan: Plan, options: BenchOptions) -> Part:
    """The middle of a sequence, in space and time; the same options give the same codes.

    Raises:
        InputError: a clean clip or the pieces are missing.
    """
    count = measured_frames(options)
    if options.bench_dir is None:
        raise InputError("the clean clips are missing: give their folder with --bench")
    clip = build(plan, options.bench_dir, options.pieces_dir, max(HANDED, count), options.seed)
    return Part(whole=_cut(clip), first=(clip.frames - count) // 2, count=count)


def _cut(clip: Clip) -> Clip:
    height, width = clip.scan.shape[1:3]
    y, x = max(0, height - EDGE) // 2, max(0, width - EDGE) // 2
    inside = (slice(None), slice(y, y + EDGE), slice(x, x + EDGE))
    masks = {kind: mask[inside] for kind, mask in clip.masks.items()}
    return Clip(
        plan=clip.plan,
        scan=np.ascontiguousarray(clip.scan[inside]),
        truth=np.ascontiguousarray(clip.truth[inside]),
        masks={kind: np.ascontiguousarray(mask) for kind, mask in masks.items() if mask.any()},
    )
