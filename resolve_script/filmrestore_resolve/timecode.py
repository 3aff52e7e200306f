"""Timecode to frames and back, drop frame too (SMPTE ST 12-1)."""

from __future__ import annotations


def to_frames(timecode: str, rate: float) -> int:
    """Frames since 00:00:00:00.

    Args:
        timecode: "HH:MM:SS:FF", with ";" before FF for drop frame.
        rate: Frames a second.

    Raises:
        ValueError: it is no timecode.
    """
    hours, minutes, seconds, frames = (int(part) for part in timecode.replace(";", ":").split(":"))
    nominal = round(rate)
    total = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames
    if ";" not in timecode:
        return total
    whole_minutes = hours * 60 + minutes
    return total - _dropped(nominal) * (whole_minutes - whole_minutes // 10)


def from_frames(frames: int, rate: float, *, drop: bool = False) -> str:
    """The timecode after so many frames; it wraps after a day."""
    nominal = round(rate)
    if drop:
        ten_minutes = nominal * 600 - 9 * _dropped(nominal)
        tens, rest = divmod(frames, ten_minutes)
        minute = nominal * 60 - _dropped(nominal)
        after_first = max(0, (rest - _dropped(nominal)) // minute)
        frames += _dropped(nominal) * (9 * tens + after_first)
    seconds, frame = divmod(frames, nominal)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour % 24:02d}:{minute:02d}:{second:02d}{';' if drop else ':'}{frame:02d}"


def _dropped(nominal: int) -> int:
    """Frame numbers left out at each minute but every tenth: 2 at 30, 4 at 60."""
    return 2 * (nominal // 30)
