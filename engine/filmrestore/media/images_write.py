"""Making EXR, TIFF, PNG and JPEG files through OpenImageIO: other codes in the scan's own attributes.

Attributes, windows, compression, tiling, further channels and further parts come from the scan's file. No date of
today is added, so that the same pixels give the same bytes. Files are made in memory and then written in one piece:
the JPEG library damages memory when the disk is full, and the others hide the reason.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio

from ..errors import InputError, OutputError
from ..frame import Codes, Frame
from .header import Header
from .images import complaint_of, header_of, held_channels, open_image, read_channels, widened
from .png import spliced

_FORMATS = {"exr": "openexr", "tiff": "tiff", "png": "png", "jpeg": "jpeg"}
_TYPES = {"uint8": "uint8", "uint16": "uint16", "uint32": "uint", "float16": "half", "float32": "float"}
_OWN = ("oiio:", "tiff:", "openexr:", "png:", "jpeg:", "dpx:", "movie:", "compression", "planarconfig", "name")
_JPEG_QUALITY = 97

NOTE = "filmrestore:note"
"""Key in a frame's metadata of a line for its own processing history."""


def encode_image(frame: Frame, container: str, history: str = "") -> bytes:
    """The whole file of `frame`.

    Args:
        frame: Its source gives everything beside the codes where it is of the same container.
        container: "exr", "tiff", "png" or "jpeg".
        history: A line for the file's processing history (EXR), added to those that are there.

    Raises:
        OutputError: the container does not take such a frame.
        InputError, CorruptFile: the source can no longer be read.
    """
    source = frame.source if frame.format.container == container else None
    with _scratch() as scratch:
        _encode(scratch, frame, source, container, history)
        content = scratch.read_bytes()
    return spliced(content, source) if container == "png" else content


def _encode(scratch: Path, frame: Frame, source: Path | None, container: str, history: str) -> None:
    if source is None:
        spec = _new_spec(frame)
        _prepare(spec, frame, container, history)
        _write_parts(scratch, container, [spec], frame, None)
    else:
        with open_image(source) as image:
            specs = _specs(image)
            _check_unchanged(header_of(source, image), frame)
            _prepare(specs[0], frame, container, history)
            _write_parts(scratch, container, specs, frame, image)


@contextmanager
def _scratch() -> Iterator[Path]:
    """The path of an empty file in memory; in the system's temporary folder where there are no such files."""
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder) / "frame"
        return
    descriptor = os.memfd_create("frame")
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _write_parts(
    scratch: Path, container: str, specs: list[oiio.ImageSpec], frame: Frame, image: oiio.ImageInput | None
) -> None:
    output: Any = oiio.ImageOutput.create(_FORMATS[container])
    codes = _all_channels(frame, image)
    is_written = output.open(str(scratch), specs if output.supports("multiimage") else specs[0])
    is_written = is_written and output.write_image(codes)
    for index, spec in enumerate(specs[1:], start=1):
        assert image is not None  # only a source has further parts
        image.seek_subimage(index, 0)
        is_written = is_written and output.open(str(scratch), spec, "AppendSubimage")
        is_written = is_written and output.copy_image(image)
    is_written = output.close() and is_written
    if not is_written or output.has_error:
        words = complaint_of(output)
        raise OutputError(
            f"frame {frame.number} ({frame.source or 'new'}) cannot be written as {container.upper()}: {words}; "
            "choose another container"
        )


