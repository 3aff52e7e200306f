"""Frame numbers: spans as text, runs of neighbours, file names with a place for the number."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from filmrestore.errors import UsageError

_PART = re.compile(r"(-?\d+)(?:-(-?\d+)(?:x(\d+))?)?")
_PLACE = re.compile(r"%0?(\d*)d|#+")
_MOST = 1_000_000  # more is a slip of the hand, and would fill the memory


def parse_frames(text: str) -> list[int]:
    """Frame numbers of a span such as "1001-1100", "1-100x2" or "1,5,9-12", ascending, each once.

    Raises:
        UsageError: a span that cannot be meant.
    """
    numbers: set[int] = set()
    for part in text.replace(" ", "").split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise UsageError(f"the frames {text!r} cannot be read: write them as 1001-1100, 1-100x2 or 1,5,9-12")
        first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
        if last < first or step < 1:
            raise UsageError(f"the frames {part!r} run backwards: write the first frame first")
        numbers.update(frames_between(first, last)[::step])
    return sorted(numbers)


def frames_between(first: int, last: int) -> range:
    """All frames from the first to the last; none where the last comes before the first.

    Raises:
        UsageError: more than any shot has.
    """
    if last - first >= _MOST:
        raise UsageError(f"frames {first} to {last} are {last - first + 1}: at most {_MOST}; correct the range")
    return range(first, last + 1)


def runs_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """(first, last) of every run of neighbours."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [(first, last) for first, last in runs]


def format_frames(numbers: Iterable[int]) -> str:
    """The shortest span of these numbers, such as "1-4,9"."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs_of(numbers))


def has_place(path: str) -> bool:
    """Whether the file name has one place for the frame number, as %04d or ####."""
    return len(_PLACE.findall(os.path.basename(path))) == 1 and _PLACE.search(os.path.dirname(path)) is None


def path_of(pattern: str, number: int) -> str:
    """The file of one frame; the pattern itself where it has no place for a number."""

    def digits(place: re.Match[str]) -> str:
        width = len(place[0]) if place[0].startswith("#") else int(place[1] or 1)
        return str(number).zfill(width)

    return _PLACE.sub(digits, pattern)


def on_disk(pattern: str) -> list[int]:
    """Numbers of the frames that are there."""
    folder, name = os.path.split(pattern)
    place = _PLACE.search(name)
    if place is None or not os.path.isdir(folder):
        return []
    form = re.compile(re.escape(name[: place.start()]) + r"(-?\d+)" + re.escape(name[place.end() :]))
    entries = set(os.listdir(folder))
    found = (form.fullmatch(entry) for entry in entries)
    numbers = sorted({int(match[1]) for match in found if match})
    return [number for number in numbers if os.path.basename(path_of(pattern, number)) in entries]
