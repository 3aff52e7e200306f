"""The check sums inside FFV1 frames: FFmpeg paints over damaged slices without a word, an archive must not."""

from __future__ import annotations

import zlib

_FOOTER = 8  # bytes: 24-bit slice size, error status, 32-bit check sum
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def is_sound(packet: bytes) -> bool:
    """Whether the check sum of every slice of a frame is right; False also where there are none.

    The sum over a slice, its footer included, is 0. It runs from the highest bit, zlib's from the lowest: so each byte
    is mirrored first. zlib's start and end inversions are undone.

    Source: RFC 9043 (FFV1), sections 4.8 (slice footer) and 4.9.3 (check sum).
    """
    end = len(packet)
    while end > 0:
        if end < _FOOTER:
            return False
        start = end - _FOOTER - int.from_bytes(packet[end - _FOOTER : end - _FOOTER + 3], "big")
        if start < 0 or zlib.crc32(packet[start:end].translate(_MIRRORED), 0xFFFFFFFF) != 0xFFFFFFFF:
            return False
        end = start
    return True
