"""What a client may say, and what is done about it."""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from .. import __version__
from ..errors import FilmRestoreError, ProtocolError
from ..nodes.live import Key, LiveEngine
from ..protocol import FRAME_ASKS, MAX_BODY, SLOT_OFFSET, SPAN_ASKS, Header, byte_count, settings_digest, settings_list
from .connection import Connection, Gone
from .frames import F32, FrameStore, bytes_of
from .requests import FrameRequest, SpanRequest
from .slots import Slot, SlotPool, check, read
from .worker import Worker

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much clients may ask for.

    Attributes:
        connections: At once.
        requests: Open ones of a connection.
        queue: Jobs that wait for the worker.
        slots: Of a connection.
        slot_bytes: Of all slots.
        frame_bytes: Of all frames held.
        kept_bytes: Of results kept for neighbour frames.
        hello_s: Seconds to say hello.
        patience_s: Seconds for the rest of a packet that has begun.
    """

    connections: int = 32
    requests: int = 32
    queue: int = 64
    slots: int = 16
    slot_bytes: int = 4 << 30
    frame_bytes: int = 4 << 30
    kept_bytes: int = 2 << 30
    hello_s: float = 5.0
    patience_s: float = 30.0


@dataclass(kw_only=True)
class House:
    """What all sessions share."""

    engine: LiveEngine
    worker: Worker
    frames: FrameStore
    slots: SlotPool
    limits: Limits
    device: str
    methods: dict[str, dict[str, int]]
    span_defaults: dict[str, Any]
    token: str | None
    stop: Callable[[], None]
    status: Callable[[], dict[str, Any]]
    last_asked: float = field(default_factory=monotonic)


class Session:
    """One client, from hello to its end.

    Args:
        connection: Its packets.
        house: What all sessions share.
    """

    def __init__(self, connection: Connection, house: House) -> None:
        self._connection, self._house = connection, house
        self._slots: dict[int, Slot] = {}
        self._requests: dict[int, FrameRequest | SpanRequest] = {}
        self._lock = threading.Lock()
        self._answers: dict[str, Callable[[Header], None]] = {
            "slot": self._slot,
            "drop_slot": self._drop_slot,
            "cancel": self._cancel,
            "forget": self._forget,
            "settings": lambda header: self._say(header, type="settings_list", nodes=settings_list()),
            "status": lambda header: self._say(header, type="status_is", facts=self._house.status()),
            "stop": self._stop,
            **dict.fromkeys(FRAME_ASKS, self._frame),
            **dict.fromkeys(SPAN_ASKS, self._span),
        }

    def run(self) -> None:
        """Serves the client until it goes, says something unreadable, or the server ends."""
        try:
            if self._hello():
                while True:
                    self._one(*self._connection.receive())
        except Gone:
            log.info("client %d has gone", self._connection.number)
        except ProtocolError as error:
            log.warning("client %d: %s", self._connection.number, error)
            self._connection.refuse(error.request, error)
            self._connection.close(after=True)
        except Exception:  # a fault of ours must cost this client alone
            log.exception("client %d: an error that should not happen", self._connection.number)
        finally:
            self._end()

    def _hello(self) -> bool:
        header, body = self._connection.receive(self._house.limits.hello_s)
        if isinstance(header, ProtocolError):
            raise header
        if header["type"] != "hello" or body:
            raise ProtocolError("the first message must be hello", code="refused", request=header["id"])
        token = self._house.token
        if token is not None and not hmac.compare_digest(token.encode(), str(header.get("token")).encode()):
            raise ProtocolError("the token is wrong: read it from the server's file", code="refused")
        if header["settings"] != settings_digest():
            raise ProtocolError(
                f"{header['client']} was built from other settings ({header['settings']}) than this engine "
                f"({__version__}, {settings_digest()}): run `filmrestore install` again",
                code="settings",
                request=header["id"],
            )
        limits = self._house.limits
        self._say(
            header,
            type="welcome",
            software=f"filmrestore {__version__}",
            device=self._house.device,
            pid=self._house.status()["pid"],
            settings=settings_digest(),
            methods=self._house.methods,
            limits={"frame_bytes": MAX_BODY, "slots": limits.slots, "requests": limits.requests},
        )
        return True

    def _one(self, header: Header | ProtocolError, body: int) -> None:
        """Answers one packet."""
        if isinstance(header, ProtocolError):
            self._connection.drain(body)
            self._connection.refuse(header.request, header, wait=True)
            return
        self._house.last_asked = monotonic()
        try:
            if header["type"] == "put":
                self._put(header, body)
                return
            self._connection.drain(body)
            answer = self._answers.get(header["type"])
            if answer is None:
                raise ProtocolError(f"{header['type']!r} is nothing that a client says after its hello")
            answer(header)
        except (FilmRestoreError, MemoryError) as error:
            self._connection.refuse(header["id"], error, wait=True)

    def _say(self, to: Header, **fields: Any) -> None:
        self._connection.send({"id": to["id"], **fields}, wait=True)

    def _slot(self, header: Header) -> None:
        if not 0 < header["bytes"] <= MAX_BODY:
            raise ProtocolError(f"a slot of {header['bytes']} bytes: 1 to {MAX_BODY}", code="limit")
        if len(self._slots) >= self._house.limits.slots:
            raise ProtocolError(f"this connection has {len(self._slots)} slots, which is all it may have", code="slot")
        slot = self._house.slots.make(header["bytes"])
        self._slots[slot.number] = slot
        self._say(
            header,
            type="slot_ready",
            slot=slot.number,
            generation=slot.generation,
            path=str(slot.path),
            bytes=slot.capacity,
        )

    def _drop_slot(self, header: Header) -> None:
        self._house.slots.drop(self._slots.pop(self._my_slot(header).number))
        self._say(header, type="ok")

    def _my_slot(self, header: Header) -> Slot:
        slot = self._slots.get(header["slot"])
        if slot is None:
            raise ProtocolError(f"slot {header['slot']} is none of this connection's", code="slot")
        with self._lock:
            is_used = any(isinstance(one, FrameRequest) and one.slot is slot for one in self._requests.values())
        if is_used:
            raise ProtocolError(f"slot {slot.number} waits for the result of a request", code="slot")
        return slot

    def _cancel(self, header: Header) -> None:
        with self._lock:
            request = self._requests.get(header["request"])
        if request is not None:
            request.cancel()
            self._house.worker.remove(request)
        self._say(header, type="ok")

    def _forget(self, header: Header) -> None:
        self._house.frames.forget(self._connection.number, header["clip"])
        self._house.engine.kept.forget((self._connection.number, header["clip"]))
        self._say(header, type="ok")

    def _stop(self, header: Header) -> None:
        self._say(header, type="ok")
        self._house.stop()

    def _frame(self, header: Header) -> None:
        slot = None
        if "slot" in header:
            slot = self._my_slot(header)
            check(slot, header.get("generation", 0), header.get("offset", SLOT_OFFSET), header["shape"])
        request = FrameRequest(header, self._connection, self._house.engine, slot, self._ended)
        wanted = self._house.engine.wanted(request.ask)
        found = []
        for key in wanted:
            pixels = self._house.frames.get(self._place(request, key), request.ask.changes[key], None)
            fits = pixels is not None and request.shape_of(key[0], list(pixels.shape))
            found.append((key, pixels if fits else None))
        request.lay_out(found)
        self._open(request)
        offers = [[plane, number, request.ask.changes[plane, number]] for plane, number in wanted]
        need = [offer for offer in offers if (offer[0], offer[1]) in request.missing]
        self._say(header, type="need", offers=need)
        if not need:
            self._enqueue(request)

    def _span(self, header: Header) -> None:
        request = SpanRequest(header, self._connection, self._house.span_defaults, self._ended)
        self._open(request)
        self._enqueue(request)

    def _open(self, request: FrameRequest | SpanRequest) -> None:
        with self._lock:
            if request.id in self._requests:
                raise ProtocolError(f"request {request.id} is open already: count ids up", code="message")
            if len(self._requests) >= self._house.limits.requests:
                raise ProtocolError(f"{len(self._requests)} requests are open, which is all there may be", code="limit")
            self._requests[request.id] = request

    def _enqueue(self, request: FrameRequest | SpanRequest) -> None:
        try:
            self._house.worker.add(request, is_span=isinstance(request, SpanRequest))
        except ProtocolError as error:
            request.failed(error)

    def _ended(self, request: int) -> None:
        with self._lock:
            self._requests.pop(request, None)

    def _put(self, header: Header, body: int) -> None:
        """Takes a frame: out of a slot or off the socket, into the store and to the request that waits for it."""
        with self._lock:
            request = self._requests.get(header["id"])
        key: Key = (header["plane"], header["frame"])
        is_waited_for = isinstance(request, FrameRequest) and request.ask.changes.get(key) == header["change"]
        try:
            slot = self._filled_slot(header, body)
            pixels = self._room(header, request) if isinstance(request, FrameRequest) and is_waited_for else None
        except (ProtocolError, MemoryError) as error:
            self._connection.drain(body)
            self._refuse_put(header, request, error)
            return
        if pixels is None:
            self._connection.drain(body)
        elif slot is None:
            self._connection.body(bytes_of(pixels))
        else:
            try:
                read(slot, pixels)
            except ProtocolError as error:
                self._refuse_put(header, request, error)
                return
        taken: Header = {"type": "taken", **{name: header[name] for name in ("plane", "frame", "change")}}
        if slot is not None:
            slot.generation += 1
            taken.update(slot=slot.number, generation=slot.generation)
        self._say(header, **taken)
        if pixels is not None and isinstance(request, FrameRequest):
            self._house.frames.put(self._place(request, key), header["change"], pixels)
            if request.give(key, pixels):
                self._enqueue(request)

    def _refuse_put(self, header: Header, request: object, error: BaseException) -> None:
        """A frame that cannot be had ends the request that waits for it."""
        if isinstance(request, FrameRequest):
            request.failed(error)
        else:
            self._connection.refuse(header["id"], error, wait=True)

    def _filled_slot(self, header: Header, body: int) -> Slot | None:
        """The slot that a frame comes in."""
        shape = header["shape"]
        if "slot" not in header:
            if body != byte_count(shape):
                raise ProtocolError(f"{body} bytes of body for a frame of {byte_count(shape)}")
            return None
        slot = self._my_slot(header)
        check(slot, header.get("generation", 0), header.get("offset", SLOT_OFFSET), shape)
        if body:
            raise ProtocolError(f"{body} bytes of body for a frame in a slot")
        return slot

    def _room(self, header: Header, request: FrameRequest) -> F32:
        """Memory for a frame of the right kind."""
        shape = header["shape"]
        if header["dtype"] != "float32" or not request.shape_of(header["plane"], shape):
            raise ProtocolError(f"a {header['plane']} of {header['dtype']} {shape} for a frame of {request.shape}")
        return self._house.frames.empty(shape)

    def _place(self, request: FrameRequest, key: Key) -> tuple[int, str, str, int]:
        return (self._connection.number, str(request.ask.clip[1]), *key)

    def _end(self) -> None:
        """Lets go of everything that was the client's."""
        with self._lock:
            requests = list(self._requests.values())
        for request in requests:
            request.take_end()
            self._house.worker.remove(request)
        self._connection.done()
        for slot in self._slots.values():
            self._house.slots.drop(slot)
        self._house.frames.forget(self._connection.number)
        self._house.engine.kept.forget((self._connection.number,))
