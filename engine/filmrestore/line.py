"""One connection to the engine, as a client has it: packets, slots, and a frame from the question to the pixels.

Standard library only, Python 3.9 and newer: hosts load this file inside their own Python.
"""

from __future__ import annotations

import mmap
import os
import queue
import socket
import stat
import threading
from contextlib import suppress
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from .errors import EngineError, ProtocolError
from .finding import facts, last_lines, server_path
from .protocol import (
    PREFIX,
    SLOT_HEAD,
    SLOT_MAGIC,
    SLOT_OFFSET,
    Header,
    byte_count,
    error_of,
    pack,
    settings_digest,
    unpack_header,
    unpack_prefix,
)

Progress = Callable[[str, int, int], None]
Planes = Mapping[Tuple[str, int], Callable[[], "Image"]]
"""Plane and frame number -> what gets its image."""
_Got = Union[Tuple[Header, bytearray], EngineError]


class Image:
    """Pixels: float32, rows from the top, channels interleaved, no padding.

    Args:
        height, width: Pixels.
        channels: A letter each: "RGBA", "RGB", "Y" ...
        pixels: height * width * len(channels) floats in any contiguous buffer.
    """

    def __init__(self, height: int, width: int, channels: str, pixels: Any) -> None:
        self.height, self.width, self.channels = height, width, channels
        self.pixels = pixels
        if self.view().nbytes != byte_count(self.shape):
            raise ProtocolError(f"{self.view().nbytes} bytes of pixels for a shape of {self.shape}")

    @property
    def shape(self) -> List[int]:
        """[height, width, channels]."""
        return [self.height, self.width, len(self.channels)]

    def view(self) -> memoryview:
        """The pixels' bytes."""
        return memoryview(self.pixels).cast("B")


class Slot:
    """A slot as the client sees it: mapped, with the generation that it was last told."""

    def __init__(self, number: int, generation: int, path: str, capacity: int) -> None:
        self.number, self.generation, self.capacity = number, generation, capacity
        file = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
        try:
            found = os.fstat(file)
            is_mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
            if not stat.S_ISREG(found.st_mode) or not is_mine or found.st_size < SLOT_OFFSET + capacity:
                raise ProtocolError(f"{path} is no slot of {capacity} bytes of this user", code="slot")
            self._map = mmap.mmap(file, SLOT_OFFSET + capacity)
        finally:
            os.close(file)

    def write(self, pixels: memoryview) -> None:
        self._map[SLOT_OFFSET : SLOT_OFFSET + len(pixels)] = pixels
        self._map[: SLOT_HEAD.size] = SLOT_HEAD.pack(SLOT_MAGIC, self.number, self.generation, len(pixels))

    def read(self, generation: int, offset: int, count: int) -> memoryview:
        """The pixels of a result.

        Raises:
            ProtocolError: the head does not say what the message says.
        """
        self.generation = generation
        head = SLOT_HEAD.unpack(self._map[: SLOT_HEAD.size])
        if offset != SLOT_OFFSET or count > self.capacity or head != (SLOT_MAGIC, self.number, generation, count):
            raise ProtocolError(f"slot {self.number} holds {head}: expected generation {generation} and {count} bytes")
        return memoryview(self._map)[SLOT_OFFSET : SLOT_OFFSET + count]


