"""Shapes of specks and blotches: own generators, and a folder of drawn masks."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptFile, InputError
from .canvas import Plane
from .chance import generator

Draw = np.random.Generator
BANK = 48  # shapes a family; turned, squeezed and mirrored, no two look the same
SIDE = 64


@dataclass(frozen=True)
class Shape:
    """One outline at several sizes, each half the one before.

    Attributes:
        levels: Alpha 0..1, square, largest first.
        areas: Sum of alpha of each level, px^2.
    """

    levels: tuple[Plane, ...]
    areas: tuple[float, ...]


def make_shape(alpha: Plane) -> Shape:
    """A shape from its alpha: cropped to what is there, centred in a square, with its smaller levels."""
    rows, columns = np.nonzero(alpha > 0.02)
    if rows.size:
        alpha = alpha[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    side = 1 << max(2, math.ceil(math.log2(max(alpha.shape) + 2)))
    square = np.zeros((side, side), np.float32)
    top, left = (side - alpha.shape[0]) // 2, (side - alpha.shape[1]) // 2
    square[top : top + alpha.shape[0], left : left + alpha.shape[1]] = alpha
    levels = [square]
    while levels[-1].shape[0] > 4:
        half = levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], (half, half), interpolation=cv2.INTER_AREA))
    return Shape(tuple(levels), tuple(max(float(level.sum()), 1e-3) for level in levels))


def cloud(draw: Draw, side: int, octaves: Sequence[tuple[int, float]]) -> Plane:
    """Smooth noise: octaves of (cells a side, weight), values of about N(0, sum of squared weights)."""
    total = np.zeros((side, side), np.float32)
    for cells, weight in octaves:
        grid = draw.standard_normal((cells, cells), dtype=np.float32)
        total += np.float32(weight) * cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
    return total


def largest_part(alpha: Plane) -> Plane:
    """The alpha with only its largest connected part left."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8))
    if count < 2:
        return alpha
    keep = (labels == 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    return np.asarray(alpha * cv2.dilate(keep, np.ones((3, 3), np.uint8)), np.float32)


def _grid(side: int) -> tuple[Plane, Plane]:
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side * 2.0 - 1.0
    return np.broadcast_to(axis[None, :], (side, side)), np.broadcast_to(axis[:, None], (side, side))


def grain_of_dust(draw: Draw) -> Plane:
    """A compact particle: a rounded chip with a slightly rough edge."""
    x, y = _grid(SIDE)
    field = np.full((SIDE, SIDE), 9.0, np.float32)
    corners = int(draw.integers(4, 8))
    for turn in (np.arange(corners) + draw.uniform(-0.35, 0.35, corners)) * (2 * math.pi / corners):
        field = np.minimum(field, np.float32(draw.uniform(0.42, 0.62)) - math.cos(turn) * x - math.sin(turn) * y)
    field = np.minimum(field, np.float32(0.62) - np.hypot(x, y)) + 0.10 * cloud(draw, SIDE, [(6, 1.0), (12, 0.5)])
    return largest_part(np.clip(0.5 + field * 6.0, 0.0, 1.0).astype(np.float32))


def crumb_of_dirt(draw: Draw) -> Plane:
    """A crumb: a few lumps grown together, ragged, at times with a thin place inside."""
    x, y = _grid(SIDE)
    field = np.full((SIDE, SIDE), -9.0, np.float32)
    for _ in range(int(draw.integers(1, 5))):
        cx, cy = draw.normal(0.0, 0.22, 2)
        squeeze = 2.0 ** draw.uniform(-0.5, 0.5)
        field = np.maximum(
            field, np.float32(draw.uniform(0.25, 0.5)) - np.hypot((x - cx) * squeeze, (y - cy) / squeeze)
        )
    rough = draw.uniform(0.06, 0.2)
    field += np.float32(rough) * cloud(draw, SIDE, [(4, 0.6), (9, 0.6), (22, 0.7), (44, 0.4)])
    alpha = np.clip(0.5 + field * 9.0, 0.0, 1.0).astype(np.float32)
    thin = np.clip(1.0 - 0.35 * np.maximum(cloud(draw, SIDE, [(4, 1.0), (9, 0.6)]) - 0.4, 0.0), 0.3, 1.0)
    return largest_part(alpha) * np.asarray(thin, np.float32)


def patch_of_blotch(draw: Draw) -> Plane:
    """A patch where emulsion flaked or a liquid dried: ragged, uneven inside, darker along its edge."""
    side = 4 * SIDE
    x, y = _grid(side)
    lumps = np.full((side, side), -9.0, np.float32)
    for _ in range(int(draw.integers(1, 6))):
        cx, cy = draw.normal(0.0, 0.2, 2)
        lumps = np.maximum(lumps, np.float32(draw.uniform(0.2, 0.45)) - np.hypot(x - cx, y - cy))
    lumps += np.float32(0.16) * cloud(draw, side, [(5, 0.9), (11, 0.6), (24, 0.35), (60, 0.2)])
    edge = draw.uniform(10.0, 40.0)
    alpha = largest_part(np.clip(0.5 + lumps * edge, 0.0, 1.0).astype(np.float32))
    inside = np.clip(draw.uniform(0.35, 1.0) + 0.25 * cloud(draw, side, [(4, 0.7), (16, 0.5), (48, 0.3)]), 0.08, 1.0)
    tide = np.exp(-np.abs(lumps - 0.03) * draw.uniform(25.0, 60.0)) * draw.uniform(0.0, 0.7)
    return np.asarray(alpha * np.clip(inside + tide, 0.0, 1.0), np.float32)


def growth_of_mould(draw: Draw) -> Plane:
    """A colony: threads that branch outward from a few seeds, in a faint halo."""
    side = 4 * SIDE
    threads = np.zeros((side, side), np.uint8)
    tips = [(*(side / 2 + draw.normal(0.0, side / 24, 2)), float(turn)) for turn in draw.uniform(0, 2 * math.pi, 22)]
    for _ in range(5):
        grown: list[tuple[float, float, float]] = []
        for x, y, turn in tips:
            here = (float(x), float(y))
            heading = turn
            for _ in range(int(draw.integers(3, 8))):
                heading += draw.normal(0.0, 0.28)
                there = here[0] + 5.0 * math.cos(heading), here[1] + 5.0 * math.sin(heading)
                ends = [tuple(round(v * 16) for v in point) for point in (here, there)]
                cv2.line(threads, ends[0], ends[1], 255, 1, cv2.LINE_AA, 4)
                here = there
                if draw.random() < 0.3 and len(grown) < 220:
                    grown.append((*here, heading + float(draw.choice([-1.0, 1.0])) * draw.uniform(0.4, 1.0)))
            grown.append((*here, heading))
        tips = grown
    alpha = threads.astype(np.float32) / 255.0
    feather = cv2.GaussianBlur(alpha, (0, 0), 0.8)
    x, y = _grid(side)
    inside = np.clip((0.95 - np.hypot(x, y)) * 4.0, 0.0, 1.0)
    halo = cv2.GaussianBlur(alpha, (0, 0), 9.0) * (1.0 + 0.4 * cloud(draw, side, [(8, 0.7), (32, 0.5)]))
    return np.asarray(np.clip(0.8 * feather + 0.8 * halo, 0.0, 1.0) * inside, np.float32)


FAMILIES: dict[str, Callable[[Draw], Plane]] = {
    "dust": grain_of_dust,
    "dirt": crumb_of_dirt,
    "blotch": patch_of_blotch,
    "mould": growth_of_mould,
}


@functools.cache
def own_shape(family: str, index: int) -> Shape:
    """One of the bank's shapes of a family; every process makes the same ones."""
    return make_shape(FAMILIES[family](generator("shape", family, index)))


def stamp(
    shape: Shape,
    area: float,
    x: float,
    y: float,
    *,
    turn: float,
    squeeze: float = 1.0,
    soft: float = 0.0,
    mirror: bool = False,
) -> tuple[Plane, int, int]:
    """A shape at a size and place, to a fraction of a pixel.

    Args:
        shape: What to draw.
        area: Wanted sum of its alpha, px^2.
        x, y: Centre in the frame, px; (0, 0) is the corner of the first pixel.
        turn: Angle, radians.
        squeeze: Elongation given to it.
        soft: Levels of the pyramid to step down, for an edge out of focus.
        mirror: Whether it is drawn mirrored.

    Returns:
        (alpha, top, left) of the stamp.
    """
    wanted = math.sqrt(area / shape.areas[0])
    step = math.log2(1.0 / wanted) if wanted < 1.0 else 0.0
    level = min(len(shape.levels) - 1, max(0, math.floor(step + soft)))
    source = shape.levels[level]
    scale = math.sqrt(area / shape.areas[level])
    long, short = scale * math.sqrt(squeeze), scale / math.sqrt(squeeze)
    reach = math.ceil(source.shape[0] * 0.5 * max(long, short) * 1.42) + 1
    left, top = math.floor(x) - reach, math.floor(y) - reach
    side = 2 * reach + 1
    cosine, sine = math.cos(turn), math.sin(turn)
    flip = -1.0 if mirror else 1.0
    matrix = np.array([[flip * cosine / long, flip * sine / long, 0.0], [-sine / short, cosine / short, 0.0]])
    centre = np.array([x - left - 0.5, y - top - 0.5])
    matrix[:, 2] = (source.shape[0] - 1) / 2.0 - matrix[:, :2] @ centre
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(source, matrix, (side, side), flags=flags), top, left


class MaskFolder:
    """A folder of masks: subfolders of 8-bit gray pictures whose values are alpha.

    Args:
        path: The folder, with subfolders such as dirt, dots, hair, hair-short, lint, scratches, smut, stain.
        exclude_every: Leaves out files whose number is divisible by this; 0 leaves out none.

    Raises:
        InputError: no such folder, or no pictures in it.
    """

    def __init__(self, path: str | Path, *, exclude_every: int = 0) -> None:
        self.path = Path(path)
        self.exclude_every = exclude_every
        self.groups: dict[str, tuple[Path, ...]] = {}
        if not self.path.is_dir():
            raise InputError(f"no folder of masks at {self.path}: give a folder with subfolders of gray PNG pictures")
        for folder in sorted(entry for entry in self.path.iterdir() if entry.is_dir()):
            files = [file for place, file in enumerate(sorted(folder.glob("*.png"))) if self._wanted(place, file)]
            if files:
                self.groups[folder.name] = tuple(files)
        if not self.groups:
            raise InputError(f"no masks in {self.path}: expected subfolders with gray PNG pictures")
        self._shape = functools.lru_cache(maxsize=512)(self._read)

    def _wanted(self, place: int, file: Path) -> bool:
        number = int(file.stem) if file.stem.isdecimal() else place
        return not self.exclude_every or number % self.exclude_every != 0

    def has(self, group: str) -> bool:
        """Whether there is a subfolder of that name with pictures in it."""
        return group in self.groups

    def pick(self, group: str, draw: Draw) -> Shape:
        """A shape of a subfolder, drawn by chance."""
        files = self.groups[group]
        return self._shape(files[int(draw.integers(len(files)))])

    def _read(self, file: Path) -> Shape:
        picture: NDArray[np.uint8] | None = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise CorruptFile(f"{file} is no picture: expected a gray PNG; remove it from the folder or replace it")
        shrink = min(1.0, 8 * SIDE / max(picture.shape))
        alpha = picture.astype(np.float32) / 255.0
        if shrink < 1.0:
            alpha = cv2.resize(alpha, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        return make_shape(alpha)
