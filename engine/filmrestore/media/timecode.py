"""SMPTE timecode: from its stored form to words, and forward by some frames."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

_WORDS = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")


def timecode_of(metadata: Mapping[str, Any]) -> str | None:
    """The timecode in a frame's or movie's metadata, as HH:MM:SS:FF (a semicolon before FF: drop frame)."""
    words = metadata.get("timecode") or metadata.get("TIMECODE")
    if isinstance(words, str) and _WORDS.fullmatch(words):
        return words
    stored = metadata.get("smpte:TimeCode")
    return unpack_timecode(int(stored[0])) if isinstance(stored, tuple) and len(stored) == 2 else None


def unpack_timecode(stored: int) -> str:
    """Words of the 32 bits in which EXR and television keep it: two binary-coded decimal digits a byte, flags beside.

    Source: SMPTE ST 12-1, time address; OpenEXR stores the same 32 bits.
    """
    frames, seconds, minutes, hours = (
        stored >> shift & mask for shift, mask in ((0, 63), (8, 127), (16, 127), (24, 63))
    )
    mark = ";" if stored & 0x40 else ":"
    return f"{hours:02x}:{minutes:02x}:{seconds:02x}{mark}{frames:02x}"


def advance(words: str, frames: int, rate: Fraction) -> str:
    """The timecode `frames` later, past midnight from 0 on.

    Source: SMPTE ST 12-1: in drop frame counting each minute leaves out the numbers 0 and 1 (0 to 3 at double rate),
    but for every tenth.
    """
    match = _WORDS.fullmatch(words)
    if match is None or frames == 0:
        return words
    hours, minutes, seconds, count = (int(match[group]) for group in (1, 2, 3, 5))
    base = max(1, round(rate))
    dropped = base // 15 if match[4] != ":" else 0
    total = hours * 60 + minutes
    number = (total * 60 + seconds) * base + count - dropped * (total - total // 10) + frames
    ten = 600 * base - 9 * dropped
    number %= ten * 144  # a day
    tens, rest = divmod(number, ten)
    if dropped:
        skipped = 0 if rest < 60 * base else (rest - 60 * base) // (60 * base - dropped) + 1
        number += dropped * (9 * tens + skipped)
    seconds, count = divmod(number, base)
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{match[4]}{count:02d}"
