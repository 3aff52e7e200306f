"""Whether a TIFF file is whole: the library reads on where only the tail with the metadata is cut off."""

from __future__ import annotations

import struct
from pathlib import Path

from .containers import corrupt, input_error

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def check_whole(path: Path, size: int) -> None:
    """Make sure that the first directory and every value that it points to lie inside the file.

    Source: TIFF 6.0, section 2 (directories); the BigTIFF design for 64-bit offsets.

    Raises:
        InputError: the file cannot be read.
        CorruptFile: something lies beyond its end.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
            order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
            if not order or len(head) < 8:
                raise corrupt(path, "not a TIFF file: it does not begin with II or MM")
            is_big = struct.unpack(f"{order}H", head[2:4])[0] == 43 and len(head) == 16
            count_form, entry_form = ("Q", "HHQ8s") if is_big else ("H", "HHI4s")
            (place,) = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", head, 8 if is_big else 4)
            file.seek(min(place, size))
            count_raw = file.read(struct.calcsize(f"={count_form}"))
            entry_size = struct.calcsize(f"={entry_form}")
            count = int.from_bytes(count_raw, "little" if order == "<" else "big")
            entries = file.read(min(count, 1 << 16) * entry_size)
    except OSError as failure:
        raise input_error(path, failure) from failure
    if not count or len(entries) < count * entry_size:
        raise corrupt(path, f"cut short: its directory should be at byte {place} of {size}")
    for _, kind, number, value in struct.iter_unpack(f"{order}{entry_form}", entries):
        length = _SIZES.get(kind, 0) * number
        if length > len(value):
            (start,) = struct.unpack(f"{order}{'Q' if is_big else 'I'}", value)
            if start + length > size:
                raise corrupt(path, f"cut short: a value ends at byte {start + length} of {size}")
