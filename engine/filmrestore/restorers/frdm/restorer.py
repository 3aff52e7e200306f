"""The frdm restorer: a window's patch through evidence, guidance and, where the matte fires, the sampler."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional

from ...frame import Box
from ..base import Context, Facts, Origin, Restored
from .calibration import Calibration
from .guidance import MIX, Guidance
from .sampler import large, sample_bridge
from .view import View, contained
from .weights import Weights

FACTS = Facts(
    name="frdm",
    window=5,
    keep=3,
    patch=256,
    overlap=32,
    needs=frozenset(),
    weights="frdm.safetensors",
    licence="Apache-2.0",
    source="HaineiFRDM (seeds of the method: docs/models/frdm.md), in pixel space",
)

FIRES = 0.3
"""Confidence from which the sampler works on a pixel."""
CORE, MARGIN = 64, 16
"""The sampler runs in blocks of `CORE` pixels with `MARGIN` around them."""
COARSER = 4
"""The factor by which a patch is shrunk for the picture that leads inside large mattes."""
INVENTED = 0.04
"""Net units: a pixel that leaves its sources by more than this, grain apart, is generated."""


@dataclass(frozen=True)
class Answer:
    """What the networks say of one kept frame, padded size, on the network's device."""

    picture: Float[Tensor, "1 3 h w"]
    confidence: Float[Tensor, "1 1 h w"]
    origin: UInt8[Tensor, "1 1 h w"]


