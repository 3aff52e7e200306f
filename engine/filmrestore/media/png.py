"""PNG chunks beside the pixels: gamma, ICC profile, text and the rest pass from the scan to the result byte for byte.

Source: PNG specification, third edition, chunk layout (section 5) and placement (section 5.6).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from .containers import corrupt, input_error

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXEL_BOUND = {b"tRNS", b"bKGD", b"hIST", b"sPLT", b"sBIT"}  # mean something for one colour type and depth only
_NEVER = {b"tRNS", b"acTL", b"fcTL", b"fdAT"}  # transparency is written as alpha; animation is not
_LARGEST = 1 << 26  # bytes of a chunk beside the pixels; more is damage


def side_chunks(path: Path) -> tuple[list[bytes], list[bytes], bytes]:
    """The chunks beside the pixels, as stored.

    Returns:
        Those before the pixels, those after them, and the content of IHDR.

    Raises:
        InputError: the file cannot be read.
        CorruptFile: it is no PNG file.
    """
    before: list[bytes] = []
    after: list[bytes] = []
    head, place = b"", before
    try:
        with path.open("rb") as file:
            for kind, raw in _chunks(path, file):
                if kind == b"IHDR":
                    head = raw[8:-4]
                elif kind == b"IDAT":
                    place = after
                elif kind[0] & 0x20:  # lower case: a decoder may leave it out
                    place.append(raw)
    except OSError as failure:
        raise input_error(path, failure) from failure
    return before, after, head


def spliced(content: bytes, source: Path | None) -> bytes:
    """The PNG file `content` with the side chunks of `source`, and none of its own (they hold dates and guesses)."""
    before, after, head = side_chunks(source) if source is not None else ([], [], b"")
    bound = _NEVER if head == content[16:29] else _NEVER | _PIXEL_BOUND
    parts = [_SIGNATURE, content[8:33], *(raw for raw in before if raw[4:8] not in bound)]
    place = 33  # behind IHDR
    while place < len(content):
        size = 12 + int.from_bytes(content[place : place + 4], "big")
        kind = content[place + 4 : place + 8]
        if kind == b"IEND":
            parts += [raw for raw in after if raw[4:8] not in bound]
        if not kind[0] & 0x20:
            parts.append(content[place : place + size])
        place += size
    return b"".join(parts)


def is_declared_srgb(path: Path) -> bool:
    """Whether the file carries the sRGB chunk, which stands before the pixels."""
    try:
        with path.open("rb") as file:
            kinds = (kind for kind, _ in _chunks(path, file))
            return b"sRGB" in takewhile(lambda kind: kind != b"IDAT", kinds)
    except OSError as failure:
        raise input_error(path, failure) from failure


def _chunks(path: Path, file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """(kind, whole chunk) of every chunk; of pixel chunks an empty one, they are passed over unread."""
    if file.read(8) != _SIGNATURE:
        raise corrupt(path, "not a PNG file: it does not begin with the PNG signature")
    while len(head := file.read(8)) == 8:
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in {b"IDAT", b"fdAT"}:
            file.seek(size + 4, 1)
            yield kind, b""
        elif size > _LARGEST:
            raise corrupt(path, f"a chunk {kind!r} of {size} bytes cannot be meant")
        else:
            yield kind, head + file.read(size + 4)
