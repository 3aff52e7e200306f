"""restormer as files for others; see `filmrestore.restorers.exports`."""

from __future__ import annotations

from pathlib import Path

from ..runtime import to_onnx
from .graphs import graph_of
from .restorer import FACTS, FOLDER, load_weights

WEIGHTS = FOLDER / FACTS.weights


def export(weights: Path, to: str) -> dict[str, bytes]:
    """One file.

    Raises:
        UsageError: a package is missing.
        WeightsError: the weights are missing or damaged.
    """
    stored = load_weights(weights)
    if to == "onnx":
        return {"restormer": to_onnx(graph_of(stored.net))}
    from .inference_node import to_torchscript

    return {"restormer": to_torchscript(stored)}
