"""Networks on disk: tensors in a safetensors file, configuration, figures and licences in the JSON beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from ..errors import WeightsError
from ..media.atomic import atomic_bytes

Net = TypeVar("Net", bound=nn.Module)

FOLDER = Path(__file__).parents[1] / "weights"
"""Of the weights that are shipped."""


@dataclass(frozen=True, kw_only=True)
class Stored(Generic[Net]):
    """A network as it was saved.

    Attributes:
        net: Ready to use, on the CPU, float32.
        card: The JSON file: "config", "sha256", and what its maker wrote of it.
        digest: Content hash of both files.
    """

    net: Net
    card: Mapping[str, Any]
    digest: str


def save_network(
    net: nn.Module, path: str | Path, card: Mapping[str, Any], *, dtype: torch.dtype = torch.float16
) -> None:
    """Writes `path` (.safetensors) and the JSON of the same name, each atomically.

    Args:
        net: In diffusers' form: its configuration goes into the JSON.
        path: Ends in ".safetensors".
        card: What else is to be known: licences, data, figures.
        dtype: Of the stored tensors of real numbers.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = Path(path)
    tensors = {name: _stored(value, dtype) for name, value in net.state_dict().items()}
    data = save_tensors(tensors)
    config = {name: value for name, value in net.config.items() if not name.startswith("_")}  # type: ignore[operator,union-attr]
    text = json.dumps({**card, "config": config, "sha256": hashlib.sha256(data).hexdigest()}, indent=1, sort_keys=True)
    atomic_bytes(path, data)
    atomic_bytes(path.with_suffix(".json"), text.encode())


def load_network(kind: type[Net], path: str | Path, remedy: str) -> Stored[Net]:
    """The network that `save_network` wrote.

    Args:
        kind: Its class.
        path: Ends in ".safetensors".
        remedy: What to do where the file is missing or damaged; ends the message.

    Raises:
        WeightsError: a file is missing, truncated, does not hash to what it should, or does not fit.
    """
    path = Path(path)
    data, text = _read(path, remedy), _read(path.with_suffix(".json"), remedy)
    try:
        card = json.loads(text)
        config, expected = card["config"], card["sha256"]
    except (ValueError, TypeError, KeyError) as error:
        raise WeightsError(f"{path.with_suffix('.json')} does not describe weights ({error!r}): {remedy}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise WeightsError(
            f"{path} is damaged: {len(data)} bytes hash to {found[:12]}, expected {str(expected)[:12]}: {remedy}"
        )
    try:
        net = kind(**config)
        tensors = load_tensors(data).items()
        net.load_state_dict({n: v.float() if v.is_floating_point() else v for n, v in tensors})
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} does not fit this version of the network ({error}): {remedy}") from error
    return Stored(net=net.eval(), card=card, digest=hashlib.sha256(data + text).hexdigest())


def _stored(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    kind = dtype if value.is_floating_point() else value.dtype
    return value.detach().to("cpu", kind).contiguous()


def _read(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read {path} ({error.strerror}): {remedy}") from error
