"""The divd restorer: a window's blur, found and taken away; what is sharp keeps its codes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...frame import Box
from ..base import Context, Facts, Origin, Restored
from ..calibrated import Calibrated
from ..frdm.noise import noise
from ..frdm.view import contained
from ..runtime import runnable
from ..stored import FOLDER, Stored, load_network, save_network
from .graphs import graph_of
from .network import DivdNet
from .sampler import STEPS, deblur

FACTS = Facts(
    name="divd",
    window=4,
    keep=2,
    patch=288,
    overlap=48,
    needs=frozenset(),
    weights="divd.safetensors",
    licence="Apache-2.0",
    source="DIVD (H. Long et al. 2024), of the change instead of the picture; docs/models/divd.md",
    purpose="film blurred by motion or focus: sharpens the whole picture from its neighbour frames",
    cause="blur",
)
"""Of four frames; a network of another count has its own window."""
REMEDY = "make weights with `filmrestore train --model divd`, or choose another --method"

__all__ = ["FACTS", "FOLDER", "DivdRestorer", "load_weights", "save_network"]


def load_weights(path: str | Path) -> Stored[DivdNet]:
    """The network that `save_network` wrote.

    Raises:
        WeightsError: a file is missing, damaged, or does not fit.
    """
    return load_network(DivdNet, path, REMEDY)


class DivdRestorer:
    """Implements `filmrestore.restorers.base.Restorer`.

    Args:
        weights: As `load_weights` gives them.
        device: Where the network runs.
        backend: "torch" or "onnx".

    Raises:
        UsageError: the backend is not installed.
    """

    def __init__(self, weights: Stored[DivdNet], device: torch.device, *, backend: str = "torch") -> None:
        net = weights.net
        frames: int = net.config.frames
        # The outermost frame of each side is seen and not kept: it has neighbours on one side only.
        self.facts = replace(FACTS, window=frames, keep=frames - 2 if frames > 2 else frames)
        self.weights_hash = weights.digest
        self.device = device
        self.backend = backend
        self.precision = "float32"
        self._multiple, self._prediction = net.multiple, net.config.prediction
        self._run = runnable(graph_of(net), device, backend)
        self._calibration = Calibrated.from_card(weights.card)

    @torch.inference_mode()
    def __call__(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Restored:
        """See `Restorer`: answers for the middle `keep` frames."""
        assert len(window) == self.facts.window == len(context.present)
        finite = torch.isfinite(window).all(dim=1, keepdim=True)
        window = contained(window, finite)
        first = (self.facts.window - self.facts.keep) // 2
        kept = range(first, first + self.facts.keep)
        with context.stage("divd"):
            picture, logits = self._sharp(window, context, kept)
        confidence = self._calibration.confidence(logits)
        if context.matte is not None:
            confidence = torch.maximum(confidence, context.matte[kept.start : kept.stop])
        confidence = confidence * finite[kept.start : kept.stop]
        # No pixel of what was blurred away was seen anywhere as it is painted: the prior made it.
        origin = torch.where(confidence > 0, int(Origin.GENERATED), int(Origin.UNTOUCHED)).to(torch.uint8)
        return Restored(picture=picture, matte=confidence, origin=origin)

    def _sharp(
        self, window: Float[Tensor, "t 3 h w"], context: Context, kept: range
    ) -> tuple[Float[Tensor, "k 3 h w"], Float[Tensor, "k 1 h w"]]:
        """Picture and logits of the kept frames. With a short temporal radius each is asked for by itself."""
        radius = context.settings.temporal_radius
        drawn = self._noise(window, context)
        if radius >= self.facts.window // 2:
            picture, logits = self._deblurred(window, context, drawn, context.present)
            return picture[kept.start : kept.stop], logits[kept.start : kept.stop]
        alone = []
        for index in kept:
            near = tuple(there and abs(other - index) <= radius for other, there in enumerate(context.present))
            picture, logits = self._deblurred(window, context, drawn, near)
            alone.append((picture[index], logits[index]))
        pictures, mattes = zip(*alone, strict=True)
        return torch.stack(pictures), torch.stack(mattes)

    def _deblurred(
        self,
        window: Float[Tensor, "t 3 h w"],
        context: Context,
        drawn: Float[Tensor, "1 t 3 h w"],
        present: tuple[bool, ...],
    ) -> tuple[Float[Tensor, "t 3 h w"], Float[Tensor, "t 1 h w"]]:
        height, width = window.shape[-2:]
        steps = STEPS if context.settings.quality == "final" else 1
        blurred = self._padded(window)[None].to(self.device)
        there = torch.tensor([present], device=self.device)
        picture, logits = deblur(self._run, blurred, there, drawn, prediction=self._prediction, steps=steps)
        return picture[0, :, :, :height, :width].cpu(), logits[0, :, :, :height, :width].cpu()

    def _noise(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Float[Tensor, "1 t 3 h w"]:
        """Noise of the padded window: of (seed, frame, absolute pixel) alone."""
        height, width = self._padded(window).shape[-2:]
        x, y = context.box.x0, context.box.y0
        box = Box(x0=x, y0=y, x1=x + width, y1=y + height)
        drawn = np.stack([noise(context.settings.seed, number, box) for number in context.frames])
        return torch.from_numpy(drawn)[None].to(self.device)

    def _padded(self, window: Float[Tensor, "t 3 h w"]) -> Float[Tensor, "t 3 h2 w2"]:
        height, width = window.shape[-2:]
        pad = (0, -width % self._multiple, 0, -height % self._multiple)
        return functional.pad(window, pad, mode="replicate")
