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

    return FrdmRestorer(load_weights(FOLDER / FACTS.weights), device)
