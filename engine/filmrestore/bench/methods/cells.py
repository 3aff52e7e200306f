"""Measured values on disk: a bench that was stopped goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from ...media.atomic import atomic_bytes

T = TypeVar("T")


class _Kept(msgspec.Struct):
    key: str
    value: msgspec.Raw


def stored(path: Path, key: str, kind: type[T]) -> T | None:
    """The value that `kept` wrote there under that key; None where there is none, or it is torn."""
    try:
        cell = msgspec.json.decode(path.read_bytes(), type=_Kept)
        return msgspec.json.decode(cell.value, type=kind) if cell.key == key else None
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def kept(path: Path, key: str, kind: type[T], make: Callable[[], T]) -> T:
    """The value that is stored, else the one that `make` gives, stored.

    Args:
        path: Of the JSON file.
        key: All that the value depends on; a value under another key is made anew.
        kind: Of the value: what msgspec can store.
        make: Gives it.

    Raises:
        OutputError: the folder cannot be written.
    """
    known = stored(path, key, kind)
    if known is not None:
        return known
    value = make()
    atomic_bytes(path, msgspec.json.encode({"key": key, "value": value}))
    return value
