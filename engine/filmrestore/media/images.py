"""Reading EXR, TIFF, PNG and JPEG files through OpenImageIO, every code as it is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio

from ..errors import InputError
from ..frame import Box, Codes, Format
from .containers import check_file, container_of, corrupt
from .header import Header, is_sane
from .png import is_declared_srgb
from .tiff import check_whole

_DTYPES = {"uint8": "uint8", "uint16": "uint16", "uint": "uint32", "half": "float16", "float": "float32"}
_LOSSY = {"exr": {"b44", "b44a", "dwaa", "dwab", "pxr24"}, "tiff": {"jpeg", "ojpeg", "lerc", "webp", "jpegxl"}}
_PHOTOMETRIC = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 6: "YCbCr"}  # TIFF 6.0, tag 262


@contextmanager
def open_image(path: Path) -> Iterator[oiio.ImageInput]:
    """Open a file so that OpenImageIO changes no code: no alpha multiplied in, no unasked colour conversion.

    Raises:
        InputError: it is not there or may not be read.
        CorruptFile: it is empty or not an image of its kind.
    """
    size = check_file(path)
    if container_of(path) == "tiff":
        check_whole(path, size)
    as_stored = oiio.ImageSpec()
    as_stored.attribute("oiio:UnassociatedAlpha", 1)
    as_stored.attribute("oiio:RawColor", 1)
    image = oiio.ImageInput.open(str(path), as_stored)
    if image is None:
        raise corrupt(path, f"not a readable {container_of(path).upper()} file ({complaint_of(oiio)})")
    try:
        yield image
    except UnicodeDecodeError as failure:
        raise corrupt(path, "names in its header are no text") from failure
    finally:
        image.close()


def read_image(path: Path, check: Callable[[Header], None], box: Box | None = None) -> tuple[Header, Codes]:
    """The header and codes of a file, or of `box` in it.

    Args:
        path: The file.
        check: Called with the header before a pixel is read.
        box: Window to read; the whole data window when not given.

    Returns:
        The header; codes of shape (h, w, c), the dtype of the header's format.

    Raises:
        InputError: the file is missing, or holds what is not read here.
        CorruptFile: it is damaged.
    """
    with open_image(path) as image:
        spec = image.spec()
        header = header_of(path, image)
        check(header)
        codes = read_channels(path, image, held_channels(spec), box or header.whole)
        return header, narrowed(codes, header.format)


def read_image_header(path: Path) -> Header:
    """The header alone.

    Raises:
        InputError: the file is missing, or holds what is not read here.
        CorruptFile: it is damaged.
    """
    with open_image(path) as image:
        return header_of(path, image)


def header_of(path: Path, image: oiio.ImageInput) -> Header:
    """The header of an open file's first part."""
    spec = image.spec()
    _refuse_foreign(path, image, spec)
    held = held_channels(spec)
    dtype = _dtype(spec, held[0])
    bits = int(spec.getattribute("oiio:BitsPerSample") or 0)
    depth = 8 * np.dtype(dtype).itemsize
    container = container_of(path)
    names = spec.channelnames
    return Header(
        path=path,
        format=Format(
            width=spec.width,
            height=spec.height,
            channels=tuple(names[index] for index in held),
            dtype=dtype,
            bits=bits if dtype == "uint16" and 8 < bits < 16 else depth,
            container=container,
            lossless=_is_lossless(container, spec, dtype),
            colourspace=_declared_colourspace(path, container, spec),
        ),
        metadata=_metadata(spec),
        data_window=(spec.x, spec.y, spec.x + spec.width, spec.y + spec.height),
        display_window=(spec.full_x, spec.full_y, spec.full_x + spec.full_width, spec.full_y + spec.full_height),
        rate=_rate(spec),
    )


def held_channels(spec: oiio.ImageSpec) -> tuple[int, ...]:
    """Indices of the channels that a frame holds: those of the same type as the picture's.

    An EXR may hold half colour beside float depth or integer ids; those pass from file to file on writing.
    """
    if not spec.channelformats:
        return tuple(range(spec.nchannels))
    picture = _picture_index(spec.channelnames)
    kind = str(spec.channelformats[picture])
    return tuple(index for index, own in enumerate(spec.channelformats) if str(own) == kind)


def read_channels(path: Path, image: oiio.ImageInput, channels: tuple[int, ...], box: Box) -> Codes:
    """Codes of some channels of the first part in `box`, shape (h, w, len(channels)), as stored.

    Raises:
        CorruptFile: the file is damaged.
    """
    spec = image.spec()
    runs = [_read_run(path, image, spec, first, end, box) for first, end in _runs(channels)]
    return runs[0] if len(runs) == 1 else np.concatenate(runs, axis=2)


def narrowed(codes: Codes, form: Format) -> Codes:
    """Codes at their own depth: OpenImageIO widens 10, 12 and 14 bits to 16 by repeating the upper bits."""
    if form.dtype == "uint16" and form.bits < 16:
        return np.right_shift(codes, 16 - form.bits)
    return codes


def widened(codes: Codes, form: Format) -> Codes:
    """The inverse of `narrowed`."""
    if form.dtype == "uint16" and form.bits < 16:
        spare = 16 - form.bits
        return np.bitwise_or(np.left_shift(codes, spare), np.right_shift(codes, form.bits - spare))
    return codes


