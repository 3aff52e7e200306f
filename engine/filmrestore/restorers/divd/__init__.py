"""divd: video diffusion that takes motion blur and soft focus out of film, four frames at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .restorer import DivdRestorer


def load(device: torch.device, backend: str = "torch") -> DivdRestorer:
    """The restorer with the weights that are shipped.

    Args:
        device: Where it runs.
        backend: "torch", "onnx", or "auto": see `runtime.backend_for`.

    Raises:
        WeightsError: they are missing or damaged.
        UsageError: no such backend, or it is not installed.
    """
    from ..runtime import backend_for
    from .restorer import FACTS, FOLDER, DivdRestorer, load_weights

    backend = backend_for(backend, device)
    return DivdRestorer(load_weights(FOLDER / FACTS.weights), device, backend=backend)
