"""Shot: a run of frames on disk, opened once and read frame by frame as they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from ..errors import InputError, MissingFrames, ResourceError, UsageError
from ..frame import Box, Codes, Format, Frame
from .containers import container_of
from .dpx import read_dpx, read_dpx_header
from .header import Header, check_same
from .images import read_image, read_image_header
from .patterns import Pattern, find_in_folder, format_span, parse_pattern, parse_span, single_image

_OPEN_FILES = threading.BoundedSemaphore(8)  # image files that are open at once, over all shots and threads

_MOST_FRAMES = 10_000_000  # of a span, as fileseq


class Source(Protocol):
    """Where a shot's frames come from."""

    name: str
    available: tuple[int, ...]

    def header(self, number: int) -> Header: ...

    def read(self, number: int, check: Callable[[Header], None], box: Box | None) -> tuple[Header, Codes]: ...

    def path_of(self, number: int) -> Path: ...

    def pattern_in(self, folder: Path) -> Pattern: ...

    def close(self) -> None: ...


class Shot:
    """A run of frames; `read` may be called from several threads.

    Attributes:
        path: As it was given.
        format: What all frames share, from the first frame of the span; every read is checked against it.
        frames: The span's frames that are there, ascending.
        available: All frames that the source holds, for handles.
        missing: Frames of the span that are not there (only with missing="allow").
        rate: Frames a second, where the source says.
        name: For outputs.
        is_movie: Whether the frames lie in one movie; its frames are numbered from 1.
    """

    def __init__(self, path: Path, source: Source, frames: tuple[int, ...], missing: tuple[int, ...] = ()) -> None:
        self.path = path
        self.frames = frames
        self.available = source.available
        self.missing = missing
        self.name = source.name
        self._source = source
        self.first_header = source.header(frames[0])
        self.format: Format = self.first_header.format
        self.rate: Fraction | None = self.first_header.rate
        self.is_movie = self.format.container == "movie"
        self._holds = frozenset(source.available)

    def read(self, number: int, box: Box | None = None) -> Frame:
        """One frame, or the window `box` of it.

        Args:
            number: A frame of `available`.
            box: Half open, in pixels of the data window; only these rows are read where the container can.

        Raises:
            UsageError: the box reaches beyond the frame.
            MissingFrames: no such frame.
            CorruptFile: the file is damaged.
            MixedFormats: the frame differs from its shot in size, depth or channels.
            ResourceError: memory ran out.
        """
        if number not in self._holds:
            raise MissingFrames(f"{self.path}: there is no frame {number}; it holds {format_span(self.available)}")
        self._check_box(box)
        try:
            header, codes = self._source.read(number, self._check, box)
        except MemoryError as failure:
            form = self.format
            raise ResourceError(
                f"{self.path_of(number)}: no memory for a frame of {form.width} x {form.height} pixels; "
                "close other programs or run fewer workers"
            ) from failure
        x0, y0, x1, y1 = header.data_window
        if box is not None:
            x0, y0, x1, y1 = x0 + box.x0, y0 + box.y0, x0 + box.x1, y0 + box.y1
        return Frame(
            number=number,
            codes=codes,
            format=self.format,
            metadata=header.metadata,
            data_window=(x0, y0, x1, y1),
            display_window=header.display_window,
            source=header.path,
        )

    def path_of(self, number: int) -> Path:
        """The file of one frame; the movie itself for movies."""
        return self._source.path_of(number)

    def facts(self, number: int) -> bytes:
        """What tells the file of one frame from another without reading it: number, name, size and time."""
        path = self.path_of(number)
        try:
            stat = path.stat()
        except OSError:
            return f"{number} {path.name} missing".encode()
        return f"{number} {path.name} {stat.st_size} {stat.st_mtime_ns}".encode()

    def pattern_in(self, folder: Path) -> Pattern:
        """The file names of this sequence in another folder.

        Raises:
            UsageError: the shot is a movie, whose frames have no names.
        """
        return self._source.pattern_in(folder)

    def close(self) -> None:
        """Close the movie, if it is one; image files are never left open."""
        self._source.close()

    def __contains__(self, number: int) -> bool:
        """Whether the source holds a frame."""
        return number in self._holds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self, header: Header) -> None:
        check_same(header, self.format, self.first_header.path)

    def _check_box(self, box: Box | None) -> None:
        form = self.format
        if box is not None and not (0 <= box.x0 < box.x1 <= form.width and 0 <= box.y0 < box.y1 <= form.height):
            raise UsageError(
                f"{self.path}: the box {box.x0},{box.y0},{box.x1},{box.y1} is empty or reaches beyond the frame "
                f"of {form.width} x {form.height} pixels"
            )


