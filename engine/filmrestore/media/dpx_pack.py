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
_BAND_BYTES = 1 << 17  # a band and its temporaries stay in the processor cache


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
        _unpack_band(data[band], layout, channels, codes[band])
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
        _pack_band(flat[band], data[band], layout, channels)


def _unpack_band(data: NDArray[np.uint8], layout: Layout, channels: int, codes: NDArray[np.uint16]) -> None:
    """Codes of the rows `data` into `codes`, shape (rows, samples)."""
    if layout.bits == 12 and layout.packing:
        shorts = _native(data, f"{layout.order}u2")[:, : layout.samples]
        if layout.packing == 1:
            np.right_shift(shorts, 4, out=codes)
        else:
            np.bitwise_and(shorts, 0xFFF, out=codes)
        return
    words = _native(data, f"{layout.order}u4")
    if layout.packing:
        for column, shift in enumerate(_shifts(layout, channels)):
            part = codes[:, column::3]
            value = words[:, : part.shape[1]] >> shift
            np.bitwise_and(value, 0x3FF, out=value)
            part[:] = value
        return
    words = _whole_periods(words, layout)
    samples, step = _period(layout.bits)
    for place, low, shift, spill in _places(layout.bits):
        part = codes[:, place::samples]
        value = words[:, low::step][:, : part.shape[1]] >> shift
        if spill:
            value |= words[:, low + 1 :: step][:, : part.shape[1]] << (32 - shift)
        np.bitwise_and(value, (1 << layout.bits) - 1, out=value)
        part[:] = value


def _pack_band(codes: NDArray[np.uint16], data: NDArray[np.uint8], layout: Layout, channels: int) -> None:
    """`codes`, shape (rows, samples), into the rows `data`; filler bits stay."""
    if layout.bits == 12 and layout.packing:
        shorts = _native(data, f"{layout.order}u2")
        own = shorts[:, : layout.samples]
        own &= 0xF if layout.packing == 1 else 0xF000
        own |= codes << 4 if layout.packing == 1 else codes
        data[:] = _stored(shorts, f"{layout.order}u2")
        return
    words = _native(data, f"{layout.order}u4")
    if layout.packing:
        for column, shift in enumerate(_shifts(layout, channels)):
            part = codes[:, column::3]
            _put(words[:, : part.shape[1]], part.astype(np.uint32), 0x3FF, shift)
        data[:] = _stored(words, f"{layout.order}u4")
        return
    whole = _whole_periods(words, layout)
    samples, step = _period(layout.bits)
    for place, low, shift, spill in _places(layout.bits):
        part32 = codes[:, place::samples].astype(np.uint32)
        mask = (1 << layout.bits) - 1
        if spill:
            above = np.right_shift(part32, np.uint32(32 - shift))
            _put(whole[:, low + 1 :: step][:, : part32.shape[1]], above, mask >> (32 - shift), 0)
        _put(whole[:, low::step][:, : part32.shape[1]], part32, mask, shift)
    data[:] = _stored(np.ascontiguousarray(whole[:, : words.shape[1]]), f"{layout.order}u4")


def _put(words: Words, value: Words, mask: int, shift: int) -> None:
    """Lay `value`, at most `mask`, into its bits of `words`, in place; `value` is used up."""
    words &= np.uint32(~(mask << shift) & 0xFFFFFFFF)
    np.left_shift(value, shift, out=value)
    words |= value


def _shifts(layout: Layout, channels: int) -> tuple[int, int, int]:
    """Shift of the first, second and third sample of a filled 10-bit word."""
    filler = 2 if layout.packing == 1 else 0
    high = (20 + filler, 10 + filler, filler)
    return high if channels > 1 else high[::-1]


def _period(bits: int) -> tuple[int, int]:
    """(samples, words) until packed samples begin at the start of a word again."""
    return (16, 5) if bits == 10 else (8, 3)


def _places(bits: int) -> list[tuple[int, int, int, bool]]:
    """(sample, word, shift, reaches into the next word) of each packed sample of a period."""
    return [(n, n * bits // 32, n * bits % 32, n * bits % 32 + bits > 32) for n in range(_period(bits)[0])]


def _whole_periods(words: Words, layout: Layout) -> Words:
    """`words`, lengthened so that the last sample's period is whole; a copy."""
    samples, step = _period(layout.bits)
    width = max(words.shape[1], -(-layout.samples // samples) * step)
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
