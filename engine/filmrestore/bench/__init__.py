"""The measured tables: what they are called, where they start, and what they may be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BENCHES: dict[str, str] = {
    "restore": "filmrestore.bench.restore:run",
    "bounds": "filmrestore.bench.bounds:run",
    "speed": "filmrestore.bench.speed:run",
    "exact": "filmrestore.bench.exact:run",
    "methods": "filmrestore.bench.methods.table:run",
}
"""Name -> "module:function"; the function takes `BenchOptions` and a progress call, and gives the figures."""


CLAIMS: dict[str, str] = {
    "restormer": "filmrestore.bench.methods.claims:restormer",
    "svi": "filmrestore.bench.methods.inverse:compared",
    "divd": "filmrestore.bench.methods.blur:compared",
    "iide": "filmrestore.bench.methods.claims:iide",
    "frdm": "filmrestore.bench.methods.claims:frdm",
}
"""Paper -> "module:function" that holds its claim against ours; it takes what a bench does, and gives a block."""


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """What the benches share; each reads what concerns it.

    Attributes:
        out_dir: Where tables, figures and sheets are written; a second run there goes on where the first stopped.
        bench_dir: Folder of clean clips (juggle, dog, dashcam .mp4).
        film_dir: Folder of real film, a folder of frames a shot; shown on sheets, not measured.
        pieces_dir: Folder of damage pieces by kind; only numbers divisible by 5 are used.
        rows: Rows of the table by name; empty is every row that can run.
        clips: Sequences, cases or sizes by name; empty is every one.
        frames: Frames a sequence; 0 is the bench's own choice.
        seed: Of grain and damage.
        full: The long form: more sequences, more frames, more cases.
        vapoursynth: Python that has VapourSynth, MVTools and DeScratch; None looks on PATH.
        device: Where the restorer runs.
        claims: Papers' claims to hold against ours, by name, beside the table of methods (`methods`).
        only_claims: Without that table.
    """

    out_dir: Path
    bench_dir: Path | None = None
    film_dir: Path | None = None
    pieces_dir: Path | None = None
    rows: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    frames: int = 0
    seed: int = 0
    full: bool = False
    vapoursynth: str | None = None
    device: str = "cpu"
    claims: tuple[str, ...] = ()
    only_claims: bool = False
