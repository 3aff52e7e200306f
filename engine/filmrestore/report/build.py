"""Builds the page: which frames and fixes to show, their pictures, and the template that holds them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import numpy as np

from .. import __version__
from ..colour import Colour
from ..fixes import Fix, Ledger, RecordedFix
from ..fixes.model import ORIGINS
from ..fixes.replay import apply_fixes, check_fits
from ..frame import Box, Codes
from ..media import Shot, atomic_bytes
from .pictures import (
    ORIGIN_COLOURS,
    Display,
    colour_for_screen,
    crop_around,
    jpeg,
    paint_matte,
    png,
    shrink,
)
from .survey import FrameSum, ShotSum, Survey, doubt, survey, timeline

Progress = Callable[[str, int, int], None]

CAUSE_COLOURS = {
    "dust": "#8fa9c4",
    "dirt": "#b98e5e",
    "hair": "#7fb08a",
    "gate_hair": "#4f8f86",
    "scratch": "#c9c05e",
    "blotch": "#a878a8",
    "burn": "#cf6f55",
    "splice": "#d9d9d9",
    "painted": "#6f86c9",
    "infrared": "#c97f9c",
    "other": "#8a8a8a",
}
"""Muted, told apart by brightness too."""


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


def build_report(
    ledger: str | Path,
    scan: Shot,
    result: Shot | None,
    out: str | Path,
    *,
    colour: Colour | None = None,
    cuts: Sequence[int] | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Path:
    """Writes the page of the scan's frames that the ledger holds.

    Args:
        ledger: Folder of the ledger.
        scan: The scan.
        result: What restore or apply wrote; None, and for frames that it lacks: the ledger's pixels over the scan.
        out: The HTML file.
        colour: How codes become light; None takes what the ledger recorded, and codes as they are where this
            machine lacks it.
        cuts: First frame of every new shot; None reads the analysis file beside the ledger, if it is there.
        limits: What bounds the page.
        progress: Called with ("report", steps done, steps in all).

    Returns:
        The file.

    Raises:
        LedgerError: the ledger cannot be read or is of another scan.
        InputError: a frame cannot be read.
        OutputError: the file cannot be written.
    """
    return _Page(Ledger.open(ledger), scan, result, colour, limits or Limits(), progress).build(Path(out), cuts)


class _Page:
    def __init__(
        self,
        ledger: Ledger,
        scan: Shot,
        result: Shot | None,
        colour: Colour | None,
        limits: Limits,
        progress: Progress | None,
    ) -> None:
        check_fits(ledger, scan.format)
        self._ledger, self._scan, self._result, self._limits = ledger, scan, result, limits
        colour = colour or colour_for_screen(scan.format, ledger.header.colour)
        self.notes = [] if colour else ["The run's colourspace is not known here: codes are shown as they are."]
        self._display = Display(scan.format, colour)
        self._full = scan.format.height, scan.format.width
        self._progress = progress or (lambda stage, done, total: None)

    def build(self, out: Path, cuts: Sequence[int] | None) -> Path:
        frames = sorted(set(self._ledger.frames) & set(self._scan.frames))
        cuts = self._recorded_cuts() if cuts is None else cuts
        steps = len(frames) + self._limits.fixes + self._limits.frames

        def tell(done: int) -> None:
            self._progress("report", done, steps)

        seen = survey(self._ledger, frames, cuts, self._limits.fixes, tell)
        shots = self._shots(seen, lambda done: tell(len(frames) + done))
        cards = self._cards(seen.doubtful, lambda done: tell(len(frames) + self._limits.frames + done))
        atomic_bytes(out, self._render(seen, shots, cards).encode())
        tell(steps)
        return out

    def _recorded_cuts(self) -> tuple[int, ...]:
        """The cuts in the analysis file that restore leaves beside its ledger."""
        path = self._ledger.path.with_suffix(".analysis.json")
        return msgspec.json.decode(path.read_bytes(), type=_Cuts).cuts if path.exists() else ()

    def _shots(self, seen: Survey, tell: Callable[[int], None]) -> list[dict[str, Any]]:
        """Every shot in numbers; the most doubtful ones with frames shown whole."""
        each = max(1, min(self._limits.frames_per_shot, self._limits.frames // max(1, len(seen.shots))))
        shown = sorted(seen.shots, key=lambda shot: -shot.doubt)[: self._limits.frames // each]
        entries, done = [], 0
        for shot in seen.shots:
            frames = []
            for frame in shot.most_telling(each) if shot in shown else ():
                frames.append(self._whole_frame(frame))
                done += 1
                tell(done)
            entries.append(_shot_entry(shot, frames))
        return entries

    def _whole_frame(self, frame: FrameSum) -> dict[str, Any]:
        recorded = list(self._ledger.recorded(frame.number))
        applied = [entry for entry in recorded if entry.fix.state == "applied"]
        whole = Box(x0=0, y0=0, x1=self._full[1], y1=self._full[0])
        before = self._display(self._scan.read(frame.number).picture())
        after = self._display(self._after(frame.number, applied))
        longest = self._limits.frame_px
        return {
            "number": frame.number,
            "fixes": frame.fixes,
            "width": self._full[1],
            "height": self._full[0],
            "before": jpeg(shrink(before, longest)),
            "after": jpeg(shrink(after, longest)),
            "matte": png(shrink(paint_matte(applied, whole), longest // 2, keep_specks=True)),
            "boxes": [{"id": fix.id, "box": fix.box, "cause": fix.cause} for fix, _ in applied[: self._limits.fixes]],
        }

    def _cards(self, fixes: Sequence[Fix], tell: Callable[[int], None]) -> list[dict[str, Any]]:
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
        return apply_fixes(self._scan.read(number), fixes).picture()

    def _render(self, seen: Survey, shots: list[dict[str, Any]], cards: list[dict[str, Any]]) -> str:
        folder = Path(__file__).parent
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
        )
        header = self._ledger.header
        name = self._ledger.path.stem
        facts = {
            "name": name,
            "command": f"filmrestore apply {self._scan.path.name} --ledger {self._ledger.path.name} "
            "--without @rejected.txt -o OUT",
            "key": f"filmrestore:{name}:{header.identity()}",
            "causes": CAUSE_COLOURS,
            "timeline": timeline(seen.by_frame, self._limits.bins),
            "boxes": {frame["number"]: frame["boxes"] for shot in shots for frame in shot["frames"]},
        }
        return environment.get_template("page.html").render(
            name=name,
            version=__version__,
            css=(folder / "page.css").read_text(encoding="utf-8"),
            script=(folder / "page.js").read_text(encoding="utf-8"),
            facts=facts,
            figures=_figures(seen, self._full),
            causes=seen.causes.most_common(),
            cause_colours=CAUSE_COLOURS,
            origins=[(origin, seen.origins[origin], ORIGIN_COLOURS[origin]) for origin in ORIGINS[1:]],
            area=seen.area,
            settings=_rows(header.settings),
            run=_rows(_run_facts(header, seen)),
            shots=shots,
            cards=cards,
            notes=[*self.notes, *_left_out(seen, shots, cards)],
        )


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


class _Cuts(msgspec.Struct):
    cuts: tuple[int, ...] = ()


def _shot_entry(shot: ShotSum, frames: list[dict[str, Any]]) -> dict[str, Any]:
    area = sum(frame.area for frame in shot.frames)
    return {
        "first": shot.first,
        "last": shot.last,
        "count": len(shot.frames),
        "fixes": shot.fixes,
        "area": area,
        "doubt": round(shot.doubt, 1),
        "frames": frames,
    }


def _figures(seen: Survey, full: tuple[int, int]) -> list[tuple[str, str]]:
    pixels = max(1, seen.frames * full[0] * full[1])
    return [
        ("frames", f"{seen.frames:,}"),
        ("fixes", f"{seen.fixes:,}"),
        ("fixes a frame", f"{seen.fixes / max(1, seen.frames):.1f}"),
        ("pixels touched", f"{100 * seen.area / pixels:.3f} %"),
        ("left out in the ledger", f"{seen.rejected + seen.dropped:,}"),
        ("seconds a frame", f"{seen.seconds / max(1, seen.frames):.2f}"),
    ]


def _run_facts(header: Any, seen: Survey) -> Mapping[str, Any]:
    scan = header.scan
    classes = [f"{name} ({count} frames)" for name, count in seen.classes.most_common()]
    return {
        "software": header.software,
        "method": header.method,
        "weights": header.weights,
        "settings digest": header.settings_digest,
        "class": "; ".join(classes) or " ".join(f"{key}={value}" for key, value in header.network_class.items()),
        "scan": f"{scan['width']} x {scan['height']}, {scan['bits']} bits, {scan['container']}, "
        + " ".join(scan["channels"]),
        **{f"colour: {key}": value for key, value in header.colour.items()},
        "time of all frames": f"{seen.seconds:,.0f} s",
    }


def _rows(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), str(value)) for name, value in values.items()]


def _left_out(seen: Survey, shots: list[dict[str, Any]], cards: list[dict[str, Any]]) -> list[str]:
    """What the page does not show, in words."""
    notes = []
    if len(cards) < seen.fixes:
        notes.append(
            f"The {len(cards):,} most doubtful of {seen.fixes:,} fixes are shown. All can be left out by selectors, "
            "such as cause:scratch, frame:1001-1020 or confidence<0.5, one a line of the same list."
        )
    bare = sum(not shot["frames"] for shot in shots)
    if bare:
        notes.append(f"{bare:,} of {len(shots):,} shots, the least doubtful ones, are listed without pictures.")
    return notes


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
