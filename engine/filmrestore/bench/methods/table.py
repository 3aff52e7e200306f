"""`filmrestore bench methods`: one table over every method, and the papers' claims against ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import msgspec
import torch

from ...errors import UsageError
from ...media.atomic import atomic_bytes
from .. import CLAIMS, BenchOptions
from ..figures import Figures
from ..tables import COLUMNS, DETECTION, LOOK, figures_table, kinds_table, number, table
from .blocks import Block
from .grid import Grid, Progress, fill_grid
from .parts import EDGE, chosen, measured_frames
from .rows import MethodRow, knows_nothing, peer_rows, registry_rows
from .running import Cell

REPAIR = ("defect PSNR, dB", "objects fixed, %", "harm, %", "clean touched, %", "erasure mean / worst, %")

COST: dict[str, Callable[[Cell], str]] = {
    "CPU s a frame": lambda cell: COLUMNS["CPU s a frame"](cell.figures),
    "peak, MiB": lambda cell: f"{cell.cost.peak_mib:.0f}" if cell.cost.peak_mib else "-",
    "parameters, M": lambda cell: f"{cell.cost.parameters / 1e6:.2f}" if cell.cost.parameters else "-",
}


def run(options: BenchOptions, progress: Progress | None = None) -> dict[str, Any]:
    """Measure the rows and the claims; write methods.md and methods.json into the output folder.

    Blocks that an earlier run left there (the table, other claims) stay in both. What was measured before with the
    same sequences, settings, weights and code is read back.

    Returns:
        What methods.json holds: the figures of each block.

    Raises:
        UsageError: no folder of clean clips, an unknown row, sequence or claim.
        InputError: clips or pieces are missing.
    """
    if options.bench_dir is None:
        raise UsageError("the clean clips are missing: give their folder with --bench")
    for name in options.claims:
        if name not in CLAIMS:
            raise UsageError(f"no claim {name!r}: choose from {', '.join(CLAIMS)}")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    if not options.only_claims:
        _keep(options.out_dir, "table", _table(options, progress))
        _written(options.out_dir)
    for name in options.claims:
        module, function = CLAIMS[name].split(":")
        _keep(options.out_dir, name, getattr(import_module(module), function)(options, progress))
        _written(options.out_dir)
    return _written(options.out_dir)


def _keep(out_dir: Path, name: str, block: Block) -> None:
    atomic_bytes(out_dir / "blocks" / f"{name}.json", msgspec.json.encode(block))


def _written(out_dir: Path) -> dict[str, Any]:
    """Lays the blocks that are there together."""
    found = {name: out_dir / "blocks" / f"{name}.json" for name in ("table", *CLAIMS)}
    blocks = {name: msgspec.json.decode(path.read_bytes(), type=Block) for name, path in found.items() if path.exists()}
    figures = {name: block.figures for name, block in blocks.items()}
    atomic_bytes(out_dir / "methods.json", json.dumps(figures, indent=1).encode())
    atomic_bytes(out_dir / "methods.md", "\n".join(block.markdown for block in blocks.values()).encode())
    return figures


def _table(options: BenchOptions, progress: Progress | None) -> Block:
    rows, missing = _rows(options)
    plans = chosen(options)
    grid = fill_grid(rows, plans, options, progress)
    measured = [row for row in rows if any(row.name == name for name, _ in grid.cells)]
    totals = {row.name: grid.total(row.name, plans) for row in measured}
    whole = {name: cell.figures for name, cell in totals.items()}
    finders = {row.name: whole[row.name] for row in measured if not knows_nothing(row)}
    blocks = [
        "### Every method at equal input",
        f"The middle {EDGE} px and {measured_frames(options)} frames of sequences of `bench restore` (seed "
        f"{options.seed}); methods may look at the frames around them. {_described(grid)}.",
        *missing,
        *grid.missing,
        cost_table(totals, REPAIR),
        "Detection, at a matte of 0.5 (methods without a matte: what they change by over 8/255):",
        figures_table(finders, DETECTION[:-1]),
        "Look, and the whole frame:",
        figures_table(whole, LOOK),
        "By kind of damage, defect PSNR and objects fixed:",
        kinds_table(whole),
    ]
    cells = [{"row": row, "sequence": plan, **msgspec.to_builtins(cell)} for (row, plan), cell in grid.cells.items()]
    return Block.of(blocks, {"left_out": [*missing, *grid.missing], "cells": cells})


def _rows(options: BenchOptions) -> tuple[list[MethodRow], list[str]]:
    peers, no_peers = peer_rows(options.vapoursynth)
    methods, no_methods = registry_rows()
    rows, missing = [*peers, *methods], [*no_peers, *no_methods]
    if not options.rows:
        return rows, missing
    known = {row.name: row for row in rows}
    for name in options.rows:
        if name not in known:
            raise UsageError(f"no row {name!r}: choose from {', '.join(known)}; " + "; ".join(missing))
    return [known[name] for name in options.rows], []


def _described(grid: Grid) -> str:
    return ", ".join(
        f"{name}: {number(facts.coverage, 2, 100)} % damaged, {facts.speed:.0f} px a frame"
        for name, facts in grid.facts.items()
    )


def cost_table(totals: dict[str, Cell], columns: Sequence[str]) -> str:
    """One line a row: quality, and beside it speed, memory and size."""
    quality: dict[str, Callable[[Figures], str]] = {name: COLUMNS[name] for name in columns}
    lines = [
        [name, *(show(cell.figures) for show in quality.values()), *(show(cell) for show in COST.values())]
        for name, cell in totals.items()
    ]
    return table(["row", *quality, *COST], lines)
