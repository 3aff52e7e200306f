"""The DPX header: what a reader must know of it, and a new one for pictures that come from elsewhere.

Source: SMPTE ST 268-1 (version 2.0 of the format); byte offsets are those of its tables.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..frame import Format
from .containers import corrupt
from .header import Header, is_sane

HEADER_SIZE = 2048
_UNDEFINED = 0xFFFFFFFF
_CHANNELS = {1: "R", 2: "G", 3: "B", 4: "A", 6: "Y", 8: "Z", 50: "RGB", 51: "RGBA", 52: "ABGR"}
_FOREIGN = {7: "CbCr", 9: "composite video", 100: "CbYCrY 4:2:2", 101: "CbYACrYA 4:2:2:4", 102: "CbYCr", 103: "CbYCrA"}
_DTYPES = {8: "uint8", 10: "uint16", 12: "uint16", 16: "uint16", 32: "float32"}
_TRANSFERS = {  # table 5B; 0 is "user defined"
    1: "Printing density",
    2: "Linear",
    3: "Logarithmic",
    4: "Unspecified video",
    5: "SMPTE 274M",
    6: "ITU-R 709-5",
    7: "ITU-R 601-5",
    8: "ITU-R 601-5",
}
_TEXTS = {  # name -> (offset, size)
    "dpx:FileName": (36, 100),
    "DateTime": (136, 24),
    "Software": (160, 100),
    "DocumentName": (260, 200),
    "Copyright": (460, 200),
    "dpx:SourceImageFileName": (1432, 100),
    "dpx:SourceDateTime": (1532, 24),
    "dpx:InputDevice": (1556, 32),
    "dpx:InputDeviceSerialNumber": (1588, 32),
    "dpx:Format": (1680, 32),
    "dpx:FrameId": (1732, 32),
    "dpx:SlateInfo": (1764, 100),
}
_KEYCODE = slice(1664, 1680)  # maker 2, film type 2, perforation offset 2, prefix 6, count 4
_FILM_RATE, _TIMECODE, _TELEVISION_RATE = 1724, 1920, 1940
_FRAME_POSITION, _SEQUENCE_LENGTH, _ASPECT = 1712, 1716, 1628


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where and how the first element's samples lie.

    Attributes:
        order: ">" or "<", byte order of words and header.
        bits: Of a sample.
        packing: 0 packed without filler, 1 filled method A (filler in the low bits), 2 method B (in the high bits).
        offset: Of the first row, bytes.
        stride: From row to row, bytes.
        row_bytes: Of a row's samples, rounded up to whole words.
        samples: In a row.
        height: Rows.
    """

    order: str
    bits: int
    packing: int
    offset: int
    stride: int
    row_bytes: int
    samples: int
    height: int

    @property
    def end(self) -> int:
        """Least size of the file, bytes."""
        return self.offset + self.stride * (self.height - 1) + self.row_bytes


def parse_header(path: Path, head: bytes, size: int) -> tuple[Header, Layout]:
    """Read the first 2048 bytes of a DPX file of `size` bytes.

    Raises:
        CorruptFile: not a DPX file, cut short, or of impossible numbers.
        InputError: a variant that is not read here; the message says which.
    """
    order = {b"SDPX": ">", b"XPDS": "<"}.get(head[:4])
    if order is None:
        raise corrupt(path, f"not a DPX file: it begins with {head[:4]!r}, not SDPX or XPDS")
    if len(head) < HEADER_SIZE:
        raise corrupt(path, f"cut short inside the header: {len(head)} of {HEADER_SIZE} bytes")
    elements, width, height = struct.unpack_from(f"{order}HII", head, 770)
    sign, descriptor, bits, packing, encoding = (
        struct.unpack_from(f"{order}{kind}", head, place)[0]
        for kind, place in (("I", 780), ("B", 800), ("B", 803), ("H", 804), ("H", 806))
    )
    _refuse_foreign(path, elements, sign, descriptor, bits, packing, encoding)
    channels = tuple(_CHANNELS[descriptor])
    if not is_sane(width, height, len(channels)):
        raise corrupt(path, f"its header speaks of {width} x {height} pixels")
    layout = _layout(path, head, size, order, width * len(channels), height)
    form = Format(
        width=width,
        height=height,
        channels=channels,
        dtype=_DTYPES[bits],
        bits=bits,
        container="dpx",
        lossless=True,
        colourspace=_TRANSFERS.get(head[801]),
    )
    window = (0, 0, width, height)
    metadata = _metadata(head, order)
    rate = _rate(head, order)
    return (
        Header(path=path, format=form, metadata=metadata, data_window=window, display_window=window, rate=rate),
        layout,
    )


