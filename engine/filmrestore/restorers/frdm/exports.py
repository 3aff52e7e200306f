"""frdm as files for others; see `filmrestore.restorers.exports`."""

from __future__ import annotations

from pathlib import Path

from ...errors import UsageError
from ..runtime import to_onnx
from .graphs import denoiser_graph, guidance_graph
from .restorer import FACTS
from .weights import FOLDER, load_weights

WEIGHTS = FOLDER / FACTS.weights


def export(weights: Path, to: str) -> dict[str, bytes]:
    """Guidance of windows of 5, 3 and 1 frames, and one step of the denoiser.

    Raises:
        UsageError: it is TorchScript that is asked for, or a package is missing.
        WeightsError: the weights are missing or damaged.
    """
    if to != "onnx":
        raise UsageError(
            f"frdm cannot be exported to {to}: it looks at five frames, follows motion between them and takes several "
            "steps, and Nuke's Inference node gives one picture once; choose --to onnx, or use the Nuke plug-in"
        )
    net = load_weights(weights).net
    guides = [guidance_graph(net, frames) for frames in range(net.config.frames, 0, -2)]
    return {graph.name: to_onnx(graph) for graph in (*guides, denoiser_graph(net))}
