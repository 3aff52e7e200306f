"""Tables of solvers by cases, clip by clip: measured once, added up, with the paper's figures beside ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import msgspec

from .. import BenchOptions
from ..figures import Figures
from ..tables import COLUMNS, number, table
from .blocks import Block
from .cells import kept
from .grid import Progress

HEAD = ("case", "row", "PSNR, dB", "SSIM", "CPU s a frame", "paper")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One cell of such a table; `version` changes when its figures may."""

    case: str
    row: str
    clip: str
    version: str


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
    for done, sample in enumerate(samples):
        if progress:
            progress(f"{name} against its paper", done, len(samples))
        words_of = (sample.case, sample.clip, sample.row)
        path = options.out_dir / "claims" / name / (re.sub(r"[^\w.-]+", "-", " ".join(words_of)) + ".json")
        key = f"{options.frames} frames, full {options.full}, {sample.version}"
        figures = kept(path, key, Figures, lambda s=sample: make(s.row, s.case, s.clip))  # type: ignore[misc]
        found.setdefault((sample.case, sample.row), []).append(figures)
    if progress:
        progress(f"{name} against its paper", len(samples), len(samples))
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
