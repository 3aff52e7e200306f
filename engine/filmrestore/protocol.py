"""The wire between hosts and the engine's server: packets, messages and their fields; docs/server.md has the bytes.

Standard library only, Python 3.9 and newer: hosts load this file inside their own Python.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Any, Dict, List, Mapping, NoReturn, Optional, Sequence, Tuple, Type

from .errors import (
    Cancelled,
    FilmRestoreError,
    InputError,
    OutputError,
    ProtocolError,
    ResourceError,
    UsageError,
)
from .settings import DegradeSettings, GrainSettings, RestoreSettings, Settings

VERSION = 1
MAGIC = b"FRW"
PREFIX = struct.Struct("<3sBIQ")
"""Magic, version, bytes of the header, bytes of the body."""

MAX_HEADER = 1 << 20
MAX_BODY = 1 << 30
MAX_ID = (1 << 53) - 1  # what every JSON reader keeps exactly
MAX_EDGE = 65536  # pixels
MAX_OFFERS = 1024
MAX_TEXT = 4096  # characters of a name, path or change

SLOT_MAGIC = b"FRSLOT1\0"
SLOT_HEAD = struct.Struct("<8sQQQ")
"""Magic, slot number, generation, bytes of pixels; at the start of a slot file."""
SLOT_OFFSET = 4096
"""Where the pixels of a slot file begin."""

PLANES = ("source", "protect", "defect_map", "reference")
FRAME_ASKS = ("restore_frame", "degrade_frame", "grain_frame")
SPAN_ASKS = ("restore_span", "degrade_span", "grain_span", "apply_span", "report_span")
_JOB_PATHS = (
    "source",
    "output",
    "result",
    "reference",
    "ledger",
    "analysis",
    "cuts",
    "cache",
    "matte_out",
    "protect",
    "defect_map",
    "masks_out",
    "truth_out",
    "shapes",
    "without_mask",
)
"""Fields of a span's job that are paths."""
_ALPHA = "alpha"
"""A defect map that is no path: the scan's own alpha."""
NODES: Dict[str, Type[Settings]] = {"restore": RestoreSettings, "degrade": DegradeSettings, "grain": GrainSettings}

Header = Dict[str, Any]

_IMAGE = {"shape": "shape", "dtype": "text", "colourspace": "text"}
_PLACE = {"slot?": "count", "generation?": "count", "offset?": "count"}
_FRAME_ASK = {
    "clip": "text",
    "frame": "whole",
    "channels": "text",
    "working_space": "text",
    "settings": "object",
    "offers": "offers",
    "config?": "text",
    "analysis?": "text",
    "cuts?": "frames",
    "defect_alpha?": "flag",
    "whole?": "flag",
    **_IMAGE,
    **_PLACE,
}
_SPAN_ASK = {"job": "object", "settings": "object"}

FIELDS: Dict[str, Dict[str, str]] = {
    # client to server
    "hello": {"client": "text", "settings": "text", "token?": "text"},
    "slot": {"bytes": "count"},
    "drop_slot": {"slot": "count"},
    **dict.fromkeys(FRAME_ASKS, _FRAME_ASK),
    **dict.fromkeys(SPAN_ASKS, _SPAN_ASK),
    "put": {"plane": "text", "frame": "whole", "change": "text", **_IMAGE, **_PLACE},
    "cancel": {"request": "count"},
    "forget": {"clip": "text"},
    "settings": {},
    "status": {},
    "stop": {},
    # server to client
    "welcome": {
        "software": "text",
        "device": "text",
        "pid": "count",
        "settings": "text",
        "methods": "object",
        "limits": "object",
    },
    "slot_ready": {"slot": "count", "generation": "count", "path": "text", "bytes": "count"},
    "need": {"offers": "offers"},
    "taken": {"plane": "text", "frame": "whole", "change": "text", "slot?": "count", "generation?": "count"},
    "progress": {"stage": "text", "done": "count", "total": "count"},
    "result": {"frame": "whole", "box": "box", "facts": "object", **_IMAGE, **_PLACE},
    "done": {"report": "object"},
    "ok": {},
    "settings_list": {"nodes": "object"},
    "status_is": {"facts": "object"},
    "error": {"code": "text", "text": "text"},
}
"""Message -> its fields beside "type" and "id"; a field with "?" may be left out. Unknown fields are ignored."""