class FrdmRestorer:
    """Implements `filmrestore.restorers.base.Restorer`.

    Args:
        weights: As `load_weights` gives them.
        device: Where the networks run.
        precision: "float32", or "bfloat16" for the convolutions and attention.
    """

    def __init__(self, weights: Weights, device: torch.device, precision: str = "float32") -> None:
        self.facts = FACTS
        self.weights_hash = weights.digest
        self.device = device
        self.precision = precision
        self.backend = "torch"
        self._net = weights.net.to(device).to(memory_format=torch.channels_last).eval()
        self._calibration = Calibration.from_card(weights.card, self._net.config.kinds)

    @torch.inference_mode()
    def __call__(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Restored:
        """See `Restorer`: answers for the middle `keep` frames."""
        assert len(window) == self.facts.window == len(context.present)
        height, width = window.shape[-2:]
        finite = torch.isfinite(window).all(dim=1, keepdim=True)
        window = contained(window, finite)
        first = (self.facts.window - self.facts.keep) // 2
        kept = range(first, first + self.facts.keep)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            answers = list(self._answers(window, context, kept))
        picture, confidence, origin = (
            torch.cat([getattr(answer, name)[..., :height, :width].cpu() for answer in answers])
            for name in ("picture", "confidence", "origin")
        )
        confidence = confidence * finite[kept.start : kept.stop]
        return Restored(picture=picture, matte=confidence, origin=origin * (confidence > 0))

    def _answers(self, window: Float[Tensor, "t 3 h w"], context: Context, kept: range) -> Iterator[Answer]:
        """One for each kept frame. With a short temporal radius each sees its own, shorter window."""
        radius = context.settings.temporal_radius
        if radius >= self.facts.window // 2:
            view = View.of(window, context, range(len(window)), self.device)
            guidance = self._guide(view)
            yield from (self._finish(view, guidance, index) for index in kept)
            return
        for index in kept:
            view = View.of(window, context, range(index - radius, index + radius + 1), self.device)
            yield self._finish(view, self._guide(view), radius)

    def _guide(self, view: View) -> Guidance:
        with view.context.stage("guidance"):
            guidance: Guidance = self._net.guide(
                view.window, view.evidence, view.present, view.overview, view.box, None, view.known
            )
        return guidance

    def _finish(self, view: View, guidance: Guidance, index: int) -> Answer:
        """Confidence, picture and origin of frame `index` of the view."""
        confidence = self._calibration.confidence(guidance.matte_logits[:, index], guidance.class_logits[:, index])
        if view.known is not None:
            confidence = torch.maximum(confidence, view.known[:, index])
        picture = guidance.base[:, index]
        if view.context.settings.quality == "final":
            with view.context.stage("denoise"):
                picture = self._sampled(view, guidance, index, confidence > FIRES)
        return Answer(picture, confidence, _origin(guidance, index, picture))

    def _sampled(
        self, view: View, guidance: Guidance, index: int, inside: Bool[Tensor, "1 1 h w"]
    ) -> Float[Tensor, "1 3 h w"]:
        """The base, and inside the matte what the sampler makes of it, block by block."""
        picture = guidance.base[:, index].clone()
        coarse = self._coarse(view, index) if bool(large(inside).any()) else None
        for core, around in _parts(inside[0, 0]):
            clean = self._walked(view, guidance, index, inside, coarse, around)
            top, left = core.y0 - around.y0, core.x0 - around.x0
            clean = clean[..., top : top + core.height, left : left + core.width]
            target = picture[(..., *core.slices)]
            target.copy_(torch.where(inside[(..., *core.slices)], clean, target))
        return picture

    def _walked(
        self,
        view: View,
        guidance: Guidance,
        index: int,
        inside: Bool[Tensor, "1 1 h w"],
        coarse: Float[Tensor, "1 3 h w"] | None,
        part: Box,
    ) -> Float[Tensor, "1 3 h2 w2"]:
        """The end of the bridge in one part of the patch."""
        cut = (..., *part.slices)
        scan, base, hole = view.window[:, index][cut], guidance.base[:, index][cut], inside[cut]
        features = [
            feature[:, index, :, part.y0 // step : part.y1 // step, part.x0 // step : part.x1 // step]
            for feature, step in zip(guidance.features, (2, 4, 8), strict=True)
        ]

        def model(x: Tensor, sigma: Tensor) -> Tensor:
            clean: Tensor = self._net.denoise(x, sigma, scan, base, hole.float(), features)
            return clean

        return sample_bridge(model, scan, base, hole, view.noise(index, part), None if coarse is None else coarse[cut])

    def _coarse(self, view: View, index: int) -> Float[Tensor, "1 3 h w"]:
        """The frame restored at a quarter of its size, for what is wider than the network sees."""
        height, width = view.window.shape[-2:]
        small = self._guide(view.shrunk(COARSER)).base[:, index, :, : height // COARSER, : width // COARSER]
        return functional.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)


def _parts(inside: Bool[Tensor, "h w"]) -> list[tuple[Box, Box]]:
    """Boxes that hold some matte: (core, core with its margin), clipped to the patch; all of it where that is less."""
    height, width = inside.shape
    whole = Box(x0=0, y0=0, x1=width, y1=height)
    parts = []
    for y in range(0, height, CORE):
        for x in range(0, width, CORE):
            core = Box(x0=x, y0=y, x1=min(x + CORE, width), y1=min(y + CORE, height))
            if bool(inside[core.slices].any()):
                parts.append((core, _widened(core, whole)))
    area = sum(around.width * around.height for _, around in parts)
    return parts if area < width * height else [(whole, whole)]


def _widened(core: Box, limit: Box) -> Box:
    return Box(
        x0=max(limit.x0, core.x0 - MARGIN),
        y0=max(limit.y0, core.y0 - MARGIN),
        x1=min(limit.x1, core.x1 + MARGIN),
        y1=min(limit.y1, core.y1 + MARGIN),
    )


def _origin(guidance: Guidance, index: int, picture: Float[Tensor, "1 3 h w"]) -> UInt8[Tensor, "1 1 h w"]:
    """Generated where the picture leaves what it was mixed from, grain apart; else where most of that came from."""
    mixed = guidance.base[:, index] - guidance.residual[:, index]
    invented = functional.avg_pool2d(picture - mixed, 3, stride=1, padding=1).abs().amax(dim=1, keepdim=True)
    mix = guidance.mix[:, index]
    neighbours = mix[:, [MIX.index("previous"), MIX.index("next")]].sum(dim=1, keepdim=True)
    origin = torch.where(neighbours >= 0.5, int(Origin.RECOVERED), int(Origin.INTERPOLATED))
    return torch.where(invented > INVENTED, int(Origin.GENERATED), origin).to(torch.uint8)
