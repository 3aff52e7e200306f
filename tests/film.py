"""Small shots on disk for tests: a moving picture with grain, a speck here and there, in any format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

SPECKS = {1003: (20, 30), 1005: (60, 71), 1006: (11, 90), 1008: (40, 41)}
"""Frame -> (row, column) of its one speck, 4 x 4 pixels."""


def picture(number: int, height: int, width: int, *, speck: bool = True) -> NDArray[np.float32]:
    """A frame in 0..1, shape (h, w, 3): a slow pan over soft texture, grain, and the frame's speck."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    columns = columns + 0.5 * (number - 1000)
    texture = 0.4 + 0.15 * np.sin(rows / 9) * np.cos(columns / 13) + 0.1 * np.sin(columns / 31 + rows / 17)
    colour = np.stack([texture, texture * 0.9 + 0.03, texture * 0.8 + 0.05], axis=-1)
    grain = np.random.default_rng(number).normal(0, 0.006, colour.shape)
    frame = np.clip(colour + grain, 0, 1).astype(np.float32)
    if speck and number in SPECKS:
        row, column = SPECKS[number]
        frame[row : row + 4, column : column + 4] = 0.02
    return frame


def write_image(
    path: Path,
    codes: NDArray[np.generic],
    *,
    bits: int = 0,
    windows: dict[str, int] | None = None,
    **attributes: object,
) -> None:
    """Writes codes as they are; the extension chooses the format, `windows` sets x, y, full_width ... of the spec."""
    kinds = {"uint8": "uint8", "uint16": "uint16", "float16": "half", "float32": "float", "uint32": "uint32"}
    spec = oiio.ImageSpec(codes.shape[1], codes.shape[0], codes.shape[2], kinds[str(codes.dtype)])
    if bits:
        spec.attribute("oiio:BitsPerSample", bits)
    for name, place in (windows or {}).items():
        setattr(spec, name, place)
    for name, value in attributes.items():
        spec.attribute(name, value)
    output = oiio.ImageOutput.create(str(path))
    assert output is not None and output.open(str(path), spec), oiio.geterror()
    assert output.write_image(np.ascontiguousarray(codes)), output.geterror()
    output.close()


def write_shot(
    folder: Path,
    count: int = 12,
    *,
    height: int = 90,
    width: int = 133,
    extension: str = "png",
    dtype: str = "uint16",
    first: int = 1000,
) -> str:
    """Writes `count` frames and gives their pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        frame = picture(number, height, width)
        white = np.iinfo(dtype).max if dtype.startswith("uint") else 1
        codes = np.round(frame * white) if dtype.startswith("uint") else frame
        write_image(folder / f"shot.{number:04d}.{extension}", codes.astype(dtype))
    return str(folder / f"shot.####.{extension}")


def read_codes(path: Path) -> NDArray[np.generic]:
    """All channels of an image in the file's own type."""
    image = oiio.ImageInput.open(str(path))
    assert image is not None, oiio.geterror()
    codes = image.read_image(image.spec().format)
    image.close()
    return codes
