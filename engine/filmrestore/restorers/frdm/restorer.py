"""The frdm restorer: a window's patch through evidence and guidance, and where these fire recovery and sampler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional

from ...frame import Box
from ..base import Context, Facts, Origin, Restored
from .ablations import without
from .base import MARGIN as WIDER
from .base import Base, bases, spread, untouched
from .calibration import Calibration
from .exported import running
from .guidance import Guidance
from .sampler import sample_bridge
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
    purpose="dirt, dust, scratches and blotches in running film: takes from neighbour frames what a mark hides",
)

CORE, MARGIN = 32, 16
"""The sampler runs in blocks of `CORE` pixels with `MARGIN` around them."""
AT_ONCE = 16
"""Blocks that the sampler is given at once: as many pixels as a whole patch."""
LIKELY = 0.2
"""Confidence from which the sampler is asked: a restore node at its defaults lays in no fainter mark."""
SHOWN, UNSHOWN = 0.95, 0.85
"""The neighbours' share in the base from which it stays as it is, and up to which the sampler's picture replaces it."""
INVENTED = 0.04
"""Net units: a pixel that the sampler moved by more than this, grain apart, is generated."""


@dataclass(frozen=True)
class Answer:
    """What is said of one kept frame, padded size, on the network's device."""

    picture: Float[Tensor, "1 3 h w"]
    confidence: Float[Tensor, "1 1 h w"]
    origin: UInt8[Tensor, "1 1 h w"]


Painted = tuple[Base, Float[Tensor, "1 3 h w"]]
"""What a frame's sampler started from, and the picture that it made of it."""
Painter = Callable[[View, Float[Tensor, "t 1 h w"], range], Iterator[Painted]]
"""A sampler of another kind: view, confidence and wanted frames -> one answer for each of these."""


