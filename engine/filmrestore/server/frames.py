"""The frames that hosts have sent, bounded in memory however many are asked for at once."""

from __future__ import annotations

import mmap
import threading
import weakref
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from ..errors import ProtocolError
from ..protocol import byte_count

F32 = NDArray[np.float32]
Place = tuple[int, str, str, int]
"""Connection, clip, plane, frame number."""
_SPARE = 4  # buffers kept for the next frames


def bytes_of(pixels: F32) -> memoryview:
    """The bytes of an image, of none too; a copy where its rows do not follow each other."""
    return np.ascontiguousarray(pixels).reshape(-1).view(np.uint8).data


class FrameStore:
    """Frames by place and change; the longest unused go first. Safe to share by threads.

    Memory counts until the last reference to a frame is gone, a running request's included; then it serves the next
    frame of that size.

    Args:
        limit: Bytes of all frames that are alive.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.RLock()  # a frame can die, and be counted, while the lock is held
        self._held: OrderedDict[Place, tuple[str, F32]] = OrderedDict()
        self._free: list[mmap.mmap] = []
        self.bytes = 0

    def empty(self, shape: list[int]) -> F32:
        """Memory for a frame of that shape, float32.

        Raises:
            ProtocolError: with code "limit": running requests hold all there is.
        """
        size = byte_count(shape)
        buffer = self._buffer(size)
        flat = np.frombuffer(buffer, np.float32)
        # Every view of the frame, a slice of a slice too, holds on to `flat`: when it dies, nobody sees the memory.
        weakref.finalize(flat, self._freed, buffer).atexit = False
        return flat.reshape(shape)

    def put(self, place: Place, change: str, pixels: F32) -> None:
        """Keeps a frame made by `empty`; another one in its place goes."""
        pixels.flags.writeable = False
        with self._lock:
            self._held[place] = (change, pixels)
            self._held.move_to_end(place)

    def get(self, place: Place, change: str, shape: list[int] | None) -> F32 | None:
        """The frame of that place, if it has that change and shape."""
        with self._lock:
            found = self._held.get(place)
            if found is None or found[0] != change or (shape is not None and list(found[1].shape) != shape):
                return None
            self._held.move_to_end(place)
            return found[1]

    def forget(self, connection: int, clip: str | None = None) -> None:
        """Drops the frames of a connection, or of one of its clips."""
        with self._lock:
            for place in [place for place in self._held if place[0] == connection and clip in (None, place[1])]:
                del self._held[place]
            if not self._held:
                self._trim()

    def _trim(self) -> None:
        """Gives memory that no frame uses back to the system."""
        self.bytes -= sum(len(buffer) for buffer in self._free)
        self._free.clear()

    def _buffer(self, size: int) -> mmap.mmap:
        """Used memory if there is some, for the system takes longer to give new pages than to copy a frame."""
        with self._lock:
            used = next((buffer for buffer in self._free if len(buffer) == size), None)
            if used is not None:
                self._free.remove(used)
                return used
            if self.bytes + size > self._limit:
                self._trim()
            while self.bytes + size > self._limit and self._held:
                self._held.popitem(last=False)
                self._trim()
            if self.bytes + size > self._limit:
                raise ProtocolError(
                    f"a frame of {size} bytes does not fit: running requests hold {self.bytes} of {self._limit}; "
                    "ask for fewer frames at once, or start the server with a larger --memory",
                    code="limit",
                )
            try:
                buffer = mmap.mmap(-1, size)
            except OSError as error:
                raise MemoryError(f"a frame of {size} bytes: {error.strerror}") from error
            self.bytes += size
            return buffer

    def _freed(self, buffer: mmap.mmap) -> None:
        with self._lock:
            self._free.append(buffer)
            while len(self._free) > (_SPARE if self._held else 0):
                self.bytes -= len(self._free.pop(0))
