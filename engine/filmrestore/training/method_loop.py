"""The loop for methods of one network: draws in, checkpoints, curve and figures out; goes on where it stopped."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ..errors import WeightsError
from ..media.atomic import atomic_bytes
from .checkpoint import Average, Progress, load, record, save
from .footage import Footage, open_footage
from .loop import LAST_RATE, REPORT_EVERY, Outcome
from .method_job import Drawn, Method, MethodJob, Schedule
from .methods import method_of


def train_method(job: MethodJob, progress: Callable[[str, int, int], None] | None = None) -> Outcome:
    """Trains the network of a method, or goes on training it.

    Args:
        job: What to do. A checkpoint in `job.out` is taken up.
        progress: Called with ("train", draws learned from, draws wanted).

    Raises:
        UsageError: no such model.
        InputError: no footage, or a damaged checkpoint.
        WeightsError: `job.start` does not fit the network.
        OutputError: `job.out` cannot be written.
    """
    began = time.monotonic()
    torch.set_num_threads(job.threads)
    method = method_of(job.model)
    schedule = Schedule(job.stages or method.stages, job.samples)
    job.out.mkdir(parents=True, exist_ok=True)
    cache = job.cache or job.out / "cache"
    state = _begin(job, method)
    resumed = load(state, job.out)
    atomic_bytes(job.out / "job.json", json.dumps(job.to_dict(), indent=1, default=str).encode())
    record(job.out, "curve.jsonl", {"event": "resumed" if resumed else "began", "updates": state.updates})
    run = _Run(job, method, schedule, state)
    for drawn in _draws(job, method, schedule, cache, state.updates):
        run.update(drawn)
        if progress:
            progress("train", schedule.drawn(state.updates), job.samples)
        over = job.budget_s is not None and time.monotonic() - began > job.budget_s
        if over or state.updates == len(schedule) or time.monotonic() - run.saved > job.checkpoint_s:
            run.checkpoint(cache)
        if over:
            break
    return Outcome(
        samples=schedule.drawn(state.updates),
        finished=state.updates >= len(schedule),
        checkpoint=save(state, job.out),
    )


def _begin(job: MethodJob, method: Method) -> Progress[Any]:
    torch.manual_seed(job.seed)
    network = method.new(**job.network).to(job.device)
    if job.start is not None:
        try:
            network.load_state_dict({name: value.float() for name, value in load_file(job.start).items()})
        except (OSError, RuntimeError) as error:
            raise WeightsError(f"cannot start from {job.start}: {error}; give weights of the same network") from error
    optimizer = torch.optim.AdamW(network.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=1e-4)
    return Progress(network=network, optimizer=optimizer, average=Average(network))


@dataclass
class _Run:
    """One session of a run, from its start or a checkpoint to its stop."""

    job: MethodJob
    method: Method
    schedule: Schedule
    state: Progress[Any]
    saved: float = field(default_factory=time.monotonic)
    sums: dict[str, float] = field(default_factory=dict)
    counted: int = 0

    def __post_init__(self) -> None:
        self._began, self._seconds_before = self.saved, self.state.seconds

    def update(self, drawn: Drawn) -> None:
        """One optimizer step."""
        job, state = self.job, self.state
        for group in state.optimizer.param_groups:
            group["lr"] = rate(job.rate or self.method.rate, job.warm_up, state.updates, len(self.schedule))
        noise = torch.Generator().manual_seed(job.seed * 1_000_003 + state.updates)
        state.network.train()
        device = torch.device(job.device)
        with torch.autocast(device.type, torch.bfloat16, enabled=job.half):
            losses = self.method.loss(state.network, {name: part.to(device) for name, part in drawn.items()}, noise)
        state.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        size = nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
        if bool(torch.isfinite(size)):
            state.optimizer.step()
        state.updates += 1
        state.average.update(state.network)
        state.seconds = self._seconds_before + time.monotonic() - self._began
        self._count({**losses.figures, "gradient": float(size)})

    def _count(self, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + (value if math.isfinite(value) else 0.0)
        self.counted += 1
        if self.counted < REPORT_EVERY:
            return
        means = {name: round(total / self.counted, 5) for name, total in self.sums.items()}
        size = self.schedule[self.state.updates - 1].stage.size
        samples, seconds = self.schedule.drawn(self.state.updates), round(self.state.seconds, 1)
        record(self.job.out, "curve.jsonl", {"samples": samples, "seconds": seconds, "size": size, **means})
        self.sums, self.counted = {}, 0

    def checkpoint(self, cache: Path) -> None:
        """Saves everything, and measures the averaged weights on the held-out set."""
        save(self.state, self.job.out)
        if self.job.validation:
            network = self.method.new(**self.job.network)
            network.load_state_dict(self.state.average.weights)
            figures = self.method.figures(network.eval(), self.job.data, cache, self.job.validation)
            record(self.job.out, "validation.jsonl", {"samples": self.schedule.drawn(self.state.updates), **figures})
        self.saved = time.monotonic()


def rate(highest: float, warm_up: int, update: int, updates: int) -> float:
    """Learning rate of an update: linear warm-up, then a cosine down to `LAST_RATE` of the highest."""
    warm = min(1.0, (update + 1) / warm_up) if warm_up else 1.0
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, update / max(1, updates))))
    return highest * warm * (LAST_RATE + (1.0 - LAST_RATE) * cosine)


@dataclass(frozen=True)
class _Draws(Dataset[Drawn]):
    """Step number n of the schedule, stacked: always the same."""

    job: MethodJob
    method: Method
    schedule: Schedule
    footage: Footage

    def __len__(self) -> int:
        return len(self.schedule)

    def __getitem__(self, number: int) -> Drawn:
        step, job = self.schedule[number], self.job
        drawn = [
            self.method.draw(self.footage, job.seed, step.first + place, step.stage.size, job.network)
            for place in range(step.stage.draws)
        ]
        return {name: torch.cat([each[name] for each in drawn]) for name in drawn[0]}


def _draws(job: MethodJob, method: Method, schedule: Schedule, cache: Path, first: int) -> Iterator[Drawn]:
    """The draws of the steps from `first` on."""
    if first >= len(schedule):
        return iter(())
    loader = DataLoader(
        _Draws(job, method, schedule, open_footage(job.data, cache)),
        batch_size=None,
        sampler=range(first, len(schedule)),
        num_workers=job.workers,
        prefetch_factor=4 if job.workers else None,
        worker_init_fn=_quiet_worker,
    )
    return iter(loader)


def _quiet_worker(_: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
