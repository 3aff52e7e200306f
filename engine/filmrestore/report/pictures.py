"""Pictures for the page: scans as a screen shows them, mattes by origin, shrunk and packed into data URIs."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..colour import Colour, open_colour
from ..errors import ColourError
from ..fixes import RecordedFix
from ..frame import Box, Codes, Format

Picture = NDArray[np.uint8]  # (h, w, 3), red first

ORIGIN_COLOURS = {"recovered": (232, 232, 232), "interpolated": (226, 178, 74), "generated": (214, 92, 92)}
"""How the matte shows where new pixels come from."""

_SHOULDER = 0.8  # light above this is rolled off towards white
_JPEG_QUALITY = 88


class Display:
    """From codes to a screen's sRGB; the same for every picture of a page, never adjusted to a frame.

    Args:
        format: Of the scan.
        colour: Its colour; None shows the codes as they are, full scale as white.
    """

    def __init__(self, format: Format, colour: Colour | None) -> None:
        self._format, self._colour = format, colour

    def __call__(self, codes: Codes) -> Picture:
        """Codes of the picture channels, shape (h, w, 1 or 3), as sRGB."""
        if self._colour is None:
            values = codes.astype(np.float32) / np.float32(self._format.white)
            shown = values if self._format.is_integer else encode_srgb(values)
        else:
            shown = encode_srgb(roll_off(self._colour.to_linear(codes)))
        if shown.shape[2] == 1:
            shown = np.repeat(shown, 3, axis=2)
        levels: Picture = np.rint(np.clip(np.nan_to_num(shown), 0, 1) * 255).astype(np.uint8)
        return levels


def colour_for_screen(format: Format, facts: dict[str, str]) -> Colour | None:
    """The shot's colour with a screen's primaries as its working space, or else as the run had it.

    Args:
        format: Of the scan.
        facts: `Colour.describe()` of the run.

    Returns:
        None where this machine does not have the run's config or colourspace.
    """
    for working_space in ("lin_rec709", facts.get("working_space", "scene_linear")):
        try:
            return open_colour(
                format,
                colourspace=facts.get("colourspace"),
                working_space=working_space,
                config=facts.get("config"),
            )
        except ColourError:
            continue
    return None


def roll_off(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scene light into 0..1: unchanged up to 0.8, then bent so that nothing bright is cut off."""
    over = np.maximum(linear - np.float32(_SHOULDER), 0)
    room = np.float32(1 - _SHOULDER)
    bent: NDArray[np.float32] = np.minimum(linear, np.float32(_SHOULDER)) + room * (1 - np.exp(-over / room))
    return bent


def encode_srgb(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light 0..1 as sRGB values.

    Source: IEC 61966-2-1:1999, 5.2.
    """
    light = np.clip(np.nan_to_num(linear), 0, 1)
    high = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(light <= np.float32(0.0031308), np.float32(12.92) * light, high).astype(np.float32)


def paint_matte(fixes: Iterable[RecordedFix], box: Box) -> Picture:
    """The matte of a window of the frame, each pixel in its origin's colour, on black."""
    picture = np.zeros((box.height, box.width, 3), np.uint8)
    colours = np.array([(0, 0, 0), *ORIGIN_COLOURS.values()], np.float32)
    for fix, pixels in fixes:
        rows, columns = np.nonzero(pixels.mask)
        rows, columns = rows + fix.box[1] - box.y0, columns + fix.box[0] - box.x0
        inside = (rows >= 0) & (rows < box.height) & (columns >= 0) & (columns < box.width)
        shades = colours[pixels.origin] * (pixels.matte[:, None] / np.float32(255))
        picture[rows[inside], columns[inside]] = shades[inside].astype(np.uint8)
    return picture


def shrink(picture: Picture, longest: int, *, keep_specks: bool = False) -> Picture:
    """The picture with its longer side at most `longest`; never larger than it is.

    Args:
        picture: The picture.
        longest: Pixels.
        keep_specks: Spread bright pixels first, so that a speck in a matte survives.
    """
    size, factor = _size_within(picture.shape, longest)
    if factor <= 1:
        return picture
    way = cv2.INTER_AREA
    if keep_specks:
        reach = 2 * math.ceil(factor / 2) + 1  # wider than the step between the pixels that nearest picks
        picture, way = cv2.dilate(picture, np.ones((reach, reach), np.uint8)).astype(np.uint8), cv2.INTER_NEAREST
    small: Picture = cv2.resize(picture, size, interpolation=way).astype(np.uint8)
    return small


def shrink_codes(codes: Codes, longest: int) -> Codes:
    """Codes of shape (h, w, c) averaged over areas, so that the longer side is at most `longest`; float32.

    Averages of codes are not averages of light: good enough to look at, and much less to transform.
    """
    size, factor = _size_within(codes.shape, longest)
    if factor <= 1:
        return codes
    # cv2 takes no 32-bit integers and no halves
    plain = codes if codes.dtype in (np.uint8, np.uint16) else np.nan_to_num(codes.astype(np.float32))
    small: Codes = cv2.resize(plain, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return small.reshape(size[1], size[0], codes.shape[2])


def _size_within(shape: tuple[int, ...], longest: int) -> tuple[tuple[int, int], float]:
    """((width, height), how much smaller) for a longer side of at most `longest`."""
    height, width = shape[:2]
    factor = max(height, width) / longest
    return (max(1, round(width / factor)), max(1, round(height / factor))), factor


def crop_around(box: Box, full: tuple[int, int], margin: int, smallest: int) -> Box:
    """The box with some surroundings, at least `smallest` wide and high where the frame has room.

    Args:
        box: Of a fix.
        full: (height, width) of the frame.
        margin, smallest: Pixels.
    """
    x0, x1 = _grown(box.x0, box.x1, full[1], margin, smallest)
    y0, y1 = _grown(box.y0, box.y1, full[0], margin, smallest)
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)


def jpeg(picture: Picture) -> str:
    """A data URI of the picture as JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    return _uri("jpeg", cv2.imencode(".jpg", picture[:, :, ::-1], quality)[1])


def png(picture: Picture) -> str:
    """A data URI of the picture as PNG."""
    return _uri("png", cv2.imencode(".png", picture[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])


def _uri(kind: str, data: NDArray[np.uint8]) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}"


def _grown(low: int, high: int, end: int, margin: int, smallest: int) -> tuple[int, int]:
    missing = max(2 * margin, smallest - (high - low))
    low = max(0, min(low - missing // 2, end - (high - low) - missing))
    return low, min(end, max(high + margin, low + min(smallest, end)))
