"""two_stage: a segmentation net finds the damage, RePaint on the prior fills it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base import Facts

if TYPE_CHECKING:
    import torch

    from .restorer import TwoStageRestorer

FACTS = Facts(
    name="two_stage",
    window=3,
    keep=1,
    patch=256,
    overlap=32,
    needs=frozenset(),
    weights="two_stage.safetensors",
    also=("prior.safetensors",),
    licence="Apache-2.0",
    source="From Dust to Detail: segmentation, then RePaint (docs/models/two_stage.md)",
    purpose="damage that no neighbour can help with: finds marks, and draws what a prior finds likely there",
)


def load(device: torch.device, backend: str = "torch", *, prior: str = "") -> TwoStageRestorer:
    """The restorer with the weights that are shipped, or with the prior of a folder.

    Args:
        device: Where it runs.
        backend: Of the segmentation net: "torch", "onnx", or "auto", see `runtime.backend_for`.
        prior: Folder of another prior.

    Raises:
        WeightsError: they are missing or damaged.
        UsageError: no such backend, or it is not installed.
    """
    from ..prior import load_prior
    from ..runtime import backend_for
    from ..stored import FOLDER, load_network
    from .restorer import REMEDY, TwoStageRestorer
    from .segmentation import DefectNet

    stored = load_network(DefectNet, FOLDER / FACTS.weights, REMEDY)
    return TwoStageRestorer(stored, load_prior(device, prior), device, backend=backend_for(backend, device))