def row_size(samples: int, bits: int, packing: int) -> tuple[int, int]:
    """Bytes of a row's samples: (exact, rounded up to whole 32-bit words)."""
    if bits == 10 and packing:
        exact = 4 * -(-samples // 3)
    elif bits == 12 and packing:
        exact = 2 * samples
    else:
        exact = -(-samples * bits // 8)
    return exact, -(-exact // 4) * 4


def new_header(form: Format, metadata: Mapping[str, Any], rate: Fraction | None) -> bytes:
    """A header for pictures that come from another container: big endian, filled method A, name fields empty.

    Raises:
        InputError: channels or a depth that DPX has no code for.
    """
    names = {tuple(text): code for code, text in _CHANNELS.items()}
    if form.channels not in names or form.bits not in _DTYPES or _DTYPES[form.bits] != form.dtype:
        raise InputError(
            f"DPX cannot hold channels {','.join(form.channels)} as {form.bits}-bit {form.dtype}; write EXR or TIFF"
        )
    _, row_bytes = row_size(form.width * len(form.channels), form.bits, 1)
    head = bytearray(b"\xff" * HEADER_SIZE)
    for place, length in (*_TEXTS.values(), (8, 8), (664, 104), (820, 32), (1356, 52), (1664, 16), (1864, 56)):
        head[place : place + length] = bytes(length)
    struct.pack_into(">4sI8sIIIII", head, 0, b"SDPX", HEADER_SIZE, b"V2.0", HEADER_SIZE + row_bytes * form.height,
                     1, 1664, 384, 0)  # fmt: skip
    struct.pack_into(">HHII", head, 768, 0, 1, form.width, form.height)
    filled = int(form.bits in {10, 12})
    struct.pack_into(">I", head, 780, 0)
    struct.pack_into(">BBBBHHIII", head, 800, names[form.channels], 0, 0, form.bits, filled, 0, HEADER_SIZE, 0, 0)
    if rate is not None:
        struct.pack_into(">f", head, _FILM_RATE, float(rate))
        struct.pack_into(">f", head, _TELEVISION_RATE, float(rate))
    timecode = metadata.get("smpte:TimeCode")
    if isinstance(timecode, tuple) and len(timecode) == 2:
        struct.pack_into(">II", head, _TIMECODE, int(timecode[0]), int(timecode[1]))
    return bytes(head)


def _refuse_foreign(
    path: Path, elements: int, sign: int, descriptor: int, bits: int, packing: int, encoding: int
) -> None:
    advice = "convert the file to RGB, 10 to 16 bits, uncompressed"
    if not 1 <= elements <= 8:
        raise corrupt(path, f"its header speaks of {elements} image elements")
    if descriptor not in _CHANNELS:
        what = _FOREIGN.get(descriptor, f"picture kind {descriptor}")
        raise InputError(f"{path}: DPX with {what} is not read here; {advice}")
    if elements > 1 and descriptor in {1, 2, 3}:
        raise InputError(f"{path}: DPX with one element a colour is not read here; {advice}")
    if encoding == 1:
        raise InputError(f"{path}: run-length encoded DPX is not read here; {advice}")
    if bits not in _DTYPES or (sign == 1 and bits != 32):
        raise InputError(f"{path}: DPX of {bits} bits{', signed,' * (sign == 1)} is not read here; {advice}")
    if bits in {10, 12} and packing not in {0, 1, 2}:
        raise InputError(f"{path}: DPX packing {packing} is not read here; {advice}")


def _layout(path: Path, head: bytes, size: int, order: str, samples: int, height: int) -> Layout:
    bits = head[803]
    (packing,) = struct.unpack_from(f"{order}H", head, 804)
    offset, line_end = struct.unpack_from(f"{order}II", head, 808)
    if offset in {0, _UNDEFINED}:
        (offset,) = struct.unpack_from(f"{order}I", head, 4)
    if not 1664 <= offset < size:
        raise corrupt(path, f"the picture should begin at byte {offset}, the file has {size}")
    exact, row_bytes = row_size(samples, bits, packing)
    stride = row_bytes + (0 if line_end == _UNDEFINED else line_end)
    if exact != row_bytes and stride == row_bytes and size == offset + exact * height:
        row_bytes = stride = exact  # some writers do not round rows up to whole words
    layout = Layout(
        order=order,
        bits=bits,
        packing=packing,
        offset=offset,
        stride=stride,
        row_bytes=row_bytes,
        samples=samples,
        height=height,
    )
    if size < layout.end:
        raise corrupt(path, f"cut short: {size} of at least {layout.end} bytes")
    return layout


def _metadata(head: bytes, order: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (place, length) in _TEXTS.items():
        words = head[place : place + length].split(b"\0")[0].rstrip(b"\xff").decode("latin-1").strip()
        if words:
            found[name] = words
    key = head[_KEYCODE].split(b"\xff")[0].rstrip(b"\0").decode("latin-1").strip()
    if key:
        found["dpx:KeyCode"] = key
    for name, place in (("dpx:FramePosition", _FRAME_POSITION), ("dpx:SequenceLength", _SEQUENCE_LENGTH)):
        (value,) = struct.unpack_from(f"{order}I", head, place)
        if value != _UNDEFINED:
            found[name] = value
    timecode, user_bits = struct.unpack_from(f"{order}II", head, _TIMECODE)
    if timecode != _UNDEFINED:
        found["smpte:TimeCode"] = (timecode, 0 if user_bits == _UNDEFINED else user_bits)
    across, down = struct.unpack_from(f"{order}II", head, _ASPECT)
    if across not in {0, _UNDEFINED} and down not in {0, _UNDEFINED}:
        found["PixelAspectRatio"] = across / down
    found["dpx:Orientation"] = struct.unpack_from(f"{order}H", head, 768)[0]
    found["dpx:Transfer"], found["dpx:Colorimetric"] = head[801], head[802]
    return found


def _rate(head: bytes, order: str) -> Fraction | None:
    for place in (_FILM_RATE, _TELEVISION_RATE):
        (rate,) = struct.unpack_from(f"{order}f", head, place)
        if math.isfinite(rate) and 0.1 <= rate <= 1000:
            slowed = Fraction(round(rate * 1.001) * 1000, 1001)  # 23.976 and 29.97 stand for 24000/1001 and 30000/1001
            return slowed if abs(slowed - Fraction(rate)) < 0.004 else Fraction(rate).limit_denominator(1001)
    return None
