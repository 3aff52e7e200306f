"""Experimental: restormer as TorchScript in the layout of Nuke's Inference node, channels of one picture in and out.

No host is at hand that could load it: what is tested is the file, by torch's own loader. Nothing else uses this module.
"""

from __future__ import annotations

import io
import warnings

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ...colour import decode_net, encode_net
from ..calibrated import Calibrated
from ..stored import Stored
from .network import RestormerNet


class InferenceNode(nn.Module):
    """Scene-linear R, G, B in; repaired R, G, B and the matte as A out, not yet composited.

    Args:
        weights: As `load_weights` gives them.
    """

    def __init__(self, weights: Stored[RestormerNet]) -> None:
        super().__init__()
        self.net = weights.net
        self.multiple = weights.net.multiple
        self.calibration = Calibrated.from_card(weights.card)

    def forward(self, picture: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 4 h w"]:
        height, width = picture.shape[2], picture.shape[3]
        scan = encode_net(picture.nan_to_num(0.0, 0.0, 0.0))
        pad = (0, -width % self.multiple, 0, -height % self.multiple)
        clean, logits = self.net(functional.pad(scan, pad, mode="replicate"))
        out = torch.cat([decode_net(clean), self.calibration.confidence(logits)], dim=1)
        return out[:, :, :height, :width]


def to_torchscript(weights: Stored[RestormerNet]) -> bytes:
    """The file's bytes (.pt, for CatFileCreator), for pictures of any size."""
    node = InferenceNode(weights).eval()
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # TorchScript is deprecated in torch and what Nuke loads; the trace's sizes stay free, which a test tries.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        edge = 4 * node.multiple
        example = torch.rand(1, 3, edge - 3, edge - 5)
        traced = torch.jit.trace(node, example, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, stream)
    return stream.getvalue()
