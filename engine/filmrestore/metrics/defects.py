"""Figures about defects: found, fixed, and what was harmed on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.floating[Any]]  # (h, w) or (h, w, c), 0..1
Mask = NDArray[np.bool_]  # (h, w)

DAMAGED = 8 / 255
"""A pixel counts as damaged where the scan is further than this from the truth."""

CHANGED = 12 / 255
"""A pixel counts as harmed or erased where it is further than this from what it should be."""

SMALLEST_OBJECT = 3
"""Pixels that a connected set needs to count as an object."""

MARGIN = 2
"""Pixels around a defect that count as neither clean nor damaged."""


@dataclass(frozen=True)
class Share:
    """`part` of `whole`; nan where the whole is 0."""

    part: int = 0
    whole: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.part + other.part, self.whole + other.whole)

    @property
    def share(self) -> float:
        return self.part / self.whole if self.whole else math.nan


@dataclass(frozen=True)
class Found:
    """Detection counts: `hits` of `real` defects found, `right` of `claimed` detections justified."""

    hits: int = 0
    real: int = 0
    right: int = 0
    claimed: int = 0

    def __add__(self, other: Found) -> Found:
        return Found(
            self.hits + other.hits, self.real + other.real, self.right + other.right, self.claimed + other.claimed
        )

    @property
    def recall(self) -> float:
        return Share(self.hits, self.real).share

    @property
    def precision(self) -> float:
        return Share(self.right, self.claimed).share

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision; 0 where defects or detections exist and none match."""
        if not self.real and not self.claimed:
            return math.nan
        if not self.hits or not self.right:
            return 0.0
        return 2 * self.recall * self.precision / (self.recall + self.precision)


@dataclass(frozen=True)
class Touched:
    """Clean pixels that changed.

    Attributes:
        changed: Clean pixels with any change at all.
        clean: All clean pixels.
        total_change: Sum over the changed ones of the largest channel's absolute change.
    """

    changed: int = 0
    clean: int = 0
    total_change: float = 0.0

    def __add__(self, other: Touched) -> Touched:
        return Touched(self.changed + other.changed, self.clean + other.clean, self.total_change + other.total_change)

    @property
    def share(self) -> float:
        return Share(self.changed, self.clean).share

    @property
    def mean_change(self) -> float:
        """Over the changed pixels; 0 where none changed."""
        return self.total_change / self.changed if self.changed else 0.0


@dataclass(frozen=True)
class Error:
    """Sum of squared errors over `count` samples."""

    squares: float = 0.0
    count: int = 0

    def __add__(self, other: Error) -> Error:
        return Error(self.squares + other.squares, self.count + other.count)

    @property
    def psnr(self) -> float:
        """dB against a peak of 1; inf for no error, nan for no samples."""
        if not self.count:
            return math.nan
        return math.inf if self.squares == 0 else -10 * math.log10(self.squares / self.count)


def largest_difference(a: Picture, b: Picture) -> NDArray[np.float32]:
    """Absolute difference of the channel that differs most, (h, w)."""
    difference = np.abs(np.asarray(a, np.float32) - np.asarray(b, np.float32))
    if difference.ndim == 2:
        return difference
    # A reduction over so short an axis is ten times slower.
    largest = difference[..., 0].copy()
    for channel in range(1, difference.shape[2]):
        np.maximum(largest, difference[..., channel], out=largest)
    return largest


def dilate(mask: Mask, radius: int = MARGIN) -> Mask:
    """The mask grown by `radius` pixels, as a square (Chebyshev distance)."""
    import cv2

    if radius == 0:
        return mask.copy()
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel), bool)


def label(mask: Mask, smallest: int = SMALLEST_OBJECT) -> tuple[NDArray[np.int32], int]:
    """Connected sets (8 neighbours) of at least `smallest` pixels.

    Returns:
        Labels (h, w), 0 for none and 1..count for the objects; and their count.
    """
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= smallest
    keep[0] = False
    renumbered = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return renumbered[labels], int(keep.sum()) if count else 0


def _objects_half_inside(objects: Mask, area: Mask, smallest: int) -> Share:
    labels, count = label(objects, smallest)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    inside = np.bincount(labels[area], minlength=count + 1)[1:]
    return Share(int((inside * 2 >= sizes).sum()), count)


def found_pixels(matte: Picture, mask: Mask, threshold: float = 0.5) -> Found:
    """Detection by pixel: a pixel is detected where the matte is at or above `threshold`."""
    detected = matte >= threshold
    both = int((detected & mask).sum())
    return Found(both, int(mask.sum()), both, int(detected.sum()))


def found_objects(matte: Picture, mask: Mask, threshold: float = 0.5, smallest: int = SMALLEST_OBJECT) -> Found:
    """Detection by object.

    A defect is found when half of its area or more is detected (matte at or above `threshold`). A detection
    is right when half of its area or more lies in the mask grown by 2 px. Both count connected sets of at
    least `smallest` pixels.
    """
    detected = matte >= threshold
    hits = _objects_half_inside(mask, detected, smallest)
    right = _objects_half_inside(detected, dilate(mask), smallest)
    return Found(hits.part, hits.whole, right.part, right.whole)


def defect_error(result: Picture, truth: Picture, mask: Mask) -> Error:
    """Squared error over the pixels of the mask, all channels."""
    difference = np.asarray(result, np.float64)[mask] - np.asarray(truth, np.float64)[mask]
    return Error(float(np.square(difference).sum()), difference.size)


def defect_psnr(result: Picture, truth: Picture, mask: Mask) -> float:
    """PSNR in dB over the pixels of the mask only; nan where the mask is empty."""
    return defect_error(result, truth, mask).psnr


def touched(result: Picture, scan: Picture, mask: Mask) -> Touched:
    """Pixels outside the mask (grown by 2 px) that differ from the scan at all, and by how much."""
    clean = ~dilate(mask)
    change = largest_difference(result, scan)[clean]
    return Touched(int((change > 0).sum()), int(clean.sum()), float(change.sum(dtype=np.float64)))


def objects_fixed(result: Picture, scan: Picture, truth: Picture) -> Share:
    """Defect objects that were repaired.

    An object is a connected set of at least 3 pixels whose damage, the scan's largest channel difference to
    the truth, is over 8/255. It is fixed when over more than half of its area the result's error is at most
    half of the damage.
    """
    damage = largest_difference(scan, truth)
    labels, count = label(damage > DAMAGED)
    better = largest_difference(result, truth) <= damage / 2
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    repaired = np.bincount(labels[better], minlength=count + 1)[1:]
    return Share(int((repaired * 2 > sizes).sum()), count)


def harm(result: Picture, truth: Picture, mask: Mask) -> Share:
    """Pixels outside the mask (grown by 2 px) whose error to the truth is over 12/255."""
    clean = ~dilate(mask)
    return Share(int((largest_difference(result, truth)[clean] > CHANGED).sum()), int(clean.sum()))


def erasure(results: Sequence[Picture], scans: Sequence[Picture]) -> tuple[float, float]:
    """Share of pixels of undamaged frames that were changed by more than 12/255: mean and worst frame.

    Raises:
        ValueError: no frames, or not as many results as scans.
    """
    shares = [
        float((largest_difference(result, scan) > CHANGED).mean()) for result, scan in zip(results, scans, strict=True)
    ]
    if not shares:
        raise ValueError("erasure needs one frame at least, none came")
    return sum(shares) / len(shares), max(shares)
