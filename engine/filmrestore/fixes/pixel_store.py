"""The sidecar's chunks: one per frame, self-describing, checked before anything is allocated, never pickled.

A chunk, little endian: a head (magic, version, dtype, channels, frame, size, number of fixes, checksum of head and
table), a table (hash part of the fix's id, offset from the chunk's start, packed and plain size, checksum of the packed
bytes), then each fix zlib-packed: width, height, changed pixels, the mask's bits, before, after, matte, origin.
Chunks stand on their own, so a shot's sidecar is its frames' chunks one after another.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import xxhash

from ..errors import LedgerError
from .model import Fix, Pixels, RecordedFix, little_endian

_MAGIC = b"FRPX"
_VERSION = 1
_DTYPES = ("uint8", "uint16", "uint32", "float16", "float32")
_HEAD = struct.Struct("<4sHBBqQQ")
_CHECKSUM = struct.Struct("<Q")
_TABLE_AT = _HEAD.size + _CHECKSUM.size
_ROW = np.dtype([("key", "<u8"), ("offset", "<u8"), ("packed", "<u8"), ("plain", "<u8"), ("checksum", "<u8")])
_SIZE = struct.Struct("<III")
_REMEDY = "copy the ledger again, or delete its folder and restore the scan again"


class Chunk(NamedTuple):
    """Where a frame's chunk lies: its frame number, its start in the file and its size in bytes."""

    frame: int
    start: int
    size: int


def pack_chunk(frame: int, fixes: Iterable[RecordedFix], dtype: str, channels: int) -> bytes:
    """The chunk of one frame.

    Args:
        frame: Source frame number.
        fixes: Fixes of that frame.
        dtype: numpy name of the codes.
        channels: Picture channels, 1 or 3.
    """
    recorded = list(fixes)
    table = np.zeros(len(recorded), _ROW)
    blobs: list[bytes] = []
    offset = _TABLE_AT + table.nbytes
    for row, (fix, pixels) in zip(table, recorded, strict=True):
        plain = _pack_pixels(pixels, dtype, channels)
        blob = zlib.compress(plain)
        row["key"], row["offset"], row["packed"], row["plain"] = _key(fix), offset, len(blob), len(plain)
        row["checksum"] = xxhash.xxh3_64_intdigest(blob)
        blobs.append(blob)
        offset += len(blob)
    rows = table.tobytes()
    head = _HEAD.pack(_MAGIC, _VERSION, _DTYPES.index(dtype), channels, frame, offset, len(table))
    checksum = _CHECKSUM.pack(xxhash.xxh3_64_intdigest(head + rows))
    return b"".join((head, checksum, rows, *blobs))


def walk_chunks(path: Path) -> Iterator[Chunk]:
    """Every chunk of a sidecar, in file order, by its heads alone.

    Raises:
        LedgerError: the file is truncated or not a sidecar.
    """
    total = path.stat().st_size
    with path.open("rb") as file:
        start = 0
        while start < total:
            file.seek(start)
            head = _read_head(file, path, start, total)
            yield Chunk(head.frame, start, head.size)
            start += head.size


def read_chunk(file: BinaryIO, path: Path, start: int) -> bytes:
    """The bytes of the chunk that begins at `start`.

    Args:
        file: The open sidecar.
        path: Its name, for messages.
        start: Byte of the file.

    Raises:
        LedgerError: no whole chunk begins there.
    """
    total = file.seek(0, 2)
    file.seek(start)
    size = _read_head(file, path, start, total).size
    file.seek(start)
    return file.read(size)


