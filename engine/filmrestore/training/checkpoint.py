"""All that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..media.atomic import atomic_bytes
from .optimizer import Optimizer

NAME = "checkpoint.pt"
KEPT = frozenset({"network", "optimizer", "average", "average_updates", "updates", "seconds", "torch_rng"})
Net = TypeVar("Net", bound=nn.Module)


class Average:
    """The exponential moving average of a network's weights, which is what is shipped."""

    def __init__(self, network: nn.Module, decay: float = 0.998) -> None:
        self.decay, self.updates = decay, 0
        self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Takes in the weights after an optimizer step; young averages forget faster."""
        self.updates += 1
        keep = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value.detach().to(self.weights[name].dtype), 1 - keep)
            else:  # counts, of batch normalisation
                self.weights[name].copy_(value)


@dataclass
class Progress(Generic[Net]):
    """A run in flight: `updates` optimizer steps are done."""

    network: Net
    optimizer: Optimizer
    average: Average
    updates: int = 0
    seconds: float = 0.0


def save(progress: Progress[Any], folder: Path) -> Path:
    """Writes the checkpoint, atomically.

    Raises:
        OutputError: the folder cannot be written.
    """
    stream = io.BytesIO()
    content = {
        "network": progress.network.state_dict(),
        "optimizer": progress.optimizer.state_dict(),
        "average": progress.average.weights,
        "average_updates": progress.average.updates,
        "updates": progress.updates,
        "seconds": progress.seconds,
        "torch_rng": torch.get_rng_state(),
    }
    torch.save(content, stream)
    atomic_bytes(folder / NAME, stream.getvalue())
    return folder / NAME


def load(progress: Progress[Any], folder: Path) -> bool:
    """Takes up the checkpoint of a folder; False where there is none.

    Raises:
        InputError: it is damaged, or of another network.
    """
    if not (folder / NAME).exists():
        return False
    content = read(folder)
    try:
        progress.network.load_state_dict(content["network"])
        progress.optimizer.load_state_dict(content["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise InputError(f"cannot go on from {folder / NAME}: {error}; give another folder to start anew") from error
    progress.average.weights = _placed(content["average"], progress.average.weights)
    progress.average.updates = content["average_updates"]
    progress.updates, progress.seconds = content["updates"], content["seconds"]
    torch.set_rng_state(content["torch_rng"])
    return True


def read(folder: Path) -> dict[str, Any]:
    """What `save` wrote, on the CPU.

    Raises:
        InputError: there is no checkpoint, or it is damaged.
    """
    path = folder / NAME
    if not path.exists():
        raise InputError(f"no {NAME} in {folder}: give the folder of a run that has saved once")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = KEPT - content.keys()
    except (RuntimeError, ValueError, AttributeError, EOFError, UnpicklingError) as error:
        raise InputError(f"{path} is damaged ({error}): give another folder to start anew") from error
    if missing:
        raise InputError(f"{path} is no checkpoint of ours, {', '.join(sorted(missing))} missing: give another folder")
    return content


def _placed(values: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.to(like[name].device) for name, value in values.items()}


def record(folder: Path, name: str, line: dict[str, Any]) -> None:
    """Appends a line to a JSONL file of the run."""
    with (folder / name).open("a") as stream:
        stream.write(json.dumps(line) + "\n")
