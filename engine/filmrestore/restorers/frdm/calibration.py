"""From the matte head's logits to confidences that hold what they say, by kind of damage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import WeightsError


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A scale and a shift of the logits for each kind of damage, mixed by how likely each kind is.

    Attributes:
        scale: 1 / temperature by kind.
        shift: Added to the scaled logits, by kind.
    """

    scale: tuple[float, ...]
    shift: tuple[float, ...]

    @classmethod
    def from_card(cls, card: Mapping[str, Any], kinds: Sequence[str]) -> Calibration:
        """Of a card's "calibration": {kind: {"temperature": t, "shift": s}}; a kind not named is left as it is.

        Raises:
            WeightsError: a temperature is not above 0, or an entry is no such mapping.
        """
        try:
            entries = [card.get("calibration", {}).get(kind, {}) for kind in kinds]
            temperatures = [float(entry.get("temperature", 1.0)) for entry in entries]
            shifts = tuple(float(entry.get("shift", 0.0)) for entry in entries)
        except (AttributeError, TypeError, ValueError) as error:
            raise WeightsError(
                f"the card's calibration cannot be read ({error}): give temperature and shift by kind"
            ) from error
        if min(temperatures) <= 0:
            raise WeightsError(f"the card's calibration has temperature {min(temperatures)}: it must be above 0")
        return cls(scale=tuple(1 / t for t in temperatures), shift=shifts)

    def confidence(self, logits: Float[Tensor, "n 1 h w"], kinds: Float[Tensor, "n k h w"]) -> Float[Tensor, "n 1 h w"]:
        """0..1, from matte and class logits."""
        likely = kinds.softmax(dim=1)
        scale = (likely * likely.new_tensor(self.scale)[:, None, None]).sum(dim=1, keepdim=True)
        shift = (likely * likely.new_tensor(self.shift)[:, None, None]).sum(dim=1, keepdim=True)
        return torch.sigmoid(logits * scale + shift)
