"""divd as files for others; see `filmrestore.restorers.exports`."""

from __future__ import annotations

from pathlib import Path

from ...errors import UsageError
from ..runtime import to_onnx
from .graphs import graph_of
from .restorer import FACTS, FOLDER, load_weights

WEIGHTS = FOLDER / FACTS.weights


def export(weights: Path, to: str) -> dict[str, bytes]:
    """One file: one step of the diffusion, which its caller repeats.

    Raises:
        UsageError: it is TorchScript that is asked for, or a package is missing.
        WeightsError: the weights are missing or damaged.
    """
    if to != "onnx":
        raise UsageError(
            f"divd cannot be exported to {to}: it looks at four frames and takes several steps, and Nuke's Inference "
            "node gives one picture once; choose --to onnx"
        )
    return {"divd": to_onnx(graph_of(load_weights(weights).net))}
