"""Frames in and out: sequences, single images and movies, codes exactly as stored, every write atomic."""

from .ahead import ReadAhead, read_ahead
from .atomic import atomic_bytes, atomic_write, sweep
from .patterns import format_span, parse_span
from .planes import write_plane
from .shot import Shot, open_shot, probe_format
from .writer import Writer, open_writer

__all__ = [
    "ReadAhead",
    "Shot",
    "Writer",
    "atomic_bytes",
    "atomic_write",
    "format_span",
    "open_shot",
    "open_writer",
    "parse_span",
    "probe_format",
    "read_ahead",
    "sweep",
    "write_plane",
]