def _all_channels(frame: Frame, image: oiio.ImageInput | None) -> Codes:
    """The frame's codes with the source's further channels between them, in file order."""
    codes = widened(frame.codes, frame.format)
    spec = image.spec() if image is not None else None
    if image is None or spec is None or not spec.channelformats:
        return np.ascontiguousarray(codes)
    assert frame.source is not None
    held = held_channels(spec)
    others = tuple(index for index in range(spec.nchannels) if index not in held)
    kinds = {str(spec.channelformats[index]) for index in (*held, *others)}
    if kinds - {"half", "float"}:
        names = ", ".join(spec.channelnames[index] for index in others)
        raise InputError(
            f"{frame.source}: integer channels ({names}) beside colour in one part cannot be passed on bit for bit; "
            "move them into a part of their own"
        )
    box = header_of(frame.source, image).whole
    merged = np.empty((*codes.shape[:2], spec.nchannels), np.float32)  # holds every half and every float
    merged[:, :, list(held)] = codes
    for index in others:
        merged[:, :, index : index + 1] = read_channels(frame.source, image, (index,), box)
    return merged


def _specs(image: oiio.ImageInput) -> list[oiio.ImageSpec]:
    """Copies of the specs of all parts; of a TIFF file the first alone: what follows is a thumbnail of the scan."""
    if image.format_name() == "tiff":
        return [oiio.ImageSpec(image.spec())]
    specs: list[oiio.ImageSpec] = []
    while image.seek_subimage(len(specs), 0):
        specs.append(oiio.ImageSpec(image.spec()))
    image.seek_subimage(0, 0)
    complaint_of(image)  # asking for a part beyond the last leaves one
    return specs


def _new_spec(frame: Frame) -> oiio.ImageSpec:
    form = frame.format
    spec = oiio.ImageSpec(form.width, form.height, len(form.channels), _TYPES[form.dtype])
    spec.channelnames = form.channels
    spec.x, spec.y = frame.data_window[:2]
    x0, y0, x1, y1 = frame.display_window
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = x0, y0, x1 - x0, y1 - y0
    for name, value in frame.metadata.items():
        if name.startswith(_OWN) or not isinstance(value, str | int | float):
            continue
        spec.attribute(name, value)
    for name, kind in (("smpte:TimeCode", "timecode"), ("FramesPerSecond", "rational")):
        value = frame.metadata.get(name)
        if isinstance(value, tuple) and len(value) == 2:
            spec.attribute(name, oiio.TypeDesc(kind), tuple(int(part) for part in value))
    return spec


def _prepare(spec: oiio.ImageSpec, frame: Frame, container: str, history: str) -> None:
    """What every written file shares, whether its spec is new or the scan's."""
    if spec.getattribute("DateTime") is None:
        spec.attribute("DateTime", "")  # else today's is added
    if container == "png":  # filter "sub", light packing: twice as fast as the default, the same size on film
        spec.attribute("png:filter", 16)
        spec.attribute("png:compressionLevel", 3)
    if spec.alpha_channel >= 0 and container == "png":
        spec.attribute("oiio:UnassociatedAlpha", 1)  # else OpenImageIO divides by alpha on writing
    if container == "tiff":
        spec.attribute("tiff:write_exif", 0)  # OpenImageIO fails to, leaves an empty directory and an error
    if container == "tiff" and frame.format.dtype == "float16":
        spec.attribute("tiff:half", 1)
    if container == "tiff" and frame.format.bits in {10, 12, 14}:
        spec.attribute("oiio:BitsPerSample", frame.format.bits)
    if container in {"exr", "tiff"} and spec.getattribute("compression") is None:
        spec.attribute("compression", "zip")
    if container == "jpeg":
        spec.attribute("Compression", f"jpeg:{_JPEG_QUALITY}")
    if container == "exr" and history:
        lines = (spec.getattribute("Exif:ImageHistory"), history, frame.metadata.get(NOTE))
        spec.attribute("Exif:ImageHistory", "\n".join(line for line in lines if line))


def _check_unchanged(header: Header, frame: Frame) -> None:
    form = header.format
    there = ((form.height, form.width, len(form.channels)), form.dtype, form.bits)
    if there != (frame.codes.shape, str(frame.codes.dtype), frame.format.bits):
        raise InputError(f"{header.path}: the scan is no longer the file that was read; restore this frame again")
