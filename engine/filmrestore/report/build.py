"""Builds the page: which frames and fixes to show, their pictures, and the template that holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import jinja2
import msgspec

from .. import __version__
from ..colour import Colour
from ..errors import CorruptFile, LedgerError
from ..fixes import Ledger
from ..fixes.model import ORIGINS
from ..fixes.replay import check_fits
from ..media import Shot, atomic_bytes
from .gallery import Gallery, Limits
from .pictures import ORIGIN_COLOURS, Display, colour_for_screen
from .survey import ShotSum, Survey, survey, timeline

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
    "blur": "#5aa9a0",
    "other": "#8a8a8a",
}
"""Muted, told apart by brightness too."""


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
        InputError: a frame or the analysis file cannot be read.
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
        self._ledger, self._scan, self._limits = ledger, scan, limits
        colour = colour or colour_for_screen(scan.format, ledger.header.colour)
        self.notes = [] if colour else ["The run's colourspace is not known here: codes are shown as they are."]
        self._full = scan.format.height, scan.format.width
        if result is not None and not _shows_the_picture(ledger, scan, result):
            self.notes.append("What was written is no picture in the scan's codes: the ledger's pixels are shown.")
            result = None
        self._gallery = Gallery(ledger, scan, result, Display(scan.format, colour), limits)
        self._progress = progress or (lambda stage, done, total: None)

    def build(self, out: Path, cuts: Sequence[int] | None) -> Path:
        frames = sorted(set(self._ledger.frames) & set(self._scan.frames))
        if not frames:
            raise LedgerError(
                f"{self._ledger.path} holds no frame of {self._scan.path}: give the scan that was restored"
            )
        cuts = self._recorded_cuts() if cuts is None else cuts
        steps = len(frames) + self._limits.fixes + self._limits.frames

        def tell(done: int) -> None:
            self._progress("report", done, steps)

        seen = survey(self._ledger, frames, cuts, self._limits.fixes, tell)
        shots = self._shots(seen, lambda done: tell(len(frames) + done))
        cards = self._gallery.cards(seen.doubtful, lambda done: tell(len(frames) + self._limits.frames + done))
        atomic_bytes(out, self._render(seen, shots, cards).encode())
        tell(steps)
        return out

    def _recorded_cuts(self) -> tuple[int, ...]:
        """The cuts in the analysis file that restore leaves beside its ledger."""
        path = self._ledger.path.with_suffix(".analysis.json")
        if not path.exists():
            return ()
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Cuts).cuts
        except msgspec.DecodeError as error:
            raise CorruptFile(f"{path}: cuts cannot be read: {error}; delete it and run probe again") from error

    def _shots(self, seen: Survey, tell: Callable[[int], None]) -> list[dict[str, Any]]:
        """Every shot in numbers; the most doubtful ones with frames shown whole."""
        each = max(1, min(self._limits.frames_per_shot, self._limits.frames // max(1, len(seen.shots))))
        by_doubt = sorted(seen.shots, key=lambda shot: -shot.doubt)
        shown = {shot.first for shot in by_doubt[: self._limits.frames // each]}
        entries, done = [], 0
        for shot in seen.shots:
            frames = []
            for frame in shot.most_telling(each) if shot.first in shown else ():
                frames.append(self._gallery.whole_frame(frame))
                done += 1
                tell(done)
            entries.append(_shot_entry(shot, frames))
        return entries

    def _render(self, seen: Survey, shots: list[dict[str, Any]], cards: list[dict[str, Any]]) -> str:
        folder = Path(__file__).parent
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
        )
        header = self._ledger.header
        name = self._ledger.path.stem
        facts = {
            "name": name,
            "command": f"filmrestore apply {quote(str(self._scan.path))} --ledger {quote(str(self._ledger.path))} "
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


class _Cuts(msgspec.Struct):
    cuts: tuple[int, ...] = ()


def _shows_the_picture(ledger: Ledger, scan: Shot, result: Shot) -> bool:
    """Whether the result is the restored picture, in codes that mean what the scan's mean."""
    names = ("width", "height", "channels", "dtype", "bits")
    is_alike = all(getattr(scan.format, name) == getattr(result.format, name) for name in names)
    return is_alike and ledger.header.settings.get("output", "result") == "result"


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
        **({"picked because": header.why} if header.why else {}),
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
    for cause, frames in seen.wide.items():
        notes.append(
            f"Of {frames:,} frames the whole picture was corrected for {cause}: cause:{cause} leaves that out."
        )
    bare = sum(not shot["frames"] for shot in shots)
    if bare:
        notes.append(f"{bare:,} of {len(shots):,} shots, the least doubtful ones, are listed without pictures.")
    return notes
