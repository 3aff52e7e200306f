"""An engine for tests of the plug-in alone: speaks the wire of docs/server.md, does with pixels what the test says."""

from __future__ import annotations

import contextlib
import itertools
import json
import mmap
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filmrestore import protocol
from wire import receive, send

F32 = NDArray[np.float32]
Planes = dict[tuple[str, int], F32]
Answer = tuple[tuple[int, int, int, int], F32]


class Refused(Exception):
    """An answer that is an error: code, text."""


def brighter(request: dict[str, Any], planes: Planes) -> Answer:
    """The whole frame, twice as bright."""
    source = planes["source", request["frame"]]
    height, width = source.shape[:2]
    return (0, 0, width, height), source * np.float32(2)


class FakeEngine:
    """Listens in a runtime folder until closed.

    Attributes:
        answer: Makes the result of a request from the planes that it offered; may raise `Refused`.
        has_slots: Whether slots can be made.
        requests: Headers of the frame requests, in order.
        puts: (plane, frame) of everything that was put.
        is_cancelled: Set by a cancel.
    """

    def __init__(self, folder: Path) -> None:
        self.answer: Callable[[dict[str, Any], Planes], Answer] = brighter
        self.has_slots = True
        self.refuses_hello: tuple[str, str] | None = None
        self.requests: list[dict[str, Any]] = []
        self.puts: list[tuple[str, int]] = []
        self.hellos: list[dict[str, Any]] = []
        self.is_cancelled = threading.Event()
        self._folder = folder
        self._held: dict[tuple[str, str, int, str], F32] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        path = folder / "server-cpu.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._start(self._accept)
        (folder / "server-cpu.json").write_text(json.dumps({"version": 1, "pid": os.getpid(), "socket": str(path)}))

    def close(self) -> None:
        """Ends as an engine that dies: no goodbye."""
        for left in [*self._folder.glob("server-cpu.*"), *self._folder.glob("slot-*")]:
            left.unlink()
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(10)
                assert not thread.is_alive(), thread

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=self._guarded, args=(work, *arguments), daemon=True)
        self._threads.append(thread)
        thread.start()

    @staticmethod
    def _guarded(work: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(OSError, EOFError):  # the other side has gone, or we have
            work(*arguments)

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self._open.append(connection)
            self._start(_Session(self, connection).serve)


class _Session:
    """One connection."""

    def __init__(self, engine: FakeEngine, connection: socket.socket) -> None:
        self.engine, self.connection = engine, connection
        self.slots: dict[int, tuple[mmap.mmap, int]] = {}
        self.open: dict[int, tuple[dict[str, Any], set[tuple[str, int, str]]]] = {}
        self.sending = threading.Lock()

    def serve(self) -> None:
        while True:
            self._handle(*receive(self.connection))

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        with self.sending:
            send(self.connection, header, body)

    def _handle(self, header: dict[str, Any], body: bytes) -> None:
        kind, number, engine = header["type"], header["id"], self.engine
        if kind == "hello":
            engine.hellos.append(header)
            if engine.refuses_hello:
                code, text = engine.refuses_hello
                self.send({"type": "error", "id": number, "code": code, "text": text})
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            welcome = {"software": "fake", "device": "cpu", "pid": 1, "settings": header["settings"]}
            self.send({"type": "welcome", "id": number, "methods": {}, "limits": {}, **welcome})
        elif kind == "slot":
            self._slot(number, header["bytes"])
        elif kind == "drop_slot":
            self.slots.pop(header["slot"])
            self.send({"type": "ok", "id": number})
        elif kind == "cancel":
            engine.is_cancelled.set()
            self.send({"type": "ok", "id": number})
        elif kind == "put":
            self._put(header, body)
        else:
            self._ask(header)

    def _slot(self, number: int, size: int) -> None:
        if not self.engine.has_slots:
            self.send({"type": "error", "id": number, "code": "slot", "text": "no room"})
            return
        slot = next(self.engine._numbers)
        path = self.engine._folder / f"slot-{slot}"
        with path.open("xb+") as file:
            file.truncate(protocol.SLOT_OFFSET + size)
            self.slots[slot] = (mmap.mmap(file.fileno(), 0), 1)
        self.send({"type": "slot_ready", "id": number, "slot": slot, "generation": 1, "path": str(path), "bytes": size})

    def _ask(self, header: dict[str, Any]) -> None:
        self.engine.requests.append(header)
        clip = header["clip"]
        wanted = {tuple(o) for o in header["offers"] if (clip, *o) not in self.engine._held}
        self.open[header["id"]] = (header, wanted)
        self.send({"type": "need", "id": header["id"], "offers": [list(o) for o in sorted(wanted)]})
        if not wanted:
            self._work(header["id"])

    def _put(self, header: dict[str, Any], body: bytes) -> None:
        number = header["id"]
        taken = {key: header[key] for key in ("id", "plane", "frame", "change")} | {"type": "taken"}
        size = protocol.byte_count(header["shape"])
        if "slot" in header:
            memory, generation = self.slots[header["slot"]]
            head = protocol.SLOT_HEAD.pack(protocol.SLOT_MAGIC, header["slot"], generation, size)
            assert memory[: protocol.SLOT_HEAD.size] == head and header["generation"] == generation
            body = memory[protocol.SLOT_OFFSET : protocol.SLOT_OFFSET + size]
            self.slots[header["slot"]] = (memory, generation + 1)
            taken |= {"slot": header["slot"], "generation": generation + 1}
        assert len(body) == size
        offer = (header["plane"], header["frame"], header["change"])
        request, wanted = self.open[number]
        self.engine._held[(request["clip"], *offer)] = np.frombuffer(body, np.float32).reshape(header["shape"])
        self.engine.puts.append(offer[:2])
        self.send(taken)
        wanted.remove(offer)
        if not wanted:
            self._work(number)

    def _work(self, number: int) -> None:
        self.engine._start(self._answer, self.open.pop(number)[0])

    def _answer(self, request: dict[str, Any]) -> None:
        number = request["id"]
        planes = {(p, n): self.engine._held[request["clip"], p, n, c] for p, n, c in request["offers"]}
        self.send({"type": "progress", "id": number, "stage": "restore", "done": 1, "total": 2})
        try:
            box, pixels = self.engine.answer(request, planes)
        except Refused as refusal:
            self.send({"type": "error", "id": number, "code": refusal.args[0], "text": refusal.args[1]})
            return
        shape = list(pixels.shape) if pixels.size else request["shape"]
        result = {key: request[key] for key in ("id", "frame", "dtype", "colourspace")}
        result |= {"type": "result", "box": list(box), "shape": shape, "facts": {}}
        if "slot" not in request:
            self.send(result, pixels.tobytes())
            return
        memory, generation = self.slots[request["slot"]]
        assert request["generation"] == generation, "a stale slot"
        raw = pixels.astype(np.float32).tobytes()
        memory[protocol.SLOT_OFFSET : protocol.SLOT_OFFSET + len(raw)] = raw
        head = protocol.SLOT_HEAD.pack(protocol.SLOT_MAGIC, request["slot"], generation + 1, len(raw))
        memory[: protocol.SLOT_HEAD.size] = head
        self.slots[request["slot"]] = (memory, generation + 1)
        self.send({**result, "slot": request["slot"], "generation": generation + 1, "offset": protocol.SLOT_OFFSET})
