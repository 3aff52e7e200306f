"""Damage pasted from pieces that no training saw, in the sizes and counts of real scans."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .light import Floats

_SCAN_AREA = 2048 * 1365
"""Pixels of a 36x24 mm scan at the 2K width that sizes and counts are given for."""


@dataclass(frozen=True)
class Kind:
    """One kind of pasted damage.

    Attributes:
        folders: Piece folders that it is drawn from.
        count: Objects a full 2K frame.
        low, middle, high: 5th, 50th and 95th percentile of the longest side, pixels.
        lasting: Whether it stays for the whole sequence.
        upright: Whether it is turned to run down the film.
    """

    folders: tuple[str, ...]
    count: float
    low: float
    middle: float
    high: float
    lasting: bool = False
    upright: bool = False


KINDS: dict[str, Kind] = {
    "dust": Kind(("dots", "spots"), 897, 2.8, 3.4, 5.1),
    "dirt": Kind(("dirt", "smut"), 336, 3.4, 5.0, 9.0),
    "short hair": Kind(("hair-short",), 124, 3.9, 7.5, 12.6),
    "long hair": Kind(("hair", "lint"), 20, 20.0, 60.0, 235.0, lasting=True),
    "scratch": Kind(("scratches",), 4.5, 242.0, 420.0, 782.0, lasting=True, upright=True),
}
"""Median counts and the sizes of 12,135 hand-drawn outlines on scans of 36x24 mm film, at 2K width."""


@dataclass(frozen=True)
class _Mark:
    """One piece in place: alpha (h, w), its corner, the light that it lets through."""

    alpha: Floats
    x: int
    y: int
    light: float


class Pieces:
    """The bench's share of a folder of pieces: files whose number is divisible by 5."""

    def __init__(self, folder: Path) -> None:
        self._alphas = {name: self._load(folder / name) for kind in KINDS.values() for name in kind.folders}

    @staticmethod
    def _load(folder: Path) -> list[Floats]:
        files = [path for path in sorted(folder.glob("*.png")) if path.stem.isdigit() and int(path.stem) % 5 == 0]
        if not files:
            raise InputError(f"{folder} holds no pieces numbered by fives (0000.png, 0005.png ...): give --pieces")
        alphas = []
        for path in files:
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise InputError(f"{path} cannot be read as an image")
            alphas.append(_trimmed(image.astype(np.float32) / 255))
        return alphas

    def draw(self, kind: Kind, rng: np.random.Generator) -> Floats:
        """One piece of that kind at a real size, peak alpha 1."""
        folder = self._alphas[kind.folders[int(rng.integers(len(kind.folders)))]]
        alpha = folder[int(rng.integers(len(folder)))]
        alpha = _upright(alpha) if kind.upright else np.rot90(alpha, int(rng.integers(4)))
        return _resized(alpha, _size(kind, rng), 24.0 if kind.upright else 0.0)


def paste(
    linear: list[Floats], pieces: Pieces, rng: np.random.Generator
) -> tuple[list[Floats], dict[str, NDArray[np.float32]]]:
    """Damage a sequence.

    Dust, dirt and short hair are new in each frame; long hair stays and quivers; scratches run through and
    wander. Half of the marks are dark, half light; every third is faint. At least one long hair and one
    scratch are laid in, so that a short sequence has every kind.

    Args:
        linear: Frames (h, w, 3), linear light.
        pieces: Where shapes come from.
        rng: Source of all chance.

    Returns:
        Damaged frames, and the alpha of each kind, (t, h, w).
    """
    height, width = linear[0].shape[:2]
    alphas = {name: np.zeros((len(linear), height, width), np.float32) for name in KINDS}
    damaged = [frame.copy() for frame in linear]
    for name, kind in KINDS.items():
        expected = kind.count * height * width / _SCAN_AREA
        lasting = [_mark(pieces, kind, height, width, rng) for _ in range(max(1, int(rng.poisson(expected))))]
        wander = 0.0
        for t, frame in enumerate(damaged):
            wander += float(rng.normal(0, 0.5))
            if kind.lasting:
                marks = [_moved(mark, kind, wander, rng) for mark in lasting]
            else:
                marks = [_mark(pieces, kind, height, width, rng) for _ in range(int(rng.poisson(expected)))]
            for mark in marks:
                _lay(frame, alphas[name][t], mark)
    return damaged, alphas


