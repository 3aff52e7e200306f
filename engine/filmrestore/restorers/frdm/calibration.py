"""From the matte head's logits to confidences that hold what they say, by kind of damage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
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
        marks: Rising pairs: a confidence, and the share of the marks with that strongest pixel that were damage.
    """

    scale: tuple[float, ...]
    shift: tuple[float, ...]
    marks: tuple[tuple[float, float], ...] = ()

    @classmethod
    def from_card(cls, card: Mapping[str, Any], kinds: Sequence[str]) -> Calibration:
        """Of a card's "calibration": {kind: {"temperature": t, "shift": s}}; a kind not named is left as it is.

        And of {"marks": [[confidence, share], ...]}; without it a mark is as sure as its strongest pixel.

        Raises:
            WeightsError: a temperature is not above 0, marks do not rise, or an entry is no such mapping.
        """
        try:
            entries = [card.get("calibration", {}).get(kind, {}) for kind in kinds]
            temperatures = [float(entry.get("temperature", 1.0)) for entry in entries]
            shifts = tuple(float(entry.get("shift", 0.0)) for entry in entries)
            marks = tuple((float(at), float(share)) for at, share in card.get("calibration", {}).get("marks", ()))
        except (AttributeError, TypeError, ValueError) as error:
            raise WeightsError(
                f"the card's calibration cannot be read ({error}): give temperature and shift by kind"
            ) from error
        if min(temperatures) <= 0:
            raise WeightsError(f"the card's calibration has temperature {min(temperatures)}: it must be above 0")
        curve = ((0.0, 0.0), *marks, (1.0, 1.0)) if marks else ()
        for (at, share), (beyond, more) in pairwise(curve):
            if not (at < beyond and share <= more):
                raise WeightsError(
                    f"the card's calibration of marks goes from {at}: {share} to {beyond}: {more}, and must rise from "
                    "0 to 1: publish the weights again"
                )
        return cls(scale=tuple(1 / t for t in temperatures), shift=shifts, marks=curve)

    def confidence(self, logits: Float[Tensor, "n 1 h w"], kinds: Float[Tensor, "n k h w"]) -> Float[Tensor, "n 1 h w"]:
        """0..1, from matte and class logits."""
        likely = kinds.softmax(dim=1)
        scale = (likely * likely.new_tensor(self.scale)[:, None, None]).sum(dim=1, keepdim=True)
        shift = (likely * likely.new_tensor(self.shift)[:, None, None]).sum(dim=1, keepdim=True)
        return torch.sigmoid(logits * scale + shift)

    def of_marks(self, confidence: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """That a mark is damage whose strongest pixel has this confidence.

        Most pixels that a network gives a half are the rims of marks that it is sure of, and half of them are damage;
        marks of which it gives no pixel more are not.
        """
        if not self.marks:
            return confidence
        at, shares = (confidence.new_tensor(part) for part in zip(*self.marks, strict=True))

        def share(confidence: Tensor, above: Tensor | int) -> Tensor:
            part = (confidence - at[above - 1]) / (at[above] - at[above - 1])
            return shares[above - 1] + part * (shares[above] - shares[above - 1])

        found = share(confidence, 1)
        beyond = confidence > at[1]  # few pixels, and it takes long to look up each one's place on the curve
        some = confidence[beyond]
        found[beyond] = share(some, torch.bucketize(some, at).clamp(max=len(at) - 1))
        return found
