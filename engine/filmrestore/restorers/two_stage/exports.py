"""two_stage as files for others; see `filmrestore.restorers.exports`."""

from __future__ import annotations

from pathlib import Path

from ...errors import UsageError
from ..runtime import to_onnx
from ..stored import FOLDER, load_network
from . import FACTS
from .graphs import graph_of
from .restorer import REMEDY
from .segmentation import DefectNet

WEIGHTS = FOLDER / FACTS.weights


def export(weights: Path, to: str) -> dict[str, bytes]:
    """The segmentation net.

    Raises:
        UsageError: it is TorchScript that is asked for, or a package is missing.
        WeightsError: the weights are missing or damaged.
    """
    if to != "onnx":
        raise UsageError(
            f"two_stage cannot be exported to {to}: it follows motion between frames and draws in many steps, and "
            "Nuke's Inference node gives one picture once; choose --to onnx for its segmentation net"
        )
    graph = graph_of(load_network(DefectNet, weights, REMEDY).net)
    return {graph.name: to_onnx(graph)}
