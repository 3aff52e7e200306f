"""Selectors: words that choose fixes, as `--without` takes them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError, LedgerError, UsageError
from ..media.patterns import parse_span
from ..wide.record import WIDE_CAUSES, Wide
from .ledger import Ledger
from .model import CAUSES, ORIGINS, Fix

Test = Callable[[Fix | Wide], bool]

FORMS = """an id or its beginning     1001-3f9a0c2e17, 1001-3f9a
  a file of selectors        @rejected.txt (one a line, # begins a comment)
  frames                     frame:1001, frame:1001-1020
  cause, origin, polarity    cause:scratch, cause:flicker, origin:generated, polarity:light
  confidence, area, change   confidence<0.5, area>=4, change<=0.01
  a region, px               box:120,40,400,300 (every fix that touches it)
  several that must all hold cause:hair frame:1001-1020"""

_ID = re.compile(r"(-?\d+)-[0-9a-f]{4,10}")
_NUMBER = re.compile(r"(confidence|area|change)\s*(<=|>=|<|>)\s*([0-9.eE+-]+)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORDS = {"cause": (*CAUSES, *WIDE_CAUSES), "origin": ORIGINS[1:], "polarity": ("dark", "light", "mixed")}


class Selection:
    """Fixes chosen by selectors; a fix is in it when any selector holds.

    Args:
        selectors: As `FORMS` shows them; "@file" stands for the file's lines.

    Raises:
        UsageError: a selector that cannot be meant.
        InputError: a list that cannot be read.
    """

    def __init__(self, selectors: Iterable[str] = ()) -> None:
        self._ids: dict[int, list[str]] = {}
        self._tests: list[Test] = []
        for text in _lines(selectors):
            if found := _ID.fullmatch(text):
                self._ids.setdefault(int(found[1]), []).append(text)
            else:
                tests = [_test(word) for word in text.split()]
                self._tests.append(lambda fix, tests=tests: all(test(fix) for test in tests))  # type: ignore[misc]

    def __contains__(self, fix: Fix | Wide) -> bool:
        by_id = any(fix.id.startswith(start) for start in self._ids.get(fix.frame, ()))
        return by_id or any(test(fix) for test in self._tests)

    def check(self, ledger: Ledger) -> None:
        """Finds ids that name no fix, so that a typing error does not leave a fix in place.

        Raises:
            LedgerError: an id names no fix of the ledger, or a short one names several.
        """
        for frame, starts in self._ids.items():
            ids = [fix.id for fix in (*ledger.fixes(frame), *ledger.wide(frame))]
            for start in starts:
                found = [name for name in ids if name.startswith(start)]
                if not found:
                    raise LedgerError(f"{start} names no fix of {ledger.path}; frame {frame} has {len(ids)} fixes")
                if len(found) > 1:
                    raise LedgerError(
                        f"{start} names {len(found)} fixes ({', '.join(found[:3])} ...); write more of it"
                    )


def _lines(selectors: Iterable[str]) -> Iterable[str]:
    for selector in selectors:
        if not selector.startswith("@"):
            yield selector.strip()
            continue
        path = Path(selector[1:])
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the list of fixes {path}: {error}") from error
        for line in text.splitlines():
            if stripped := line.partition("#")[0].strip():
                if stripped.startswith("@"):
                    raise UsageError(f"{path}: {stripped}: a list cannot name another list")
                yield stripped


def _test(word: str) -> Test:
    if found := _NUMBER.fullmatch(word):
        name, compare, limit = found[1], _COMPARE[found[2]], _number(word, found[3])
        return lambda fix: isinstance(fix, Fix) and compare(getattr(fix, name), limit)
    name, colon, value = word.partition(":")
    if colon and name == "frame":
        try:
            frames = frozenset(parse_span(value))
        except UsageError as error:
            raise UsageError(f"{word!r}: {error}") from error
        return lambda fix: fix.frame in frames
    if colon and name in _WORDS and value in _WORDS[name]:
        return lambda fix: getattr(fix, name, None) == value
    if colon and name == "box":
        return _touches(word, value.split(","))
    raise UsageError(f"{word!r} chooses no fixes. Give\n  {FORMS}")


def _number(word: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{word!r}: {text!r} is not a number") from error


def _touches(word: str, parts: Sequence[str]) -> Test:
    try:
        x0, y0, x1, y1 = (int(part) for part in parts)
    except ValueError as error:
        raise UsageError(f"{word!r}: expected four whole numbers, box:x0,y0,x1,y1") from error

    def touches(fix: Fix | Wide) -> bool:
        return isinstance(fix, Fix) and fix.box[0] < x1 and fix.box[2] > x0 and fix.box[1] < y1 and fix.box[3] > y0

    return touches