def _read_run(path: Path, image: oiio.ImageInput, spec: oiio.ImageSpec, first: int, end: int, box: Box) -> Codes:
    kind = spec.channelformats[first] if spec.channelformats else spec.format
    x0, y0, x1, y1 = box.x0, box.y0, box.x1, box.y1
    if spec.tile_width:
        # tiles are read whole: widen the box to their grid, cut afterwards
        tile_x, tile_y = spec.tile_width, spec.tile_height
        x0, y0 = x0 // tile_x * tile_x, y0 // tile_y * tile_y
        x1, y1 = min(-(-x1 // tile_x) * tile_x, spec.width), min(-(-y1 // tile_y) * tile_y, spec.height)
        codes = image.read_tiles(0, 0, spec.x + x0, spec.x + x1, spec.y + y0, spec.y + y1, 0, 1, first, end, kind)
    elif (y0, y1) == (0, spec.height):
        x0, x1 = 0, spec.width
        codes = image.read_image(0, 0, first, end, kind)
    else:
        x0, x1 = 0, spec.width
        codes = image.read_scanlines(0, 0, spec.y + y0, spec.y + y1, 0, first, end, kind)
    if codes is None or image.has_error:  # a JPEG cut short gives grey pixels and an error
        raise corrupt(path, f"damaged or cut short ({complaint_of(image)})")
    codes = codes.reshape(y1 - y0, x1 - x0, end - first)
    return np.ascontiguousarray(codes[box.y0 - y0 : box.y1 - y0, box.x0 - x0 : box.x1 - x0])


def _runs(channels: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    first = channels[0]
    for index, channel in enumerate(channels):
        if index + 1 == len(channels) or channels[index + 1] != channel + 1:
            yield first, channel + 1
            first = channels[min(index + 1, len(channels) - 1)]


def _refuse_foreign(path: Path, image: oiio.ImageInput, spec: oiio.ImageSpec) -> None:
    """What no film scan holds is refused by name, not misread."""
    if not is_sane(spec.width, spec.height, spec.nchannels, path.stat().st_size):
        raise corrupt(path, f"its header speaks of {spec.width} x {spec.height} pixels, {spec.nchannels} channels")
    if spec.deep or spec.depth > 1:
        raise InputError(f"{path}: deep or volume data, not flat film frames; flatten it first")
    if _dtype(spec, held_channels(spec)[0]) == "":
        raise InputError(f"{path}: codes of type {spec.format} are not read here; convert the file to 16-bit or float")
    photometric = spec.getattribute("tiff:PhotometricInterpretation")
    is_inks = spec.getattribute("tiff:ColorSpace") == "CMYK" or spec.getattribute("jpeg:ColorSpace") == "CMYK"
    if is_inks or (container_of(path) == "tiff" and photometric not in _PHOTOMETRIC):
        raise InputError(f"{path}: inks or Lab, not RGB or grey; convert the file to RGB first")
    if spec.tile_width and image.seek_subimage(0, 1):
        raise InputError(f"{path}: a mip-mapped texture, not a film frame; give the full-size image alone")
    if container_of(path) == "tiff" and any(not is_thumbnail for is_thumbnail in _further_pages(image)):
        raise InputError(f"{path}: a TIFF file of several pages; save each page as a frame of its own")
    image.seek_subimage(0, 0)
    complaint_of(image)  # asking for what is not there leaves one


def _further_pages(image: oiio.ImageInput) -> Iterator[bool]:
    """For each page after the first: whether it is a reduced copy (TIFF 6.0, tag 254, bit 0)."""
    page = 1
    while image.seek_subimage(page, 0):
        yield bool(int(image.spec().getattribute("tiff:subfiletype") or 0) & 1)
        page += 1


def _dtype(spec: oiio.ImageSpec, channel: int) -> str:
    return _DTYPES.get(str(spec.channelformats[channel] if spec.channelformats else spec.format), "")


def _picture_index(names: tuple[str, ...]) -> int:
    plain = [name.upper() for name in names]
    layered = [name.rsplit(".")[-1] for name in plain]  # "beauty.R"
    for candidates in (plain, layered):
        for wanted in ("R", "Y", "L", "I"):
            if wanted in candidates:
                return candidates.index(wanted)
    return 0


def _is_lossless(container: str, spec: oiio.ImageSpec, dtype: str) -> bool:
    compression = str(spec.getattribute("compression") or "none").split(":")[0].lower()
    if container == "exr" and compression == "pxr24":
        return dtype != "float32"  # keeps 24 of 32 bits of floats, all bits of the rest
    if container == "exr" and compression in {"b44", "b44a"}:
        return dtype != "float16"
    return container != "jpeg" and compression not in _LOSSY.get(container, set())


def _declared_colourspace(path: Path, container: str, spec: oiio.ImageSpec) -> str | None:
    """A name only where the file itself carries one; OpenImageIO's guesses by file type do not count."""
    declared = spec.getattribute("colorInteropID") or spec.getattribute("colorInteropId")
    if declared:
        return str(declared)
    if container == "png" and is_declared_srgb(path):
        return "sRGB"
    if container == "jpeg" and spec.getattribute("Exif:ColorSpace") == 1:  # Exif 2.3, tag 40961: sRGB
        return "sRGB"
    return None


def _rate(spec: oiio.ImageSpec) -> Fraction | None:
    value: Any = spec.getattribute("FramesPerSecond")
    if isinstance(value, tuple) and len(value) == 2 and value[0] > 0 and value[1] > 0:
        return Fraction(int(value[0]), int(value[1]))
    return None


def _metadata(spec: oiio.ImageSpec) -> dict[str, Any]:
    """Attributes by name; texts that are not UTF-8 are left out here, and still pass from file to file."""
    found: dict[str, Any] = {}
    for attribute in spec.extra_attribs:
        with suppress(UnicodeDecodeError):
            found[attribute.name] = attribute.value
    return found


def complaint_of(teller: Any) -> str:
    """The error that an open file, or the library, holds; asking clears it."""
    try:
        return " ".join(teller.geterror().split()) or "no reason given"
    except UnicodeDecodeError:  # it quotes the damaged file
        return "no readable reason given"
