"""DPX files: reading windows of them, and writing by patching samples into a copy of the source file."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..frame import Box, Codes, Frame
from .containers import corrupt, opened
from .dpx_header import HEADER_SIZE, Layout, new_header, parse_header
from .dpx_pack import pack, unpack
from .header import Header


def read_dpx_header(path: Path) -> Header:
    """The header of a DPX file.

    Raises:
        InputError: missing, or a variant that is not read here.
        CorruptFile: damaged or cut short.
    """
    with opened(path) as (file, size):
        return parse_header(path, file.read(HEADER_SIZE), size)[0]


def read_dpx(path: Path, check: Callable[[Header], None], box: Box | None = None) -> tuple[Header, Codes]:
    """The header and codes of a DPX file, or of `box` in it; only the rows of the box are read.

    Args:
        path: The file.
        check: Called with the header before a sample is read.
        box: Window to read; the whole frame when not given.

    Returns:
        The header; codes of shape (h, w, c), integers at the file's own depth.

    Raises:
        InputError: missing, or a variant that is not read here.
        CorruptFile: damaged or cut short.
    """
    with opened(path) as (file, size):
        header, layout = parse_header(path, file.read(HEADER_SIZE), size)
        check(header)
        box = box or header.whole
        data = _read_rows(path, file, layout, box.y0, box.y1)
    codes = unpack(data, layout, len(header.format.channels))
    return header, codes[:, box.x0 : box.x1] if box.width < header.format.width else codes


def patch_dpx(source: Path, codes: Codes) -> bytearray:
    """The content of `source` with other codes; header, filler bits, padding and further elements stay.

    Args:
        source: The scan's file.
        codes: Shape (h, w, c), as `read_dpx` gives them; codes above the file's depth are refused.

    Raises:
        InputError, CorruptFile: the source can no longer be read, or has another shape.
    """
    with opened(source) as (file, size):
        content = bytearray(size)
        if file.readinto(content) < size:
            raise corrupt(source, "cut short while it was read")
    header, layout = parse_header(source, bytes(content[:HEADER_SIZE]), size)
    form = header.format
    if codes.shape != (form.height, form.width, len(form.channels)) or codes.dtype != form.dtype:
        raise InputError(f"{source}: the scan is no longer the file that was read; restore this frame again")
    if form.is_integer and form.bits < 16 and form.bits > 8 and int(codes.max()) >> form.bits:
        raise InputError(f"{source}: code {int(codes.max())} does not fit into {form.bits} bits")
    _fill(content, layout, codes)
    return content


def new_dpx(frame: Frame, rate: Fraction | None) -> bytearray:
    """A DPX file of a frame that comes from another container.

    Raises:
        InputError: channels or a depth that DPX has no code for.
    """
    head = new_header(frame.format, frame.metadata, rate)
    size = int.from_bytes(head[16:20], "big")
    content = bytearray(size)
    content[: len(head)] = head
    path = frame.source or Path("new.dpx")
    _fill(content, parse_header(path, head, size)[1], frame.codes)
    return content


def _read_rows(path: Path, file: BufferedReader, layout: Layout, first: int, end: int) -> NDArray[np.uint8]:
    """Rows `first` to `end` as stored, shape (rows, row_bytes)."""
    count = (end - first - 1) * layout.stride + layout.row_bytes
    file.seek(layout.offset + first * layout.stride)
    data = np.fromfile(file, np.uint8, count)
    if len(data) < count:
        raise corrupt(path, f"cut short while it was read: {len(data)} of {count} bytes")
    return _as_rows(data, layout, end - first)


def _fill(content: bytearray, layout: Layout, codes: Codes) -> None:
    data = np.frombuffer(content, np.uint8)[layout.offset : layout.end]
    pack(codes, _as_rows(data, layout, layout.height), layout)


def _as_rows(data: NDArray[np.uint8], layout: Layout, rows: int) -> NDArray[np.uint8]:
    """A view of shape (rows, row_bytes); what lies between the rows is left out."""
    return np.lib.stride_tricks.as_strided(data, (rows, layout.row_bytes), (layout.stride, 1))
