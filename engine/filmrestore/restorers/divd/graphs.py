"""The network as it is exported: one step of the diffusion, for frames of any size that is a multiple of its own."""

from __future__ import annotations

import torch

from ..runtime import Graph
from .network import DivdNet


def graph_of(net: DivdNet) -> Graph:
    """One step: noisy, blurred (1, t, 3, h, w), step (1), present (1, t) -> prediction, logits (one channel)."""
    window = torch.zeros(1, net.config.frames, 3, 2 * net.multiple, 2 * net.multiple)
    free = {3: "h", 4: "w"}
    return Graph(
        name="divd",
        module=net,
        example=(window, window, torch.zeros(1, dtype=torch.int64), torch.ones(1, net.config.frames, dtype=torch.bool)),
        inputs=("noisy", "blurred", "step", "present"),
        outputs=("prediction", "logits"),
        free=dict.fromkeys(("noisy", "blurred", "prediction", "logits"), free),
    )
