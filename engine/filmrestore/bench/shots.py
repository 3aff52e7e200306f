"""Shots that the benches make themselves: a moving picture with grain and known damage, in files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import OpenImageIO as oiio

from ..damage import Damage
from ..errors import CorruptFile, OutputError
from ..settings import DEGRADE_PRESETS
from .light import Codes16, Floats, to_display, to_linear

GRAIN = 0.012
"""Standard deviation of the grain in display units."""


def make_shot(
    folder: Path,
    width: int,
    height: int,
    frames: int,
    *,
    bits: int = 16,
    suffix: str = "dpx",
    seed: int = 0,
    unique: int = 6,
) -> str:
    """Write a worn shot and give its pattern; frames that are there already are kept.

    Args:
        folder: Where the frames go.
        bits: 10 or 16; sRGB codes over the full range.
        suffix: "dpx" or "tif".
        unique: Frames that really differ; further ones are links to these, there and back again, which a
            reader cannot tell apart from others.

    Raises:
        OutputError: a frame cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = Damage(replace(DEGRADE_PRESETS["worn"], seed=seed, grain=0.0), height, width)
    wide = texture(width + 8 * unique + 64, height + 4 * unique + 64, seed)
    for number in range(1, frames + 1):
        path = folder / f"{number:04d}.{suffix}"
        if path.exists():
            continue
        bounce = (number - 1) % max(1, 2 * unique - 2)
        original = bounce + 1 if bounce < unique else 2 * unique - 1 - bounce
        if original < number:
            os.link(folder / f"{original:04d}.{suffix}", path)
        else:
            light = model.apply(to_linear(frame_of(wide, width, height, number, seed)), number).scan
            write_codes(path, np.rint(to_display(light) * ((1 << bits) - 1)).astype(np.uint16), bits)
    return str(folder / f"####.{suffix}")


def texture(width: int, height: int, seed: int) -> Floats:
    """A still picture with detail of every size, shape (height, width, 3), display values."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 0.45, np.float32)
    for cell, amount in ((160, 0.16), (40, 0.08), (10, 0.04), (4, 0.02)):
        coarse = rng.normal(0, amount, (height // cell + 3, width // cell + 3, 3)).astype(np.float32)
        picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0.02, 0.98)


def frame_of(wide: Floats, width: int, height: int, number: int, seed: int) -> Floats:
    """The texture panned, a disc crossing fast, and new grain."""
    x, y = 5 * number % (wide.shape[1] - width), 2 * number % (wide.shape[0] - height)
    frame = wide[y : y + height, x : x + width].copy()
    centre = (int(width * 0.1 + number * width * 0.04) % width, height // 2)
    cv2.circle(frame, centre, max(3, height // 12), (0.85, 0.8, 0.7), -1, cv2.LINE_AA)
    rng = np.random.default_rng([seed, number])
    frame += np.float32(GRAIN) * rng.standard_normal(frame.shape, np.float32)
    return frame


def write_codes(path: Path, codes: Codes16, bits: int) -> None:
    """Three-channel codes of 10 or 16 bits to a DPX or TIFF file.

    Raises:
        OutputError: it cannot be written.
    """
    # OpenImageIO takes 16-bit values and shifts them down to the file's depth.
    scaled = codes if bits == 16 else np.rint(codes.astype(np.float64) * (65535 / ((1 << bits) - 1))).astype(np.uint16)
    spec = oiio.ImageSpec(codes.shape[1], codes.shape[0], 3, "uint16")
    spec["oiio:BitsPerSample"] = bits
    out = oiio.ImageOutput.create(str(path))
    if out is None:
        raise OutputError(f"cannot write {path}: {oiio.geterror()}")
    written = out.open(str(path), spec) and out.write_image(scaled)
    out.close()
    if not written:
        raise OutputError(f"cannot write {path}: {out.geterror()}")


def read_codes(path: Path) -> Codes16:
    """An image through OpenImageIO, as 16-bit codes over the full range, (h, w, channels).

    Raises:
        CorruptFile: it cannot be read.
    """
    image = oiio.ImageBuf(str(path))
    codes = image.get_pixels(oiio.UINT16)
    if image.has_error or codes is None:
        raise CorruptFile(f"cannot read {path}: {image.geterror()}")
    return np.asarray(codes, np.uint16)
