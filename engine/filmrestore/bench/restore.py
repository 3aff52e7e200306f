"""`filmrestore bench restore`: how well each method repairs known damage, and what it harms."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..media.atomic import atomic_bytes
from . import BenchOptions
from .clips import Clip, Plan, build, choose
from .figures import Figures, measure
from .film import film_sheets
from .rows import ABLATED, Row, choose_rows, code_digest
from .sheets import crops, places, write_sheet
from .tables import DETECTION, LOOK, MAIN, SPLIT, figures_table, kinds_table

Progress = Callable[[str, int, int], None]

FRAMES, FULL_FRAMES = 12, 24

MEASURING = ("bench", "damage", "metrics", "motion")
"""Code that makes the sequences and the figures: edited, it measures everything anew."""

KNOW_NOTHING = ("input", "telea-true-mask")
"""Rows that detect nothing themselves."""


class Facts(msgspec.Struct, frozen=True):
    """What the splits need of a sequence."""

    name: str
    damage: str
    grain: str
    speed: float
    fast: bool


class Entry(msgspec.Struct, frozen=True):
    """One stored cell: a row's figures on a sequence, and what they were measured with."""

    key: str
    facts: Facts
    figures: Figures


def run(options: BenchOptions, progress: Progress | None = None) -> dict[str, Any]:
    """Measure the rows on the sequences; write restore.md, restore.json and sheets/ into the output folder.

    A cell (sequence, row) that was measured before with the same frames, seed, method and code is read back.

    Returns:
        What restore.json holds.

    Raises:
        UsageError: no folder of clean clips, an unknown row or sequence.
        InputError: clips or pieces are missing.
    """
    if options.bench_dir is None:
        raise UsageError("the clean clips are missing: give their folder with --bench")
    cv2.setNumThreads(1)
    rows, missing = choose_rows(options)
    plans = choose(options.clips, full=options.full)
    cells: dict[tuple[str, str], Entry] = {}
    for done, plan in enumerate(plans):
        for row, entry in _sequence(plan, rows, options, progress).items():
            cells[plan.name, row] = entry
        if progress:
            progress("sequences", done + 1, len(plans))
    if options.film_dir is not None:
        film_sheets(options.film_dir, options.out_dir, options.device)
    report = _report(cells, [row.name for row in rows], missing, options)
    atomic_bytes(options.out_dir / "restore.json", json.dumps(report["json"], indent=1).encode())
    atomic_bytes(options.out_dir / "restore.md", report["markdown"].encode())
    answer: dict[str, Any] = report["json"]
    return answer


def run_ablations(options: BenchOptions, progress: Progress | None = None) -> dict[str, Any]:
    """`run` on the scan, on frdm as it is, and on frdm with each of its modules off; the same files, and it resumes.

    Raises:
        UsageError, InputError: as `run`.
    """
    return run(replace(options, rows=("input", "frdm-final", *ABLATED)), progress)


def _frames(options: BenchOptions) -> int:
    return options.frames or (FULL_FRAMES if options.full else FRAMES)


def _sequence(plan: Plan, rows: list[Row], options: BenchOptions, progress: Progress | None) -> dict[str, Entry]:
    """Every row on one sequence; makes the sequence only if a row is not measured yet."""
    entries: dict[str, Entry] = {}
    clip: Clip | None = None
    folder = options.out_dir / "cells" / plan.name
    folder.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(rows):
        key = (
            f"{_frames(options)} frames, seed {options.seed}, {row.name} {row.version}, code {code_digest(*MEASURING)}"
        )
        known = _stored(folder / f"{row.name}.json", key)
        if known is None:
            assert options.bench_dir is not None
            clip = clip or build(plan, options.bench_dir, options.pieces_dir, _frames(options), options.seed)
            known = _measured(clip, row, key, folder)
        entries[row.name] = known
        if progress:
            progress(plan.name, number + 1, len(rows))
    if clip is not None:
        _sheet(clip, [row.name for row in rows], folder, options.out_dir / "sheets" / f"{plan.name}.png")
    return entries