def _mark(pieces: Pieces, kind: Kind, height: int, width: int, rng: np.random.Generator) -> _Mark:
    strength = float(rng.uniform(0.15, 0.45) if rng.random() < 1 / 3 else rng.uniform(0.6, 1.0))
    alpha = pieces.draw(kind, rng) * np.float32(strength)
    rows, columns = alpha.shape
    light = float(rng.uniform(0.6, 1.0) if rng.random() < 0.5 else rng.uniform(0.0, 0.03))
    return _Mark(alpha, int(rng.integers(-columns // 2, width)), int(rng.integers(-rows // 2, height)), light)


def _moved(mark: _Mark, kind: Kind, wander: float, rng: np.random.Generator) -> _Mark:
    """A lasting mark in another frame: scratches slide along the film, hairs quiver."""
    if kind.upright:
        alpha = np.roll(mark.alpha, int(rng.integers(mark.alpha.shape[0])), axis=0)
        return _Mark(alpha * np.float32(rng.uniform(0.7, 1.0)), mark.x + round(wander), mark.y, mark.light)
    return _Mark(mark.alpha, mark.x + int(rng.integers(-1, 2)), mark.y + int(rng.integers(-1, 2)), mark.light)


def _lay(frame: Floats, total: Floats, mark: _Mark) -> None:
    """Lays one mark over the frame and adds it to the kind's alpha, both in place."""
    height, width = total.shape
    y0, x0 = max(mark.y, 0), max(mark.x, 0)
    y1, x1 = min(mark.y + mark.alpha.shape[0], height), min(mark.x + mark.alpha.shape[1], width)
    if y0 >= y1 or x0 >= x1:
        return
    alpha = mark.alpha[y0 - mark.y : y1 - mark.y, x0 - mark.x : x1 - mark.x]
    place = frame[y0:y1, x0:x1]
    place += alpha[:, :, None] * (np.float32(mark.light) - place)
    under = total[y0:y1, x0:x1]
    under += alpha * (1 - under)


def _size(kind: Kind, rng: np.random.Generator) -> float:
    """A longest side: log-normal on either side of the median, through the kind's percentiles."""
    z = float(rng.normal())
    bound = kind.high if z > 0 else kind.low
    spread = abs(math.log(bound / kind.middle)) / 1.645
    return kind.middle * math.exp(np.clip(z, -2, 2) * spread)


def _trimmed(alpha: Floats) -> Floats:
    rows, columns = np.flatnonzero((alpha > 0.2).any(axis=1)), np.flatnonzero((alpha > 0.2).any(axis=0))
    return alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _upright(alpha: Floats) -> Floats:
    """Turned so that its long axis runs down."""
    y, x = np.nonzero(alpha > 0.2)
    covariance = np.cov(np.stack([x, y]).astype(np.float64))
    axis = np.linalg.eigh(covariance)[1][:, 1]
    angle = math.degrees(math.atan2(axis[0], axis[1]))
    size = math.ceil(math.hypot(*alpha.shape))
    turn = cv2.getRotationMatrix2D((alpha.shape[1] / 2, alpha.shape[0] / 2), -angle, 1.0)
    turn[:, 2] += (size - alpha.shape[1]) / 2, (size - alpha.shape[0]) / 2
    return _trimmed(cv2.warpAffine(alpha, turn, (size, size)).astype(np.float32))


def _resized(alpha: Floats, longest: float, elongation: float) -> Floats:
    """Scaled to a longest side (and, where given, an elongation), its peak brought back to 1."""
    scale = longest / max(alpha.shape)
    height, width = max(2, round(alpha.shape[0] * scale)), max(2, round(alpha.shape[1] * scale))
    if elongation:
        height, width = max(2, round(longest)), max(2, round(longest / elongation))
    small = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small / max(float(small.max()), 1e-3), np.float32)
