"""Which repairs are worth making: what grain would hide anyway stays as it was scanned."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .model import Float32, GrainModel

_RIM = 3.0  # deviations of the grain that a mark's fringe has to differ by
_LEAST = 2.0  # deviations that a repair has to change a small mark by, on average over it
_DOUBTFUL = 1.0  # and so many more where the method is only half certain
_SMALL = 30.0  # pixels; of larger marks the eye sees fainter ones, as it does of what it can average over


def worthwhile(
    net: Float32,
    clean: Float32,
    mended: Float32,
    matte: Float32,
    confidence: Float32,
    wanted: NDArray[np.bool_],
    model: GrainModel | None,
) -> Float32:
    """The matte without marks that the grain hides, and without the pixels around a mark that hold nothing of it.

    A mark's rim is repaired in part, since the scanner's blur spreads a defect beyond what is found of it. Where the
    scan does not differ there from the clean picture, in the mark's own colour and by more than grain does, nothing
    was spread. And a whole mark that a repair would change by less than the grain about it differs from pixel to pixel
    is either no damage or none that can be seen.

    Args:
        net: The scan, shape (h, w, 3), net.
        clean: What stands under the marks, shape (h, w, 3), net.
        mended: What the repair would lay in, shape (h, w, 3), net.
        matte: Shape (h, w): 1 inside the marks, between 0 and 1 on their rims.
        confidence: Of the method, 0..1, shape (h, w).
        wanted: Shape (h, w): a mark that holds any of it stays, however faint.
        model: The shot's grain; without it a rim has to differ in the mark's own direction, and no mark is faint.

    Returns:
        Shape (h, w), float32.
    """
    core = matte >= 1
    count, labels = cv2.connectedComponents(core.astype(np.uint8), connectivity=8)
    reached = matte > 0
    owner = np.asarray(cv2.dilate(labels.astype(np.float32), np.ones((3, 3), np.uint8)))[reached].astype(np.intp)
    inside = core[reached]
    owner[inside] = labels[core]
    under = np.nan_to_num(clean[reached])
    scan = np.nan_to_num(net[reached])
    deviation = np.zeros(len(under), np.float32) if model is None else model.deviation_at(under[None])[0].mean(axis=1)

    def total(values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Of each mark, over its inside."""
        return np.bincount(owner[inside], values[inside], count).astype(np.float64)  # of nothing it counts in integers

    colour = np.stack([total((scan - under)[:, channel]) for channel in range(3)], axis=1)
    colour /= np.maximum(np.linalg.norm(colour, axis=1, keepdims=True), 1e-12)
    empty = ~inside & (((scan - under) * colour[owner]).sum(axis=1) <= _RIM * deviation)

    area = np.maximum(total(np.ones(len(under))), 1)
    change = total((scan - np.nan_to_num(mended[reached])).mean(axis=1) ** 2)
    certain = np.zeros(count)
    np.maximum.at(certain, owner[inside], confidence[reached][inside])
    least = (_LEAST + _DOUBTFUL * np.clip(2 * (1 - certain), 0, 1)) * np.minimum(np.sqrt(_SMALL / area), 1)
    faint = change < np.square(least) * total(deviation**2)
    faint[owner[wanted[reached]]] = False
    out = matte.copy()
    out[reached] = np.where(empty | faint[owner], np.float32(0), matte[reached])
    return out
