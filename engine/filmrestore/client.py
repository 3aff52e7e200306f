"""What every host calls: finds or starts the user's engine, and asks it for frames and spans.

Standard library only, Python 3.9 and newer: hosts load this file inside their own Python.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import queue
import re
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from .errors import EngineError, ProtocolError
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
    window_of,
)

Progress = Callable[[str, int, int], None]
START_S = 120.0
"""Seconds that an engine may take to start: it loads its libraries and weights."""
_SCRUBBED = ("PYTHON", "CONDA", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_", "VIRTUAL_ENV")
_GREETINGS = 10
_LONGEST_SOCKET = 100  # bytes of a path; the system's limit is 104 to 108


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


def runtime_folder() -> Path:
    """The folder in which servers of this user are found; made, 0700, where it is not there.

    Raises:
        EngineError: it is a link, another user's, or open to others.
    """
    folder = _runtime_path()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise EngineError(f"the runtime folder {folder} cannot be made: {error}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise EngineError(f"the runtime folder {folder} is a link or file: remove it, or set FILMRESTORE_RUNTIME")
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077):
        raise EngineError(
            f"the runtime folder {folder} belongs to user {found.st_uid} and has the mode "
            f"{stat.S_IMODE(found.st_mode):04o}: expected {os.getuid()} and 0700; `chmod 700` it, or set "
            "FILMRESTORE_RUNTIME to another one"
        )
    return folder


def _runtime_path() -> Path:
    if os.environ.get("FILMRESTORE_RUNTIME"):
        return Path(os.environ["FILMRESTORE_RUNTIME"])
    if os.environ.get("XDG_RUNTIME_DIR"):
        return Path(os.environ["XDG_RUNTIME_DIR"]) / "filmrestore"
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", tempfile.gettempdir())) / "filmrestore" / "run"
    return Path(os.environ.get("TMPDIR") or "/tmp") / f"filmrestore-{os.getuid()}"


def server_path(device: str, ending: str) -> Path:
    """A file of the device's server: "json", "sock", "lock" or "log"."""
    return runtime_folder() / f"server-{re.sub(r'[^A-Za-z0-9._]', '-', device)}.{ending}"


def fits_socket(path: Path) -> bool:
    """Whether a Unix socket can have that path here."""
    return hasattr(socket, "AF_UNIX") and len(os.fsencode(path)) <= _LONGEST_SOCKET


def ensure_server(
    device: str = "cpu",
    *,
    python: Optional[str] = None,
    command: Optional[Sequence[str]] = None,
    start_s: float = START_S,
    name: str = "python",
) -> Client:
    """A client of the user's server for `device`; starts one where there is none.

    Args:
        device: As `--device`.
        python: Interpreter of the engine; else the one in engine.json beside this file, else the running one.
        command: What starts the server, in place of PYTHON -m filmrestore.cli serve; "--device DEVICE" is added.
        start_s: Seconds to wait for a new one.
        name: Who asks, for the server's log.

    Raises:
        EngineError: it did not start; with the last lines of its log.
        ProtocolError: it is of another version.
    """
    full = list(command or [python or _interpreter(), "-m", "filmrestore.cli", "serve"])

    def connect() -> socket.socket:
        sock = _connect(device)
        return sock if sock is not None else _start([*full, "--device", device], device, start_s)

    return Client(connect, device, name)


def find_server(device: str = "cpu", *, name: str = "python") -> Optional[Client]:
    """A client of the user's server for `device`, or None where none runs.

    Raises:
        ProtocolError: it is of another version.
    """
    first = _connect(device)
    if first is None:
        return None
    unused = [first]

    def connect() -> socket.socket:
        sock = unused.pop() if unused else _connect(device)
        if sock is None:
            raise EngineError("the engine has ended: start it again")
        return sock

    return Client(connect, device, name)


