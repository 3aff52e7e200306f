"""Finder: how sure a segmentation net is of damage in the middle frame of a window."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...motion import CHANNELS, evidence
from ..base import Context
from ..calibrated import Calibrated
from ..runtime import runnable
from ..stored import Stored
from .graphs import graph_of
from .segmentation import DefectNet


class Finder:
    """A segmentation net with its calibration, on its device.

    Args:
        stored: The net; the card's "calibration" may hold "temperature" and "shift" of its logits.
        device: Where it runs.
        backend: "torch" or "onnx".

    Raises:
        WeightsError: the calibration cannot be read.
        UsageError: the backend is not installed.
    """

    def __init__(self, stored: Stored[DefectNet], device: torch.device, backend: str = "torch") -> None:
        self.digest = stored.digest
        self._device = device
        net = stored.net.to(memory_format=torch.channels_last)
        self._neighbours, self._multiple = net.config.frames > 1, net.multiple
        self._run = runnable(graph_of(net), device, backend)
        self._calibrated = Calibrated.from_card(stored.card)

    def confidence(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Float[Tensor, "1 1 h w"]:
        """Of the middle frame, 0..1, on the CPU.

        Args:
            window: Net encoding, finite.
            context: As the restorer was given it.
        """
        middle = len(window) // 2
        height, width = window.shape[-2:]
        seen = torch.zeros(1, CHANNELS, height, width)
        if self._neighbours and context.settings.temporal_radius > 0:
            with context.stage("motion"):
                seen = torch.from_numpy(evidence(window.numpy(), context.present))[middle : middle + 1]
        pad = (0, -width % self._multiple, 0, -height % self._multiple)
        shown = (functional.pad(x, pad, mode="replicate") for x in (window[middle : middle + 1], seen))
        with context.stage("segmentation"):
            (logits,) = self._run(*(x.to(self._device) for x in shown))
        return self._calibrated.confidence(logits[..., :height, :width].cpu())
