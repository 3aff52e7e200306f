"""Listens: one server for each user and device, found by a file, ended by idleness."""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import filelock
import psutil

from .. import __version__
from ..cache import TileCache
from ..client import fits_socket, runtime_folder, server_path
from ..errors import EngineError, ProtocolError
from ..media import atomic_bytes
from ..nodes.choosing import windows
from ..nodes.live import LiveEngine
from ..protocol import VERSION
from .connection import Connection
from .frames import FrameStore
from .session import House, Limits, Session
from .slots import SHARED_MEMORY, SlotPool, sweep
from .worker import Worker

log = logging.getLogger(__name__)
_LOOK_S = 0.2  # between looks at idleness and at the stop


class AlreadyServed(EngineError):
    """Another server of this user has the device."""


class Server:
    """The server of one device; `serve` runs until `stop` is called or nobody asks for anything.

    Args:
        device: torch device.
        threads: Patches restored side by side.
        idle_s: Ends after this long without a request; 0 never does.
        cache: Tiles on disk.
        limits: How much clients may ask for.
        tcp: Loopback TCP with a token, in place of a Unix socket.
        slot_folders: Where slots may lie, tried in order.

    Raises:
        AlreadyServed: another server has the device.
        FilmRestoreError: the device, the weights or the runtime folder.
    """

    def __init__(
        self,
        device: str = "cpu",
        *,
        threads: int = 1,
        idle_s: float = 900.0,
        cache: TileCache | None = None,
        limits: Limits | None = None,
        tcp: bool = False,
        slot_folders: tuple[Path, ...] | None = None,
    ) -> None:
        self._device, self._idle_s, self._tcp = device, idle_s, tcp
        self._limits = limits or Limits()
        self._stop = threading.Event()
        self._sessions: dict[int, tuple[Connection, threading.Thread]] = {}
        self._lock, self._numbers, self._began = threading.Lock(), count(1), monotonic()
        self._file = server_path(device, "json")
        self._claim = filelock.FileLock(server_path(device, "lock"))
        try:
            self._claim.acquire(blocking=False)
        except filelock.Timeout as error:
            raise AlreadyServed(f"device {device} has a server already: see {self._file}") from error
        try:
            folders = slot_folders if slot_folders is not None else (SHARED_MEMORY, runtime_folder())
            sweep(folders)
            self.house = self._house(threads, cache, SlotPool(folders, self._limits.slot_bytes))
            self._socket, self._address = self._listen()
        except BaseException:
            self._claim.release()
            raise

    def serve(self) -> None:
        """Answers clients; returns once it has ended and left nothing behind."""
        atomic_bytes(self._file, json.dumps(self._facts()).encode())
        log.info("serving %s at %s", self._device, self._address)
        try:
            self._socket.settimeout(_LOOK_S)
            while not self._stop.is_set() and not self._is_idle():
                with suppress(TimeoutError):
                    sock, _ = self._socket.accept()
                    self._welcome(sock)
        finally:
            self._end()

    def stop(self) -> None:
        """Makes `serve` end; jobs in flight are cancelled."""
        self._stop.set()

    def status(self) -> dict[str, Any]:
        """For clients and tests."""
        house = self.house
        with self._lock:
            connections = len(self._sessions)
        return {
            "pid": os.getpid(),
            "software": f"filmrestore {__version__}",
            "device": self._device,
            "seconds": round(monotonic() - self._began, 1),
            "connections": connections,
            "waiting": house.worker.waiting,
            "running": house.worker.running,
            "frame_bytes": house.frames.bytes,
            "tiles_computed": house.engine.tiles_computed,
            "kept_bytes": house.engine.kept.bytes,
            "slot_bytes": house.slots.bytes,
            "memory_bytes": psutil.Process().memory_info().rss,
        }

    def _house(self, threads: int, cache: TileCache | None, slots: SlotPool) -> House:
        engine = LiveEngine(
            device=self._device, threads=threads, cache=cache, keep_mib=self._limits.kept_bytes // 2**20
        )
        methods = {name: {"window": window, "keep": keep} for name, (window, keep) in windows().items()}
        defaults = {"device": self._device, "threads": threads, "cache": str(cache.folder) if cache else None}
        return House(
            engine=engine,
            worker=Worker(self._limits.queue),
            frames=FrameStore(self._limits.frame_bytes),
            slots=slots,
            limits=self._limits,
            device=self._device,
            methods=methods,
            span_defaults=defaults,
            token=None,
            stop=self.stop,
            status=self.status,
        )

    def _listen(self) -> tuple[socket.socket, str]:
        path = server_path(self._device, "sock")
        if self._tcp or not fits_socket(path):
            self.house.token = secrets.token_urlsafe(32)
            sock = socket.create_server(("127.0.0.1", 0), backlog=64)
            return sock, f"127.0.0.1:{sock.getsockname()[1]}"
        path.unlink(missing_ok=True)  # of a server that was killed: ours is the lock
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen(64)
        return sock, str(path)

    def _facts(self) -> dict[str, Any]:
        facts = {
            "version": VERSION,
            "pid": os.getpid(),
            "software": f"filmrestore {__version__}",
            "device": self._device,
        }
        if self.house.token is None:
            return {**facts, "socket": self._address}
        return {**facts, "address": self._address, "token": self.house.token}

    def _is_idle(self) -> bool:
        if not self._idle_s or not self.house.worker.idle:
            return False
        return monotonic() - self.house.last_asked > self._idle_s

    def _welcome(self, sock: socket.socket) -> None:
        """Gives a client a session, or says why not."""
        connection = Connection(next(self._numbers), sock, patience_s=self._limits.patience_s)
        with self._lock:
            is_full = len(self._sessions) >= self._limits.connections
        if is_full or not is_own(sock):
            why = "all connections are taken" if is_full else "this engine serves another user"
            error = ProtocolError(why, code="limit" if is_full else "refused")
            connection.refuse(0, error)
            threading.Thread(target=_part, args=(connection,), daemon=True).start()
            return
        session = Session(connection, self.house)
        thread = threading.Thread(target=self._run, args=(connection, session), name=f"from {connection.number}")
        with self._lock:
            self._sessions[connection.number] = (connection, thread)
        thread.start()

    def _run(self, connection: Connection, session: Session) -> None:
        try:
            session.run()
        finally:
            with self._lock:
                self._sessions.pop(connection.number, None)

    def _end(self) -> None:
        """Nothing stays: no file, no socket, no slot."""
        self._file.unlink(missing_ok=True)
        self._socket.close()
        if self.house.token is None:
            Path(self._address).unlink(missing_ok=True)
        with self._lock:
            sessions = list(self._sessions.values())
        for connection, _ in sessions:
            connection.close(after=True)
        for _, thread in sessions:
            thread.join()
        self.house.worker.close()
        self._claim.release()
        log.info("ended")


def _part(connection: Connection) -> None:
    connection.close(after=True)
    connection.done()


def peer_uid(sock: socket.socket) -> int | None:
    """The user at the other end of a Unix socket; None where the system does not say."""
    if sys.platform == "linux":
        size = struct.calcsize("3i")
        return int(struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1])
    if sys.platform == "darwin":
        # struct xucred: version, uid, ...; SOL_LOCAL 0, LOCAL_PEERCRED 1 (sys/un.h)
        return int(struct.unpack_from("2I", sock.getsockopt(0, 1, 76))[1])
    return None


_peer: Callable[[socket.socket], int | None] = peer_uid


def is_own(sock: socket.socket) -> bool:
    """Whether this user is at the other end; on TCP the token says so."""
    if not hasattr(socket, "AF_UNIX") or sock.family != socket.AF_UNIX:
        return True
    uid = _peer(sock)
    return uid is None or uid == os.getuid()
