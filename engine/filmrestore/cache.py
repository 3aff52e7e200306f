"""Tiles on disk: a content-addressed store, bounded in size, where anything odd is a miss."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from .errors import OutputError
from .media.atomic import atomic_bytes, sweep

_MAGIC = b"FRT1"
_HEAD = struct.Struct("<4s16sHHHI")  # magic, checksum of the rest, frames, height, width, stored pixels
MATTE_FLOOR = 5  # of 255: what lies below is never repaired at any sensitivity, so its pixels are not kept


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A restorer's answer for one patch, as it is stored: sparse, so that clean film costs almost nothing.

    Attributes:
        matte: (k, h, w) uint8, confidence in 255ths.
        support: (k, h, w) bool, where `picture` and `origin` hold something.
        picture: (n, 3) float32, net encoding, the pixels of `support` in raster order.
        origin: (n,) uint8, an `Origin` each.
    """

    matte: NDArray[np.uint8]
    support: NDArray[np.bool_]
    picture: NDArray[np.float32]
    origin: NDArray[np.uint8]

    def to_bytes(self) -> bytes:
        """The tile with a checksum; the same tile gives the same bytes."""
        frames, height, width = self.matte.shape
        rest = struct.pack("<HHHI", frames, height, width, len(self.picture)) + zlib.compress(
            self.matte.tobytes() + np.packbits(self.support).tobytes() + self.picture.tobytes() + self.origin.tobytes(),
            1,
        )
        return _MAGIC + xxhash.xxh3_128_digest(rest) + rest

    @classmethod
    def from_bytes(cls, data: bytes) -> Tile | None:
        """The tile, or None where a single bit is not as it was written."""
        if len(data) < _HEAD.size or data[:4] != _MAGIC or xxhash.xxh3_128_digest(data[20:]) != data[4:20]:
            return None
        _, _, frames, height, width, count = _HEAD.unpack_from(data)
        pixels = frames * height * width
        sizes = (pixels, (pixels + 7) // 8, count * 12, count)
        inflate = zlib.decompressobj()
        body = inflate.decompress(data[_HEAD.size :], sum(sizes) + 1)
        if len(body) != sum(sizes):
            return None
        cuts = np.cumsum((0, *sizes))
        parts = [np.frombuffer(body[a:b], np.uint8) for a, b in pairwise(cuts)]
        shape = (frames, height, width)
        return cls(
            matte=parts[0].reshape(shape),
            support=np.unpackbits(parts[1], count=pixels).astype(bool).reshape(shape),
            picture=parts[2].view(np.float32).reshape(count, 3),
            origin=parts[3],
        )


class TileCache:
    """Tiles by key under one folder, shared by any number of processes.

    The oldest used go first once the folder holds more than `size_mib`. Nothing in it is needed: it may be
    deleted at any time.
    """

    def __init__(self, folder: Path, size_mib: int) -> None:
        self.folder = folder
        self._limit = size_mib * 2**20
        self._lock = threading.Lock()
        self._used: int | None = None

    def get(self, key: str) -> Tile | None:
        """The tile stored under `key`, or None: absent, unreadable or damaged."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        tile = Tile.from_bytes(data)
        with suppress(OSError):  # gone or read-only: the damaged tile stays a miss, or its age in the queue is lost
            if tile is None:
                path.unlink()
            else:
                os.utime(path)
        return tile

    def put(self, key: str, tile: Tile) -> None:
        """Stores the tile. Nothing is raised: what a full or read-only disk does not take is computed again."""
        data = tile.to_bytes()
        with suppress(OutputError):
            atomic_bytes(self._path(key), data, sync=False)
            self._grew(len(data))

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.tile"

    def _grew(self, size: int) -> None:
        with self._lock:
            if self._used is None:
                for folder in self.folder.glob("??"):
                    sweep(folder)
                self._used = sum(entry[1] for entry in self._entries())
            else:
                self._used += size
            if self._used > self._limit:
                self._evict()

    def _entries(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self.folder.glob("??/*.tile"):
            try:
                stat = path.stat()
            except OSError:
                continue
            found.append((stat.st_mtime, stat.st_size, path))
        return found

    def _evict(self) -> None:
        """Deletes the longest unused until a tenth of the limit is free, so that this runs seldom."""
        entries = sorted(self._entries())
        used = sum(entry[1] for entry in entries)
        for _, size, path in entries:
            if used <= self._limit * 0.9:
                break
            with suppress(OSError):  # another process was faster, or it may not be deleted
                path.unlink()
            used -= size
        self._used = used
