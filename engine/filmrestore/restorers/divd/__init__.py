"""divd: video diffusion that takes motion blur and soft focus out of film, four frames at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .restorer import DivdRestorer


def load(device: torch.device, backend: str = "torch") -> DivdRestorer:
    """The restorer with the weights that are shipped.

    Raises:
        WeightsError: they are missing or damaged.
        UsageError: onnxruntime is asked for and not installed.
    """
    from .restorer import FACTS, FOLDER, DivdRestorer, load_weights

    return DivdRestorer(load_weights(FOLDER / FACTS.weights), device, backend=backend)