def _interpreter() -> str:
    record = Path(__file__).with_name("engine.json")
    if record.exists():
        return str(json.loads(record.read_text(encoding="utf-8"))["python"])
    return sys.executable


def _facts(device: str) -> Optional[Dict[str, Any]]:
    """What the server's file says; None where there is none."""
    try:
        facts = json.loads(server_path(device, "json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a half-written file cannot be: it is renamed into place
        return None
    return facts if isinstance(facts, dict) else None


def _connect(device: str) -> Optional[socket.socket]:
    """A socket to the server that the runtime folder names; None where nobody answers."""
    facts = _facts(device)
    if facts is None:
        return None
    try:
        if "socket" in facts:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            address: Any = str(facts["socket"])
        else:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host, _, port = str(facts["address"]).rpartition(":")
            address = (host, int(port))
        try:
            sock.settimeout(10.0)
            sock.connect(address)
            sock.settimeout(None)
        except OSError:
            sock.close()
            return None
    except (KeyError, ValueError) as error:
        raise EngineError(f"{server_path(device, 'json')} cannot be read ({error}): delete it") from error
    return sock


def _start(command: Sequence[str], device: str, start_s: float) -> socket.socket:
    """Starts a server and waits until it answers."""
    log = server_path(device, "log")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SCRUBBED)}
    try:
        with log.open("wb") as output:
            log.chmod(0o600)
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
                cwd=str(runtime_folder()),
            )
    except OSError as error:
        raise EngineError(f"the engine {command[0]} cannot be run: {error}; run `filmrestore install` again") from error
    deadline = time.monotonic() + start_s
    threading.Thread(target=process.wait, name="engine", daemon=True).start()  # no zombie when it ends
    while time.monotonic() < deadline:
        sock = _connect(device)
        if sock is not None:
            return sock
        code = process.poll()
        if code:
            raise EngineError(f"the engine ended with code {code} before it answered\n{_last_lines(log)}")
        time.sleep(0.05)
    raise EngineError(f"the engine did not answer within {start_s:g} s; its log is {log}\n{_last_lines(log)}")


def _last_lines(log: Path) -> str:
    try:
        text = log.read_bytes()[-8192:].decode("utf-8", "replace")
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(text.splitlines()[-12:])


class _Slot:
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


class _Line:
    """One connection: packets out of any thread, packets in to whoever asked."""

    def __init__(self, sock: socket.socket, device: str, name: str) -> None:
        self._socket, self._device = sock, device
        self._sending, self._lock = threading.Lock(), threading.Lock()
        self._inboxes: Dict[int, queue.Queue[Union[Tuple[Header, bytearray], EngineError]]] = {}
        self._next_id = 0
        self._free: List[_Slot] = []
        self._inline = False
        self._last_words: Optional[EngineError] = None
        self.error: Optional[EngineError] = None
        self._reader = threading.Thread(target=self._read, name="filmrestore", daemon=True)
        self._reader.start()
        token = str((_facts(device) or {}).get("token", ""))
        hello: Header = {"type": "hello", "client": name, "settings": settings_digest()}
        try:
            self.welcome = self.call({**hello, "token": token} if token else hello)
        except BaseException:
            self.close()
            raise

    def open(self) -> Tuple[int, queue.Queue[Union[Tuple[Header, bytearray], EngineError]]]:
        """A new id, and where what answers it arrives."""
        inbox: queue.Queue[Union[Tuple[Header, bytearray], EngineError]] = queue.Queue()
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

    def call(self, header: Header) -> Header:
        """Sends a message that has one answer, and gives it.

        Raises:
            FilmRestoreError: the answer is an error.
        """
        request, inbox = self.open()
        try:
            self.send({**header, "id": request})
            return _answer(inbox.get())[0]
        finally:
            self.forget(request)

    def slot(self, count: int) -> Optional[_Slot]:
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
            return _Slot(made["slot"], made["generation"], made["path"], made["bytes"])
        except (ProtocolError, OSError) as error:
            if isinstance(error, OSError):  # it is there, and this process may not use it
                self._inline = True
            return None

    def release(self, slot: Optional[_Slot]) -> None:
        """The slot may be used again."""
        if slot is not None:
            with self._lock:
                self._free.append(slot)

    def abandon(self, request: int, *slots: Optional[_Slot]) -> None:
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
            return _last_lines(server_path(self._device, "log"))
        except EngineError as error:
            return str(error)


