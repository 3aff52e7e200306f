"""Samples on their way to the network: drawn ahead by worker processes, always the same ones in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .footage import Footage, open_footage
from .job import TrainJob
from .windows import Sample, draw_sample

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

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(**{entry.name: getattr(self, entry.name).to(device) for entry in fields(self)})


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


class Batches(Dataset[Batch]):
    """Batch number n holds samples n * batch ... of the job's schedule."""

    def __init__(self, job: TrainJob, footage: Footage) -> None:
        self.job, self.footage = job, footage

    def __len__(self) -> int:
        return self.job.samples // self.job.batch

    def __getitem__(self, index: int) -> Batch:
        first = index * self.job.batch
        recipe = self.job.stage(first).recipe
        steps = range(first, first + self.job.batch)
        return stack([draw_sample(self.footage, self.job.seed, step, recipe) for step in steps])


def batches_from(job: TrainJob, cache: Path, first: int) -> Iterator[Batch]:
    """The job's batches from number `first` on."""
    source = Batches(job, open_footage(job.data, cache))
    loader = DataLoader(
        source,
        batch_size=None,
        sampler=range(first, len(source)),
        num_workers=job.workers,
        prefetch_factor=6 if job.workers else None,
        worker_init_fn=_quiet_worker,
    )
    return iter(loader)


def _quiet_worker(_: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
