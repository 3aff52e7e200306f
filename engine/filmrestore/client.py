"""What every host calls: finds or starts the user's engine, and asks it for frames and spans.

Standard library only, Python 3.9 and newer: hosts load this file inside their own Python.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from .errors import EngineError, ProtocolError
from .finding import connect_to, fits_socket, interpreter, runtime_folder, server_path, start
from .line import FrameCall, Image, Line, Planes, Progress, answer_of, next_of
from .protocol import Header, error_of, repeats_in, window_of, with_whole_paths
from .settings import RestoreSettings

__all__ = [
    "FILES",
    "Client",
    "Image",
    "Progress",
    "ensure_server",
    "find_server",
    "fits_socket",
    "runtime_folder",
    "server_path",
]
FILES = (
    "errors.py",
    *(f"settings/{name}.py" for name in ("__init__", "base", "restore", "grain", "degrade", "presets")),
    "protocol.py",
    "finding.py",
    "line.py",
    "client.py",
)
"""The files of this package that a host's own Python needs, and all that it needs."""
START_S = 120.0
"""Seconds that an engine may take to start: it loads its libraries and weights."""
_GREETINGS = 10
_ANSWER_S = 10.0  # for hello, of a server that takes calls


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
        python: Interpreter of the engine; else the one of `finding.recorded_engine`, else the running one.
        command: What starts the server, in place of PYTHON -m filmrestore.cli serve; "--device DEVICE" is added.
        start_s: Seconds to wait for a new one.
        name: Who asks, for the server's log.

    Raises:
        EngineError: it did not start; with the last lines of its log.
        ProtocolError: it is of another version.
    """
    full = list(command or [python or interpreter(), "-m", "filmrestore.cli", "serve"])

    def connect() -> socket.socket:
        sock = connect_to(device)
        return sock if sock is not None else start([*full, "--device", device], device, start_s)

    return Client(connect, device, name)


def find_server(device: str = "cpu", *, name: str = "python") -> Optional[Client]:
    """A client of the user's server for `device`, or None where none runs.

    Raises:
        ProtocolError: it is of another version.
    """
    first = connect_to(device)
    if first is None:
        return None
    unused = [first]

    def connect() -> socket.socket:
        sock = unused.pop() if unused else connect_to(device)
        if sock is None:
            raise EngineError("the engine has ended: start it again")
        return sock

    return Client(connect, device, name)


class Client:
    """The engine, as a host sees it; safe to share by threads. Made by `ensure_server` or `find_server`.

    A connection that was lost is made anew by the next call.
    """

    def __init__(self, connect: Callable[[], socket.socket], device: str, name: str) -> None:
        self._connect, self._device, self._name = connect, device, name
        self._lock = threading.Lock()
        self._line: Optional[Line] = None
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

    def window(
        self, number: int, settings: Optional[Mapping[str, Any]] = None, analysis: Optional[str] = None
    ) -> range:
        """The frames that `restore_frame` of `number` looks at, as far as they exist; far ones, see `far_range`, apart.

        Args:
            number: The frame.
            settings: Of the restore node.
            analysis: Path of the reel's analysis; a frame that it calls a repeat counts as the one that it repeats.
        """
        methods = self.welcome["methods"]
        method = (settings or {}).get("method") or RestoreSettings().method
        if method not in methods:
            raise error_of("usage", f"unknown method {method!r}: choose one of {', '.join(methods)}")
        return window_of(number, methods[method]["window"], methods[method]["keep"], _repeats(analysis))

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
        window = [n for n in self.window(number, settings, ask.get("analysis")) if n in frames]
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
            job: source, output, span, matte_out, ledger, cache ... : the fields of `RestoreJob`. Relative paths
                begin at this process's folder.
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

    def apply(
        self,
        job: Mapping[str, Any],
        *,
        progress: Optional[Progress] = None,
        cancelled: Optional[Callable[[], bool]] = None,
    ) -> Dict[str, Any]:
        """Lays the fixes of a ledger over their scan again, all or some; see `restore_span`.

        Args:
            job: source, ledger, output, without (a list of selectors), without_mask ... : the fields of `ApplyJob`.
            progress, cancelled: As `restore_span`.
        """
        return self._span("apply_span", job, None, progress, cancelled)

    def report(
        self,
        job: Mapping[str, Any],
        *,
        progress: Optional[Progress] = None,
        cancelled: Optional[Callable[[], bool]] = None,
    ) -> Dict[str, Any]:
        """Builds the page to look at: source, result and ledger in, `output` an HTML file; see `ReportJob`."""
        return self._span("report_span", job, None, progress, cancelled)

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

    def _greeted(self) -> Line:
        """A line that was answered. A server that was killed takes calls until the system has buried it."""
        for _ in range(_GREETINGS):
            sock = self._connect()
            try:
                return Line(sock, self._device, self._name, _ANSWER_S)
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

    def _open_line(self) -> Line:
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
        planes: Planes,
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
        return FrameCall(self._open_line(), header, planes, progress, cancelled).run(into)

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
            line.send({"type": kind, "id": request, "job": with_whole_paths(job), "settings": dict(settings or {})})
            while True:
                header, _ = answer_of(next_of(line, inbox, request, cancelled))
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


def _repeats(analysis: Optional[str]) -> Tuple[int, ...]:
    """The repeats of an analysis; none where it cannot be read, of which the engine tells."""
    if analysis is None:
        return ()
    try:
        stat = Path(analysis).stat()
        return _read_repeats(analysis, stat.st_mtime_ns, stat.st_size)
    except OSError:
        return ()


@lru_cache(8)
def _read_repeats(analysis: str, changed_ns: int, size: int) -> Tuple[int, ...]:
    del changed_ns, size  # a file that was written again is another file
    return repeats_in(Path(analysis).read_bytes())


def _change(plane: str, number: int, fetch: Callable[[], Image], changes: Optional[Mapping[int, str]]) -> str:
    if changes is not None and plane == "source" and number in changes:
        return str(changes[number])
    return hashlib.sha1(fetch().view()).hexdigest()