class Line:
    """One connection: packets out of any thread, packets in to whoever asked."""

    def __init__(self, sock: socket.socket, device: str, name: str, hello_s: float) -> None:
        self._socket, self._device = sock, device
        self._sending, self._lock = threading.Lock(), threading.Lock()
        self._inboxes: Dict[int, queue.Queue[_Got]] = {}
        self._next_id = 0
        self._free: List[Slot] = []
        self._inline = False
        self._last_words: Optional[EngineError] = None
        self.error: Optional[EngineError] = None
        self._reader = threading.Thread(target=self._read, name="filmrestore", daemon=True)
        self._reader.start()
        token = str((facts(device) or {}).get("token", ""))
        hello: Header = {"type": "hello", "client": name, "settings": settings_digest()}
        try:
            self.welcome = self.call({**hello, "token": token} if token else hello, hello_s)
        except BaseException:
            self.close()
            raise

    def open(self) -> Tuple[int, queue.Queue[_Got]]:
        """A new id, and where what answers it arrives."""
        inbox: queue.Queue[_Got] = queue.Queue()
        with self._lock:
            if self.error is not None:
                raise self.error
            self._next_id += 1
            self._inboxes[self._next_id] = inbox
            return self._next_id, inbox

    def forget(self, request: int) -> None:
        with self._lock:
            self._inboxes.pop(request, None)

    def send(self, header: Header, body: Optional[memoryview] = None) -> None:
        data = pack(header, 0 if body is None else len(body))
        try:
            with self._sending:
                self._socket.sendall(data)
                if body is not None:
                    self._socket.sendall(body)
        except OSError as error:
            self._reader.join()  # which knows why
            raise self.error or EngineError(f"the engine broke off: {error}") from error

    def call(self, header: Header, timeout_s: Optional[float] = None) -> Header:
        """Sends a message that has one answer, and gives it.

        Raises:
            FilmRestoreError: the answer is an error, or there is none in time.
        """
        request, inbox = self.open()
        try:
            self.send({**header, "id": request})
            return answer_of(inbox.get(timeout=timeout_s))[0]
        except queue.Empty:
            raise ProtocolError(
                f"the engine takes calls and has not answered for {timeout_s:g} s: end its process, or wait until it "
                f"is free again\n{self._log()}"
            ) from None
        finally:
            self.forget(request)

    def slot(self, count: int) -> Optional[Slot]:
        """A slot that holds `count` bytes; None where there is none to be had."""
        with self._lock:
            fitting = [slot for slot in self._free if slot.capacity >= count]
            if fitting:
                best = min(fitting, key=lambda slot: slot.capacity)
                self._free.remove(best)
                return best
            too_small, self._free = self._free, []
        for slot in too_small:  # of another clip, most likely
            self.call({"type": "drop_slot", "slot": slot.number})
        if self._inline:
            return None
        try:
            made = self.call({"type": "slot", "bytes": count})
            return Slot(made["slot"], made["generation"], made["path"], made["bytes"])
        except (ProtocolError, OSError) as error:
            if isinstance(error, OSError):  # it is there, and this process may not use it
                self._inline = True
            return None

    def release(self, slot: Optional[Slot]) -> None:
        """The slot may be used again."""
        if slot is not None:
            with self._lock:
                self._free.append(slot)

    def abandon(self, request: int, *slots: Optional[Slot]) -> None:
        """Ends a request that nobody waits for any more, and slots that the server may still write to."""
        if self.error is not None:
            return
        self.send({"type": "cancel", "id": request, "request": request})
        for slot in slots:
            if slot is not None:
                self.send({"type": "drop_slot", "id": request, "slot": slot.number})

    def open_ids(self) -> List[int]:
        with self._lock:
            return list(self._inboxes)

    def close(self) -> None:
        with suppress(OSError):  # the engine was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._reader:
            self._reader.join()
        self._socket.close()

    def _read(self) -> None:
        try:
            while True:
                header_bytes, body_bytes = unpack_prefix(bytes(self._exactly(PREFIX.size)))
                header = unpack_header(bytes(self._exactly(header_bytes)))
                body = self._exactly(body_bytes)
                with self._lock:
                    inbox = self._inboxes.get(header["id"])
                if inbox is not None:
                    inbox.put((header, body))
                elif header["type"] == "error" and header["id"] == 0:  # not of a request: why the server hangs up
                    self._last_words = ProtocolError(header["text"], code=header["code"])
        except EngineError as error:
            failure = self._last_words or error
        except OSError as error:
            failure = self._last_words or EngineError(f"the engine broke off: {error}\n{self._log()}")
        with self._lock:
            self.error = failure
            waiting = list(self._inboxes.values())
        for inbox in waiting:
            inbox.put(failure)

    def _exactly(self, count: int) -> bytearray:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            got = self._socket.recv_into(view)
            if got == 0:
                raise EngineError(f"the engine broke off\n{self._log()}")
            view = view[got:]
        return data

    def _log(self) -> str:
        try:
            return last_lines(server_path(self._device, "log"))
        except EngineError as error:
            return str(error)


def answer_of(got: _Got) -> Tuple[Header, bytearray]:
    """What came, unless it is an error: that is raised."""
    if isinstance(got, EngineError):
        raise got
    if got[0]["type"] == "error":
        raise error_of(got[0]["code"], got[0]["text"])
    return got