CODES = (
    "version",  # another version of the wire
    "settings",  # plug-in and engine were built from other settings
    "refused",  # no hello, a wrong token, another user
    "message",  # a message that cannot be meant
    "limit",  # too large, too many
    "busy",  # the queue is full: ask again later
    "slot",  # a slot that is stale, too small or cannot be made: send inline
    "cancelled",
    "usage",
    "input",
    "resource",
    "output",
    "failed",
)
"""Every `code` of an error."""


def code_of(error: BaseException) -> str:
    """The code that tells a client of an error."""
    if isinstance(error, ProtocolError):
        return error.code
    return next((code for code, kind in _KINDS.items() if isinstance(error, kind)), "failed")


def error_of(code: str, text: str) -> FilmRestoreError:
    """The error that a server's code and text stand for."""
    if code in _KINDS:
        return _KINDS[code](text)
    if code in ("busy", "limit"):
        return ResourceError(text)
    return ProtocolError(text, code=code) if code in CODES[:7] else FilmRestoreError(text)


_KINDS: Dict[str, Type[FilmRestoreError]] = {
    "cancelled": Cancelled,
    "usage": UsageError,
    "input": InputError,
    "resource": ResourceError,
    "output": OutputError,
}


def pack(header: Header, body_bytes: int = 0) -> bytes:
    """Prefix and header of a packet; the body follows it on the socket.

    Raises:
        ProtocolError: a header or body beyond the limits.
    """
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(text) > MAX_HEADER or not 0 <= body_bytes <= MAX_BODY:
        raise ProtocolError(
            f"a packet of {len(text)} bytes of header and {body_bytes} of body: at most {MAX_HEADER} and {MAX_BODY}"
        )
    return PREFIX.pack(MAGIC, VERSION, len(text), body_bytes) + text


def unpack_prefix(prefix: bytes) -> Tuple[int, int]:
    """(bytes of the header, bytes of the body) that follow a prefix of 16 bytes.

    Raises:
        ProtocolError: not of this wire, of another version, or beyond the limits.
    """
    magic, version, header, body = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise ProtocolError(
            f"a packet begins with {prefix[:4]!r}: expected {MAGIC!r}; the other side is no filmrestore"
        )
    if version != VERSION:
        raise ProtocolError(
            f"the other side speaks version {version} of the wire, this one {VERSION}: "
            "run `filmrestore install` again, so that adapter and engine are of one version",
            code="version",
        )
    if not 0 < header <= MAX_HEADER or body > MAX_BODY:
        raise ProtocolError(
            f"a packet of {header} bytes of header and {body} of body: 1 to {MAX_HEADER}, and at most {MAX_BODY}",
            code="limit",
        )
    return header, body


