"""Frame patterns and spans: `shot.####.dpx`, `shot.%04d.dpx`, `shot.@@@@.dpx`, a folder, an image or a movie."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fileseq import FrameSet
from fileseq.exceptions import FileSeqException

from ..errors import InputError, UsageError
from .containers import container_of, input_error, is_media

_RUN = re.compile(r"#+|@+|%(?:0(\d+))?d")
_NUMBER = re.compile(r"(?:(?<![^._ ])-)?\d+(?=\.\w+$)")  # a minus is a sign at the start and after . _ or space
_LISTED = 12  # of so many sequences or holes a message names each


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A file name with a place for the frame number.

    Attributes:
        folder: Where the files lie.
        prefix, suffix: The name before and after the number; the suffix holds the extension.
        padding: Least number of characters of the number, the sign counted, filled with zeros; 1 fills none, 0 is a
            name without a number (a single image).
        single: The only frame number of a single image, None for a sequence.
    """

    folder: Path
    prefix: str
    suffix: str
    padding: int
    single: int | None = None

    def path_of(self, number: int) -> Path:
        """The file of one frame."""
        if self.single is not None:
            return self.folder / f"{self.prefix}{self.suffix}"
        return self.folder / f"{self.prefix}{str(number).zfill(self.padding)}{self.suffix}"

    @property
    def name(self) -> str:
        """The name without number and extension, for outputs and messages."""
        stem = self.prefix if self.padding else Path(self.prefix + self.suffix).stem
        return stem.rstrip("._- ") or self.folder.resolve().name or "shot"

    def __str__(self) -> str:
        return str(self.folder / f"{self.prefix}{'#' * self.padding}{self.suffix}")

    def numbers(self) -> tuple[int, ...]:
        """Frame numbers that are on disk, ascending; one look at the folder, no look at the files.

        Raises:
            InputError: the folder cannot be read.
        """
        if self.single is not None:
            return (self.single,)
        inner = slice(len(self.prefix), -len(self.suffix) or None)
        found = []
        for name in _names(self.folder):
            if name.startswith(self.prefix) and name.endswith(self.suffix):
                digits = name[inner]
                if _is_number(digits) and str(int(digits)).zfill(self.padding) == digits:
                    found.append(int(digits))
        return tuple(sorted(found))


def parse_pattern(path: str | Path) -> Pattern | None:
    """The pattern in the last part of `path`, None where there is none.

    One `#`, one `@`, and the number in `%04d` each stand for one character of padding; `%d` fills none.

    Raises:
        UsageError: more than one place for the number, or one in a folder's name.
    """
    whole = Path(path)
    runs = list(_RUN.finditer(whole.name))
    if any(_RUN.search(part) for part in whole.parent.parts) and not whole.parent.is_dir():
        raise UsageError(f"{path}: the frame number must stand in the file name, not in a folder's name")
    if not runs:
        return None
    if len(runs) > 1:
        raise UsageError(f"{path}: {len(runs)} places for the frame number; leave one, as in shot.####.dpx")
    (run,) = runs
    padding = len(run[0]) if run[0][0] in "#@" else int(run[1] or 1)
    prefix, suffix = whole.name[: run.start()], whole.name[run.end() :]
    container_of(suffix if Path(suffix).suffix else f"x{suffix}")
    return Pattern(folder=whole.parent, prefix=prefix, suffix=suffix, padding=max(1, padding))


def single_image(path: Path) -> Pattern:
    """One image as a shot of one frame: the number at the end of its name, 1 where there is none."""
    digits = _NUMBER.search(path.name)
    return Pattern(
        folder=path.parent,
        prefix=path.stem,
        suffix=path.suffix,
        padding=0,
        single=int(digits[0]) if digits else 1,
    )


def find_in_folder(folder: Path) -> Pattern | Path:
    """The one sequence, image or movie in `folder`.

    Returns:
        A pattern, or the path of a movie.

    Raises:
        InputError: the folder holds none or several; the message lists them.
    """
    found = sequences_in(folder)
    if not found:
        raise InputError(f"{folder}: no image or movie in this folder; give a folder or pattern that holds the scan")
    if len(found) > 1:
        lines = [f"  {pattern} ({count} frames)" for pattern, count in found[:_LISTED]]
        rest = [f"  and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
        listing = "\n".join([*lines, *rest])
        raise InputError(f"{folder}: {len(found)} sequences in this folder; give one of them:\n{listing}")
    return found[0][0]


def sequences_in(folder: Path) -> list[tuple[Pattern | Path, int]]:
    """Every sequence, image and movie in `folder` with its number of frames (1 for a movie), by name.

    Raises:
        InputError: the folder cannot be read.
    """
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    found: list[tuple[Pattern | Path, int]] = []
    for name in _names(folder):
        if name.startswith(".") or not is_media(name):
            continue
        digits = _NUMBER.search(name)
        if container_of(name) == "movie":
            found.append((folder / name, 1))
        elif digits is None:
            found.append((single_image(folder / name), 1))
        else:
            groups[name[: digits.start()], name[digits.end() :]].append(digits[0])
    for (prefix, suffix), numbers in groups.items():
        for padding, count in _paddings(numbers):
            found.append((Pattern(folder=folder, prefix=prefix, suffix=suffix, padding=padding), count))
    return sorted(found, key=lambda entry: str(entry[0]))


def _paddings(numbers: Sequence[str]) -> list[tuple[int, int]]:
    """Paddings that explain numbers as written, each with how many it explains: one, but for mixed-up folders."""
    padded = {len(text) for text in numbers if text.lstrip("-").startswith("0") and len(text.lstrip("-")) > 1}
    lengths = {len(text) for text in numbers}
    if not padded:
        return [(lengths.pop() if len(lengths) == 1 else 1, len(numbers))]
    counts = [(width, sum(str(int(text)).zfill(width) == text for text in numbers)) for width in sorted(padded)]
    rest = len(numbers) - sum(count for _, count in counts)
    return [*counts, (1, rest)] if rest > 0 else counts


def parse_span(span: str) -> tuple[int, ...]:
    """Frame numbers of a span such as `1-100`, `1-100x2` or `1,5,9-12`, ascending and each once.

    Raises:
        UsageError: a span that cannot be meant.
    """
    try:
        numbers = tuple(sorted(set(FrameSet(span.replace(" ", "")))))
    except (FileSeqException, ValueError, TypeError, ArithmeticError) as failure:
        raise UsageError(f"span {span!r} cannot be read; write it as 1-100, 1-100x2 or 1,5,9-12") from failure
    if not numbers:
        raise UsageError(f"span {span!r} holds no frame; write it as 1-100, 1-100x2 or 1,5,9-12")
    return numbers


def format_span(numbers: Iterable[int], *, whole: bool = False) -> str:
    """The shortest span of these frame numbers, such as `1-4,9`.

    Args:
        numbers: In any order.
        whole: As `parse_span` reads it again; else it is for the eye, cut off with `...` where it has many pieces.
    """
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
    if whole:
        return ",".join(words)
    return ",".join(words[:_LISTED]) + (",..." if len(words) > _LISTED else "")


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii()


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are enough: no Path is made for 100,000 of them
    except OSError as failure:
        raise input_error(folder, failure) from failure
