"""The two_stage restorer: where the segmentation net fires, RePaint draws what the prior finds likely."""

from __future__ import annotations

import hashlib

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ...errors import WeightsError
from ...frame import Box
from ...motion import CHANNELS, evidence
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
    """

    def __init__(self, stored: Stored[DefectNet], prior: Prior, device: torch.device) -> None:
        self.facts = FACTS
        self.device = device
        self.backend = "torch"
        self.precision = "float32"
        self.weights_hash = hashlib.sha256(f"{stored.digest} {prior.digest}".encode()).hexdigest()
        self._net = stored.net.to(device).to(memory_format=torch.channels_last).eval()
        self._prior = prior
        self._scale, self._shift = _calibration(stored)

    @torch.inference_mode()
    def __call__(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Restored:
        """See `Restorer`: answers for the middle frame."""
        assert len(window) == self.facts.window == len(context.present)
        middle = self.facts.window // 2
        finite = torch.isfinite(window).all(dim=1, keepdim=True)
        window = contained(window, finite)
        confidence = self._confidence(window, context)
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

    def _confidence(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Float[Tensor, "1 1 h w"]:
        """Of the middle frame."""
        middle = self.facts.window // 2
        height, width = window.shape[-2:]
        seen = torch.zeros(1, CHANNELS, height, width)
        if self._net.config.frames > 1 and context.settings.temporal_radius > 0:
            with context.stage("motion"):
                seen = torch.from_numpy(evidence(window.numpy(), context.present))[middle : middle + 1]
        pad = (0, -width % self._net.multiple, 0, -height % self._net.multiple)
        shown = (functional.pad(x, pad, mode="replicate") for x in (window[middle : middle + 1], seen))
        with context.stage("segmentation"):
            logits = self._net(*(x.to(self.device) for x in shown))[..., :height, :width].cpu()
        return torch.sigmoid(logits * self._scale + self._shift)

    def _draw(self, picture: Float[Tensor, "1 3 h w"], hole: Float[Tensor, "1 1 h w"], context: Context) -> None:
        """Replaces the hole in the picture, region by region, by what the prior draws."""
        settings = context.settings
        walk = Walk(steps=settings.steps, jump_length=settings.jump_length, resampling=settings.resampling)
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
