"""The training loop: batches in, checkpoints, curve and figures out; stops on a budget, goes on where it stopped."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ..errors import WeightsError
from ..media.atomic import atomic_bytes
from .checkpoint import NAME, Average, Progress, load, record, save
from .footage import Footage, open_footage
from .job import TrainJob
from .optimizer import Optimizer
from .task import Samples, Stage, Task
from .tasks import task_of

REPORT_EVERY = 25
"""Steps between lines of the curve."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Where a run stands when `train` returns.

    Attributes:
        samples: Learned from so far, earlier sessions included.
        finished: Whether the schedule's end was reached.
        checkpoint: File to go on from.
    """

    samples: int
    finished: bool
    checkpoint: Path


def train(job: TrainJob, progress: Callable[[str, int, int], None] | None = None) -> Outcome:
    """Trains the network of a model, or goes on training it.

    Args:
        job: What to do. A checkpoint in `job.out` is taken up.
        progress: Called with ("train", samples learned from, samples wanted).

    Raises:
        UsageError: no such model.
        InputError: no footage, or a damaged checkpoint.
        WeightsError: `job.start` does not fit the network.
        OutputError: `job.out` cannot be written.
    """
    began = time.monotonic()
    torch.set_num_threads(job.threads)
    cv2.setNumThreads(1)
    task, schedule = task_of(job.model), job.schedule
    job.out.mkdir(parents=True, exist_ok=True)
    footage = open_footage(job.data, job.footage)
    state = _begin(job, task)
    resumed = load(state, job.out)
    atomic_bytes(job.out / "job.json", json.dumps(job.to_dict(), indent=1, default=str).encode())
    record(job.out, "curve.jsonl", {"event": "resumed" if resumed else "began", "updates": state.updates})
    run = _Run(job, task, state)
    for samples in _batches(job, task, footage, state.updates):
        run.update(samples)
        if progress:
            progress("train", schedule.drawn(state.updates), job.samples)
        over = job.budget_s is not None and time.monotonic() - began > job.budget_s
        if over or state.updates == len(schedule) or run.checkpoint_is_due():
            run.checkpoint()
        if over:
            break
    return Outcome(
        samples=schedule.drawn(state.updates),
        finished=state.updates >= len(schedule),
        checkpoint=job.out / NAME,
    )


def _begin(job: TrainJob, task: Task) -> Progress[nn.Module]:
    torch.manual_seed(job.seed)
    network = task.network(job.network).to(job.device)
    if job.start is not None:
        try:
            network.load_state_dict(load_file(job.start))
        except (OSError, RuntimeError) as error:
            raise WeightsError(f"cannot start from {job.start}: {error}; give weights of the same network") from error
    optimizer = Optimizer(network, job.rate, muon=job.muon)
    return Progress(network=network, optimizer=optimizer, average=Average(network, job.decay))


class _Run:
    """One session of a run, from its start or a checkpoint to its stop."""

    def __init__(self, job: TrainJob, task: Task, state: Progress[nn.Module]) -> None:
        self.job, self.task, self.state = job, task, state
        self.device = torch.device(job.device)
        self.held_out: list[Any] = []
        if job.validation:
            self.held_out = task.held_out(open_footage(job.data, job.footage, held_out=True), job, job.validation)
        self.stage: Stage | None = None
        self.saved = self.last = time.monotonic()
        self.sums: dict[str, float] = {}
        self.counted = 0

    def update(self, samples: Samples) -> None:
        """One optimizer step."""
        job, state = self.job, self.state
        step = job.schedule[state.updates]
        if step.begins:
            self.task.before_stage(step.stage, state.network, state.average.weights)
        if step.stage != self.stage:
            self._begin_stage(step.stage)
        state.optimizer.set_rate(job.rate * job.schedule.share(step.number, job.warm_up))
        noise = torch.Generator().manual_seed(job.seed * 1_000_003 + step.number)
        placed = {name: value.to(self.device) for name, value in samples.items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=job.half):
            losses = self.task.loss(state.network, placed, noise, step.stage)
        state.network.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        size = nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
        if bool(torch.isfinite(size)):
            state.optimizer.step()
        state.updates += 1
        state.average.update(state.network)
        now = time.monotonic()
        state.seconds, self.last = state.seconds + now - self.last, now
        self._count({**losses.figures, "loss": float(losses.total.detach()), "gradient": float(size)}, step.stage)

    def _begin_stage(self, stage: Stage) -> None:
        frozen = self.task.frozen(stage)
        for name, parameter in self.state.network.named_parameters():
            parameter.requires_grad_(not name.startswith(frozen))
        self.state.network.train()
        self.stage = stage

    def _count(self, figures: dict[str, float], stage: Stage) -> None:
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + (value if math.isfinite(value) else 0.0)
        self.counted += 1
        if self.counted < REPORT_EVERY:
            return
        means = {name: round(total / self.counted, 5) for name, total in self.sums.items()}
        line = {"samples": self.job.schedule.drawn(self.state.updates), "seconds": round(self.state.seconds, 1)}
        record(self.job.out, "curve.jsonl", {**line, "stage": stage.name, "size": stage.size, **means})
        self.sums, self.counted = {}, 0

    def checkpoint_is_due(self) -> bool:
        return time.monotonic() - self.saved > self.job.checkpoint_s

    def checkpoint(self) -> None:
        """Saves everything, and measures the averaged weights on the held-out set."""
        save(self.state, self.job.out)
        if self.held_out:
            network = self.task.network(self.job.network)
            network.load_state_dict(self.state.average.weights)
            figures = self.task.figures(network.eval(), self.held_out, self.job)
            samples = self.job.schedule.drawn(self.state.updates)
            record(self.job.out, "validation.jsonl", {"samples": samples, **figures})
        self.saved = self.last = time.monotonic()


class _Batches(Dataset[Samples]):
    """The batch of step number n is always the same."""

    def __init__(self, job: TrainJob, task: Task, footage: Footage) -> None:
        self.schedule, self.draw = job.schedule, task.drawing(footage, job)

    def __len__(self) -> int:
        return len(self.schedule)

    def __getitem__(self, number: int) -> Samples:
        return self.draw(self.schedule[number])


def _batches(job: TrainJob, task: Task, footage: Footage, first: int) -> Iterator[Samples]:
    """The batches of the steps from number `first` on."""
    source = _Batches(job, task, footage)
    if first >= len(source):
        return iter(())
    loader = DataLoader(
        source,
        batch_size=None,
        sampler=range(first, len(source)),
        num_workers=job.workers,
        prefetch_factor=4 if job.workers else None,
        worker_init_fn=_quiet_worker,
    )
    return iter(loader)


def _quiet_worker(_: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
