"""From a run's checkpoint to weights that are shipped: averaged, calibrated, measured, with their card."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..errors import InputError
from ..media.atomic import atomic_bytes
from ..restorers.stored import save_network
from .card import DATA, model_card
from .checkpoint import read
from .command import finished
from .footage import open_footage
from .job import TrainJob, job_of
from .task import CALIBRATION_SEED, Stage, Task
from .tasks import task_of

OURS = ("data", "out", "cache", "start", "hard")
"""What of a job is of the machine it ran on."""


def publish(
    run: Path,
    target: Path,
    data: Path | None = None,
    cache: Path | None = None,
    windows: int | None = None,
    others: Sequence[Path] = (),
) -> dict[str, Any]:
    """Writes the averaged weights of a run, their JSON and their card.

    Args:
        run: Folder of the run.
        target: Ends in ".safetensors".
        data, cache: As for training; the run's own where none is given.
        windows: Held-out windows or samples to calibrate on, and as many others to measure on; the recipe's where none
            is given. 0 does neither.
        others: Folders of runs of the same network, or published weights, of which one began where another ended: the
            mean of the weights of all is published.

    Returns:
        What was written into the JSON, less what the network says of itself.

    Raises:
        InputError: no checkpoint there, or a damaged one, or one of another network; no footage.
        OutputError: the folder cannot be written.
    """
    saved, job = read(run), _job(run, data, cache)
    task = task_of(job.model)
    network = task.network(job.network)
    others_read = {other: _other(other, data, cache) for other in others}
    network.load_state_dict(_mean(saved["average"], {other: weights for other, (weights, _) in others_read.items()}))
    windows = task.recipe.windows if windows is None else windows
    card = {
        **(_measured(task, network.eval(), job, windows) if windows else {"figures": {}}),
        "run": {
            "windows": windows,
            **_length(job, saved),
            **({"with": [length for _, length in others_read.values()]} if others else {}),
            "job": {name: value for name, value in job.to_dict().items() if name not in OURS},
        },
        "data": [{"what": what, "source": source, "licence": licence} for what, source, licence in DATA],
        "licence": "Apache-2.0",
    }
    save_network(task.shipped(network), target, card)
    atomic_bytes(target.with_suffix(".md"), model_card(target.name, card).encode())
    return card


def _other(path: Path, data: Path | None, cache: Path | None) -> tuple[Mapping[str, Tensor], dict[str, Any]]:
    """The averaged weights of another run, or published ones, and how long they were trained."""
    if path.suffix != ".safetensors":
        saved = read(path)
        return saved["average"], _length(_job(path, data, cache), saved)
    try:
        run = json.loads(path.with_suffix(".json").read_text())["run"]
        return load_file(path), {name: run[name] for name in ("samples", "updates", "hours", "with") if name in run}
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"cannot read {path} and the .json beside it ({error!r}): give published weights") from error


def _mean(weights: Mapping[str, Tensor], others: Mapping[Path, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Of the weights of several runs, name by name."""
    for run, other in others.items():
        if {name: one.shape for name, one in other.items()} != {name: one.shape for name, one in weights.items()}:
            raise InputError(f"the run in {run} is of another network: publish it alone")
    every = (weights, *others.values())
    return {name: torch.stack([each[name].double() for each in every]).mean(0).to(one) for name, one in weights.items()}


def _length(job: TrainJob, saved: Mapping[str, Any]) -> dict[str, Any]:
    """How long a run was."""
    return {
        "samples": job.schedule.drawn(saved["updates"]),
        "updates": saved["updates"],
        "hours": round(saved["seconds"] / 3600, 3),
    }


def _job(run: Path, data: Path | None, cache: Path | None) -> TrainJob:
    """The job of a run; runs from before there was one trainer for all say less, and with other words."""
    path = run / "job.json"
    try:
        said = json.loads(path.read_text())
        model = said.get("model") or said.get("task") or "frdm"
        kept = ["samples", "network", "rate", "warm_up", "muon", "decay", "seed", "half", "size", "batch"]
        given = {name: said[name] for name in kept if name in said}
        if "batch" not in said:
            given["stages"] = tuple(Stage(**stage) for stage in said["stages"])
        cache = cache or (Path(said["cache"]) if said.get("cache") else None)
        return job_of(model, data=data or Path(said["data"]), out=run, cache=cache, **given)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read {path} ({error!r}): give the folder of a run") from error


def _measured(task: Task, network: Any, job: TrainJob, windows: int) -> dict[str, Any]:
    footage = open_footage(job.data, job.footage, held_out=True)
    calibration = task.calibration(network, task.held_out(footage, job, windows, CALIBRATION_SEED))
    figures = task.measured(network, task.held_out(footage, job, windows), job, calibration)
    return {"figures": figures, **({"calibration": calibration} if calibration else {})}


def main() -> int:
    """`python -m filmrestore.training.publish`."""
    parser = argparse.ArgumentParser(prog="python -m filmrestore.training.publish", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--with", dest="others", type=Path, action="append", default=[],
        help="folder of another run, or published weights, that are averaged with it; again for more",
    )  # fmt: skip
    parser.add_argument("--to", type=Path, required=True, help="weights to write, .safetensors")
    parser.add_argument("--data", type=Path, help="folder with train/stills and train/video; the run's own")
    parser.add_argument("--cache", type=Path, help="folder for decoded footage; the run's own")
    parser.add_argument("--windows", type=int, help="held-out windows to measure on; 0 measures nothing")
    asked = parser.parse_args()
    torch.set_num_threads(1)

    def work() -> str:
        card = publish(asked.run, asked.to, asked.data, asked.cache, asked.windows, asked.others)
        return json.dumps(card["figures"], indent=1)

    return finished(work)


if __name__ == "__main__":
    sys.exit(main())
