"""Scans made on the spot: DPX of every layout, still images of every depth, for the tests of media."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import OpenImageIO as oiio

from filmrestore.media.dpx_header import row_size

DESCRIPTORS = {"Y": 6, "RGB": 50, "RGBA": 51, "ABGR": 52}
_TYPES = {"uint8": "uint8", "uint16": "uint16", "uint32": "uint", "float16": "half", "float32": "float"}


def make_dpx(
    width: int = 37,
    height: int = 5,
    channels: str = "RGB",
    bits: int = 10,
    packing: int = 1,
    order: str = ">",
    offset: int = 2048,
    line_end: int = 0,
    seed: int = 0,
    **header: tuple[str, int, float],
) -> bytes:
    """A DPX file whose samples, filler, reserved bytes and tail are random; `header` sets (type, offset, value)."""
    _, row_bytes = row_size(width * len(channels), bits, packing)
    size = offset + (row_bytes + line_end) * height + 7
    data = bytearray(np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes())
    for first, end in ((0, 664), (768, 1356), (1408, 1864), (1920, 2048)):
        data[first:end] = bytes(end - first)
    data[:4] = b"SDPX" if order == ">" else b"XPDS"
    struct.pack_into(f"{order}I", data, 4, offset)
    struct.pack_into(f"{order}HHIII", data, 768, 0, 1, width, height, 0)
    struct.pack_into(f"{order}BBBBHH", data, 800, DESCRIPTORS[channels], 1, 1, bits, packing, 0)
    struct.pack_into(f"{order}II", data, 808, offset, line_end)
    for kind, place, value in header.values():
        struct.pack_into(order + kind, data, place, value)
    return bytes(data)


def random_codes(shape: tuple[int, int, int], dtype: str, seed: int = 0) -> np.ndarray:
    """Every bit random, so floats hold NaN of all kinds, infinities and denormals."""
    raw = np.random.default_rng(seed).integers(0, 256, (*shape, np.dtype(dtype).itemsize), dtype=np.uint8)
    return raw.view(dtype)[..., 0]


def bits_of(codes: np.ndarray) -> np.ndarray:
    """Codes as integers: NaN equals NaN when its bits do."""
    return np.ascontiguousarray(codes).view(f"u{codes.dtype.itemsize}")


def write_image(path: Path, codes: np.ndarray, names: tuple[str, ...] | None = None, **attributes: object) -> Path:
    """An image file written by OpenImageIO; "__" in a keyword stands for ":"; (type, value) for typed attributes."""
    spec = oiio.ImageSpec(codes.shape[1], codes.shape[0], codes.shape[2], _TYPES[str(codes.dtype)])
    if names:
        spec.channelnames = names
    if path.suffix == ".png":
        spec.attribute("oiio:UnassociatedAlpha", 1)
    if path.suffix == ".tif":
        spec.attribute("tiff:half", 1)
        spec.attribute("tiff:write_exif", 0)
    for name in ("x", "y", "full_x", "full_y", "full_width", "full_height", "tile_width", "tile_height"):
        if name in attributes:
            setattr(spec, name, attributes.pop(name))
    for key, value in attributes.items():
        if isinstance(value, tuple):
            spec.attribute(key.replace("__", ":"), oiio.TypeDesc(value[0]), value[1])
        else:
            spec.attribute(key.replace("__", ":"), value)
    path.parent.mkdir(parents=True, exist_ok=True)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(np.ascontiguousarray(codes)), output.geterror()
    assert output.close(), output.geterror()
    return path


def write_sequence(folder: Path, count: int, suffix: str = ".png", dtype: str = "uint8", channels: int = 3) -> Path:
    """`count` frames of 24 x 32 pixels named scan.0001 on; returns the pattern."""
    for number in range(1, count + 1):
        path = folder / f"scan.{number:04d}{suffix}"
        if suffix == ".dpx":
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(make_dpx(32, 24, seed=number))
        else:
            write_image(path, random_codes((24, 32, channels), dtype, number))
    return folder / f"scan.####{suffix}"
