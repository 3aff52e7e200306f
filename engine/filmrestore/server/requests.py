"""What clients ask for, from the message to the answer: one frame in memory, or a span of files."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Cancelled, FilmRestoreError, ResourceError, UsageError
from ..fixes.replay import ApplyJob, apply
from ..nodes.degrade import DegradeJob, degrade
from ..nodes.grain import GrainJob, grain
from ..nodes.job import RestoreJob
from ..nodes.live import Answer, Ask, Key, LiveEngine, Plate
from ..nodes.restore import restore
from ..protocol import NODES, SLOT_OFFSET, Header, with_whole_paths
from ..report.pages import ReportJob, write_report
from .connection import Connection
from .frames import bytes_of
from .slots import Slot, write

F32 = NDArray[np.float32]
log = logging.getLogger(__name__)

SPANS: dict[str, tuple[Any, Any]] = {
    "restore": (RestoreJob, restore),
    "degrade": (DegradeJob, degrade),
    "grain": (GrainJob, grain),
    "apply": (ApplyJob, apply),
    "report": (ReportJob, write_report),
}


class _Open:
    """An end that comes once, whoever comes first: the answer, an error, the client's cancel."""

    def __init__(self, request: int, connection: Connection, ended: Callable[[int], None]) -> None:
        self.id, self.connection, self._ended = request, connection, ended
        self._lock = threading.Lock()
        self._is_open = True

    def take_end(self) -> bool:
        """Whether the caller may send what ends the request."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
        if was_open:
            self._ended(self.id)
        return was_open

    def check(self) -> None:
        """Raises Cancelled once the request has ended."""
        if not self._is_open:
            raise Cancelled("stopped by the client")

    def cancel(self) -> bool:
        """Ends it now, and what works on it at its next patch; False when it has ended already."""
        if not self.take_end():
            return False
        self.connection.refuse(self.id, Cancelled("stopped by the client"))
        return True

    def failed(self, error: BaseException) -> None:
        """Ends it with an error."""
        error = self.known(error)
        if self.take_end():
            self.connection.refuse(self.id, error)

    def known(self, error: BaseException) -> FilmRestoreError:
        """The error of our tree that stands for any."""
        if isinstance(error, MemoryError):
            return ResourceError(f"memory ran out: {error}; close other nodes, or work on smaller frames")
        if isinstance(error, FilmRestoreError):
            return error
        log.error("request %d failed", self.id, exc_info=error)
        return FilmRestoreError(f"an error that should not happen, {type(error).__name__}: {error}; see the log")


class FrameRequest(_Open):
    """One frame of a node.

    Attributes:
        ask: What is wanted.
        missing: What the client has been asked to put.
    """

    def __init__(
        self,
        header: Header,
        connection: Connection,
        engine: LiveEngine,
        slot: Slot | None,
        ended: Callable[[int], None],
    ) -> None:
        super().__init__(header["id"], connection, ended)
        self.ask = _ask(header, connection.number)
        self.shape: list[int] = header["shape"]
        self.colourspace: str = header["colourspace"]
        self._engine, self.slot = engine, slot
        self._planes: dict[Key, F32] = {}
        self.missing: set[Key] = set()

    def shape_of(self, plane: str, shape: list[int]) -> bool:
        """Whether a plane may have that shape."""
        if plane == "reference":
            return shape[2] == self.shape[2]
        return shape == self.shape if plane == "source" else shape == [*self.shape[:2], 1]

    def give(self, key: Key, pixels: F32) -> bool:
        """Takes a frame; True when it was the last one missing."""
        with self._lock:
            if not self._is_open:
                return False
            self._planes[key] = pixels
            was_missing = key in self.missing
            self.missing.discard(key)
            return was_missing and not self.missing

    def lay_out(self, found: Iterable[tuple[Key, F32 | None]]) -> None:
        """Says what there is already, and what is missing."""
        for key, pixels in found:
            if pixels is None:
                self.missing.add(key)
            else:
                self._planes[key] = pixels

    def take_end(self) -> bool:
        """Whether the caller may send what ends the request; its frames are let go."""
        was_open = super().take_end()
        if was_open:
            self._planes = {}
        return was_open

    def run(self, between: Callable[[], None]) -> None:
        """Works out the frame and answers."""
        del between
        try:
            answer = self._work()
        except Exception as error:
            self.failed(error)
            return
        if not self.take_end():
            return
        box, pixels = answer.box, answer.pixels
        shape = self.shape if pixels.size == 0 else list(pixels.shape)
        header: Header = {
            "type": "result",
            "id": self.id,
            "frame": self.ask.number,
            "box": [box.x0, box.y0, box.x1, box.y1],
            "shape": shape,
            "dtype": "float32",
            "colourspace": self.colourspace,
            "facts": answer.facts,
        }
        try:
            self._send(header, pixels)
        except Exception as error:  # its end is ours to tell: the client waits for nothing else
            self.connection.refuse(self.id, self.known(error))

    def _work(self) -> Answer:
        planes = dict(self._planes)
        self.check()
        self.connection.tell({"type": "progress", "id": self.id, "stage": "frame", "done": 0, "total": 1})
        try:
            return self._engine.answer(self.ask, planes, self.check)
        finally:
            if self.connection.is_ended:  # what its session forgot may have been kept again since
                self._engine.kept.forget((self.connection.number,))

    def _send(self, header: Header, pixels: F32) -> None:
        if self.slot is None:
            body = bytes_of(pixels) if pixels.size else None
            self.connection.send(header, body)
            return
        write(self.slot, pixels)
        place = {"slot": self.slot.number, "generation": self.slot.generation, "offset": SLOT_OFFSET}
        self.connection.send({**header, **place})


class SpanRequest(_Open):
    """A span of files."""

    def __init__(
        self, header: Header, connection: Connection, defaults: dict[str, Any], ended: Callable[[int], None]
    ) -> None:
        super().__init__(header["id"], connection, ended)
        node = header["type"].removesuffix("_span")
        kind, self._work = SPANS[node]
        if node not in NODES and header["settings"]:
            raise UsageError(f"{header['type']} takes no settings: give an empty object")
        settings = {"settings": NODES[node].from_dict(header["settings"])} if node in NODES else {}
        self._job = _span_job(kind, header["job"], settings, defaults)

    def run(self, between: Callable[[], None]) -> None:
        """Does the span and answers."""

        def is_cancelled() -> bool:
            between()
            return not self._is_open

        try:
            report = self._work(self._job, self._progress, is_cancelled)
            text = json.dumps(dataclasses.asdict(report), default=_plain)
        except Exception as error:
            self.failed(error)
            return
        if self.take_end():
            self.connection.send({"type": "done", "id": self.id, "report": json.loads(text)})

    def _progress(self, stage: str, done: int, total: int) -> None:
        self.connection.tell({"type": "progress", "id": self.id, "stage": stage, "done": done, "total": total})


def _plain(value: Any) -> Any:
    """What a report holds beside plain values: a grain model, paths."""
    return value.to_dict() if hasattr(value, "to_dict") else str(value)


def _ask(header: Header, connection: int) -> Ask:
    node = header["type"].removesuffix("_frame")
    height, width, channels = header["shape"]
    if header["dtype"] != "float32":
        raise UsageError(f"dtype is {header['dtype']!r}: frames travel as float32")
    if len(header["channels"]) != channels:
        raise UsageError(f"channels are {header['channels']!r} and the shape has {channels}: give a letter for each")
    plate = Plate(
        height=height,
        width=width,
        channels=header["channels"],
        colourspace=header["colourspace"],
        working_space=header["working_space"],
        config=header.get("config") or None,
    )
    cuts = header.get("cuts")
    return Ask(
        clip=(connection, header["clip"]),
        plate=plate,
        number=header["frame"],
        settings=NODES[node].from_dict(header["settings"]),
        changes={(plane, number): change for plane, number, change in header["offers"]},
        analysis=header.get("analysis") or None,
        cuts=None if cuts is None else tuple(cuts),
        defect_alpha=header.get("defect_alpha", False),
        whole=header.get("whole", False),
    )


def _span_job(kind: Any, values: dict[str, Any], settings: dict[str, Any], defaults: dict[str, Any]) -> Any:
    """The job that plain values describe.

    Raises:
        UsageError: an unknown field, one of the wrong kind, or one that the server decides.
    """
    fields = {entry.name: str(entry.type) for entry in dataclasses.fields(kind)}
    mine = {"settings", "device", "roi"}
    for name, value in values.items():
        if name not in fields or name in mine:
            raise UsageError(f"a job has no {name!r}: give {', '.join(sorted(fields.keys() - mine))}")
        allowed = {"str": str, "int": int, "bool": bool, "tuple[str,": list}[fields[name].split(" ")[0]]
        fits = isinstance(value, allowed) and isinstance(value, bool) == (allowed is bool)
        fits = fits and (allowed is not list or all(isinstance(entry, str) for entry in value))
        if not fits and not (value is None and fields[name].endswith("None")):
            raise UsageError(f"{name} of a job is {value!r}: expected {fields[name]}")
    if not values.get("source") or not values.get("output"):
        raise UsageError("a job needs source and output: patterns, folders or movies")
    for name, value in with_whole_paths(values).items():
        if value != values[name]:
            raise UsageError(f"{name} of a job is {values[name]!r}: give whole paths, for the server runs elsewhere")
    known = {name: value for name, value in defaults.items() if name in fields}
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return kind(**{**known, **plain, **settings})
