"""From a matte head's logits to confidences that hold what they say: one temperature and one shift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import WeightsError


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """Temperature and shift of the logits.

    Source: temperature scaling, Guo et al. 2017, with Platt's shift.
    """

    temperature: float = 1.0
    shift: float = 0.0

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Calibrated:
        """Of a card's "calibration": {"temperature": t, "shift": s}; what is not there leaves the logits as they are.

        Raises:
            WeightsError: the temperature is not above 0, or the entry is no such mapping.
        """
        try:
            entry = card.get("calibration", {})
            made = cls(temperature=float(entry.get("temperature", 1.0)), shift=float(entry.get("shift", 0.0)))
        except (AttributeError, TypeError, ValueError) as error:
            raise WeightsError(
                f"the card's calibration cannot be read ({error}): give temperature and shift"
            ) from error
        if made.temperature <= 0:
            raise WeightsError(f"the card's calibration has temperature {made.temperature}: it must be above 0")
        return made

    def confidence(self, logits: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
        """0..1."""
        return torch.sigmoid(logits / self.temperature + self.shift)
