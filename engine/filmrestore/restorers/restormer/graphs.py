"""The network as it is exported: one graph, for frames of any size that is a multiple of the network's."""

from __future__ import annotations

import torch

from ..runtime import Graph
from .network import RestormerNet


def graph_of(net: RestormerNet) -> Graph:
    """scan (n, 3, h, w) -> picture (n, 3, h, w), logits (n, 1, h, w), all in net encoding."""
    free = {0: "n", 2: "h", 3: "w"}
    return Graph(
        name="restormer",
        module=net,
        example=(torch.zeros(1, 3, 4 * net.multiple, 4 * net.multiple),),
        inputs=("scan",),
        outputs=("picture", "logits"),
        free=dict.fromkeys(("scan", "picture", "logits"), free),
    )
