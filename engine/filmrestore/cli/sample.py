"""A sample shot for who has no film at hand: photographs in motion, as a 10-bit log DPX sequence.

The photographs come with scikit-image: a motorcycle of the Middlebury stereo set with its depth (D. Scharstein), the
astronaut Eileen Collins (NASA) and a cup of coffee (R. Michetti); all are in the public domain or CC0.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from ..colour import open_colour
from ..errors import OutputError, UsageError
from ..frame import Codes, Format
from ..media import atomic_write

Float32 = NDArray[np.float32]

WIDTH, HEIGHT = 960, 720
FIRST, FRAMES = 1001, 24
CUT = 15  # frames of the first shot
_SHUTTER = 0.5  # share of the frame's time in which a fast thing smears
_FORMAT = Format(
    width=WIDTH, height=HEIGHT, channels=("R", "G", "B"), dtype="uint16", bits=10, container="dpx", lossless=True
)


def make_sample(folder: Path, progress: Callable[[str, int, int], None]) -> str:
    """Write the clean sample shot, and say its pattern; frames that are there stay.

    Raises:
        UsageError: scikit-image is not installed.
        OutputError: the folder cannot be written.
    """
    colour = open_colour(_FORMAT, colourspace="cineon")
    paths = [folder / f"sample.{FIRST + index}.dpx" for index in range(FRAMES)]
    if not all(path.exists() for path in paths):
        garage, portrait = _Garage(), _Portrait()
        for index, path in enumerate(paths):
            light = garage.light(index) if index < CUT else portrait.light(index - CUT)
            _write_dpx(path, colour.from_linear(light * np.float32(0.9)))
            progress("sample", index + 1, FRAMES)
    return str(folder / "sample.####.dpx")


def _photograph(name: str) -> Float32:
    """A photograph of scikit-image in linear light, shape (h, w, 3)."""
    try:
        from skimage import data
    except ImportError as error:
        raise UsageError(
            "the sample shot is made of scikit-image's photographs: pip install 'filmrestore[demo]'"
        ) from error
    display = (data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()) / np.float32(255)
    light: Float32 = np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4).astype("f4")
    return light


class _Garage:
    """A slow pan over a scene with depth, while a plate is thrown across it."""

    def __init__(self) -> None:
        from skimage import data

        self._picture = _photograph("motorcycle")
        depth = np.nan_to_num(data.stereo_motorcycle()[2].astype(np.float32), posinf=0.0)
        # Holes of the measured depth would tear the picture: the nearest surface around fills them.
        self._depth = cv2.GaussianBlur(cv2.dilate(depth, np.ones((9, 9), np.uint8)), (0, 0), 3)
        cup = _photograph("coffee")[40:360, 120:440]
        self._plate = cv2.resize(cup, (150, 150), interpolation=cv2.INTER_AREA)
        rows, columns = np.mgrid[-1:1:150j, -1:1:150j]
        self._round = np.clip((1 - np.hypot(rows, columns)) * 40, 0, 1).astype(np.float32)[:, :, None]

    def light(self, index: int) -> Float32:
        scale = self._picture.shape[0] * 0.94 / HEIGHT
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
        x = columns * scale + np.float32(15 + 4.1 * index)
        y = rows * scale + np.float32(12 + 0.5 * index)
        near = cv2.remap(self._depth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        x += near * np.float32(0.012 * (index - CUT / 2))
        picture = cv2.remap(self._picture, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
        steps = [self._thrown(picture, index + _SHUTTER * part / 24) for part in range(24)]
        exposed: Float32 = np.maximum(np.mean(steps, axis=0, dtype=np.float32), np.float32(0))
        return exposed

    def _thrown(self, picture: Float32, time: float) -> Float32:
        x, y = -120 + 95 * time, 420 - 62 * time + 3.6 * time**2
        turn = cv2.getRotationMatrix2D((75, 75), 23 * time, 1.0)
        turn[:, 2] += (x, y)
        alpha = cv2.warpAffine(self._round, turn, (WIDTH, HEIGHT))[:, :, None]
        plate: Float32 = picture * (1 - alpha) + cv2.warpAffine(self._plate, turn, (WIDTH, HEIGHT)) * alpha
        return plate


class _Portrait:
    """A slow zoom."""

    def __init__(self) -> None:
        self._picture = _photograph("astronaut")

    def light(self, index: int) -> Float32:
        zoom = WIDTH / 500 * 1.012**index
        turn = cv2.getRotationMatrix2D((230, 170), 0.12 * index, zoom)
        turn[:, 2] += (WIDTH / 2 - 230, HEIGHT / 2 - 170)
        picture: Float32 = cv2.warpAffine(
            self._picture, turn, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        return picture.clip(0)


def _write_dpx(path: Path, codes: Codes) -> None:
    spec = oiio.ImageSpec(WIDTH, HEIGHT, 3, oiio.UINT16)
    spec.attribute("oiio:BitsPerSample", 10)
    spec.attribute("dpx:Transfer", "Printing density")
    spec.attribute("dpx:FrameRate", 24.0)
    with atomic_write(path, sync=False) as temporary:
        output: Any = oiio.ImageOutput.create("dpx")
        # OpenImageIO takes 10 bits as the high ones of 16.
        wide = (codes << 6) | (codes >> 4)
        if not (output.open(str(temporary), spec) and output.write_image(wide) and output.close()):
            raise OutputError(f"{path}: cannot be written: {output.geterror()}")