class FrdmRestorer:
    """Implements `filmrestore.restorers.base.Restorer`.

    Args:
        weights: As `load_weights` gives them.
        device: Where the networks run.
        precision: "float32", or "bfloat16" for the convolutions and attention; float32 alone with "onnx".
        backend: "torch" or "onnx", for guidance and denoiser; motion and recovery have no network.
        painter: Fills what was found in place of the shipped sampler; finding and recovery stay.

    Raises:
        UsageError: the backend is not installed, or does not know the precision.
        ResourceError: onnxruntime cannot use the device.
    """

    def __init__(
        self,
        weights: Weights,
        device: torch.device,
        precision: str = "float32",
        *,
        backend: str = "torch",
        painter: Painter | None = None,
    ) -> None:
        self.facts = FACTS
        self.weights_hash = weights.digest
        self.device = device
        self.precision = precision
        self.backend = backend
        self._net = running(weights.net, device, precision, backend)
        self._painter = painter
        self._calibration = Calibration.from_card(weights.card, weights.net.config.kinds)

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
        left_out = without(context.settings, "shipped" if self._painter is None else "full")
        radius = context.settings.temporal_radius
        if radius >= self.facts.window // 2:
            view = View.of(window, context, range(len(window)), self.device, left_out)
            yield from self._finished(view, kept)
            return
        for index in kept:
            view = View.of(window, context, range(index - radius, index + radius + 1), self.device, left_out)
            yield from self._finished(view, range(radius, radius + 1))

    def _finished(self, view: View, wanted: range) -> Iterator[Answer]:
        """Confidence, picture and origin of the wanted frames of the view."""
        final = view.context.settings.quality == "final"
        left_out = view.without if self._painter is None else frozenset()  # what finds damage is no part of a painter
        with view.context.stage("guidance"):
            guidance: Guidance = self._net.guide(
                view.window, view.evidence, view.present, view.overview, view.box, without=left_out
            )
            confidence = self._calibration.confidence(guidance.matte_logits[0], guidance.class_logits[0])
        if view.known is not None:
            confidence = torch.maximum(confidence, view.known[0])
        if final and self._painter is not None:
            painted = self._painter(view, confidence, wanted)
        else:
            painted = self._painted(view, guidance, confidence, wanted)
        for index, (base, picture) in zip(wanted, painted, strict=True):
            yield Answer(picture, confidence[index : index + 1], _origin(base, picture))

    def _painted(
        self, view: View, guidance: Guidance, confidence: Float[Tensor, "t 1 h w"], wanted: range
    ) -> Iterator[Painted]:
        """Every wanted frame's base, and in "final" what the shipped sampler makes of it."""
        final = view.context.settings.quality == "final"
        there = [index for index in wanted if bool(view.present[0, index])]
        estimates = estimated(view, confidence, there, coarse=final and "global" not in view.without)
        found = dict(zip(there, estimates, strict=True))
        for index in wanted:
            # What is said of a stand-in nobody reads: it need not be made.
            base = found[index] if index in found else untouched(view.window[:, index])
            picture = base.picture
            if final:
                with view.context.stage("denoise"):
                    picture = self._sampled(view, guidance, index, base, _unseen(base, confidence[index : index + 1]))
            yield base, picture

    def _sampled(
        self, view: View, guidance: Guidance, index: int, base: Base, share: Float[Tensor, "1 1 h w"]
    ) -> Float[Tensor, "1 3 h w"]:
        """The base, and of what the sampler makes of it a share, block by block where that is above 0."""
        picture = base.picture.clone()
        parts = _parts(share[0, 0] > 0)
        for start in range(0, len(parts), AT_ONCE):
            some = parts[start : start + AT_ONCE]
            walked = self._walked(view, guidance, index, base, [around for _, around in some])
            for place, (core, around) in enumerate(some):
                top, left = core.y0 - around.y0, core.x0 - around.x0
                clean = walked[place, :, top : top + core.height, left : left + core.width]
                target = picture[(..., *core.slices)]
                target.copy_(torch.lerp(target, clean, share[(..., *core.slices)]))
        return picture

    def _walked(
        self, view: View, guidance: Guidance, index: int, base: Base, parts: Sequence[Box]
    ) -> Float[Tensor, "n 3 h2 w2"]:
        """The end of the bridge in parts of the patch, all of one size."""

        def cut(plane: Tensor, step: int = 1) -> Tensor:
            places = (
                (slice(part.y0 // step, part.y1 // step), slice(part.x0 // step, part.x1 // step)) for part in parts
            )
            return torch.cat([plane[(..., *place)] for place in places])

        scan, start, hole, trust = cut(view.window[:, index]), cut(base.picture), cut(base.inside), cut(base.trust)
        if view.known is not None:  # nobody has to ask whether it is damage, and the scan would be painted again
            scan = torch.where(cut(spread(view.known[0, index : index + 1] > 0, WIDER)), start, scan)
        features = [cut(feature[:, index], step) for feature, step in zip(guidance.features, (2, 4, 8), strict=True)]
        if "guidance" in view.without:
            features = [torch.zeros_like(feature) for feature in features]

        def model(x: Tensor, sigma: Tensor) -> Tensor:
            clean: Tensor = self._net.denoise(x, sigma, scan, start, hole.float(), trust, features)
            return clean

        drawn = torch.cat([view.noise(index, part) for part in parts])
        return sample_bridge(model, scan, start, hole, drawn, None if base.coarse is None else cut(base.coarse))


def estimated(view: View, confidence: Float[Tensor, "t 1 h w"], wanted: Sequence[int], *, coarse: bool) -> list[Base]:
    """The bases of the wanted frames, as far as the modules that are on go."""
    with view.context.stage("recovery"):
        return list(
            bases(
                view.window[0],
                confidence,
                view.present[0],
                wanted,
                coarse=coarse,
                neighbours="recovery" not in view.without,
            )
        )


def _unseen(base: Base, confidence: Float[Tensor, "1 1 h w"]) -> Float[Tensor, "1 1 h w"]:
    """0..1, how much of a pixel's clean picture is the sampler's: what is likely damaged and no neighbour shows."""
    share = ((SHOWN - base.trust) / (SHOWN - UNSHOWN)).clamp(0, 1) * base.inside
    return share * spread(confidence >= LIKELY, WIDER)


def _parts(inside: Bool[Tensor, "h w"]) -> list[tuple[Box, Box]]:
    """Boxes that hold some of it: (core, core and margin), these of one size; the whole patch where that is less."""
    height, width = inside.shape
    edge = CORE + 2 * MARGIN
    parts = []
    for y in range(0, height, CORE):
        for x in range(0, width, CORE):
            core = Box(x0=x, y0=y, x1=min(x + CORE, width), y1=min(y + CORE, height))
            if bool(inside[core.slices].any()):
                left, top = (max(0, min(at - MARGIN, size - edge)) for at, size in ((x, width), (y, height)))
                parts.append((core, Box(x0=left, y0=top, x1=min(left + edge, width), y1=min(top + edge, height))))
    area = sum(around.width * around.height for _, around in parts)
    whole = Box(x0=0, y0=0, x1=width, y1=height)
    return parts if area < width * height else [(whole, whole)]


def _origin(base: Base, picture: Float[Tensor, "1 3 h w"]) -> UInt8[Tensor, "1 1 h w"]:
    """Generated where the sampler left the base, grain apart; else recovered where the neighbours' share is larger."""
    moved = functional.pad(picture - base.picture, (1, 1, 1, 1))
    along = moved[..., :-2] + moved[..., 1:-1] + moved[..., 2:]
    invented = (along[..., :-2, :] + along[..., 1:-1, :] + along[..., 2:, :]).abs().amax(dim=1, keepdim=True) / 9
    origin = torch.where(base.trust >= 0.5, int(Origin.RECOVERED), int(Origin.INTERPOLATED))
    return torch.where(invented > INVENTED, int(Origin.GENERATED), origin).to(torch.uint8)
