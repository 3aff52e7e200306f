"""Opening what restore or apply wrote, its frames by the scan's numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import LedgerError
from ..frame import Box, Codes
from ..media import Shot, format_span, open_shot
from ..media.header import Header
from ..media.movies import Movie
from ..media.patterns import Pattern
from .ledger import Ledger


def open_result(path: str | Path, ledger: Ledger, span: tuple[int, ...] | None = None) -> Shot:
    """The result of a ledger's scan. A movie counts its frames from 1: they get the numbers that they were made from.

    Args:
        path: Pattern, folder, image or movie.
        ledger: Of the run that wrote it.
        span: Frames that are asked for, in the scan's numbers.

    Raises:
        LedgerError: a movie of another number of frames than the ledger's, the span's, or the run's into that movie.
        InputError: as `open_shot`.
    """
    shot = open_shot(path, missing="allow")
    if not shot.is_movie or shot.available == ledger.frames:
        return shot
    movie, count = shot.path_of(shot.available[0]), len(shot.available)
    shot.close()
    written = tuple(number for number in ledger.frames if _result_name(ledger, number) == movie.name)
    for numbers in (written, ledger.frames, span or ()):
        if len(numbers) == count:
            return Shot(Path(path), _Renumbered(Movie(movie), numbers), numbers)
    raise LedgerError(
        f"{path} has {count} frames, the ledger {len(ledger.frames)} ({format_span(ledger.frames)}): "
        "give the ledger that the movie was made with"
    )


def _result_name(ledger: Ledger, number: int) -> str:
    record = ledger.record(number)
    return "" if record is None else record.result


class _Renumbered:
    """A movie's frames under other numbers, as a `Source`."""

    def __init__(self, movie: Movie, numbers: tuple[int, ...]) -> None:
        self.name, self.available = movie.name, numbers
        self._movie = movie
        self._own = dict(zip(numbers, movie.available, strict=True))

    def header(self, number: int) -> Header:
        return self._movie.header(self._own[number])

    def read(self, number: int, check: Callable[[Header], None], box: Box | None) -> tuple[Header, Codes]:
        return self._movie.read(self._own[number], check, box)

    def path_of(self, number: int) -> Path:
        return self._movie.path_of(self._own[number])

    def pattern_in(self, folder: Path) -> Pattern:
        return self._movie.pattern_in(folder)

    def close(self) -> None:
        self._movie.close()
