"""One client's socket: packets in and out through a thread each, so that a slow client slows only itself."""

from __future__ import annotations

import socket
import threading
from collections import deque
from contextlib import suppress
from time import monotonic

from ..errors import ProtocolError
from ..protocol import PREFIX, Header, code_of, pack, unpack_header, unpack_prefix

_WAITING = 64  # packets out that may wait before their client's next packet is read
_SLOWEST = 10e6  # bytes a second at which a body must come or go
_DRAIN = 1 << 16
_FOREVER = 86400.0
_FAREWELL_S = 2.0  # for what is queued, when the connection is to end


class Gone(Exception):
    """The client has gone, or is too slow to be waited for."""


class Connection:
    """Packets of one socket.

    Args:
        number: Tells connections apart.
        sock: Connected; closed by `close`.
        patience_s: For the rest of a packet that has begun, beside what its size takes.
    """

    def __init__(self, number: int, sock: socket.socket, *, patience_s: float) -> None:
        self.number = number
        # Timeouts belong to the object, not the socket: reader and writer have one each.
        self._socket, self._to, self._patience_s = sock, sock.dup(), patience_s
        self._out: deque[tuple[Header, memoryview | None]] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._writer = threading.Thread(target=self._write, name=f"to {number}", daemon=True)
        self._writer.start()

    @property
    def is_ended(self) -> bool:
        return self._ended

    def send(self, header: Header, body: memoryview | None = None, *, wait: bool = False) -> None:
        """Queues a packet; `wait` holds a reader back whose client does not take its answers."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._ended or len(self._out) < _WAITING)
            if not self._ended:
                self._out.append((header, body))
                self._changed.notify_all()

    def tell(self, header: Header) -> None:
        """Queues a packet that may be lost, when others wait already."""
        with self._changed:
            is_free = not self._out
        if is_free:
            self.send(header)

    def refuse(self, request: int, error: BaseException, *, wait: bool = False) -> None:
        """Tells the client of an error."""
        self.send({"type": "error", "id": request, "code": code_of(error), "text": str(error)[:4096]}, wait=wait)

    def receive(self, begin_s: float | None = None) -> tuple[Header | ProtocolError, int]:
        """The next header, or what is wrong with it, and the bytes of body that follow.

        Args:
            begin_s: Seconds to wait for its first byte; None waits as long as the client lives.

        Raises:
            Gone: the client has gone or is too slow.
            ProtocolError: a prefix that cannot be read; nothing after it can.
        """
        prefix = bytearray(PREFIX.size)
        self._fill(memoryview(prefix)[:1], begin_s)
        self._fill(memoryview(prefix)[1:], self._patience_s)
        header_bytes, body_bytes = unpack_prefix(bytes(prefix))
        text = bytearray(header_bytes)
        self._fill(memoryview(text), self._patience_s)
        try:
            return unpack_header(bytes(text)), body_bytes
        except ProtocolError as error:
            return error, body_bytes

    def body(self, into: memoryview) -> None:
        """Fills `into` with the next bytes.

        Raises:
            Gone: the client has gone or is too slow.
        """
        self._fill(into, self._patience_s + len(into) / _SLOWEST)

    def drain(self, count: int) -> None:
        """Throws the next bytes away.

        Raises:
            Gone: the client has gone or is too slow.
        """
        rest = memoryview(bytearray(min(count, _DRAIN)))
        deadline = monotonic() + self._patience_s + count / _SLOWEST
        while count:
            part = rest[: min(count, len(rest))]
            self._fill(part, max(deadline - monotonic(), 0.001))
            count -= len(part)

    def close(self, *, after: bool = False) -> None:
        """Ends the connection; `after` lets what is queued go out first."""
        with self._changed:
            if after:
                self._changed.wait_for(lambda: self._ended or not self._out, _FAREWELL_S)
            self._ended = True
            self._out.clear()
            self._changed.notify_all()
        with suppress(OSError):  # the client was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._writer.join()

    def done(self) -> None:
        """Frees the socket; called by the reader, who is the last to use it."""
        self.close()
        self._socket.close()

    def _fill(self, view: memoryview, seconds: float | None) -> None:
        deadline = None if seconds is None else monotonic() + seconds
        while view:
            left = _FOREVER if deadline is None else deadline - monotonic()
            if left <= 0:
                raise Gone
            self._socket.settimeout(left)
            try:
                got = self._socket.recv_into(view)
            except TimeoutError:
                continue
            except OSError as error:
                raise Gone from error
            if got == 0:
                raise Gone
            view = view[got:]

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._out)
                if self._ended:
                    break
                header, body = self._out[0]
            try:
                self._send_one(header, body)
            except OSError:  # gone or too slow: the reader finds the same and ends the connection
                break
            with self._changed:
                if self._out:
                    self._out.popleft()
                self._changed.notify_all()
            del body  # its frame must not live until the next packet
        with self._changed:
            self._ended = True
            self._out.clear()
            self._changed.notify_all()
        with suppress(OSError):
            self._to.shutdown(socket.SHUT_RDWR)
        self._to.close()

    def _send_one(self, header: Header, body: memoryview | None) -> None:
        size = 0 if body is None else len(body)
        self._to.settimeout(self._patience_s + size / _SLOWEST)
        self._to.sendall(pack(header, size))
        if body is not None:
            self._to.sendall(body)