class ChunkReader:
    """Reads single fixes out of one frame's chunk.

    Args:
        data: The chunk.
        path: The file that it is from, for messages.

    Raises:
        LedgerError: the chunk is truncated or damaged.
    """

    def __init__(self, data: bytes, path: Path) -> None:
        head = _read_head(BytesIO(data), path, 0, len(data))
        rows = data[_TABLE_AT : _TABLE_AT + head.number_of_fixes * _ROW.itemsize]
        if xxhash.xxh3_64_intdigest(head.raw + rows) != head.checksum:
            raise LedgerError(f"{path}: the table of frame {head.frame} is damaged; restore this frame again")
        self.dtype, self.channels, self.frame = head.dtype, head.channels, head.frame
        self._rows = {int(row["key"]): row for row in np.frombuffer(rows, _ROW)}
        self._data, self._path = data, path

    def read(self, fix: Fix) -> Pixels:
        """The fix's pixels.

        Raises:
            LedgerError: there are none of that id, they are damaged, or they do not fit the fix's box and area.
        """
        row = self._rows.get(_key(fix))
        if row is None:
            raise LedgerError(f"{self._path}: no pixels of fix {fix.id}; restore frame {fix.frame} again")
        width, height = fix.where.width, fix.where.height
        plain_size = _plain_size(width, height, fix.area, self.dtype, self.channels)
        offset, packed = int(row["offset"]), int(row["packed"])
        fits = 0 < fix.area <= width * height and int(row["plain"]) == plain_size
        if not fits or offset + packed > len(self._data):
            raise LedgerError(
                f"{self._path}: the pixels of fix {fix.id} do not fit its box {fix.box}, area {fix.area}; "
                f"undo the edit of its line, or restore frame {fix.frame} again"
            )
        blob = self._data[offset : offset + packed]
        if xxhash.xxh3_64_intdigest(blob) != int(row["checksum"]):
            raise LedgerError(f"{self._path}: the pixels of fix {fix.id} are damaged; restore frame {fix.frame} again")
        return self._unpack(fix, blob, plain_size)

    def _unpack(self, fix: Fix, blob: bytes, plain_size: int) -> Pixels:
        unpacker = zlib.decompressobj()
        try:
            plain = unpacker.decompress(blob, plain_size)
        except zlib.error as error:
            raise LedgerError(f"{self._path}: the pixels of fix {fix.id} cannot be unpacked: {error}") from error
        width, height, area = fix.where.width, fix.where.height, fix.area
        if len(plain) != plain_size or _SIZE.unpack_from(plain) != (width, height, area):
            raise LedgerError(f"{self._path}: the pixels of fix {fix.id} are not {width}x{height}, {area} changed")
        at = _SIZE.size
        bits = np.frombuffer(plain, np.uint8, (width * height + 7) // 8, at)
        mask = np.unpackbits(bits, count=width * height).reshape(height, width).astype(bool)
        if int(mask.sum()) != area:
            raise LedgerError(f"{self._path}: the mask of fix {fix.id} does not hold {area} pixels")
        at += len(bits)
        stored = np.dtype(self.dtype).newbyteorder("<")
        codes = np.frombuffer(plain, stored, 2 * area * self.channels, at).astype(self.dtype)
        before, after = codes.reshape(2, area, self.channels)
        at += codes.nbytes
        matte, origin = np.frombuffer(plain, np.uint8, 2 * area, at).reshape(2, area)
        return Pixels(mask, before, after, matte, origin)


def _pack_pixels(pixels: Pixels, dtype: str, channels: int) -> bytes:
    height, width = pixels.mask.shape
    area = len(pixels.matte)
    assert pixels.before.dtype == pixels.after.dtype == np.dtype(dtype)
    assert pixels.before.shape == pixels.after.shape == (area, channels)
    return b"".join(
        (
            _SIZE.pack(width, height, area),
            np.packbits(pixels.mask).tobytes(),
            little_endian(pixels.before),
            little_endian(pixels.after),
            pixels.matte.tobytes(),
            pixels.origin.tobytes(),
        )
    )


def _plain_size(width: int, height: int, area: int, dtype: str, channels: int) -> int:
    return _SIZE.size + (width * height + 7) // 8 + area * (2 * channels * np.dtype(dtype).itemsize + 2)


class _Head(NamedTuple):
    dtype: str
    channels: int
    frame: int
    size: int
    number_of_fixes: int
    checksum: int
    raw: bytes


def _read_head(file: BinaryIO, path: Path, start: int, total: int) -> _Head:
    """The head of the chunk at the file's position."""
    raw = file.read(_TABLE_AT)
    if len(raw) < _TABLE_AT:
        raise LedgerError(f"{path}: truncated at byte {start}; {_REMEDY}")
    magic, version, dtype, channels, frame, size, count = _HEAD.unpack_from(raw)
    if magic != _MAGIC or version != _VERSION:
        raise LedgerError(
            f"{path}: byte {start} holds {raw[:6]!r}, expected a pixel chunk of version {_VERSION}; {_REMEDY}"
        )
    if dtype >= len(_DTYPES) or channels not in (1, 3):
        raise LedgerError(f"{path}: the chunk at byte {start} has dtype {dtype} and {channels} channels; {_REMEDY}")
    if start + size > total or _TABLE_AT + count * _ROW.itemsize > size:
        raise LedgerError(f"{path}: the chunk of frame {frame} says {size} bytes, {total - start} are there; {_REMEDY}")
    (checksum,) = _CHECKSUM.unpack_from(raw, _HEAD.size)
    return _Head(_DTYPES[dtype], channels, frame, size, count, checksum, raw[: _HEAD.size])


def _key(fix: Fix) -> int:
    try:
        return int(fix.id.rpartition("-")[2], 16)
    except ValueError as error:
        raise LedgerError(f"fix id {fix.id!r} of frame {fix.frame} is not a frame number and hex digits") from error
