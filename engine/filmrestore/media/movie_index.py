"""Where the frames of a movie lie: their time stamps, and how many the header speaks of where the tail is broken."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from .containers import corrupt

_EVERY_FRAME_A_KEY = {"prores", "dnxhd", "mjpeg", "rawvideo", "v210", "r210", "png", "cfhd", "qtrle"}


def index_movie(path: Path, container: Any, stream: Any) -> tuple[list[int], list[int], int]:
    """Time stamps of all frames in order, numbers of the key frames, and how many frames the header speaks of."""
    entries = stream.index_entries
    if stream.codec_context.name in _EVERY_FRAME_A_KEY and 0 < stream.frames == len(entries):
        size = path.stat().st_size
        stamps = sorted(entry.timestamp for entry in entries if entry.pos + entry.size <= size)
        if not stamps:
            raise corrupt(path, "no frame of the movie can be read")
        return stamps, list(range(1, len(stamps) + 1)), len(entries)
    found: dict[int, bool] = {}
    try:
        for packet in container.demux(stream):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.size and not packet.is_corrupt:
                found[stamp] = packet.is_keyframe
    except av.FFmpegError:
        pass  # the tail is broken: what came before it is there, the rest is told by `declared`
    if not found:
        raise corrupt(path, "no frame of the movie can be read")
    stamps = sorted(found)
    keys = [number for number, stamp in enumerate(stamps, start=1) if found[stamp]]
    return stamps, keys or [1], max(len(stamps), _declared(path, container, stream))


def _declared(path: Path, container: Any, stream: Any) -> int:
    """Frames that the movie's header speaks of; 0 where it says nothing to rely on."""
    if stream.frames:
        return int(stream.frames)
    rate = stream.average_rate or stream.guessed_rate
    if container.format.name.startswith("matroska"):
        if rate and container.duration and _is_cut_matroska(path):
            frames: Fraction = container.duration * rate / av.time_base
            return round(frames)
        return 0
    if container.format.name.startswith("mxf") and stream.duration and rate:
        count: Fraction = stream.duration * stream.time_base * rate
        return round(count)
    return 0


def _is_cut_matroska(path: Path) -> bool:
    """Whether the file is shorter than the size that its segment declares.

    Source: RFC 8794 (EBML), RFC 9559 (Matroska): header element, then the segment, sizes as variable-length integers.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    place = 0
    for _ in range(2):
        identity_length = 9 - head[place].bit_length() if place < len(head) and head[place] else 0
        start = place + identity_length
        if not identity_length or start >= len(head) or not head[start]:
            return False
        length = 9 - head[start].bit_length()
        bits = int.from_bytes(head[start : start + length], "big") & ((1 << 7 * length) - 1)
        is_unknown = bits == (1 << 7 * length) - 1
        place = start + length + bits
    return bool(not is_unknown and path.stat().st_size < place)
