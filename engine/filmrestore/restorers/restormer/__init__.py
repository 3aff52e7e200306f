"""restormer: one pass of a transformer over single frames, for stills and for frames that have no neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .restorer import RestormerRestorer


def load(device: torch.device, backend: str = "torch") -> RestormerRestorer:
    """The restorer with the weights that are shipped.

    Args:
        device: Where it runs.
        backend: "torch", "onnx", or "auto": see `runtime.backend_for`.

    Raises:
        WeightsError: they are missing or damaged.
        UsageError: no such backend, or it is not installed.
    """
    from ..runtime import backend_for
    from .restorer import FACTS, FOLDER, RestormerRestorer, load_weights

    backend = backend_for(backend, device)
    return RestormerRestorer(load_weights(FOLDER / FACTS.weights), device, backend=backend)
