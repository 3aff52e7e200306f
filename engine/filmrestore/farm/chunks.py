"""Cutting a job into chunks: whole windows, along cuts where that costs little, with the bits of one whole run."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from fileseq import FrameSet

from ..errors import UsageError
from ..media import Shot
from ..media.containers import container_of
from ..nodes.job import RestoreJob
from ..nodes.ranks import Ranks
from ..restorers.base import Facts

MOST_CHUNKS = 1024
"""Values that an Open Job Description task parameter may list."""
LONGEST_SPAN = 1024
"""Characters that each of them may have."""
FRAMES = 48
"""Frames of a chunk when nobody says: long enough that loading the network is a small part of it."""
_PATHS = ("source", "output", "matte_out", "ledger", "cache", "protect", "defect_map", "cuts", "analysis", "config")


def cut_chunks(
    frames: Collection[int], cuts: Sequence[int], *, keep: int, size: int = FRAMES, repeats: Sequence[int] = ()
) -> tuple[tuple[int, ...], ...]:
    """The frames of each chunk, in the order of the film.

    A chunk ends where a window's kept frames end, so that no window is computed twice, and at a cut once it is half
    full. The size is doubled until a farm can list all chunks.

    Args:
        frames: Of the job.
        cuts: First frame of every shot but the first, rising.
        keep: Frames that a window keeps.
        size: Most frames of a chunk; a window's worth at least, with the repeats of its frames.
        repeats: Frames of the whole reel that repeat the one before them, which share its window.

    Raises:
        UsageError: `size` is no number of frames, or the frames are so scattered that no farm can list a chunk.
    """
    if size < 1:
        raise UsageError(f"a chunk of {size} frames cannot be: give 1 or more")
    ranks = Ranks(repeats, cuts)
    chunks = _cut(sorted(set(frames)), cuts, keep, size, ranks)
    while len(chunks) > MOST_CHUNKS:
        size *= 2
        chunks = _cut(sorted(set(frames)), cuts, keep, size, ranks)
    for chunk in chunks:
        if len(span_of(chunk)) > LONGEST_SPAN:
            raise UsageError(
                f"frames {chunk[0]} to {chunk[-1]} of the span are too scattered to be named in {LONGEST_SPAN} "
                "characters: give a span with fewer pieces, or submit it in parts"
            )
    return chunks


def _cut(frames: Sequence[int], cuts: Sequence[int], keep: int, size: int, ranks: Ranks) -> tuple[tuple[int, ...], ...]:
    windows: dict[tuple[int, int], list[int]] = {}
    for number in frames:
        windows.setdefault((ranks.rank(number) // keep, bisect_right(cuts, number)), []).append(number)
    chunks: list[list[int]] = []
    last_shot = -1
    for (_, shot), kept in windows.items():
        full = bool(chunks) and len(chunks[-1]) + len(kept) > size
        at_cut = bool(chunks) and shot != last_shot and 2 * len(chunks[-1]) >= size
        if not chunks or full or at_cut:
            chunks.append([])
        chunks[-1] += kept
        last_shot = shot
    return tuple(map(tuple, chunks))


def shot_chunks(
    shot: Shot, cuts: Sequence[int], *, keep: int, size: int = FRAMES, repeats: Sequence[int] = ()
) -> tuple[tuple[int, ...], ...]:
    """`cut_chunks` of a shot; its missing frames belong to the chunk before them, which then says so.

    Raises:
        UsageError: as `cut_chunks`.
    """
    chunks = cut_chunks(shot.frames, cuts, keep=keep, size=size, repeats=repeats)
    starts = [chunk[0] for chunk in chunks[1:]]
    whole = [list(chunk) for chunk in chunks]
    for number in shot.missing:
        whole[bisect_right(starts, number)].append(number)
    return tuple(tuple(sorted(chunk)) for chunk in whole)


def span_of(frames: Collection[int]) -> str:
    """These frames as a span, whole however long it is: "1001-1048", "1-9x2,12"."""
    return str(FrameSet.framesToFrameRange(sorted(set(frames))))


def is_one_file(job: RestoreJob) -> bool:
    """Whether the output is a movie, which only one process can write."""
    target = Path(job.output)
    return bool(target.suffix) and not target.is_dir() and container_of(target) == "movie"


def check_handles(job: RestoreJob, facts: Facts) -> None:
    """Refuses handles with which the ends of a chunk would see less than they do in a whole run.

    Raises:
        UsageError: they are too short.
    """
    reach = facts.keep - 1 + (facts.window - facts.keep) // 2
    if job.settings.handles < reach:
        raise UsageError(
            f"handles is {job.settings.handles}: chunks need {reach} or more, for {facts.name} looks that far beyond "
            "a chunk; with fewer their results would differ from those of one whole run"
        )


def absolute(job: RestoreJob) -> RestoreJob:
    """The job with every path absolute, as another machine's process needs them."""
    given = {name: getattr(job, name) for name in _PATHS}
    paths: dict[str, Any] = {name: _absolute(name, value) for name, value in given.items() if value}
    return dataclasses.replace(job, **paths)


def _absolute(name: str, value: str) -> str:
    is_word = (name == "defect_map" and value == "alpha") or (name == "config" and value.startswith("ocio://"))
    return value if is_word else str(Path(value).absolute())