def unpack_header(text: bytes) -> Header:
    """The checked header that `text` holds.

    Raises:
        ProtocolError: not JSON, no object, an unknown type, a field missing or of the wrong kind. Its `request` is
            the id where one could be read.
    """
    try:
        header = json.loads(text.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise ProtocolError(f"a header is {type(header).__name__}: expected an object")
    request = header.get("id")
    if not isinstance(request, int) or not _is_count(request):
        raise ProtocolError(f"a header has the id {str(request)[:40]!r}: expected a whole number from 0 to 2**53 - 1")
    try:
        _check(header)
    except ProtocolError as error:
        error.request = request
        raise
    return header


def with_whole_paths(job: Mapping[str, Any]) -> Dict[str, Any]:
    """A span's job whose relative paths begin at this process's folder, for one that runs in another."""
    whole = dict(job)
    for name in _JOB_PATHS:
        if isinstance(job.get(name), (str, Path)) and (name, job[name]) != ("defect_map", _ALPHA):
            whole[name] = _whole(str(job[name]))
    if isinstance(job.get("without"), (list, tuple)):  # @FILE is a list of selectors
        whole["without"] = [
            f"@{_whole(one[1:])}" if isinstance(one, str) and one.startswith("@") else one for one in job["without"]
        ]
    return whole


def _whole(path: str) -> str:
    # No pathlib to join them: a slash at the end means a folder.
    return path if not path or Path(path).is_absolute() else f"{Path.cwd()}/{path}"


def byte_count(shape: List[int]) -> int:
    """Bytes of a float32 image of shape [height, width, channels]."""
    return shape[0] * shape[1] * shape[2] * 4


def window_of(frame: int, window: int, keep: int, repeats: Sequence[int] = ()) -> range:
    """The frame numbers that restore `frame` by a method that sees `window` pictures and keeps `keep`.

    Args:
        repeats: Frames of the reel that repeat the one before them, rising; each picture counts once.
    """
    ranks = [repeat - count for count, repeat in enumerate(repeats, 1)]
    start = (frame - bisect_right(repeats, frame)) // keep * keep - (window - keep) // 2
    first, end = (rank + bisect_left(ranks, rank) for rank in (start, start + window))
    return range(first, end)


def repeats_in(analysis: bytes) -> Tuple[int, ...]:
    """The repeated frames that an analysis file names; none in what is no analysis, which the engine then refuses."""
    try:
        found = json.loads(analysis)["repeats"]
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(found) if isinstance(found, list) and all(isinstance(n, int) for n in found) else ()


def settings_digest() -> str:
    """A short hash of what the nodes' settings are: names, order, kinds, limits, choices and defaults."""
    text = json.dumps(settings_list(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


def settings_list() -> Dict[str, List[Dict[str, Any]]]:
    """The settings of every node as plain values: name, kind, default and `Facts`, in the order of the interface."""
    return {
        node: [
            {
                "name": entry.name,
                "kind": entry.type if isinstance(entry.type, str) else entry.type.__name__,
                "default": entry.default,
                **dataclasses.asdict(entry.metadata["facts"]),
            }
            for entry in dataclasses.fields(kind)  # type: ignore[arg-type]
        ]
        for node, kind in NODES.items()
    }


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _check(header: Header) -> None:
    name = header.get("type")
    fields = FIELDS.get(name) if isinstance(name, str) else None
    if fields is None:
        raise ProtocolError(f"an unknown message {str(name)[:40]!r}: expected one of {', '.join(FIELDS)}")
    for field, kind in fields.items():
        plain = field.rstrip("?")
        if plain not in header:
            if not field.endswith("?"):
                raise ProtocolError(f"{name} has no {plain!r}: expected {', '.join(fields)}")
            continue
        wrong = _wrong(header[plain], kind)
        if wrong is not None:
            raise ProtocolError(f"{plain!r} of {name} is {str(header[plain])[:60]!r}: expected {wrong}")


def _wrong(value: Any, kind: str) -> Optional[str]:
    """What was expected of a field, or None where it is so."""
    right, words = {
        "count": (_is_count, "a whole number from 0 to 2**53 - 1"),
        "whole": (_is_whole, "a whole number"),
        "flag": (lambda v: isinstance(v, bool), "true or false"),
        "text": (lambda v: isinstance(v, str) and len(v) <= MAX_TEXT, f"text of at most {MAX_TEXT} characters"),
        "object": (lambda v: isinstance(v, dict), "an object"),
        "shape": (_is_shape, f"[height, width, channels], edges from 1 to {MAX_EDGE}, at most {MAX_BODY} bytes"),
        "box": (_is_box, "[x0, y0, x1, y1]"),
        "frames": (_is_frames, f"at most {MAX_OFFERS} rising frame numbers"),
        "offers": (_is_offers, f"at most {MAX_OFFERS} of [plane, frame, change]"),
    }[kind]
    return None if right(value) else words


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 31) <= value < 1 << 31


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_ID


def _is_shape(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3 or not all(_is_count(size) for size in value):
        return False
    height, width, channels = value
    return 1 <= height <= MAX_EDGE and 1 <= width <= MAX_EDGE and 1 <= channels <= 4 and byte_count(value) <= MAX_BODY


def _is_box(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 4 or not all(_is_count(edge) for edge in value):
        return False
    x0, y0, x1, y1 = value
    return bool(x0 <= x1 <= MAX_EDGE and y0 <= y1 <= MAX_EDGE)


def _is_frames(value: Any) -> bool:
    if not isinstance(value, list) or len(value) > MAX_OFFERS or not all(_is_whole(number) for number in value):
        return False
    return all(value[i] < value[i + 1] for i in range(len(value) - 1))


def _is_offers(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MAX_OFFERS and all(_is_offer(offer) for offer in value)


def _is_offer(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3:
        return False
    plane, frame, change = value
    known = isinstance(plane, str) and plane in PLANES
    return known and _is_whole(frame) and isinstance(change, str) and len(change) <= MAX_TEXT
