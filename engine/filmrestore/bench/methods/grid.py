"""Rows times sequences: what is measured already is read back, the rest is run, in about the time that is told."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path

import msgspec

from ...errors import FilmRestoreError
from .. import BenchOptions
from ..clips import Plan
from ..rows import code_digest
from .cells import kept, stored
from .parts import EDGE, Part, measured_frames, part_of
from .rows import MethodRow
from .running import Cell, run_row

Progress = Callable[[str, int, int], None]

MEASURING = (
    *(f"bench/{module}" for module in ("child", "clips", "figures", "light", "paste", "rows")),
    *(f"bench/methods/{module}" for module in ("parts", "peer", "running")),
    *("damage", "metrics", "motion"),
)
"""Code that makes the sequences and the figures."""

ROUGH_S = {"frdm": 2.5, "restormer": 2.0, "two_stage": 10.0, "svi": 10.0, "": 0.5}
"""Seconds of one core for a measured frame, handed neighbours included, to tell beforehand how long it takes."""
ROUGH_OTHER_S, ROUGH_START_S = 10.0, 12.0
"""Of a method that is not in `ROUGH_S`, and of a process that starts."""


class PartFacts(msgspec.Struct, frozen=True):
    """What a reader must know of a part: visibly damaged share, 99th percentile of the motion in px a frame."""

    coverage: float
    speed: float


@dataclass(kw_only=True)
class Grid:
    """What was measured.

    Attributes:
        cells: By row and sequence.
        facts: By sequence.
        missing: A sentence on each row that failed.
    """

    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    facts: dict[str, PartFacts] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def total(self, row: str, plans: Sequence[Plan]) -> Cell:
        """Of a row over sequences, those that it was not run on left out."""
        return reduce(add, [self.cells[row, plan.name] for plan in plans if (row, plan.name) in self.cells], Cell())


def fill_grid(
    rows: Sequence[MethodRow], plans: Sequence[Plan], options: BenchOptions, progress: Progress | None = None
) -> Grid:
    """Every row on every sequence. A row that is told the damage is not run where there is none.

    A row that fails is left out from then on.

    Raises:
        InputError: clips or pieces are missing.
    """
    grid = Grid()
    wanted = [(row, plan) for plan in plans for row in rows if not (row.told and plan.damage == "none")]
    minutes = _minutes([row for row, plan in wanted if not _known(row, plan, options)], measured_frames(options))
    stage = f"rows, about {minutes:.0f} min of one core"
    parts: dict[str, Part] = {}
    failed: set[str] = set()
    for done, (row, plan) in enumerate(wanted):
        if progress:
            progress(stage, done, len(wanted))
        if row.name in failed:
            continue
        try:
            grid.cells[row.name, plan.name] = _cell(row, plan, options, parts)
        except FilmRestoreError as error:
            if plan.name not in parts:  # the sequence could not be made
                raise
            failed.add(row.name)
            grid.missing.append(f"{row.name} is left out: {error}")
    for plan in plans:
        grid.facts[plan.name] = _facts(plan, options, parts)
    if progress:
        progress(stage, len(wanted), len(wanted))
    return grid


def _minutes(rows: Sequence[MethodRow], frames: int) -> float:
    run = [row for row in rows if row.name != "input"]
    return sum(ROUGH_START_S + frames * ROUGH_S.get(row.method, ROUGH_OTHER_S) for row in run) / 60


def _cell(row: MethodRow, plan: Plan, options: BenchOptions, parts: dict[str, Part]) -> Cell:
    def make() -> Cell:
        part = _part(plan, options, parts)
        work = Path(tempfile.mkdtemp(prefix="work-", dir=_folder(plan, options)))
        try:
            return run_row(part, row, work, device=options.device, vapoursynth=options.vapoursynth)
        finally:
            shutil.rmtree(work)

    return kept(_path(row, plan, options), _key(options, row.version, row.name, options.device), Cell, make)


def _facts(plan: Plan, options: BenchOptions, parts: dict[str, Part]) -> PartFacts:
    def make() -> PartFacts:
        part = _part(plan, options, parts)
        return PartFacts(part.coverage, part.measured.speed)

    return kept(_folder(plan, options) / "facts.json", _key(options), PartFacts, make)


def _part(plan: Plan, options: BenchOptions, parts: dict[str, Part]) -> Part:
    if plan.name not in parts:
        parts.clear()  # rows go through one sequence after the other
        parts[plan.name] = part_of(plan, options)
    return parts[plan.name]


def _known(row: MethodRow, plan: Plan, options: BenchOptions) -> bool:
    key = _key(options, row.version, row.name, options.device)
    return stored(_path(row, plan, options), key, Cell) is not None


def _key(options: BenchOptions, *more: str) -> str:
    sizes = f"{measured_frames(options)} frames of {EDGE} px, seed {options.seed}"
    return ", ".join((sizes, f"code {code_digest(*MEASURING)}", *more))


def _folder(plan: Plan, options: BenchOptions) -> Path:
    folder = options.out_dir / "cells" / plan.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _path(row: MethodRow, plan: Plan, options: BenchOptions) -> Path:
    return _folder(plan, options) / (re.sub(r"[^\w.-]+", "-", row.name).strip("-") + ".json")
