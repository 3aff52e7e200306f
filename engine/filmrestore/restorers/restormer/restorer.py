"""The restormer restorer: a patch of one frame through one pass, with no neighbours asked."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from ..base import Context, Facts, Origin, Restored
from ..calibrated import Calibrated
from ..frdm.fill import fill
from ..frdm.view import contained
from ..runtime import runnable
from ..stored import FOLDER, Stored, load_network, save_network
from .graphs import graph_of
from .network import RestormerNet

FACTS = Facts(
    name="restormer",
    window=1,
    keep=1,
    patch=256,
    overlap=32,
    needs=frozenset(),
    weights="restormer.safetensors",
    licence="Apache-2.0",
    source="Restormer (S. Zamir et al. 2022) on film damage, after From Dust to Detail; docs/models/restormer.md",
    purpose="single frames, stills and time lapse: paints over marks without asking neighbours",
)
REMEDY = "make weights with `filmrestore train --model restormer`, or choose another --method"
FIRES = 0.3
"""Confidence from which a pixel no longer counts as its own surroundings."""
INVENTED = 0.04
"""Net units: what leaves a smooth fill of the surroundings by more than this, grain apart, is generated."""

__all__ = ["FACTS", "FOLDER", "RestormerRestorer", "load_weights", "save_network"]


def load_weights(path: str | Path) -> Stored[RestormerNet]:
    """The network that `save_network` wrote.

    Raises:
        WeightsError: a file is missing, damaged, or does not fit.
    """
    return load_network(RestormerNet, path, REMEDY)


class RestormerRestorer:
    """Implements `filmrestore.restorers.base.Restorer`.

    Args:
        weights: As `load_weights` gives them.
        device: Where the network runs.
        backend: "torch" or "onnx".

    Raises:
        UsageError: the backend is not installed.
    """

    def __init__(self, weights: Stored[RestormerNet], device: torch.device, *, backend: str = "torch") -> None:
        self.facts = FACTS
        self.weights_hash = weights.digest
        self.device = device
        self.backend = backend
        self.precision = "float32"
        self._multiple = weights.net.multiple
        self._run = runnable(graph_of(weights.net), device, backend)
        self._calibration = Calibrated.from_card(weights.card)

    @torch.inference_mode()
    def __call__(self, window: Float[Tensor, "1 3 h w"], context: Context) -> Restored:
        """See `Restorer`."""
        assert len(window) == 1 == len(context.present)
        height, width = window.shape[-2:]
        finite = torch.isfinite(window).all(dim=1, keepdim=True)
        known = torch.zeros_like(window[:, :1]) if context.matte is None else context.matte
        scan = contained(window, finite)
        # What is known to be damaged must not be seen: the network could take it for picture.
        shown = torch.lerp(scan, fill(scan, known), known) if bool(known.any()) else scan
        pad = (0, -width % self._multiple, 0, -height % self._multiple)
        with context.stage("restormer"):
            answer = self._run(functional.pad(shown, pad, mode="replicate").to(self.device))
        picture, logits = (part[..., :height, :width].cpu() for part in answer)
        confidence = torch.maximum(self._calibration.confidence(logits), known) * finite
        return Restored(picture=picture, matte=confidence, origin=_origin(scan, picture, confidence))


def _origin(
    scan: Float[Tensor, "1 3 h w"], picture: Float[Tensor, "1 3 h w"], confidence: Float[Tensor, "1 1 h w"]
) -> UInt8[Tensor, "1 1 h w"]:
    """Interpolated where a smooth fill of the surroundings says about the same, else generated: no frame is asked."""
    around = fill(scan, (confidence > FIRES).float())
    invented = functional.avg_pool2d(picture - around, 3, stride=1, padding=1).abs().amax(dim=1, keepdim=True)
    origin = torch.where(invented > INVENTED, int(Origin.GENERATED), int(Origin.INTERPOLATED))
    return (origin * (confidence > 0)).to(torch.uint8)