def _answer(got: Union[Tuple[Header, bytearray], EngineError]) -> Tuple[Header, bytearray]:
    """What came, unless it is an error: that is raised."""
    if isinstance(got, EngineError):
        raise got
    if got[0]["type"] == "error":
        raise error_of(got[0]["code"], got[0]["text"])
    return got


class _FrameCall:
    """One frame, from the question to the pixels."""

    def __init__(
        self,
        line: _Line,
        ask: Header,
        planes: Mapping[Tuple[str, int], Callable[[], Image]],
        progress: Optional[Progress],
        cancelled: Optional[Callable[[], bool]],
    ) -> None:
        self._line, self._ask, self._planes = line, ask, planes
        self._progress, self._cancelled = progress, cancelled
        self._sent: Dict[Tuple[str, int], Optional[_Slot]] = {}
        self._to_put: List[Any] = []

    def run(self, into: Optional[Any]) -> Image:
        request, inbox = self._line.open()
        result_slot = self._line.slot(byte_count(self._ask["shape"]))
        place = {} if result_slot is None else {"slot": result_slot.number, "generation": result_slot.generation}
        is_over = False
        try:
            self._line.send({**self._ask, "id": request, **place})
            while True:
                got = _next(self._line, inbox, request, self._cancelled)
                is_over = isinstance(got, EngineError) or got[0]["type"] in ("error", "result")
                header, body = _answer(got)
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

    def _composed(self, header: Header, body: bytearray, slot: Optional[_Slot], into: Optional[Any]) -> Image:
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


