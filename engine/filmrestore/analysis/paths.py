"""Upright paths through a frame's strips: where what stands out hangs together from strip to strip."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

CHANCE = 1.2
"""Standard deviations of a strip that chance reaches, for a path may choose: what is more speaks for a line."""
LEAN = 0.4
"""What a step aside costs."""
LEAST = 6.0
"""Sum from which on a path is looked at."""
MOST = 40
"""Paths of one sign in one frame, the strongest."""
_APART = 3  # columns between two paths


@dataclass(frozen=True)
class Path:
    """A line in one frame.

    Attributes:
        sign: 1 light, -1 dark.
        top: Its first strip.
        columns: Its column in each strip from there on.
        score: Sum of what it stands out by, less what chance does.
    """

    sign: int
    top: int
    columns: NDArray[np.intp]
    score: float

    @property
    def strips(self) -> NDArray[np.intp]:
        return np.arange(self.top, self.top + len(self.columns))


def find_paths(evidence: Float32, sign: int, shortest: int) -> list[Path]:
    """The paths of one sign, strongest first; they may begin, pause and end anywhere.

    Args:
        evidence: Standard deviations that each place stands out by, (strips, columns).
        sign: Goes into the paths.
        shortest: Strips that a path must have.

    Source: local alignment, T. Smith and M. Waterman, "Identification of common molecular subsequences", 1981.
    """
    score, step = _grown(evidence)
    peaks = (score >= LEAST) & (score >= cv2.dilate(score, np.ones((5, 2 * _APART + 1), np.uint8)))
    rows, columns = np.nonzero(peaks)
    taken = np.zeros(score.shape, np.bool_)
    found: list[Path] = []
    for index in np.argsort(-score[rows, columns], kind="stable"):
        path = _traced(score, step, taken, int(rows[index]), int(columns[index]), sign)
        if path is None or path.score < LEAST or len(path.columns) < shortest:
            continue
        found.append(path)
        for strip, column in zip(path.strips, path.columns, strict=True):
            taken[strip, max(0, column - _APART) : column + _APART + 1] = True
        if len(found) == MOST:
            break
    return found


def _grown(evidence: Float32) -> tuple[Float32, NDArray[np.int8]]:
    """Best sum of a path that ends in each place, and where it came from: -1, 0, 1; 9 where it begins."""
    score = np.zeros(evidence.shape, np.float32)
    step = np.full(evidence.shape, 9, np.int8)
    before = np.zeros(evidence.shape[1], np.float32)
    for strip in range(len(evidence)):
        best, came = before.copy(), np.zeros(len(before), np.int8)
        left = np.concatenate([[np.float32(0)], before[:-1]]) - np.float32(LEAN)
        right = np.concatenate([before[1:], [np.float32(0)]]) - np.float32(LEAN)
        for other, shift in ((left, -1), (right, 1)):
            more = other > best
            best, came = np.where(more, other, best), np.where(more, np.int8(shift), came)
        came[best <= 0] = 9
        score[strip] = before = np.maximum(best + evidence[strip] - np.float32(CHANCE), 0)
        step[strip] = came
    return score, step


def _traced(
    score: Float32, step: NDArray[np.int8], taken: NDArray[np.bool_], strip: int, column: int, sign: int
) -> Path | None:
    """The path that ends there, as far as no stronger one has it."""
    if taken[strip, column]:
        return None
    total, columns = float(score[strip, column]), []
    while not taken[strip, column]:
        columns.append(column)
        if step[strip, column] == 9 or strip == 0:
            return Path(sign, strip, np.array(columns[::-1]), total)
        column, strip = column + int(step[strip, column]), strip - 1
    return Path(sign, strip + 1, np.array(columns[::-1]), total - float(score[strip, column]))
