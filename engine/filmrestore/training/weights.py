"""Weights that are shipped: the averaged network in one safetensors file, its facts in a JSON beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from ..media.atomic import atomic_bytes
from ..restorers.frdm.network import FrdmNet
from .batches import stack
from .validation import Answer
from .windows import Sample


def export(weights: dict[str, Tensor], path: Path, facts: dict[str, Any]) -> None:
    """Writes `path` (safetensors, float16) and the JSON of the same name.

    Args:
        weights: By name, as `FrdmNet.state_dict` gives them.
        path: Ends in ".safetensors".
        facts: Configuration, calibration, run: whatever loading and the model card need.

    Raises:
        OutputError: the folder cannot be written.
    """
    halves = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in weights.items()}
    atomic_bytes(path, save(halves))
    atomic_bytes(path.with_suffix(".json"), json.dumps(facts, indent=1, sort_keys=True).encode())


def guidance_answer(network: FrdmNet) -> Answer:
    """What the network says of a sample without its sampler: matte and base."""

    @torch.no_grad()
    def answer(sample: Sample) -> tuple[Tensor, Tensor]:
        batch = stack([sample])
        guidance = network.guide(batch.scan, batch.evidence, batch.present, batch.overview, batch.box)
        return guidance.matte_logits[0].sigmoid(), guidance.base[0]

    return answer
