"""The damage model: a frame of clean light in, the damaged scan, its truth and the exact masks out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..errors import UsageError
from ..settings import DegradeSettings
from . import fibres, scratches, specks, stability, stains, stock
from .canvas import Canvas, Light, Plane
from .gate import Gate
from .shapes import MaskFolder

# In the order in which they lie on the film, from the emulsion outward; the gate's hair lies over everything.
LAYERS: dict[str, Callable[[Canvas, Gate, int], None]] = {
    "burn": stains.burn,
    "stain": stains.stain,
    "blotch": specks.blotch,
    "scratch": scratches.scratch,
    "scratch_moving": scratches.scratch_moving,
    "splice": stains.splice,
    "dirt": specks.dirt,
    "dust": specks.dust,
    "hair": fibres.hair,
    "lint": fibres.lint,
    "gate_hair": fibres.gate_hair,
}
# Kind -> the setting that turns it on.
AMOUNTS = {
    "dust": "dust",
    "dirt": "dirt",
    "hair": "hair",
    "gate_hair": "gate_hair",
    "lint": "lint",
    "scratch": "scratches",
    "scratch_moving": "scratches_moving",
    "blotch": "blotches",
    "stain": "stains",
    "burn": "burns",
    "splice": "splices",
}
KINDS = tuple(AMOUNTS)
FAINTEST = 1.0 / 1024.0  # alpha under this is no defect: scan and truth are one there


@dataclass(frozen=True)
class Damaged:
    """One damaged frame.

    Attributes:
        scan: Scene-linear with everything, float32, shape (h, w, 3).
        truth: The same grain, flicker, weave, blur and fading, without local defects; equal to `scan`, bit for bit,
            wherever every mask is 0.
        masks: Alpha 0..1 of each kind that is there (float32, shape (h, w)): the share of light that it changes,
            scanner's blur included. A kind that did not occur in this frame has no entry.
    """

    scan: Light
    truth: Light
    masks: dict[str, Plane]

    def mask(self, kind: str) -> Plane:
        """Alpha of one kind; zeros where it did not occur.

        Raises:
            UsageError: no such kind.
        """
        if kind not in KINDS:
            raise UsageError(f"no damage of kind {kind!r}: choose one of {', '.join(KINDS)}")
        found = self.masks.get(kind)
        return np.zeros(self.scan.shape[:2], np.float32) if found is None else found

    def united(self) -> Plane:
        """Alpha of all kinds together."""
        clear = np.ones(self.scan.shape[:2], np.float32)
        for mask in self.masks.values():
            clear *= np.float32(1.0) - mask
        return np.float32(1.0) - clear


class Damage:
    """Film damage for frames of one size, a function of (settings, frame number) alone.

    Args:
        settings: Every amount.
        height, width: Size of the frames, px.
        shapes: Folder of masks that some of the marks are drawn from.
        frame_width: Width of the whole frame where `height` x `width` is a part of one (for training on crops): sizes
            go with it, and counts with the part's share of the whole. None: the part is the whole.
    """

    def __init__(
        self,
        settings: DegradeSettings,
        height: int,
        width: int,
        *,
        shapes: MaskFolder | None = None,
        frame_width: float | None = None,
    ) -> None:
        if height < 1 or width < 1 or (frame_width is not None and frame_width < width):
            raise UsageError(
                f"cannot damage {width}x{height} px of a frame {frame_width} px wide: give a part within it"
            )
        self.settings = settings
        self.gate = Gate(height, width, float(width if frame_width is None else frame_width), settings, shapes)

    def source_frame(self, number: int) -> int:
        """The frame of the clean shot that is seen at frame `number`: another one where frames are lost or repeated."""
        return stability.source_frame(self.settings, number)

    def shared(self, linear: Light, number: int) -> Light:
        """What scan and truth share, before the scanner's blur: optics, weave, flicker, grain, fading.

        Args:
            linear: Scene-linear, float32, shape (h, w, 3), unclipped.
            number: Frame.
        """
        gate, settings = self.gate, self.settings
        light = stock.one_layer(linear) if settings.stock == "monochrome" else linear
        light = stock.optics(light, settings, number, gate.scale)
        light = stability.shifted(light, self._shift(number))
        light = stability.flicker(light, settings, number)
        light = stock.grain(light, settings, number, gate.scale)
        return stock.fade(light, settings)

    def apply(self, linear: Light, number: int) -> Damaged:
        """Damage one frame.

        Args:
            linear: Scene-linear light of frame `source_frame(number)`, float32, shape (h, w, 3), unclipped. It is
                not changed, but is itself the truth where nothing shared acts.
            number: Frame, which chooses the damage.

        Raises:
            UsageError: the frame has another size.
        """
        wanted = (self.gate.height, self.gate.width, 3)
        if linear.shape != wanted:
            raise UsageError(f"frame {number} has shape {linear.shape}: this damage was made for {wanted}")
        truth = self.shared(linear, number)
        canvas = Canvas(truth.copy(), self.settings.base_light)
        gate = replace(self.gate, shift=self._shift(number))
        for lay in LAYERS.values():
            lay(canvas, gate, number)
        return self._scanned(truth, canvas)

    def _shift(self, number: int) -> tuple[float, float]:
        return stability.weave(self.settings, number, self.gate.scale, self.gate.frame_height)

    def _scanned(self, truth: Light, canvas: Canvas) -> Damaged:
        sigma = self.settings.scanner_blur * self.gate.scale
        scan = stock.soften(canvas.scan, sigma, in_place=True)
        truth = stock.soften(truth, sigma)
        if self.settings.stock == "monochrome":  # arithmetic may part the channels by a last bit
            scan, truth = stock.one_layer(scan), stock.one_layer(truth)
        masks = {}
        touched = np.zeros(canvas.shape, np.float32)
        for kind in KINDS:
            if kind in canvas.masks:
                mask = stock.soften(canvas.masks[kind], sigma, in_place=True)
                cv2.min(mask, 1.0, mask)
                cv2.threshold(mask, FAINTEST, 0.0, cv2.THRESH_TOZERO, mask)
                if cv2.countNonZero(mask):
                    masks[kind] = mask
                    cv2.max(touched, mask, touched)
        np.copyto(scan, truth, where=(touched == 0.0)[:, :, None])
        return Damaged(scan, truth, masks)
