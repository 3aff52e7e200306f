"""A plain training run for one network and one loss: resumable, averaged, on a budget, with its curve."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..errors import UsageError
from ..media.atomic import atomic_bytes
from .checkpoint import Average, Progress, load, record, save
from .footage import Footage, open_footage
from .loop import LAST_RATE, Outcome

Samples = dict[str, Tensor]
"""Some samples, stacked: name -> tensor whose first dimension counts them."""

REPORT_EVERY = 25
"""Updates between lines of the curve."""
VALIDATION_SEED = 90210


class Task(Protocol):
    """What is trained: a network, its samples and its loss."""

    @property
    def name(self) -> str: ...

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """Untrained, in diffusers' form, with the settings that differ from its own."""
        ...

    def draw(self, footage: Footage, seed: int, step: int, size: int) -> Samples:
        """`per_draw` samples of that seed and step: always the same."""
        ...

    @property
    def per_draw(self) -> int: ...

    def loss(self, network: nn.Module, samples: Samples, noise: torch.Generator) -> Tensor:
        """Of a batch."""
        ...


@dataclass(frozen=True, kw_only=True)
class PlainJob:
    """A training run of a `Task`.

    Attributes:
        data: Folder with train/stills and train/video.
        out: Folder for checkpoint, curve and settings; a run found there goes on.
        cache: Folder for decoded footage; inside `out` where none is given.
        samples: Length of the whole schedule.
        budget_s: Stop after this much time and leave a checkpoint; None runs to the schedule's end.
        network: Settings of the network that differ from its own.
        size: Edge of the samples, pixels.
        batch: Samples an optimizer step.
        rate: Highest learning rate.
        warm_up: Optimizer steps until it is reached.
        decay: Of the weights' moving average.
        seed: Of samples and noise.
        checkpoint_s: Time between checkpoints.
        device: "cpu", "cuda" ...
        half: Compute in bfloat16 where that is safe; weights stay float32.
        threads: Of the training process.
        workers: Processes that draw samples; 0 draws them in the training process.
        validation: Held-out samples that each checkpoint's average is measured on; 0 for none.
    """

    data: Path
    out: Path
    cache: Path | None = None
    samples: int
    budget_s: float | None = None
    network: Mapping[str, Any] = field(default_factory=dict)
    size: int
    batch: int
    rate: float
    warm_up: int = 200
    decay: float = 0.998
    seed: int = 1
    checkpoint_s: float = 240.0
    device: str = "cpu"
    half: bool = True
    threads: int = 1
    workers: int = 1
    validation: int = 64

    def __post_init__(self) -> None:
        if self.samples < 1 or self.batch < 1:
            raise UsageError(f"samples is {self.samples} and batch {self.batch}: give at least 1 of each")
        if self.budget_s is not None and self.budget_s <= 0:
            raise UsageError(f"the budget is {self.budget_s:g} s: give a time above 0")

    @property
    def updates(self) -> int:
        """Optimizer steps of the whole schedule."""
        return max(1, self.samples // self.batch)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the run's record."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


def train_plain(task: Task, job: PlainJob, progress: Callable[[str, int, int], None] | None = None) -> Outcome:
    """Trains the task's network, or goes on training it.

    Args:
        task: What is trained.
        job: How. A checkpoint in `job.out` is taken up.
        progress: Called with ("train", samples done, samples wanted).

    Raises:
        InputError: no footage, or a damaged checkpoint.
        OutputError: `job.out` cannot be written.
    """
    began = time.monotonic()
    torch.set_num_threads(job.threads)
    cv2.setNumThreads(1)
    job.out.mkdir(parents=True, exist_ok=True)
    run = _Run(task, job)
    resumed = load(run.state, job.out)
    atomic_bytes(job.out / "job.json", json.dumps({"task": task.name, **job.to_dict()}, indent=1, default=str).encode())
    record(job.out, "curve.jsonl", {"event": "resumed" if resumed else "began", "updates": run.state.updates})
    if run.state.updates < job.updates:
        for samples in run.batches():
            run.update(samples)
            if progress:
                progress("train", run.state.updates * job.batch, job.samples)
            over = job.budget_s is not None and time.monotonic() - began > job.budget_s
            if over or run.state.updates == job.updates or run.checkpoint_is_due():
                run.checkpoint()
            if over:
                break
    return Outcome(
        samples=run.state.updates * job.batch,
        finished=run.state.updates >= job.updates,
        checkpoint=save(run.state, job.out),
    )


class _Run:
    """One session of a run, from its start or a checkpoint to its stop."""

    def __init__(self, task: Task, job: PlainJob) -> None:
        self.task, self.job = task, job
        self.device = torch.device(job.device)
        self.footage = open_footage(job.data, job.cache or job.out / "cache")
        self.held_out = _held_out(task, job)
        torch.manual_seed(job.seed)
        network = task.network(job.network).to(self.device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=job.rate, betas=(0.9, 0.99), weight_decay=1e-4)
        self.state = Progress(network=network, optimizer=optimizer, average=Average(network, job.decay))
        self.saved = self.last = time.monotonic()
        self.total, self.counted = 0.0, 0

    def batches(self) -> Iterator[Samples]:
        """From where the run stands."""
        source = _Batches(self.task, self.job, self.footage)
        workers = self.job.workers
        loader = DataLoader(
            source,
            batch_size=None,
            sampler=range(self.state.updates, len(source)),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            worker_init_fn=_quiet_worker,
        )
        return iter(loader)

    def update(self, samples: Samples) -> None:
        """One optimizer step."""
        state, job = self.state, self.job
        for group in state.optimizer.param_groups:
            group["lr"] = job.rate * _share(job, state.updates)
        state.network.train()
        loss = self._loss(state.network, samples, job.seed * 1_000_003 + state.updates)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        size = nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
        if bool(torch.isfinite(size)):
            state.optimizer.step()
        state.updates += 1
        state.average.update(state.network)
        now = time.monotonic()
        state.seconds, self.last = state.seconds + now - self.last, now
        self._count(float(loss.detach()))

    def _loss(self, network: nn.Module, samples: Samples, seed: int) -> Tensor:
        noise = torch.Generator().manual_seed(seed)
        placed = {name: value.to(self.device) for name, value in samples.items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.job.half):
            return self.task.loss(network, placed, noise)

    def _count(self, loss: float) -> None:
        self.total += loss if math.isfinite(loss) else 0.0
        self.counted += 1
        if self.counted == REPORT_EVERY:
            line = {"samples": self.state.updates * self.job.batch, "seconds": round(self.state.seconds, 1)}
            record(self.job.out, "curve.jsonl", {**line, "loss": round(self.total / self.counted, 5)})
            self.total, self.counted = 0.0, 0

    def checkpoint_is_due(self) -> bool:
        return time.monotonic() - self.saved > self.job.checkpoint_s

    def checkpoint(self) -> None:
        """Saves everything, and measures the averaged weights on held-out samples, always with the same noise."""
        save(self.state, self.job.out)
        if self.held_out:
            network = self.task.network(self.job.network).to(self.device)
            network.load_state_dict(self.state.average.weights)
            network.eval()
            with torch.no_grad():
                losses = [float(self._loss(network, s, VALIDATION_SEED + n)) for n, s in enumerate(self.held_out)]
            line = {"samples": self.state.updates * self.job.batch, "loss": round(sum(losses) / len(losses), 5)}
            record(self.job.out, "validation.jsonl", line)
        self.saved = self.last = time.monotonic()


class _Batches(Dataset[Samples]):
    """Batch number n is always the same."""

    def __init__(self, task: Task, job: PlainJob, footage: Footage) -> None:
        self.task, self.job, self.footage = task, job, footage

    def __len__(self) -> int:
        return self.job.updates

    def __getitem__(self, index: int) -> Samples:
        return _drawn(self.task, self.footage, self.job.seed, index * self.job.batch, self.job.batch, self.job.size)


def _drawn(task: Task, footage: Footage, seed: int, first: int, count: int, size: int) -> Samples:
    """`count` samples, of draws that no other batch uses."""
    draws = [task.draw(footage, seed, first + number, size) for number in range(-(-count // task.per_draw))]
    return {name: torch.cat([draw[name] for draw in draws])[:count] for name in draws[0]}


def _held_out(task: Task, job: PlainJob) -> list[Samples]:
    if not job.validation:
        return []
    footage = open_footage(job.data, job.cache or job.out / "cache", held_out=True)
    count = -(-job.validation // job.batch)
    return [_drawn(task, footage, VALIDATION_SEED, n * job.batch, job.batch, job.size) for n in range(count)]


def _share(job: PlainJob, update: int) -> float:
    """Of the highest learning rate: linear warm-up, then a cosine down to `LAST_RATE`."""
    warm = min(1.0, (update + 1) / job.warm_up) if job.warm_up else 1.0
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, update / job.updates)))
    return warm * (LAST_RATE + (1.0 - LAST_RATE) * cosine)


def _quiet_worker(_: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
