"""frdm: restoration guided by neighbours and the whole frame, finished by a few-step bridge sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .restorer import FrdmRestorer


def load(device: torch.device) -> FrdmRestorer:
    """The restorer with the weights that are shipped.

    Raises:
        WeightsError: they are missing or damaged.
    """
    from .restorer import FACTS, FrdmRestorer
    from .weights import FOLDER, load_weights

    return FrdmRestorer(load_weights(FOLDER / FACTS.weights), device, precision_of(device))


def precision_of(device: torch.device) -> str:
    """ "bfloat16" where the processor multiplies matrices of it, else "float32".

    There it takes half of the time and moves confidences by less than .02 (docs/decisions/frdm-network.md).
    """
    import torch

    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return "bfloat16" if device.type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16") else "float32"
