"""Tables of solvers by cases, clip by clip: measured once, added up, with the paper's figures beside ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path

import msgspec

from .. import BenchOptions
from ..figures import Figures
from ..tables import COLUMNS, number, table
from .blocks import Block
from .cells import kept, stored
from .grid import Progress

HEAD = ("case", "row", "PSNR, dB", "SSIM", "CPU s a frame", "paper")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One cell of such a table.

    Attributes:
        case, row, clip: What is measured.
        version: Changes when the figures may.
        seconds: Of one core, about.
    """

    case: str
    row: str
    clip: str
    version: str
    seconds: float = 1.0


def compared_block(
    name: str,
    title: str,
    words: str,
    missing: Sequence[str],
    samples: Sequence[Sample],
    paper: Mapping[tuple[str, str], str],
    make: Callable[[str, str, str], Figures],
    options: BenchOptions,
    progress: Progress | None,
) -> Block:
    """Measures the samples that are not stored, and lays all out.

    Args:
        name: Of the claim; its cells lie in claims/NAME.
        title, words, missing: Above the table.
        samples: In the table's order.
        paper: (case, row) -> the paper's figures.
        make: (row, case, clip) -> figures.
        options, progress: The bench's.
    """
    found: dict[tuple[str, str], list[Figures]] = {}
    places = [_place(sample, name, options) for sample in samples]
    missing_s = sum(s.seconds for s, p in zip(samples, places, strict=True) if stored(*p, Figures) is None)
    stage = f"{name} against its paper, about {missing_s / 60:.0f} min of one core"
    for done, (sample, place) in enumerate(zip(samples, places, strict=True)):
        if progress:
            progress(stage, done, len(samples))
        figures = kept(*place, Figures, partial(make, sample.row, sample.case, sample.clip))
        found.setdefault((sample.case, sample.row), []).append(figures)
    if progress:
        progress(stage, len(samples), len(samples))
    totals = {place: reduce(add, figures) for place, figures in found.items()}
    lines = [
        [
            case,
            row,
            number(figures.psnr.mean),
            COLUMNS["SSIM"](figures),
            COLUMNS["CPU s a frame"](figures),
            paper.get((case, row), "-"),
        ]
        for (case, row), figures in totals.items()
    ]
    cells = [{"case": case, "row": row, **msgspec.to_builtins(figures)} for (case, row), figures in totals.items()]
    return Block.of([title, words, *missing, table(HEAD, lines)], {"left_out": list(missing), "cells": cells})


def _place(sample: Sample, name: str, options: BenchOptions) -> tuple[Path, str]:
    """Where a sample is stored, and under which key."""
    file = re.sub(r"[^\w.-]+", "-", f"{sample.case} {sample.clip} {sample.row}") + ".json"
    key = f"{options.frames} frames, full {options.full}, {sample.version}"
    return options.out_dir / "claims" / name / file, key
