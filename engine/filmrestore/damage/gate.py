"""The gate: the window of film that is looked at, with its scale against a 2K scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..settings import DegradeSettings
from .canvas import Ink, Layers, dark, light
from .shapes import MaskFolder, Shape

WIDTH_2K = 2048.0  # all sizes and counts are given for a frame of this width
ASPECT = 0.75


@dataclass(frozen=True)
class Gate:
    """Where damage is made.

    Attributes:
        height, width: What is rendered, px.
        frame_width: Width of the whole frame that this is a part of, px; equal to `width` for a whole frame.
        settings: Amounts.
        shapes: Folder of masks, if given.
        shift: (x, y) of the film in the gate at this frame, px: what is on the film moves with it.
    """

    height: int
    width: int
    frame_width: float
    settings: DegradeSettings
    shapes: MaskFolder | None
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def scale(self) -> float:
        """Pixels for one pixel of a 2K scan."""
        return self.frame_width / WIDTH_2K

    @property
    def frame_height(self) -> float:
        """Height of the whole frame, px."""
        return self.frame_width * ASPECT if self.frame_width != self.width else float(self.height)

    def expected(self, count: float, margin: float = 0.0) -> float:
        """Mean number of marks in this window and `margin` px around it, from a count for a whole 4:3 frame."""
        return count * (self.width + 2 * margin) * (self.height + 2 * margin) / (self.frame_width**2 * ASPECT)

    def expected_across(self, count: float, margin: float = 0.0) -> float:
        """Mean number of marks that run down the window, from a count for a whole frame."""
        return count * (self.width + 2 * margin) / self.frame_width

    def point(self, draw: np.random.Generator, margin: float = 0.0) -> tuple[float, float]:
        """A place in the window or `margin` px around it: (x, y)."""
        return (
            float(draw.uniform(-margin, self.width + margin)),
            float(draw.uniform(-margin, self.height + margin)),
        )

    def opacity(self, draw: np.random.Generator) -> float:
        """How strong one mark is: near the setting, or faint by chance, down to a few codes of 8 bits."""
        if draw.random() < self.settings.faint:
            return float(np.exp(draw.uniform(np.log(0.02), np.log(0.3))))
        return float(self.settings.opacity * draw.uniform(0.65, 1.0))

    def ink(self, draw: np.random.Generator, opacity: float) -> Ink:
        """Dark or light ink after the polarity setting; on colour film dirt is seldom quite neutral."""
        is_light = {"dark": False, "light": True, "mixed": draw.random() < 0.5}[self.settings.polarity]
        if is_light:
            return light(opacity)
        warm = float(draw.uniform(0.0, 0.25))
        return dark(opacity, self.tint((1.0 - warm, 1.0 - warm / 2.0, 1.0)))

    def tint(self, layers: Layers) -> Layers:
        """The tint, or its mean on monochrome stock."""
        if self.settings.stock == "monochrome":
            mean = sum(layers) / 3.0
            return mean, mean, mean
        return layers

    def folder_shape(self, draw: np.random.Generator, group: str) -> Shape | None:
        """A shape from a subfolder of the given folder, in the share that the setting says, else None."""
        is_chosen = draw.random() < self.settings.folder_share
        if self.shapes is None or not is_chosen or not self.shapes.has(group):
            return None
        return self.shapes.pick(group, draw)
