"""The frdm restorer: a window's patch through evidence and guidance, and where these fire recovery and sampler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional

from ..base import Context, Facts, Origin, Restored
from .ablations import without
from .base import Base, bases, untouched
from .calibration import Calibration
from .exported import running
from .guidance import Guidance
from .painting import painted
from .scales import joined, looks
from .singles import SPEAKS_FOR, lone_marks
from .view import View, contained
from .weights import Weights

FACTS = Facts(
    name="frdm",
    window=5,
    keep=3,
    moves=1,
    proxy=1024,
    patch=256,
    overlap=32,
    needs=frozenset(),
    weights="frdm.safetensors",
    licence="Apache-2.0",
    source="HaineiFRDM (seeds of the method: docs/models/frdm.md), in pixel space",
    purpose="dirt, dust, scratches and blotches in running film: takes from neighbour frames what a mark hides",
)

ONE_SIDED = 1.75
"""What logits are lowered by where a neighbour is not there: two frames of one side are not two witnesses."""
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
        finite = torch.from_numpy(np.isfinite(window.numpy()).all(axis=1, keepdims=True))
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
        views = [view]
        while len(views) < (1 if "half" in view.without else looks(view.context.full[1])):
            views.append(views[-1].halved())
        with view.context.stage("guidance"):
            guidance, *smaller = (self._guidance(one, left_out) for one in views)
            said = [one.matte_logits[0] for one in (guidance, *smaller)]
            logits = reduce(lambda half, one: joined(one, half), reversed(said))
            doubt = ONE_SIDED * one_sided(view.present[0])[:, None, None, None]
            confidence = self._calibration.confidence(logits - doubt, guidance.class_logits[0])
            of_marks = self._calibration.of_marks(confidence)
            if "evidence" not in view.without:
                alone = SPEAKS_FOR * self._alone(view, confidence, of_marks)
                confidence, of_marks = torch.maximum(confidence, alone), torch.maximum(of_marks, alone)
        if view.known is not None:
            confidence, of_marks = (torch.maximum(said, view.known[0]) for said in (confidence, of_marks))
        if final and self._painter is not None:
            answers = self._painter(view, confidence, wanted)
        else:
            answers = self._painted(view, guidance, confidence, wanted)
        for index, (base, picture) in zip(wanted, answers, strict=True):
            yield Answer(picture, of_marks[index : index + 1], _origin(base, picture))

    def _guidance(self, view: View, left_out: frozenset[str]) -> Guidance:
        guidance: Guidance = self._net.guide(
            view.window, view.evidence, view.present, view.overview, view.box, without=left_out
        )
        return guidance

    @staticmethod
    def _alone(
        view: View, confidence: Float[Tensor, "t 1 h w"], of_marks: Float[Tensor, "t 1 h w"]
    ) -> Bool[Tensor, "t 1 h w"]:
        """See `lone_marks`; what was added around the patch is none of it."""
        height, width = view.context.box.height, view.context.box.width
        inside = (..., slice(height), slice(width))
        window, evidence = view.window[0][inside], view.evidence[0][inside]
        found = lone_marks(confidence[inside], of_marks[inside], window, evidence, two_sided(view.present[0]))
        return functional.pad(found, (0, confidence.shape[-1] - width, 0, confidence.shape[-2] - height))

    def _painted(
        self, view: View, guidance: Guidance, confidence: Float[Tensor, "t 1 h w"], wanted: range
    ) -> Iterator[Painted]:
        """Every wanted frame's base, and in "final" what the shipped sampler makes of it."""
        final = view.context.settings.quality == "final"
        there = [index for index in wanted if bool(view.present[0, index])]
        estimates = estimated(view, confidence, there, coarse=final and "global" not in view.without)
        # What is said of a stand-in nobody reads: it need not be made.
        found = {index: untouched(view.window[:, index]) for index in wanted} | dict(zip(there, estimates, strict=True))
        pictures = {index: base.picture for index, base in found.items()}
        if final:
            with view.context.stage("denoise"):
                pictures = painted(self._net, view, guidance, confidence, found)
        for index in wanted:
            yield found[index], pictures[index]


def one_sided(present: Bool[Tensor, t]) -> Bool[Tensor, t]:
    """Which frames of a window have an absent frame beside them."""
    absent = functional.pad(~present, (1, 1))
    return absent[:-2] | absent[2:]


def two_sided(present: Bool[Tensor, t]) -> Bool[Tensor, t]:
    """Which frames of a window have a frame on either side of them."""
    there = functional.pad(present, (1, 1))
    return present & there[:-2] & there[2:]


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


def _origin(base: Base, picture: Float[Tensor, "1 3 h w"]) -> UInt8[Tensor, "1 1 h w"]:
    """Generated where the sampler left the base, grain apart; else recovered where the neighbours' share is larger."""
    origin = torch.where(base.trust >= 0.5, int(Origin.RECOVERED), int(Origin.INTERPOLATED)).to(torch.uint8)
    if picture is base.picture:
        return origin
    moved = functional.pad(picture - base.picture, (1, 1, 1, 1))
    along = moved[..., :-2] + moved[..., 1:-1] + moved[..., 2:]
    invented = (along[..., :-2, :] + along[..., 1:-1, :] + along[..., 2:, :]).abs().amax(dim=1, keepdim=True) / 9
    return origin.masked_fill(invented > INVENTED, int(Origin.GENERATED))
