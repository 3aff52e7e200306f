"""The pictures of the page: frames shown whole, and fixes with their surroundings and neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from ..fixes import Fix, Ledger, RecordedFix
from ..fixes.replay import apply_fixes
from ..frame import Box, Codes
from ..media import Shot
from ..wide.lay import lay
from .pictures import Display, crop_around, jpeg, paint_matte, png, shrink, shrink_codes
from .survey import FrameSum, doubt


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What bounds the page, however long the reel.

    Attributes:
        fixes: Fixes shown with pictures, the most doubtful ones.
        frames: Frames shown whole, shared out over the shots.
        frames_per_shot: Of them, at most so many in one shot.
        frame_px: Longer side of a frame shown whole.
        crop_px: Longer side of a fix's picture.
        bins: Columns of the timeline.
    """

    fixes: int = 400
    frames: int = 32
    frames_per_shot: int = 6
    frame_px: int = 1200
    crop_px: int = 160
    bins: int = 480


class Gallery:
    """Makes the pictures.

    Args:
        ledger, scan: The ledger and its scan.
        result: Restored frames; None, and for frames that it lacks: the ledger's pixels over the scan.
        display: From codes to the screen.
        limits: Sizes.
    """

    def __init__(self, ledger: Ledger, scan: Shot, result: Shot | None, display: Display, limits: Limits) -> None:
        self._ledger, self._scan, self._result = ledger, scan, result
        self._display, self._limits = display, limits
        self._full = scan.format.height, scan.format.width

    def whole_frame(self, frame: FrameSum) -> dict[str, Any]:
        """A frame as scan, result and matte, with the boxes of its fixes."""
        recorded = list(self._ledger.recorded(frame.number))
        applied = [entry for entry in recorded if entry.fix.state == "applied"]
        whole = Box(x0=0, y0=0, x1=self._full[1], y1=self._full[0])
        longest = self._limits.frame_px
        before = self._display(shrink_codes(self._scan.read(frame.number).picture(), longest))
        after = self._display(shrink_codes(self._after(frame.number, applied), longest))
        return {
            "number": frame.number,
            "fixes": frame.fixes,
            "width": self._full[1],
            "height": self._full[0],
            "before": jpeg(before),
            "after": jpeg(after),
            "matte": png(shrink(paint_matte(applied, whole), longest // 2, keep_specks=True)),
            "boxes": [{"id": fix.id, "box": fix.box, "cause": fix.cause} for fix, _ in applied[: self._limits.fixes]],
        }

    def cards(self, fixes: Sequence[Fix], tell: Callable[[int], None]) -> list[dict[str, Any]]:
        """The fixes with their pictures, in the order given, made in the order of frames so that each is read once."""
        by_frame: dict[int, list[Fix]] = defaultdict(list)
        for fix in fixes:
            by_frame[fix.frame].append(fix)
        scans = _Held(self._scan, 3)
        made: dict[str, dict[str, Any]] = {}
        for number in sorted(by_frame):
            recorded = [entry for entry in self._ledger.recorded(number) if entry.fix.state == "applied"]
            after = self._after(number, recorded)
            for fix in by_frame[number]:
                made[fix.id] = self._card(fix, recorded, scans, after)
                tell(len(made))
        return [made[fix.id] for fix in fixes]

    def _card(self, fix: Fix, recorded: Sequence[RecordedFix], scans: _Held, after: Codes) -> dict[str, Any]:
        box = crop_around(fix.where, self._full, margin=16, smallest=64)
        longest = self._limits.crop_px

        def shown(codes: Codes) -> str:
            return jpeg(shrink(self._display(np.ascontiguousarray(codes[box.slices])), longest))

        scale = min(1.0, longest / max(box.width, box.height))
        near = [entry for entry in recorded if _touch(entry.fix, box)]
        return {
            **msgspec.structs.asdict(fix),
            "shares": [round(100 * share) for share in fix.shares],
            "size": f"{fix.where.width} x {fix.where.height}",
            "doubt": round(doubt(fix), 4),
            "scale": round(200 * scale),
            "width": round(2 * scale * box.width),
            "mark": _percent(fix.where, box),
            "previous": shown(scans.read(fix.frame - 1)) if scans.has(fix.frame - 1) else "",
            "before": shown(scans.read(fix.frame)),
            "after": shown(after),
            "next": shown(scans.read(fix.frame + 1)) if scans.has(fix.frame + 1) else "",
            "matte": png(shrink(paint_matte(near, box), longest, keep_specks=True)),
        }

    def _after(self, number: int, fixes: Sequence[RecordedFix]) -> Codes:
        """Picture channels of the result; made from the ledger where there is no result."""
        if self._result is not None and number in self._result.available:
            return self._result.read(number).picture()
        mended = apply_fixes(self._scan.read(number), fixes)
        wide = [fix for fix in self._ledger.wide(number) if fix.state == "applied"]
        return mended.replaced(lay(mended.codes, wide, mended.format)).picture()


class _Held:
    """The picture channels of a shot's frames; the last few that were read are held."""

    def __init__(self, shot: Shot, most: int) -> None:
        self._shot, self._most = shot, most
        self._available = frozenset(shot.available)
        self._codes: dict[int, Codes] = {}

    def has(self, number: int) -> bool:
        """Whether there is such a frame."""
        return number in self._available

    def read(self, number: int) -> Codes:
        """Codes of a frame, shape (h, w, 1 or 3)."""
        if number not in self._codes:
            while len(self._codes) >= self._most:
                del self._codes[min(self._codes)]
            self._codes[number] = self._shot.read(number).picture()
        return self._codes[number]


def _percent(mark: Box, box: Box) -> dict[str, str]:
    """Where a mark lies in a crop, as CSS lengths."""
    return {
        "left": f"{100 * (mark.x0 - box.x0) / box.width:.1f}%",
        "top": f"{100 * (mark.y0 - box.y0) / box.height:.1f}%",
        "width": f"{100 * mark.width / box.width:.1f}%",
        "height": f"{100 * mark.height / box.height:.1f}%",
    }


def _touch(fix: Fix, box: Box) -> bool:
    return fix.box[0] < box.x1 and fix.box[2] > box.x0 and fix.box[1] < box.y1 and fix.box[3] > box.y0
