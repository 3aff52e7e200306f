"""Writer: finished frames to a sequence or movie, behind the compute, each file whole or not at all."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ..errors import FilmRestoreError, InputError, OutputError, UsageError
from ..frame import Format, Frame
from .atomic import atomic_write, check_writable, output_error, sweep
from .containers import container_of
from .depth import converted, output_format
from .dpx import new_dpx, patch_dpx
from .images_write import encode_image
from .patterns import Pattern, parse_pattern
from .shot import Shot, open_shot


class Sink(Protocol):
    """What takes the frames."""

    format: Format
    workers: int

    def write(self, frame: Frame) -> None: ...

    def path_of(self, number: int) -> Path: ...

    def finish(self) -> None: ...

    def abandon(self) -> None: ...


class Writer:
    """Writes frames in background threads; leave it with `close` or a `with` block.

    A failed write is raised, with its file named, by the next `write`, `flush` or `close`; every failure also stands in
    `failed`. Other frames go on.

    Attributes:
        format: Of what is written.
        failed: Frame number -> its error.
    """

    def __init__(self, sink: Sink, *, overwrite: bool, behind: int) -> None:
        self._sink = sink
        self._overwrite = overwrite
        self._behind = behind
        self._pending: deque[tuple[int, Future[None]]] = deque()
        self._pool = ThreadPoolExecutor(sink.workers, thread_name_prefix="write")
        self._is_closed = False
        self.format = sink.format
        self.failed: dict[int, Exception] = {}

    def write(self, frame: Frame) -> None:
        """Hand over a frame; waits while more than `behind` are in flight. Its codes must not be changed afterwards.

        Raises:
            OutputError: an earlier frame could not be written; or the file is there and may not be replaced.
            FilmRestoreError: whatever else befell an earlier frame.
        """
        if not self._overwrite and self.exists(frame.number):
            raise OutputError(
                f"{self.path_of(frame.number)}: is already there; choose another folder or allow it with --overwrite"
            )
        while len(self._pending) >= self._behind:
            self._settle()
        self._pending.append((frame.number, self._pool.submit(self._sink.write, frame)))

    def exists(self, number: int) -> bool:
        """Whether the frame's file is there, whole (for a movie: whether the movie is)."""
        return self.path_of(number).exists()

    def path_of(self, number: int) -> Path:
        """The file of one frame; the movie itself for movies."""
        return self._sink.path_of(number)

    def discard(self, number: int) -> None:
        """Remove what an earlier run wrote under the frame's name (for a movie: the whole movie).

        Raises:
            OutputError: it cannot be removed.
        """
        try:
            self.path_of(number).unlink(missing_ok=True)
        except OSError as failure:
            raise output_error(self.path_of(number), failure) from failure

    @property
    def unwritten(self) -> frozenset[int]:
        """Frames handed over whose writing has not ended."""
        return frozenset(number for number, future in self._pending if not future.done())

    def flush(self) -> None:
        """Wait until every frame handed over is on disk.

        Raises:
            FilmRestoreError: the first failure that was not raised yet.
        """
        first: Exception | None = None
        while self._pending:
            try:
                self._settle()
            except Exception as failure:
                first = first or failure
        if first is not None:
            raise first

    def close(self) -> None:
        """Wait for all frames and finish; a movie gets its name only when every frame of it came through.

        Raises:
            FilmRestoreError: as `flush`.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self.flush()
            self._pool.shutdown()
        except BaseException:
            self._pool.shutdown(cancel_futures=True)
            self._sink.abandon()
            raise
        self._sink.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        self._is_closed = True
        self._pool.shutdown()  # frames in flight are finished: they are good
        self._sink.abandon()

    def _settle(self) -> None:
        number, future = self._pending.popleft()
        try:
            future.result()
        except Exception as failure:
            self.failed[number] = failure
            raise


def open_writer(
    path: str | Path,
    like: Shot,
    *,
    lossy: bool = False,
    overwrite: bool = False,
    codec: str | None = None,
    behind: int = 2,
    sync: bool = True,
    history: str = "",
) -> Writer:
    """Open an output for the frames of `like`.

    Args:
        path: `shot.####.dpx`, `shot.%04d.dpx`, `shot.@@@@.dpx`, a movie, an image (where `like` is one frame), or a
            folder: there the scan's own file names are used.
        like: The scan.
        lossy: Allow containers and depths that change codes.
        overwrite: Allow files that are there to be replaced.
        codec: Of a movie: "prores", "dnxhr", "ffv1" or "h264"; by extension when not given.
        behind: Frames that may wait to be written.
        sync: Force each file to the disk before it gets its name.
        history: A line for the file's processing history, where the container has a place for it.

    Raises:
        UsageError: a pattern that cannot be meant, the scan's own files, or codes that would change unallowed.
        OutputError: the folder cannot be written.
    """
    target = Path(path)
    sink: Sink
    if is_movie(path):
        from .movies_write import MovieSink

        if os.path.realpath(target) == os.path.realpath(like.path_of(like.frames[0])):
            raise _is_the_scan(target)
        _check_movie(target, like)
        _prepared(target.parent)
        sink = MovieSink(target, like, codec=codec, lossy=lossy, sync=sync)
    else:
        pattern = output_pattern(path, like)
        container = container_of(pattern.path_of(like.frames[0]))
        form = output_format(like.format, container, path, lossy=lossy)
        _prepared(pattern.folder)
        sink = _StillSink(pattern, like, form, sync=sync, history=history)
    return Writer(sink, overwrite=overwrite, behind=behind)


def output_pattern(path: str | Path, like: Shot) -> Pattern:
    """The names of the images that are written for the frames of `like`: results, or what goes with them.

    Args:
        path: As `open_writer`, but no movie.
        like: The scan.

    Raises:
        UsageError: a pattern that cannot be meant, or the scan's own files.
    """
    target = Path(path)
    if is_folder(path):
        found = like.pattern_in(target)
    elif (parsed := parse_pattern(target)) is not None:
        found = parsed
    elif len(like.frames) == 1:
        found = Pattern(
            folder=target.parent, prefix=target.stem, suffix=target.suffix, padding=0, single=like.frames[0]
        )
    else:
        raise UsageError(f"{target}: one file for {len(like.frames)} frames; write a pattern such as shot.####.dpx")
    _check_not_scan(found, like)
    return found


class _StillSink:
    """One file a frame."""

    workers = 2

    def __init__(self, pattern: Pattern, like: Shot, form: Format, *, sync: bool, history: str) -> None:
        self.format = form
        self._pattern = pattern
        self._like = like
        self._sync = sync
        self._history = history

    def path_of(self, number: int) -> Path:
        return self._pattern.path_of(number)

    def write(self, frame: Frame) -> None:
        target = self.path_of(frame.number)
        fitted = self._fitted(frame)
        try:
            with atomic_write(target, sync=self._sync) as temporary:
                if self.format.container != "dpx":
                    temporary.write_bytes(encode_image(fitted, self.format.container, self._history))
                elif fitted.format.container == "dpx" and fitted.source is not None:
                    temporary.write_bytes(patch_dpx(fitted.source, fitted.codes))
                else:
                    temporary.write_bytes(new_dpx(fitted, self._like.rate))
        except FilmRestoreError:
            raise
        except (MemoryError, ValueError, TypeError, RuntimeError) as failure:
            raise OutputError(f"{target}: frame {frame.number} cannot be written: {failure}") from failure

    def finish(self) -> None:
        """Every file is finished by itself."""

    def abandon(self) -> None:
        """Nothing half done is left."""

    def _fitted(self, frame: Frame) -> Frame:
        if frame.format == self.format:
            return frame
        # keeps the source's container name, which tells the writer that its file is no template
        codes = converted(frame.codes, frame.format, self.format)
        return Frame(
            number=frame.number,
            codes=codes,
            format=self.format,
            metadata=frame.metadata,
            data_window=frame.data_window,
            display_window=frame.display_window,
            source=None,
        )


def is_folder(path: str | Path) -> bool:
    """Whether an output is a folder, there or to be made, and no pattern, image or movie."""
    target = Path(path)
    return target.is_dir() or not target.suffix or str(path).endswith(os.sep)


def is_movie(path: str | Path) -> bool:
    """Whether an output is one movie."""
    return not is_folder(path) and container_of(Path(path)) == "movie"


def _check_not_scan(pattern: Pattern, like: Shot) -> None:
    """Refuse the scan's files for output; frames of one number may meet where the patterns differ (#### and %d)."""
    first = like.frames[0]
    if os.path.realpath(pattern.path_of(first)) == os.path.realpath(like.path_of(first)):
        raise _is_the_scan(pattern.path_of(first))
    if os.path.realpath(pattern.folder) == os.path.realpath(like.path_of(first).parent):
        for number in like.frames:
            if pattern.path_of(number).name == like.path_of(number).name:
                raise _is_the_scan(pattern.path_of(number))


def _is_the_scan(target: Path) -> UsageError:
    return UsageError(f"{target}: this is the scan itself; it is never written over: choose another folder or name")


def _check_movie(target: Path, like: Shot) -> None:
    """A movie is written whole: one that is there and is longer would lose frames."""
    try:
        with open_shot(target) as there:
            count = len(there.frames)
    except InputError:  # not there, or no movie that anybody can miss
        return
    if count > len(like.frames):
        raise UsageError(
            f"{target} is there with {count} frames, and this run writes {len(like.frames)}: the others would be lost; "
            "give another name, ask for all frames, or delete it first"
        )


def _prepared(folder: Path) -> None:
    """Find out now, not after the first frame's minute of work; and clear away what crashed runs left."""
    check_writable(folder / "frames")
    sweep(folder)
