"""Weights of frdm on disk: tensors in a safetensors file, everything else in a JSON file beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ...errors import WeightsError
from ...media.atomic import atomic_bytes
from .network import FrdmNet

FOLDER = Path(__file__).parents[2] / "weights"
REMEDY = "install filmrestore again, or make weights with `filmrestore train`"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A network as it was saved.

    Attributes:
        net: Ready to use, on the CPU.
        card: The JSON file: "config", "sha256", "calibration", and what its maker wrote of it.
        digest: Content hash of both files.
    """

    net: FrdmNet
    card: Mapping[str, Any]
    digest: str


def save_weights(
    net: FrdmNet, path: str | Path, card: Mapping[str, Any], *, dtype: torch.dtype = torch.float16
) -> None:
    """Writes `path` (.safetensors) and the JSON of the same name, each atomically.

    Args:
        net: Its configuration goes into the JSON.
        path: Ends in ".safetensors".
        card: What else is to be known: "calibration" as `Calibration` reads it, licences, data, figures.
        dtype: Of the stored tensors.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = Path(path)
    tensors = {name: value.detach().to("cpu", dtype).contiguous() for name, value in net.state_dict().items()}
    data = save_tensors(tensors)
    config = {name: value for name, value in net.config.items() if not name.startswith("_")}
    text = json.dumps({**card, "config": config, "sha256": hashlib.sha256(data).hexdigest()}, indent=1, sort_keys=True)
    atomic_bytes(path, data)
    atomic_bytes(path.with_suffix(".json"), text.encode())


def load_weights(path: str | Path) -> Weights:
    """The network that `save_weights` wrote, in float32.

    Raises:
        WeightsError: a file is missing, truncated, does not hash to what it should, or does not fit.
    """
    path = Path(path)
    data, text = _read(path), _read(path.with_suffix(".json"))
    try:
        card = json.loads(text)
        config, expected = card["config"], card["sha256"]
    except (ValueError, TypeError, KeyError) as error:
        raise WeightsError(f"{path.with_suffix('.json')} does not describe weights ({error!r}): {REMEDY}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise WeightsError(
            f"{path} is damaged: {len(data)} bytes hash to {found[:12]}, expected {str(expected)[:12]}: {REMEDY}"
        )
    try:
        net = FrdmNet(**config)
        net.load_state_dict({name: value.float() for name, value in load_tensors(data).items()})
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} does not fit this version of the network ({error}): {REMEDY}") from error
    return Weights(net=net.eval(), card=card, digest=hashlib.sha256(data + text).hexdigest())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read {path} ({error.strerror}): {REMEDY}") from error
