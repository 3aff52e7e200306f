"""Reads a whole ledger once: the figures of the page, its timeline, and which fixes and frames to show."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ..fixes import Fix, FrameRecord, Ledger
from ..fixes.model import ORIGINS

_SINGLE_FRAME_SHARE = 24
"""Fixes that one frame may show even in a long reel; one bad frame must not fill the page."""


@dataclass(frozen=True)
class FrameSum:
    """One frame in numbers.

    Attributes:
        number: Source frame number.
        fixes: Applied fixes.
        area: Pixels that they change.
        doubt: Sum of their doubts.
    """

    number: int
    fixes: int
    area: int
    doubt: float


@dataclass
class ShotSum:
    """The frames between two cuts."""

    first: int
    frames: list[FrameSum] = field(default_factory=list)

    @property
    def last(self) -> int:
        return self.frames[-1].number

    @property
    def fixes(self) -> int:
        return sum(frame.fixes for frame in self.frames)

    @property
    def doubt(self) -> float:
        return sum(frame.doubt for frame in self.frames)

    def most_telling(self, count: int) -> list[FrameSum]:
        """Up to `count` frames, in order: the most doubtful of each of as many equal parts."""
        parts = min(count, len(self.frames))
        edges = [len(self.frames) * part // parts for part in range(parts + 1)]
        pieces = (self.frames[start:end] for start, end in pairwise(edges))
        return [max(piece, key=lambda frame: (frame.doubt, frame.area)) for piece in pieces]


@dataclass
class Survey:
    """What a ledger says as a whole.

    Attributes:
        shots: In order.
        causes, origins: Applied fixes by cause; changed pixels by origin.
        wide: Frames by what was corrected in the whole of them.
        fixes, rejected, dropped: Fixes applied, rejected in the ledger, deleted from it.
        area: Changed pixels.
        seconds: Time of all frames.
        classes: Frames by the class that they ran in.
        by_frame: (frame, applied fixes by cause), in order.
        doubtful: The fixes to show, most doubtful first.
    """

    shots: list[ShotSum] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)
    wide: Counter[str] = field(default_factory=Counter)
    fixes: int = 0
    rejected: int = 0
    dropped: int = 0
    area: int = 0
    seconds: float = 0.0
    classes: Counter[str] = field(default_factory=Counter)
    by_frame: list[tuple[int, Counter[str]]] = field(default_factory=list)
    doubtful: list[Fix] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return len(self.by_frame)


def doubt(fix: Fix) -> float:
    """How much a fix should be looked at, from 0: low confidence first, then invented pixels, then size."""
    return (1 - fix.confidence) + 0.3 * fix.shares[2] + 0.05 * math.log2(1 + fix.area)


def survey(
    ledger: Ledger, frames: Sequence[int], cuts: Iterable[int], most: int, progress: Callable[[int], None]
) -> Survey:
    """Reads the ledger through, one frame in memory at a time.

    Args:
        ledger: The ledger.
        frames: Frames to look at, ascending.
        cuts: First frame of every new shot.
        most: Fixes to keep as doubtful ones.
        progress: Called with the number of frames read.
    """
    result = Survey()
    starts = sorted(set(cuts))
    shot_index = -1
    heap: list[tuple[float, int, int, Fix]] = []
    of_one_frame = max(_SINGLE_FRAME_SHARE, 4 * most // max(1, len(frames)))
    for done, number in enumerate(frames, 1):
        part = ledger.read(number)
        if part is None:
            continue
        applied = [fix for fix in part.fixes if fix.state == "applied"]
        _add(result, part.record, part.fixes, applied)
        result.wide.update(fix.cause for fix in part.wide if fix.state == "applied")
        index = bisect_right(starts, number)
        if index != shot_index:
            shot_index = index
            result.shots.append(ShotSum(number))
        total = FrameSum(number, len(applied), sum(fix.area for fix in applied), sum(map(doubt, applied)))
        result.shots[-1].frames.append(total)
        for order, fix in enumerate(sorted(applied, key=doubt, reverse=True)[:of_one_frame]):
            entry = (doubt(fix), -number, -order, fix)
            if len(heap) < most:
                heapq.heappush(heap, entry)
            elif most:
                heapq.heappushpop(heap, entry)
        progress(done)
    result.doubtful = [fix for *_, fix in sorted(heap, key=lambda entry: entry[:3], reverse=True)]
    return result


def _add(result: Survey, record: FrameRecord, fixes: Sequence[Fix], applied: Sequence[Fix]) -> None:
    causes = Counter(fix.cause for fix in applied)
    result.by_frame.append((record.frame, Counter(causes)))
    result.causes.update(causes)
    for fix in applied:
        result.area += fix.area
        for origin, share in zip(ORIGINS[1:], fix.shares, strict=True):
            result.origins[origin] += round(share * fix.area)
    result.fixes += len(applied)
    result.rejected += len(fixes) - len(applied)
    result.dropped += record.fixes - len(fixes)
    result.seconds += record.seconds
    if record.network_class:
        result.classes[record.network_class] += 1


def timeline(by_frame: Sequence[tuple[int, Counter[str]]], bins: int) -> list[dict[str, object]]:
    """The frames in at most `bins` equal groups: first and last frame, and the mean fixes a frame by cause."""
    count = min(bins, len(by_frame))
    groups: list[dict[str, object]] = []
    for index in range(count):
        piece = by_frame[len(by_frame) * index // count : len(by_frame) * (index + 1) // count]
        total: Counter[str] = Counter()
        for _, causes in piece:
            total.update(causes)
        means = {cause: round(number / len(piece), 3) for cause, number in total.items()}
        groups.append({"first": piece[0][0], "last": piece[-1][0], "causes": means})
    return groups