class FrameCall:
    """One frame, from the question to the pixels."""

    def __init__(
        self,
        line: Line,
        ask: Header,
        planes: Planes,
        progress: Optional[Progress],
        cancelled: Optional[Callable[[], bool]],
    ) -> None:
        self._line, self._ask, self._planes = line, ask, planes
        self._progress, self._cancelled = progress, cancelled
        self._sent: Dict[Tuple[str, int], Optional[Slot]] = {}
        self._to_put: List[Any] = []

    def run(self, into: Optional[Any]) -> Image:
        request, inbox = self._line.open()
        result_slot = self._line.slot(byte_count(self._ask["shape"]))
        place = {} if result_slot is None else {"slot": result_slot.number, "generation": result_slot.generation}
        is_over = False
        try:
            self._line.send({**self._ask, "id": request, **place})
            while True:
                got = next_of(self._line, inbox, request, self._cancelled)
                is_over = isinstance(got, EngineError) or got[0]["type"] in ("error", "result")
                header, body = answer_of(got)
                if header["type"] == "need":
                    self._to_put = list(header["offers"])
                    self._put_some(request)
                elif header["type"] == "taken":
                    self._taken(header)
                    self._put_some(request)
                elif header["type"] == "progress" and self._progress is not None:
                    self._progress(header["stage"], header["done"], header["total"])
                elif header["type"] == "result":
                    return self._composed(header, body, result_slot, into)
        finally:
            self._line.forget(request)
            if is_over:
                self._line.release(result_slot)
            else:
                self._line.abandon(request, result_slot)
            if self._sent:
                self._line.abandon(request, *self._sent.values())

    def _put_some(self, request: int) -> None:
        """Two frames on their way at once: one is read while the other is written."""
        while self._to_put and len(self._sent) < 2:
            plane, number, change = self._to_put.pop(0)
            image = self._planes[plane, number]()
            view = image.view()
            slot = self._line.slot(len(view))
            self._sent[plane, number] = slot
            header: Header = {
                "type": "put",
                "id": request,
                "plane": plane,
                "frame": number,
                "change": change,
                "shape": image.shape,
                "dtype": "float32",
                "colourspace": self._ask["colourspace"],
            }
            if slot is None:
                self._line.send(header, view)
            else:
                slot.write(view)
                place = {"slot": slot.number, "generation": slot.generation, "offset": SLOT_OFFSET}
                self._line.send({**header, **place})

    def _taken(self, header: Header) -> None:
        slot = self._sent.pop((header["plane"], header["frame"]), None)
        if slot is not None:
            slot.generation = header["generation"]
            self._line.release(slot)

    def _composed(self, header: Header, body: bytearray, slot: Optional[Slot], into: Optional[Any]) -> Image:
        """The frame: the source, with what changed laid over it."""
        height, width, channels = self._ask["shape"]
        x0, y0, x1, y1 = header["box"]
        is_empty = x0 == x1 or y0 == y1
        if not is_empty and (header["shape"] != [y1 - y0, x1 - x0, channels] or x1 > width or y1 > height):
            raise ProtocolError(f"a result of {header['shape']} for the box {header['box']} of {self._ask['shape']}")
        count = 0 if is_empty else byte_count(header["shape"])
        if slot is not None and "slot" in header:
            pixels = slot.read(header["generation"], header.get("offset", SLOT_OFFSET), count)
        else:
            pixels = memoryview(body)
        if len(pixels) != count:
            raise ProtocolError(f"a result of {len(pixels)} bytes: its box needs {count}")
        is_all = (x1 - x0, y1 - y0) == (width, height)
        base = pixels if is_all else self._planes["source", self._ask["frame"]]().view()
        if into is None:
            into = bytearray(base)
        else:
            memoryview(into).cast("B")[:] = base
        if not is_all and not is_empty:
            out, row = memoryview(into).cast("B"), 4 * channels * (x1 - x0)
            for y in range(y0, y1):
                start = 4 * channels * (y * width + x0)
                out[start : start + row] = pixels[(y - y0) * row : (y - y0 + 1) * row]
        return Image(height, width, self._ask["channels"], into)


def next_of(line: Line, inbox: Any, request: int, cancelled: Optional[Callable[[], bool]]) -> Any:
    """What comes next for a request; asks meanwhile whether the caller has had enough."""
    if cancelled is None:
        return inbox.get()
    is_told = False
    while True:
        if not is_told and cancelled():
            line.call({"type": "cancel", "request": request})
            is_told = True
        try:
            return inbox.get(timeout=0.05)
        except queue.Empty:
            continue
