"""Damaged windows on their way to frdm: stacked, used twice, now and then shorter; always the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..motion import AGREEMENT, NEXT, PREVIOUS, SECOND, SECOND_VALID, VALID, of_side
from .clips import FRAMES
from .footage import Footage
from .hard import load
from .schedule import Schedule, Step
from .task import Samples
from .windows import Recipe, Sample, draw_sample, without_some_evidence

CLASSES = ("dust", "dirt", "hair", "scratch", "stain", "burn")
"""Kinds of damage that the network tells apart, in the order of its outputs."""
CLASS_OF = {
    "dust": "dust",
    "dirt": "dirt",
    "hair": "hair",
    "gate_hair": "hair",
    "lint": "hair",
    "scratch": "scratch",
    "scratch_moving": "scratch",
    "blotch": "stain",
    "stain": "stain",
    "burn": "burn",
    "splice": "burn",
}


SHORTER = 0.08
"""Probability that a batch shows windows of one or three frames."""
HARD = 0.3
"""Share of the windows that are hard examples, where a run is given some."""
TURNS = 6
"""Ways that `turned` leads through before it comes back: to and fro, and three orders of the colours."""
GROUP, TURN = 8, 3
"""Samples that are held for their second use, and the stride of its order."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some samples, stacked; see `windows.Sample`.

    `box` is relative to the larger picture, 0..1: x0, y0, x1, y1. `kind` is a place in `CLASSES` or -1.
    """

    scan: Float[Tensor, "b t 3 h w"]
    truth: Float[Tensor, "b t 3 h w"]
    matte: Float[Tensor, "b t 1 h w"]
    weight: Float[Tensor, "b t 1 h w"]
    kind: Int[Tensor, "b t h w"]
    evidence: Float[Tensor, "b t e h w"]
    overview: Float[Tensor, "b 3 64 64"]
    box: Float[Tensor, "b 4"]
    present: Bool[Tensor, "b t"]


def stack(samples: list[Sample]) -> Batch:
    """A batch of samples of one size."""
    return Batch(
        scan=torch.stack([sample.scan for sample in samples]),
        truth=torch.stack([sample.truth for sample in samples]),
        matte=torch.stack([sample.matte for sample in samples]),
        weight=torch.stack([sample.weight for sample in samples]),
        kind=torch.stack([_kind(sample) for sample in samples]),
        evidence=torch.stack([sample.evidence for sample in samples]),
        overview=torch.stack([sample.overview for sample in samples]),
        box=torch.stack([_relative(sample) for sample in samples]),
        present=torch.tensor([sample.present for sample in samples]),
    )


def _kind(sample: Sample) -> Int[Tensor, "t h w"]:
    """The place of each damaged pixel's kind in `CLASSES`; -1 where there is none."""
    kind = torch.full(sample.scan[:, 0].shape, -1, dtype=torch.int64)
    for name, where in sample.kinds.items():
        kind[torch.from_numpy(where)] = CLASSES.index(CLASS_OF[name])
    return kind


def _relative(sample: Sample) -> Float[Tensor, 4]:
    (height, width), box = sample.full, sample.box
    return torch.tensor([box.x0 / width, box.y0 / height, box.x1 / width, box.y1 / height], dtype=torch.float32)


RECIPES = {"guidance": Recipe(), "sampler": Recipe(lookalikes=0.3, clean=0.0)}
"""What samples are drawn, by the name of the stage."""


class Windows:
    """The batch of a step: uses n * batch ... of the schedule; every sample is used twice, the second time turned.

    Drawing a sample costs about what learning from it does. The uses of eight samples follow each other, so that a
    worker still holds them when they come again.

    Args:
        footage: To draw from.
        seed: Of the draws.
        schedule: Which stage a sample belongs to.
        hard: Files of hard examples, of which `HARD` of the windows are chosen.
    """

    def __init__(self, footage: Footage, seed: int, schedule: Schedule, hard: Sequence[Path] = ()) -> None:
        self.footage, self.seed, self.schedule, self.hard = footage, seed, schedule, hard
        self._held: dict[int, Sample] = {}

    def __call__(self, step: Step) -> Samples:
        """A `Batch`'s parts, always the same."""
        batch = stack([self._use(use) for use in range(step.first, step.first + step.stage.batch)])
        rng = np.random.default_rng((self.seed, step.number, 2))
        return vars(shorter(batch, int(rng.integers(2))) if rng.random() < SHORTER else batch)

    def _use(self, use: int) -> Sample:
        group, place = divmod(use, 2 * GROUP)
        again = place >= GROUP
        number = group * GROUP + (place * TURN + group) % GROUP if again else group * GROUP + place
        if number not in self._held:
            stage = self.schedule.stage_of(group * 2 * GROUP)
            recipe = replace(RECIPES[stage.name], size=stage.size)
            self._held = {key: sample for key, sample in self._held.items() if key // GROUP == group}
            rng = np.random.default_rng((self.seed, number, 3))
            is_hard = bool(self.hard) and rng.random() < HARD
            self._held[number] = (
                self._hard(rng, recipe) if is_hard else draw_sample(self.footage, self.seed, number, recipe)
            )
        return turned(self._held[number]) if again else self._held[number]

    def _hard(self, rng: np.random.Generator, recipe: Recipe) -> Sample:
        sample = load(self.hard[int(rng.integers(len(self.hard)))])
        for _ in range(int(rng.integers(TURNS))):
            sample = turned(sample)
        return without_some_evidence(sample, rng, recipe)


def shorter(batch: Batch, radius: int) -> Batch:
    """The middle frames of the windows alone, as a temporal radius below 2 has them: nothing tells of the others."""
    frames = slice(FRAMES // 2 - radius, FRAMES // 2 + radius + 1)
    of_frames = ("scan", "truth", "matte", "weight", "kind", "evidence", "present")
    cut = replace(batch, **{name: getattr(batch, name)[:, frames].clone() for name in of_frames})
    for side, end in enumerate((0, -1)):
        _unseen(cut, torch.ones(len(cut.present), dtype=torch.bool), end, side)
        if radius:  # what stood in for an absent frame lies beyond the cut
            _unseen(cut, ~cut.present[:, end], radius, side)
    cut.evidence[:, :, SECOND.start : SECOND_VALID.stop] = 0
    return cut


def _unseen(batch: Batch, windows: Bool[Tensor, " b"], frame: int, side: int) -> None:
    """Takes what one side shows of a frame out of some windows, in place."""
    for channel in of_side(side):
        batch.evidence[windows, frame, channel] = 0


def turned(sample: Sample) -> Sample:
    """The sample mirrored left to right, backwards in time, its colours exchanged."""
    colours = [2, 0, 1]
    evidence = sample.evidence.flip(0, 3)
    before, after = evidence[:, PREVIOUS][:, colours], evidence[:, NEXT][:, colours]
    sides = [of.start + side for of in (VALID, AGREEMENT, SECOND, SECOND_VALID) for side in (1, 0)]
    left = sample.full[1] - sample.box.x1
    return Sample(
        scan=sample.scan.flip(0, 3)[:, colours],
        truth=sample.truth.flip(0, 3)[:, colours],
        matte=sample.matte.flip(0, 3),
        weight=sample.weight.flip(0, 3),
        kinds={name: where[::-1, :, ::-1].copy() for name, where in sample.kinds.items()},
        evidence=torch.cat([after, before, evidence[:, sides]], dim=1),
        overview=sample.overview.flip(2)[colours],
        box=replace(sample.box, x0=left, x1=left + sample.box.width),
        full=sample.full,
        present=sample.present[::-1],
    )
