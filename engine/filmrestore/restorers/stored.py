"""Networks on disk: tensors in a safetensors file, everything else of them in a JSON file beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ..errors import WeightsError
from ..media.atomic import atomic_bytes

FOLDER = Path(__file__).parents[1] / "weights"


class Network(Protocol):
    """What of diffusers' ModelMixin and ConfigMixin is needed here."""

    @property
    def config(self) -> Any: ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...

    def eval(self) -> Any: ...


N = TypeVar("N", bound=Network)


@dataclass(frozen=True, kw_only=True)
class Stored(Generic[N]):
    """A network as it was saved.

    Attributes:
        net: Ready to use, on the CPU, float32.
        card: The JSON file: "config", "sha256", and what its maker wrote of it.
        digest: Content hash of both files.
    """

    net: N
    card: Mapping[str, Any]
    digest: str


def save_network(
    net: Network, path: str | Path, card: Mapping[str, Any], *, dtype: torch.dtype = torch.float16
) -> None:
    """Writes `path` (.safetensors) and the JSON of the same name, each atomically.

    Args:
        net: Its configuration goes into the JSON.
        path: Ends in ".safetensors".
        card: What else is to be known: calibration, licences, data, figures.
        dtype: Of the stored tensors.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = Path(path)
    data = save_tensors({name: value.detach().to("cpu", dtype).contiguous() for name, value in net.state_dict().items()})
    config = {name: value for name, value in net.config.items() if not name.startswith("_")}
    text = json.dumps({**card, "config": config, "sha256": hashlib.sha256(data).hexdigest()}, indent=1, sort_keys=True)
    atomic_bytes(path, data)
    atomic_bytes(path.with_suffix(".json"), text.encode())


def load_network(path: str | Path, kind: type[N], *, remedy: str) -> Stored[N]:
    """The network that `save_network` wrote.

    Args:
        path: Ends in ".safetensors".
        kind: Class of the network; takes the "config" of the JSON.
        remedy: What to do about weights that are not there, as the end of a sentence.

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
        net.load_state_dict({name: value.float() for name, value in load_tensors(data).items()})
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} does not fit this version of the network ({error}): {remedy}") from error
    net.eval()
    return Stored(net=net, card=card, digest=hashlib.sha256(data + text).hexdigest())


def _read(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read {path} ({error.strerror}): {remedy}") from error