def _stored(path: Path, key: str) -> Entry | None:
    try:
        entry = msgspec.json.decode(path.read_bytes(), type=Entry)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return entry if entry.key == key else None


def _measured(clip: Clip, row: Row, key: str, folder: Path) -> Entry:
    work = Path(tempfile.mkdtemp(prefix=f"{row.name}-", dir=folder))
    try:
        answer = row.run(clip, work)
    finally:
        shutil.rmtree(work)
    facts = Facts(clip.plan.name, clip.plan.damage, clip.plan.grain, clip.speed, clip.is_fast)
    entry = Entry(key, facts, measure(clip, answer))
    _write_image(folder / f"{row.name}.png", crops(answer.result, places(clip)))
    atomic_bytes(folder / f"{row.name}.json", msgspec.json.encode(entry))
    return entry


def _write_image(path: Path, image: NDArray[np.uint8]) -> None:
    done, data = cv2.imencode(".png", image[..., ::-1])
    assert done
    atomic_bytes(path, data.tobytes())


def _sheet(clip: Clip, rows: list[str], folder: Path, path: Path) -> None:
    spots = places(clip)
    columns = {"scan": crops(clip.scan, spots), "truth": crops(clip.truth, spots)}
    for row in rows:
        image = cv2.imread(str(folder / f"{row}.png"))
        if row != "input" and image is not None:
            columns[row] = image[..., ::-1]
    write_sheet(path, columns)


def _report(
    cells: dict[tuple[str, str], Entry], rows: list[str], missing: list[str], options: BenchOptions
) -> dict[str, Any]:
    """The markdown and the plain figures."""

    def total(row: str, wanted: Callable[[Facts], bool]) -> Figures:
        found = [e.figures for (_, name), e in cells.items() if name == row and wanted(e.facts)]
        return reduce(add, found, Figures())

    def split(wanted: Callable[[Facts], bool]) -> dict[str, Figures]:
        return {row: total(row, wanted) for row in rows}

    whole = split(lambda f: True)
    splits = {
        "fast motion": split(lambda f: f.damage != "none" and f.fast),
        "slow motion": split(lambda f: f.damage != "none" and not f.fast),
        "fine grain": split(lambda f: f.damage != "none" and f.grain == "fine"),
        "coarse grain": split(lambda f: f.damage != "none" and f.grain == "coarse"),
        "damage from the model": split(lambda f: f.damage == "model"),
        "damage from pieces": split(lambda f: f.damage == "pieces"),
    }
    facts = {entry.facts.name: entry.facts for entry in cells.values()}
    blocks = [
        f"Sequences of {_frames(options)} frames, seed {options.seed}: "
        + ", ".join(f"{f.name} ({f.speed:.0f} px a frame, {f.grain} grain)" for f in facts.values())
        + ".",
        *missing,
        "### All sequences",
        figures_table(whole, MAIN),
        "### Detection and touch",
        figures_table({row: figures for row, figures in whole.items() if row not in KNOW_NOTHING}, DETECTION),
        "### Look",
        figures_table(whole, LOOK),
        "### By kind of damage: defect PSNR, objects fixed",
        kinds_table(whole),
    ]
    for name, part in splits.items():
        if any(figures.frames for figures in part.values()):
            blocks += [f"### {name.capitalize()}", figures_table(part, SPLIT)]
    plain = {
        "frames": _frames(options),
        "seed": options.seed,
        "left_out": missing,
        "rows": {row: msgspec.to_builtins(figures) for row, figures in whole.items()},
        "splits": {name: {r: msgspec.to_builtins(f) for r, f in part.items()} for name, part in splits.items()},
        "cells": [msgspec.to_builtins(entry) | {"row": row} for (_, row), entry in cells.items()],
    }
    return {"markdown": "\n".join(block.rstrip("\n") + "\n" for block in blocks), "json": plain}
