"""restormer: one pass of a transformer over single frames, for stills and for frames that have no neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .restorer import RestormerRestorer


def load(device: torch.device, backend: str = "torch") -> RestormerRestorer:
    """The restorer with the weights that are shipped.

    Raises:
        WeightsError: they are missing or damaged.
        UsageError: onnxruntime is asked for and not installed.
    """
    from .restorer import FACTS, FOLDER, RestormerRestorer, load_weights

    return RestormerRestorer(load_weights(FOLDER / FACTS.weights), device, backend=backend)