def open_shot(path: str | Path, span: str | None = None, *, missing: Literal["refuse", "allow"] = "refuse") -> Shot:
    """Open a sequence, a folder that holds one, a single image or a movie.

    Args:
        path: `shot.####.dpx`, `shot.%04d.dpx`, `shot.@@@@.dpx`, a folder, an image, or a movie.
        span: Frames such as `1-100`, `1-100x2` or `1,5,9-12`; all when not given.
        missing: "refuse" raises when frames of the span are not there, "allow" notes them in `Shot.missing`.

    Raises:
        UsageError: a pattern or span that cannot be meant.
        MissingFrames: frames of the span are not on disk.
        InputError: nothing to read there.
        CorruptFile: the first frame or the movie is damaged.
    """
    source = _open_source(Path(path))
    try:
        available = source.available
        if not available:
            raise MissingFrames(f"{path}: no file of this pattern is there; check the folder and the name")
        wanted = parse_span(span) if span is not None else _without_holes(available)
        holds = frozenset(available)
        absent = tuple(number for number in wanted if number not in holds)
        present = tuple(number for number in wanted if number in holds)
        if absent and (missing == "refuse" or not present):
            raise _missing_frames(Path(path), absent, present, available)
        return Shot(Path(path), source, present, absent)
    except BaseException:
        source.close()
        raise


def probe_format(path: str | Path) -> Format:
    """The format of one image or movie, or of the first frame of a pattern or folder; reads headers only.

    Raises:
        UsageError, InputError, CorruptFile: as `open_shot`.
    """
    source = _open_source(Path(path))
    try:
        if not source.available:
            raise MissingFrames(f"{path}: no file of this pattern is there; check the folder and the name")
        return source.header(source.available[0]).format
    finally:
        source.close()


class _Stills:
    """Frames in one file each."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self.name = pattern.name
        self.available = pattern.numbers()

    def header(self, number: int) -> Header:
        path = self.path_of(number)
        with _OPEN_FILES:
            return read_dpx_header(path) if container_of(path) == "dpx" else read_image_header(path)

    def read(self, number: int, check: Callable[[Header], None], box: Box | None) -> tuple[Header, Codes]:
        path = self.path_of(number)
        with _OPEN_FILES:
            return read_dpx(path, check, box) if container_of(path) == "dpx" else read_image(path, check, box)

    def path_of(self, number: int) -> Path:
        return self.pattern.path_of(number)

    def pattern_in(self, folder: Path) -> Pattern:
        return replace(self.pattern, folder=folder)

    def close(self) -> None:
        """Nothing is held open."""


def _open_source(path: Path) -> Source:
    found: Pattern | Path | None = None
    if path.is_dir():
        found = find_in_folder(path)
    elif path.exists():  # a file may have # or % in its name
        found = path
    else:
        found = parse_pattern(path)
    if isinstance(found, Pattern):
        return _Stills(found)
    if found is None:
        raise InputError(f"{path}: there is no such file or folder; for a sequence write shot.####.dpx")
    if container_of(found) == "movie":
        from .movies import Movie

        return Movie(found)
    return _Stills(single_image(found))


def _without_holes(available: tuple[int, ...]) -> tuple[int, ...]:
    """All frames and the holes between them; none where the numbers go in equal steps."""
    steps = {after - before for before, after in pairwise(available)}
    if len(steps) <= 1:
        return available
    if available[-1] - available[0] > _MOST_FRAMES:
        raise UsageError(
            f"frame numbers run from {available[0]} to {available[-1]}: give the span that is meant, as in 1-100"
        )
    return tuple(range(available[0], available[-1] + 1))


def _missing_frames(
    path: Path, absent: tuple[int, ...], present: tuple[int, ...], available: tuple[int, ...]
) -> MissingFrames:
    what = f"{path}: {len(absent)} frames of the span are not there: {format_span(absent)}"
    if not present:
        return MissingFrames(f"{what}; it holds {format_span(available)}: give a span of those")
    return MissingFrames(f"{what}; copy them again, or restore what is there with the span {format_span(present)}")
