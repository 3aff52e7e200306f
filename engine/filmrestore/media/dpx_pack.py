"""Samples of a DPX row to codes and back: every packing, exact, filler bits kept.

Rows are unpacked and packed in bands that fit the processor's cache; all shifts are numpy's.
Source: SMPTE ST 268-1, annex on packing; packed words fill from their low bits, filled 10-bit words from their high
bits, but for single-channel pictures, where the first sample lies in the low bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..frame import Codes
from .dpx_header import Layout

Words = NDArray[np.uint32]
_BAND_BYTES = 1 << 19


def unpack(data: NDArray[np.uint8], layout: Layout, channels: int) -> Codes:
    """Codes of some whole rows.

    Args:
        data: Shape (rows, row_bytes), as in the file.
        layout: Of the file.
        channels: Samples a pixel.

    Returns:
        Shape (rows, w, channels), uint8, uint16 (at the file's depth) or float32, native byte order.
    """
    rows = len(data)
    if layout.bits in {8, 16, 32}:
        kind = {8: "u1", 16: "u2", 32: "f4"}[layout.bits]
        raw = np.ascontiguousarray(data[:, : layout.samples * layout.bits // 8]).view(f"{layout.order}{kind}")
        return raw.astype(raw.dtype.newbyteorder("=")).reshape(rows, -1, channels)
    codes = np.empty((rows, layout.samples), np.uint16)
    for band in _bands(rows, layout):
        codes[band] = _unpack_band(data[band], layout, channels)
    return codes.reshape(rows, -1, channels)


def pack(codes: Codes, data: NDArray[np.uint8], layout: Layout) -> None:
    """Write codes into `data`, in place; filler bits and bytes stay as they are.

    Args:
        codes: Shape (rows, w, channels).
        data: Shape (rows, row_bytes), the source's rows.
        layout: Of the file.
    """
    rows, channels = len(codes), codes.shape[2]
    flat = codes.reshape(rows, -1)
    if layout.bits in {8, 16, 32}:
        kind = {8: "u1", 16: "u2", 32: "f4"}[layout.bits]
        swapped = np.ascontiguousarray(flat.astype(f"{layout.order}{kind}"))
        data[:, : layout.samples * layout.bits // 8] = swapped.view(np.uint8)
        return
    for band in _bands(rows, layout):
        data[band] = _pack_band(flat[band], data[band], layout, channels)


def _unpack_band(data: NDArray[np.uint8], layout: Layout, channels: int) -> NDArray[np.uint16]:
    codes = np.empty((len(data), layout.samples), np.uint16)
    if layout.bits == 12 and layout.packing:
        words = _native(data, f"{layout.order}u2")[:, : layout.samples]
        codes[:] = words >> 4 if layout.packing == 1 else words & 0xFFF
    elif layout.packing:
        words32 = _native(data, f"{layout.order}u4")
        for column, shift in enumerate(_shifts(layout, channels)):
            part = codes[:, column::3]
            part[:] = (words32[:, : part.shape[1]] >> shift) & 0x3FF
    else:
        words32 = _whole_periods(_native(data, f"{layout.order}u4"), layout)
        for place, low, shift, spill in _periods(layout.bits):
            part = codes[:, place :: len(_periods(layout.bits))]
            value = words32[:, low :: _words_a_period(layout.bits)][:, : part.shape[1]] >> shift
            if spill:
                above = words32[:, low + 1 :: _words_a_period(layout.bits)][:, : part.shape[1]]
                value = value | above << (32 - shift)
            part[:] = value & ((1 << layout.bits) - 1)
    return codes


def _pack_band(
    codes: NDArray[np.uint16], data: NDArray[np.uint8], layout: Layout, channels: int
) -> NDArray[np.uint8]:
    if layout.bits == 12 and layout.packing:
        words = _native(data, f"{layout.order}u2")
        own = words[:, : layout.samples]
        own[:] = own & 0xF | codes << 4 if layout.packing == 1 else own & 0xF000 | codes
        return _stored(words, f"{layout.order}u2")
    words32 = _native(data, f"{layout.order}u4")
    if layout.packing:
        for column, shift in enumerate(_shifts(layout, channels)):
            part = codes[:, column::3]
            own32 = words32[:, : part.shape[1]]
            own32 &= np.uint32(~(0x3FF << shift) & 0xFFFFFFFF)
            own32 |= part.astype(np.uint32) << shift
        return _stored(words32, f"{layout.order}u4")
    padded = _whole_periods(words32, layout)
    mask, step = (1 << layout.bits) - 1, _words_a_period(layout.bits)
    for place, low, shift, spill in _periods(layout.bits):
        part32 = codes[:, place :: len(_periods(layout.bits))].astype(np.uint32)
        own32 = padded[:, low::step][:, : part32.shape[1]]
        own32 &= np.uint32(~(mask << shift) & 0xFFFFFFFF)
        own32 |= part32 << shift
        if spill:
            above = padded[:, low + 1 :: step][:, : part32.shape[1]]
            above &= np.uint32(~(mask >> (32 - shift)) & 0xFFFFFFFF)
            above |= part32 >> (32 - shift)
    return _stored(np.ascontiguousarray(padded[:, : words32.shape[1]]), f"{layout.order}u4")


def _shifts(layout: Layout, channels: int) -> tuple[int, int, int]:
    """Shift of the first, second and third sample of a filled 10-bit word."""
    filler = 2 if layout.packing == 1 else 0
    high = (20 + filler, 10 + filler, filler)
    return high if channels > 1 else high[::-1]


def _periods(bits: int) -> list[tuple[int, int, int, bool]]:
    """(sample, word, shift, reaches into the next word) of each sample until samples begin a word again."""
    count = 16 if bits == 10 else 8
    return [(n, n * bits // 32, n * bits % 32, n * bits % 32 + bits > 32) for n in range(count)]


def _words_a_period(bits: int) -> int:
    return 5 if bits == 10 else 3


def _whole_periods(words: Words, layout: Layout) -> Words:
    """`words`, lengthened so that the last sample's period is whole; a copy."""
    period = len(_periods(layout.bits))
    width = max(words.shape[1], -(-layout.samples // period) * _words_a_period(layout.bits))
    whole = np.zeros((len(words), width), np.uint32)
    whole[:, : words.shape[1]] = words
    return whole


def _native(data: NDArray[np.uint8], dtype: str) -> NDArray[Any]:
    raw = np.ascontiguousarray(data).view(dtype)
    return raw.astype(raw.dtype.newbyteorder("="))


def _stored(words: NDArray[Any], dtype: str) -> NDArray[np.uint8]:
    return words.astype(dtype).view(np.uint8)


def _bands(rows: int, layout: Layout) -> Iterator[slice]:
    step = max(1, _BAND_BYTES // max(1, layout.row_bytes))
    return (slice(first, first + step) for first in range(0, rows, step))
