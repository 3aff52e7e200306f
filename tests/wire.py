"""Packets of the engine's wire over a plain socket, for tests that play one of its ends."""

from __future__ import annotations

import socket

from filmrestore import protocol


def send(sock: socket.socket, header: protocol.Header, body: bytes = b"") -> None:
    """One packet."""
    sock.sendall(protocol.pack(header, len(body)) + body)


def receive(sock: socket.socket) -> tuple[protocol.Header, bytes]:
    """The next packet's header and body.

    Raises:
        EOFError: the other side has gone.
    """
    header_bytes, body_bytes = protocol.unpack_prefix(_exactly(sock, protocol.PREFIX.size))
    return protocol.unpack_header(_exactly(sock, header_bytes)), _exactly(sock, body_bytes)


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        got = sock.recv(count - len(data))
        if not got:
            raise EOFError
        data += got
    return data
