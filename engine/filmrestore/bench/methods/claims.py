"""The claims of papers whose methods mend marks: rows of the table at other settings, beside the paper's figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import msgspec

from ...restorers.stored import FOLDER
from .. import BenchOptions
from ..tables import COLUMNS, number, table
from .blocks import Block
from .grid import Grid, Progress, fill_grid
from .parts import chosen
from .rows import MethodRow, rows_of

IIDE: Mapping[str, Mapping[str, Any]] = {"": {}, "without its constraint": {"internal_detail": 0.0}}
"""Rows of the method: what is added to its name -> settings."""

ABLATED = 2
"""Sequences for a method with a dozen rows; more when they are asked for."""

HEAD = ("row", "PSNR, dB", "SSIM", "defect PSNR, dB", "objects fixed, %", "harm, %", "CPU s a frame", "paper")


def restormer(options: BenchOptions, progress: Progress | None = None) -> Block:
    """One pass against two stages: likeness of the whole frame, and seconds."""
    one, no_one = rows_of("restormer", {"": {}})
    two, no_two = rows_of("two_stage", {"": {}})
    told = [MethodRow(name="two_stage (true matte)", method="two_stage", told=True)] if two else []
    return _block(
        "### Restormer against two stages",
        "From Dust to Detail measures whole frames with under 5 % of damage, on which a frame that nobody touched "
        f"scores well too: compare with *input*. Its segmentation here: {_segmentation()}.",
        [MethodRow(name="input"), *one, *two, *told],
        [*no_one, *no_two],
        {"restormer": "36.12 dB, .9984, 1.32 s", "two_stage": "26.18 dB, .976, 432 s (U-Net: 25.69 dB, .976, 396 s)"},
        options,
        progress,
    )


def iide(options: BenchOptions, progress: Progress | None = None) -> Block:
    """The internal detail enhancement on and off."""
    rows, missing = rows_of("iide", IIDE)
    return _block(
        "### IIDE with and without its constraint",
        "The paper gives up .62 dB of PSNR (against BrOldPho; .24 against StableSR) for 53.6 % more of CLIPIQA, "
        "which is not measured here: a metric without a reference rewards invention.",
        [MethodRow(name="input"), *rows],
        missing,
        {},
        options,
        progress,
    )


def frdm(options: BenchOptions, progress: Progress | None = None) -> Block:
    """Each module of the network switched off."""
    rows, missing = rows_of("frdm", _ablations())
    return _block(
        "### frdm with each module switched off",
        "HaineiFRDM has no ablation of its modules. Here one and the same network is run with a module taken out, not "
        "trained without it: the difference says how much it leans on the module, and is an upper bound of its worth.",
        [MethodRow(name="input"), *rows],
        missing,
        {},
        options,
        progress,
        most=ABLATED,
    )


def _ablations() -> dict[str, Mapping[str, Any]]:
    """What the method itself lists, in front of it the whole network."""
    try:
        listed = import_module("filmrestore.restorers.frdm.ablations").ABLATIONS
    except ModuleNotFoundError:
        listed = {}
    return {"": {}, **listed}


def _segmentation() -> str:
    """What the card of the shipped weights says of the net."""
    card = FOLDER / "two_stage.json"
    if not card.exists():
        return "no weights"
    config = json.loads(card.read_text())["config"]
    names = {"unet": "U-Net", "attention": "Attention U-Net", "r2attention": "R2AttU-Net"}
    return f"{names[config['kind']]}, {config['frames']} frames, widths {', '.join(map(str, config['widths']))}"


def _block(
    title: str,
    words: str,
    rows: Sequence[MethodRow],
    missing: Sequence[str],
    paper: Mapping[str, str],
    options: BenchOptions,
    progress: Progress | None,
    *,
    most: int | None = None,
) -> Block:
    plans = [plan for plan in chosen(options) if plan.damage != "none"]
    plans = plans if options.full or options.clips else plans[:most]
    grid = fill_grid(rows, plans, options, progress)
    lines = [
        [
            row.name,
            number(figures.psnr.mean),
            *(COLUMNS[column](figures) for column in HEAD[2:-1]),
            paper.get(row.name, "-"),
        ]
        for row in rows
        if any(row.name == name for name, _ in grid.cells)
        for figures in [grid.total(row.name, plans).figures]
    ]
    left_out = [*missing, *grid.missing]
    coverage = number(sum(facts.coverage for facts in grid.facts.values()) / len(plans), 2, 100) if plans else "-"
    paragraphs = [title, f"{words} Sequences: {', '.join(p.name for p in plans)}, {coverage} % damaged.", *left_out]
    return Block.of([*paragraphs, table(HEAD, lines)], {"left_out": left_out, "cells": _plain(grid)})


def _plain(grid: Grid) -> list[dict[str, Any]]:
    return [{"row": row, "sequence": plan, **msgspec.to_builtins(cell)} for (row, plan), cell in grid.cells.items()]
