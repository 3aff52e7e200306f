"""frdm: restoration guided by neighbours and the whole frame, finished by a few-step bridge sampler."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from ..base import Restorer


def load(device: torch.device, *, prior: str = "") -> Restorer:
    """The restorer with the weights that are shipped, with those of another training, or at full size.

    Args:
        device: Where it runs.
        prior: "" for the shipped weights; a folder with a frdm.safetensors, as training exports it; or a folder of
            a video diffusion model, as diffusers saves it (docs/models/frdm-full.md).

    Raises:
        WeightsError: they are missing, damaged, or do not go together.
        UsageError: a package that a full-size model wants is not installed.
        ResourceError: the device has too little memory for it.
    """
    from .restorer import FACTS, FrdmRestorer
    from .weights import FOLDER, load_weights

    precision = precision_of(device)
    if not prior:
        return FrdmRestorer(load_weights(FOLDER / FACTS.weights), device, precision)
    if (Path(prior) / FACTS.weights).is_file():
        return FrdmRestorer(load_weights(Path(prior) / FACTS.weights), device, precision)
    from .full.folder import load_parts
    from .full.memory import plan_for
    from .full.restorer import FullRestorer

    plan = plan_for(Path(prior), device)
    parts = load_parts(prior, plan.dtype)
    return FullRestorer(load_weights(FOLDER / FACTS.weights), parts, device, precision, plan)


def precision_of(device: torch.device) -> str:
    """ "bfloat16" where the processor multiplies matrices of it, else "float32".

    There it takes half of the time and moves confidences by less than .02 (docs/decisions/frdm-network.md).
    """
    import torch

    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return "bfloat16" if device.type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16") else "float32"
