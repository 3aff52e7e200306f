"""Finder: how sure a segmentation net is of damage in the middle frame of a window."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...errors import WeightsError
from ...motion import CHANNELS, evidence
from ..base import Context
from ..stored import Stored
from .segmentation import DefectNet


class Finder:
    """A segmentation net with its calibration, on its device.

    Args:
        stored: The net; the card's "calibration" may hold "temperature" and "shift" of its logits.
        device: Where it runs.

    Raises:
        WeightsError: the calibration cannot be read.
    """

    def __init__(self, stored: Stored[DefectNet], device: torch.device) -> None:
        self.digest = stored.digest
        self._device = device
        self._net = stored.net.to(device).to(memory_format=torch.channels_last).eval()
        self._scale, self._shift = _calibration(stored)

    def confidence(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Float[Tensor, "1 1 h w"]:
        """Of the middle frame, 0..1, on the CPU.

        Args:
            window: Net encoding, finite.
            context: As the restorer was given it.
        """
        middle = len(window) // 2
        height, width = window.shape[-2:]
        seen = torch.zeros(1, CHANNELS, height, width)
        if self._net.config.frames > 1 and context.settings.temporal_radius > 0:
            with context.stage("motion"):
                seen = torch.from_numpy(evidence(window.numpy(), context.present))[middle : middle + 1]
        pad = (0, -width % self._net.multiple, 0, -height % self._net.multiple)
        shown = (functional.pad(x, pad, mode="replicate") for x in (window[middle : middle + 1], seen))
        with context.stage("segmentation"):
            logits = self._net(*(x.to(self._device) for x in shown))[..., :height, :width].cpu()
        return torch.sigmoid(logits * self._scale + self._shift)


def _calibration(stored: Stored[DefectNet]) -> tuple[float, float]:
    """Scale and shift of the logits."""
    told = stored.card.get("calibration", {})
    try:
        temperature, shift = float(told.get("temperature", 1.0)), float(told.get("shift", 0.0))
    except (AttributeError, TypeError, ValueError) as error:
        raise WeightsError(f"the card's calibration cannot be read ({error}): give temperature and shift") from error
    if temperature <= 0:
        raise WeightsError(f"the card's calibration has temperature {temperature}: it must be above 0")
    return 1 / temperature, shift