class Client:
    """The engine, as a host sees it; safe to share by threads. Made by `ensure_server` or `find_server`.

    A connection that was lost is made anew by the next call.
    """

    def __init__(self, connect: Callable[[], socket.socket], device: str, name: str) -> None:
        self._connect, self._device, self._name = connect, device, name
        self._lock = threading.Lock()
        self._line: Optional[_Line] = None
        self._open_line()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def welcome(self) -> Header:
        """What the server said of itself: software, device, pid, methods, limits."""
        return self._open_line().welcome

    def close(self) -> None:
        """Ends the connection; the server goes on for others."""
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            line.close()

    def window(self, number: int, settings: Optional[Mapping[str, Any]] = None) -> range:
        """The frames that `restore_frame` of `number` looks at, as far as they exist."""
        methods = self.welcome["methods"]
        method = (settings or {}).get("method") or next(iter(methods))
        if method not in methods:
            raise error_of("usage", f"unknown method {method!r}: choose one of {', '.join(methods)}")
        return window_of(number, methods[method]["window"], methods[method]["keep"])

    def restore_frame(
        self,
        clip: str,
        number: int,
        frames: Mapping[int, Image],
        settings: Optional[Mapping[str, Any]] = None,
        *,
        changes: Optional[Mapping[int, str]] = None,
        protect: Optional[Image] = None,
        defect_map: Optional[Mapping[int, Image]] = None,
        into: Optional[Any] = None,
        progress: Optional[Progress] = None,
        cancelled: Optional[Callable[[], bool]] = None,
        **ask: Any,
    ) -> Image:
        """A frame, restored.

        Args:
            clip: The clip's name, the same for all of its frames.
            number: The frame.
            frames: The frames that exist, at least those of `window`; others are not looked at.
            settings: Of the restore node; defaults for those left out.
            changes: A text for each frame that differs when its pixels do; a hash of the pixels where there is none.
            protect: Mask of one channel for this frame.
            defect_map: Masks of one channel by frame.
            into: Writable buffer for the result; one is made when None.
            progress: Called with (stage, done, total).
            cancelled: Asked twenty times a second; True ends the work.
            ask: colourspace, working_space, config, analysis, cuts, defect_alpha, whole; see docs/server.md.

        Raises:
            FilmRestoreError: as the engine says; EngineError: it broke off.
        """
        window = [n for n in self.window(number, settings) if n in frames]
        planes = _planes("source", frames, window)
        planes.update(_planes("defect_map", defect_map or {}, window))
        planes.update(_planes("protect", {number: protect} if protect is not None else {}, [number]))
        return self._frame("restore_frame", clip, number, planes, settings, changes, into, progress, cancelled, ask)

    def degrade_frame(
        self,
        clip: str,
        number: int,
        frames: Mapping[int, Image],
        settings: Optional[Mapping[str, Any]] = None,
        *,
        changes: Optional[Mapping[int, str]] = None,
        into: Optional[Any] = None,
        **ask: Any,
    ) -> Image:
        """A frame with film damage. `frames`: the frame, and neighbours where frames are repeated or lost."""
        planes = _planes("source", frames, list(frames))
        return self._frame("degrade_frame", clip, number, planes, settings, changes, into, None, None, ask)

    def grain_frame(
        self,
        clip: str,
        number: int,
        frames: Mapping[int, Image],
        settings: Optional[Mapping[str, Any]] = None,
        *,
        reference: Optional[Mapping[int, Image]] = None,
        changes: Optional[Mapping[int, str]] = None,
        into: Optional[Any] = None,
        **ask: Any,
    ) -> Image:
        """A frame with other grain. `frames`: the frame, and those in which the plate's own grain is measured."""
        planes = _planes("source", frames, list(frames))
        planes.update(_planes("reference", reference or {}, list(reference or {})))
        return self._frame("grain_frame", clip, number, planes, settings, changes, into, None, None, ask)

    def restore_span(
        self,
        job: Mapping[str, Any],
        settings: Optional[Mapping[str, Any]] = None,
        *,
        progress: Optional[Progress] = None,
        cancelled: Optional[Callable[[], bool]] = None,
    ) -> Dict[str, Any]:
        """Restores files to files.

        Args:
            job: source, output, span, matte_out, ledger, cache ... : the fields of `RestoreJob`.
            settings: Of the node.
            progress: Called with (stage, done, total).
            cancelled: Asked twenty times a second; True ends the work, what is finished stays.

        Returns:
            What the run did, the fields of `RunReport`.

        Raises:
            FilmRestoreError: as the engine says; EngineError: it broke off.
        """
        return self._span("restore_span", job, settings, progress, cancelled)

    def degrade(
        self,
        job: Mapping[str, Any],
        settings: Optional[Mapping[str, Any]] = None,
        *,
        progress: Optional[Progress] = None,
        cancelled: Optional[Callable[[], bool]] = None,
    ) -> Dict[str, Any]:
        """Damages files to files; see `restore_span` and `DegradeJob`."""
        return self._span("degrade_span", job, settings, progress, cancelled)

    def grain(
        self,
        job: Mapping[str, Any],
        settings: Optional[Mapping[str, Any]] = None,
        *,
        progress: Optional[Progress] = None,
        cancelled: Optional[Callable[[], bool]] = None,
    ) -> Dict[str, Any]:
        """Changes the grain of files to files; see `restore_span` and `GrainJob`."""
        return self._span("grain_span", job, settings, progress, cancelled)

    def settings(self) -> Dict[str, List[Dict[str, Any]]]:
        """The settings of every node, with their facts."""
        return dict(self._told({"type": "settings"})["nodes"])

    def status(self) -> Dict[str, Any]:
        """What the server is doing."""
        return dict(self._told({"type": "status"})["facts"])

    def cancel(self) -> None:
        """Ends everything that this client waits for, in whatever thread; those calls raise Cancelled."""
        line = self._open_line()
        for request in line.open_ids():
            line.call({"type": "cancel", "request": request})

    def forget(self, clip: str) -> None:
        """Lets the server drop what it holds of a clip."""
        self._open_line().call({"type": "forget", "clip": clip})

    def stop_server(self) -> None:
        """Ends the server, for all of its clients."""
        self._open_line().call({"type": "stop"})
        self.close()

    def _greeted(self) -> _Line:
        """A line that was answered. A server that was killed takes calls until the system has buried it."""
        for _ in range(_GREETINGS):
            sock = self._connect()
            try:
                return _Line(sock, self._device, self._name)
            except ProtocolError:
                raise
            except EngineError as error:
                failure = error
                time.sleep(0.2)
        raise failure

    def _told(self, question: Header) -> Header:
        """The answer to a question that may be asked twice: the death of a server shows only when it is asked."""
        line = self._open_line()
        try:
            return line.call(question)
        except EngineError:
            if line.error is None:
                raise
        return self._open_line().call(question)

    def _open_line(self) -> _Line:
        with self._lock:
            if self._line is not None and self._line.error is not None:
                self._line.close()
                self._line = None
            if self._line is None:
                self._line = self._greeted()
            return self._line

    def _frame(
        self,
        kind: str,
        clip: str,
        number: int,
        planes: Mapping[Tuple[str, int], Callable[[], Image]],
        settings: Optional[Mapping[str, Any]],
        changes: Optional[Mapping[int, str]],
        into: Optional[Any],
        progress: Optional[Progress],
        cancelled: Optional[Callable[[], bool]],
        ask: Mapping[str, Any],
    ) -> Image:
        if ("source", number) not in planes:
            raise error_of("usage", f"frame {number} is asked for and not among the frames that were given")
        image = planes["source", number]()
        header: Header = {
            "type": kind,
            "clip": clip,
            "frame": number,
            "shape": image.shape,
            "dtype": "float32",
            "channels": image.channels,
            "colourspace": "scene_linear",
            "working_space": "scene_linear",
            "settings": dict(settings or {}),
            "offers": [[plane, n, _change(plane, n, fetch, changes)] for (plane, n), fetch in planes.items()],
            **{name: value for name, value in ask.items() if value is not None},
        }
        return _FrameCall(self._open_line(), header, planes, progress, cancelled).run(into)

    def _span(
        self,
        kind: str,
        job: Mapping[str, Any],
        settings: Optional[Mapping[str, Any]],
        progress: Optional[Progress],
        cancelled: Optional[Callable[[], bool]],
    ) -> Dict[str, Any]:
        line = self._open_line()
        request, inbox = line.open()
        try:
            line.send({"type": kind, "id": request, "job": dict(job), "settings": dict(settings or {})})
            while True:
                header, _ = _answer(_next(line, inbox, request, cancelled))
                if header["type"] == "done":
                    return dict(header["report"])
                if header["type"] == "progress" and progress is not None:
                    progress(header["stage"], header["done"], header["total"])
        except BaseException:
            line.abandon(request)
            raise
        finally:
            line.forget(request)


def _planes(
    plane: str, images: Mapping[int, Image], numbers: Sequence[int]
) -> Dict[Tuple[str, int], Callable[[], Image]]:
    """Those of the numbers that there are, each with what gets its image: read when it is needed, not before."""
    return {(plane, number): partial(images.__getitem__, number) for number in numbers if number in images}


def _change(plane: str, number: int, fetch: Callable[[], Image], changes: Optional[Mapping[int, str]]) -> str:
    if changes is not None and plane == "source" and number in changes:
        return str(changes[number])
    return hashlib.sha1(fetch().view()).hexdigest()


def _next(line: _Line, inbox: Any, request: int, cancelled: Optional[Callable[[], bool]]) -> Any:
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
