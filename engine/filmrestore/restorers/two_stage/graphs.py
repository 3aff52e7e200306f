"""two_stage's segmentation net as it is run and exported; what draws is the prior, and no part of it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...motion import CHANNELS
from ..runtime import Graph
from .segmentation import DefectNet


class _Segmentation(nn.Module):
    def __init__(self, net: DefectNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: Float[Tensor, "1 3 h w"], evidence: Float[Tensor, "1 10 h w"]) -> tuple[Tensor]:
        return (self.net(frame, evidence),)


def graph_of(net: DefectNet) -> Graph:
    """frame (1, 3, h, w), evidence (1, 10, h, w) -> logits (1, 1, h, w)."""
    edge, free = 4 * net.multiple, {2: "h", 3: "w"}
    return Graph(
        name="two_stage_segmentation",
        module=_Segmentation(net),
        example=(torch.zeros(1, 3, edge, edge), torch.zeros(1, CHANNELS, edge, edge)),
        inputs=("frame", "evidence"),
        outputs=("logits",),
        free=dict.fromkeys(("frame", "evidence", "logits"), free),
    )
