"""What made a mark: plain rules over its shape, at the scale of a 2K scan.

The sizes follow hand-drawn outlines on eight dirty 35 mm scans, at 2048 pixels of width: dust to 6 pixels of
diameter, dirt to some 20, hair longer than 2.5 times its width, scratches long, thin and upright.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .model import Cause, Polarity

REFERENCE_WIDTH = 2048
_DUST_DIAMETER = 6.0
_DIRT_DIAMETER = 22.0
_BURN_SHARE = 0.03


class Stays:
    """What of a frame is marked in its neighbours too.

    Attributes:
        pixels: Shape (h, w): how much of the neighbours' mattes lies at each pixel, 0..1.
        columns: Shape (w,): share of each column that is marked in more than half of the neighbours.
    """

    def __init__(self, pixels: NDArray[np.float32]) -> None:
        self.pixels = pixels
        self.columns: NDArray[np.float64] = (pixels > 0.5).mean(axis=0)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The shape of a mark, lengths in pixels of a 2048 wide scan.

    Attributes:
        diameter: Of the disc of the same area.
        length, width: Along the mark, bends included, and across it.
        lean: Angle of its main axis from the vertical, degrees, 0..90.
        across: Share of the frame's width that its box spans.
        covers: Share of the frame's area that it covers.
        at_edge: Whether it touches the frame's edge, or nearly (half a percent).
        stays: Share of its pixels that are marked in the neighbour frames too, 0..1.
        column_stays: Share of the frame's height that is marked in the neighbour frames in one of its columns, 0..1.
    """

    diameter: float
    length: float
    width: float
    lean: float
    across: float
    covers: float
    at_edge: bool
    stays: float
    column_stays: float

    @property
    def elongation(self) -> float:
        return self.length / self.width


def measure_shape(
    mask: NDArray[np.bool_],
    corner: tuple[int, int],
    full: tuple[int, int],
    stays: Stays | None = None,
) -> Shape:
    """The shape of a mark.

    Args:
        mask: Shape (h, w): the mark within its box.
        corner: (x0, y0) of the box.
        full: (height, width) of the frame.
        stays: What of it lasts through the neighbour frames.
    """
    (x0, y0), (height, width) = corner, full
    rows, columns = np.nonzero(mask)
    area, scale = len(rows), REFERENCE_WIDTH / width
    across = _width_of(mask)
    margin = 0.005 * max(full)
    at_place = in_columns = 0.0
    if stays is not None:
        at_place = float(stays.pixels[rows + y0, columns + x0].mean())
        is_narrow = mask.shape[1] * scale < 64
        in_columns = float(stays.columns[x0 : x0 + mask.shape[1]].max()) if is_narrow else 0.0
    return Shape(
        diameter=2 * math.sqrt(area / math.pi) * scale,
        length=max(area / across, *mask.shape) * scale,
        width=across * scale,
        lean=_lean(rows, columns),
        across=mask.shape[1] / width,
        covers=area / (height * width),
        at_edge=min(x0, y0, width - x0 - mask.shape[1], height - y0 - mask.shape[0]) < margin,
        stays=at_place,
        column_stays=in_columns,
    )


def cause_of(shape: Shape, polarity: Polarity) -> Cause:
    """The likeliest cause of a mark of that shape; the first rule that holds."""
    if long := _long_cause(shape):
        return long
    if shape.covers >= _BURN_SHARE:
        return "burn" if polarity == "light" else "blotch"
    if shape.elongation >= 2.5 and shape.length >= 8:
        return "hair"
    if shape.diameter <= _DUST_DIAMETER:
        return "dust"
    return "dirt" if shape.diameter <= _DIRT_DIAMETER else "blotch"


def _long_cause(shape: Shape) -> Cause | None:
    """What lines are called by where they lie; None for all else."""
    if shape.across >= 0.6 and shape.lean > 70 and shape.elongation >= 8:
        return "splice"
    lasts = shape.column_stays >= 0.3 and shape.length >= 12
    if shape.lean < 20 and shape.elongation >= 5 and (shape.length >= 100 or lasts):
        return "scratch"
    if shape.elongation >= 2.5 and shape.at_edge and (shape.stays >= 0.5 or shape.length >= 40):
        return "gate_hair"
    return None


def polarity_of(before: NDArray[np.float64], after: NDArray[np.float64], areas: NDArray[np.intp]) -> list[Polarity]:
    """Whether each mark was darker or lighter than what replaced it; "mixed" where a quarter disagrees.

    Args:
        before, after: Shape (n,): brightness of the changed pixels of all marks, one mark after another.
        areas: Pixels of each mark; sums to n.
    """
    with np.errstate(invalid="ignore"):
        signs = np.sign(np.nan_to_num(after - before))
    starts = np.concatenate(([0], np.cumsum(areas)[:-1]))
    darker = np.add.reduceat((signs > 0).astype(np.int64), starts)
    lighter = np.add.reduceat((signs < 0).astype(np.int64), starts)
    words: list[Polarity] = []
    for dark, light in zip(darker.tolist(), lighter.tolist(), strict=True):
        if dark + light == 0 or min(dark, light) > 0.25 * (dark + light):
            words.append("mixed")
        else:
            words.append("dark" if dark > light else "light")
    return words


def _width_of(mask: NDArray[np.bool_]) -> float:
    """Its width however it bends, pixels: the mean depth of its spine at twice the size, where even widths have one."""
    height, width = mask.shape
    doubled = np.zeros((2 * height + 2, 2 * width + 2), np.uint8)
    doubled[1:-1, 1:-1] = np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1)
    depth = cv2.distanceTransform(doubled, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    spine = (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8))) & (depth > 0)
    return max(1.0, float(depth[spine].mean()))


def _lean(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> float:
    """Angle of the main axis from the vertical, degrees; 45 for a mark without one."""
    if len(rows) < 2:
        return 45.0
    y, x = rows - rows.mean(), columns - columns.mean()
    yy, xx, xy = float((y * y).mean()), float((x * x).mean()), float((x * y).mean())
    if yy == xx and xy == 0:
        return 45.0
    return abs(math.degrees(0.5 * math.atan2(2 * xy, yy - xx)))
