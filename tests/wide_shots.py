"""Shots whose light, place and dyes are known in every frame, for the tests of frame-wide fixes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from film import write_image
from filmrestore.analysis import Analysis, analyse
from filmrestore.colour import Colour, open_colour
from filmrestore.frame import Format
from filmrestore.media import Shot, open_shot
from filmrestore.settings import RestoreSettings
from filmrestore.wide.lay import lay
from filmrestore.wide.plan import WidePlan

F64 = NDArray[np.float64]
HEIGHT, WIDTH = 120, 160


def plate(seed: int, height: int = HEIGHT + 120, width: int = WIDTH + 200) -> F64:
    """A still picture in light, 0.02 to 0.8, with soft shapes and fine detail, shape (height, width, 3)."""
    rng = np.random.default_rng(seed)
    layers = []
    for _ in range(3):
        soft = sum(
            weight * cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), sigma) * sigma
            for sigma, weight in ((20, 1.0), (5, 0.5), (1.2, 0.25))
        )
        layers.append(soft)
    common = 0.7 * layers[0][..., None] + 0.3 * np.stack(layers, axis=2)
    ranked = (common - common.min()) / (common.max() - common.min())
    return np.asarray(0.02 + 0.78 * ranked**2)


def moving(
    number: int, scene: F64, *, pan: float = 1.5, shift: tuple[float, float] = (0.0, 0.0), ball: bool = True
) -> F64:
    """Frame `number` of a pan over the scene, with a bright ball that crosses it; `shift` moves all of it, px."""
    x, y = 20 + pan * number + shift[0], 20.0 + shift[1]
    matrix = np.array(((1.0, 0.0, x), (0.0, 1.0, y)))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    light = cv2.warpAffine(scene, matrix, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    if not ball:
        return np.asarray(np.clip(light, 0.0, 1.0))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    away = np.hypot(rows - 70 + shift[1], columns - (10 + 3.0 * number) % (WIDTH + 40) + 20 + shift[0])
    cover = np.clip(14.5 - away, 0, 1)[..., None]
    return np.asarray(np.clip(light * (1 - cover) + 0.7 * cover, 0.0, 1.0))


def coded(light: F64) -> F64:
    """Light as shares of full scale of an sRGB file.

    Source: IEC 61966-2-1.
    """
    light = np.clip(light, 0, 1)
    return np.asarray(np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))


def write(
    folder: Path, frames: list[F64], *, first: int = 1001, grain: float = 0.006, skip: tuple[int, ...] = ()
) -> str:
    """Writes light as 16-bit sRGB, with grain that is new in each frame; gives the pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, light in enumerate(frames, first):
        if number not in skip:
            noise = np.random.default_rng(number).normal(0, grain, light.shape)
            codes = np.rint(np.clip(coded(light) + noise, 0, 1) * 65535).astype(np.uint16)
            write_image(folder / f"shot.{number:04d}.png", codes)
    return str(folder / "shot.####.png")


def opened(pattern: str) -> tuple[Shot, Colour]:
    """The shot, and its colour."""
    shot = open_shot(pattern, missing="allow")
    return shot, open_colour(shot.format, colourspace="srgb")


def corrected(
    pattern: str, settings: RestoreSettings, *, cuts: tuple[int, ...] | None = None
) -> tuple[Analysis, WidePlan, dict[int, F64]]:
    """The analysis, the plan, and every frame with its frame-wide fixes, as shares of full scale."""
    found = looked_at(pattern, cuts)
    shot, colour = opened(pattern)
    plan = WidePlan(found, found.cuts, settings, colour, shot.format)
    done = {n: shares(lay(shot.read(n).codes, plan.of(n), shot.format), shot.format) for n in shot.available}
    return found, plan, done


@lru_cache(8)
def looked_at(pattern: str, cuts: tuple[int, ...] | None) -> Analysis:
    """The analysis of a shot, made once."""
    return analyse(*opened(pattern), cuts=cuts)


def shares(codes: NDArray[np.generic], format: Format) -> F64:
    """Codes as shares of full scale."""
    return np.asarray(codes, np.float64) / format.white
