"""The two_stage restorer: where the segmentation net fires, RePaint draws what the prior finds likely."""

from __future__ import annotations

import hashlib

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ...frame import Box
from ..base import Context, Origin, Restored
from ..frdm.fill import fill
from ..frdm.view import contained
from ..prior.draws import draws
from ..prior.encoding import Range
from ..prior.model import Prior
from ..prior.regions import regions
from ..prior.repaint import Walk, repaint
from ..stored import Stored
from . import FACTS
from .finder import Finder
from .segmentation import DefectNet

REMEDY = (
    "train them with `filmrestore train --model two_stage` and `python -m filmrestore.training.publish` "
    "(docs/models/two_stage.md)"
)
FIRES = 0.3
"""Confidence from which a pixel is drawn anew."""
AROUND = 2
"""px around those that the prior draws too: a defect's edge is paler than the defect."""


class TwoStageRestorer:
    """Implements `filmrestore.restorers.base.Restorer`.

    Args:
        stored: The segmentation net; the card's "calibration" may hold "temperature" and "shift" of its logits.
        prior: Of clean film.
        device: Where the networks run.
        backend: Of the segmentation net, "torch" or "onnx"; the prior draws with torch.

    Raises:
        UsageError: the backend is not installed.
    """

    def __init__(
        self, stored: Stored[DefectNet], prior: Prior, device: torch.device, *, backend: str = "torch"
    ) -> None:
        self.facts = FACTS
        self.device = device
        self.backend = backend
        self.precision = "float32"
        self.weights_hash = hashlib.sha256(f"{stored.digest} {prior.digest}".encode()).hexdigest()
        self._finder = Finder(stored, device, backend)
        self._prior = prior

    @torch.inference_mode()
    def __call__(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Restored:
        """See `Restorer`: answers for the middle frame."""
        assert len(window) == self.facts.window == len(context.present)
        middle = self.facts.window // 2
        finite = torch.isfinite(window).all(dim=1, keepdim=True)
        window = contained(window, finite)
        confidence = self._finder.confidence(window, context)
        if context.matte is not None:
            confidence = torch.maximum(confidence, context.matte[middle : middle + 1])
        frame, inside = window[middle : middle + 1], confidence > FIRES
        hole = functional.max_pool2d(inside.float(), 2 * AROUND + 1, stride=1, padding=AROUND)
        picture = torch.where(hole > 0, fill(frame, hole), frame)
        origin = torch.full_like(confidence, int(Origin.INTERPOLATED), dtype=torch.uint8)
        if context.settings.quality == "final":
            with context.stage("denoise"):
                self._draw(picture, hole, context)
            origin[hole > 0] = int(Origin.GENERATED)
        confidence = confidence * finite[middle : middle + 1]
        return Restored(picture=picture, matte=confidence, origin=origin * (confidence > 0))

    def _draw(self, picture: Float[Tensor, "1 3 h w"], hole: Float[Tensor, "1 1 h w"], context: Context) -> None:
        """Replaces the hole in the picture, region by region, by what the prior draws."""
        settings = context.settings
        walk = Walk(
            steps=settings.steps,
            jump_length=settings.jump_length,
            resampling=settings.resampling,
            start=settings.start,
        )
        span = Range.around(picture, hole)
        known = span.encoded(picture)
        number = context.frames[self.facts.window // 2]
        for part in regions(hole[0, 0] > 0, context.box):
            cut = (..., *part.slices)
            absolute = Box(
                x0=context.box.x0 + part.x0,
                y0=context.box.y0 + part.y0,
                x1=context.box.x0 + part.x1,
                y1=context.box.y0 + part.y1,
            )
            draw = draws(settings.seed, [number], absolute, self.device)
            keep = 1 - hole[cut].to(self.device)
            drawn = repaint(self._prior, known[cut].to(self.device), keep, walk, draw).cpu()
            _lay(picture[cut], Range(span.shift[cut]).decoded(drawn), hole[cut] > 0)


def _lay(target: Float[Tensor, "1 3 h w"], drawn: Float[Tensor, "1 3 h w"], inside: Bool[Tensor, "1 1 h w"]) -> None:
    target.copy_(torch.where(inside, drawn, target))
