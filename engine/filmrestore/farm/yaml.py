"""YAML as bundles need it: plain maps and lists, every string quoted, so that no word is read as something else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_UNPRINTABLE = re.compile("[^ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def to_yaml(value: Mapping[str, Any]) -> str:
    """The map as YAML; strings as JSON writes them, which YAML reads alike.

    Args:
        value: Maps with plain keys, lists, strings, numbers and switches.
    """
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _under(f"{key}:", entry, "  ")
    else:
        for entry in value:
            inner = list(_lines(entry)) if _is_block(entry) else [_scalar(entry)]
            yield f"- {inner[0]}"
            yield from (f"  {line}" for line in inner[1:])


def _under(head: str, value: Any, indent: str) -> Iterator[str]:
    if not _is_block(value):
        yield f"{head} {_scalar(value)}"
        return
    yield head
    yield from (f"{indent}{line}" for line in _lines(value))


def _is_block(value: Any) -> bool:
    return isinstance(value, (Mapping, Sequence)) and not isinstance(value, str) and len(value) > 0


def _scalar(value: Any) -> str:
    # YAML takes pairs of surrogates for two characters, so only what it cannot hold is escaped.
    return _UNPRINTABLE.sub(lambda found: f"\\U{ord(found[0]):08X}", json.dumps(value, ensure_ascii=False))
