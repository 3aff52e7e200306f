"""Figures as markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .figures import Figures


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A markdown table; the first column is left-aligned, the others right."""
    rule = [":--", *("--:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines)) + "\n"


def number(value: float, digits: int = 2, factor: float = 1.0) -> str:
    """A figure, or a dash where there is none."""
    return "-" if math.isnan(value) else f"{value * factor:.{digits}f}"


COLUMNS: dict[str, Callable[[Figures], str]] = {
    "defect PSNR, dB": lambda f: number(f.error.psnr, 1),
    "objects fixed, %": lambda f: number(f.fixed.share, 1, 100),
    "harm, %": lambda f: number(f.harm.share, 3, 100),
    "clean touched, %": lambda f: number(f.touched.share, 2, 100),
    "mean change, /255": lambda f: number(f.touched.mean_change if f.touched.clean else math.nan, 2, 255),
    "recall px / obj, %": lambda f: f"{number(f.pixels.recall, 0, 100)} / {number(f.objects.recall, 0, 100)}",
    "precision px / obj, %": lambda f: f"{number(f.pixels.precision, 0, 100)} / {number(f.objects.precision, 0, 100)}",
    "F1 px / obj": lambda f: f"{number(f.pixels.f1)} / {number(f.objects.f1)}",
    "erasure mean / worst, %": lambda f: (
        f"{number(f.erased.mean, 3, 100)} / {number(f.worst_erased if f.erased.count else math.nan, 2, 100)}"
    ),
    "grain distance": lambda f: number(f.grain.mean),
    "frozen grain (truth)": lambda f: f"{number(f.frozen.mean)} ({number(f.frozen_truth.mean)})",
    "flicker in / out": lambda f: number(f.flicker.ratio),
    "calibration error": lambda f: number(f.calibration.expected_error, 4),
    "PSNR, dB": lambda f: number(f.psnr.mean, 1),
    "SSIM": lambda f: number(f.ssim.mean, 4),
    "MS-SSIM": lambda f: number(f.ms_ssim.mean, 4),
    "CPU s a frame": lambda f: number(f.seconds / f.frames if f.frames else math.nan, 2),
}

MAIN = (
    "defect PSNR, dB",
    "objects fixed, %",
    "harm, %",
    "clean touched, %",
    "erasure mean / worst, %",
    "CPU s a frame",
)
DETECTION = ("recall px / obj, %", "precision px / obj, %", "F1 px / obj", "mean change, /255", "calibration error")
LOOK = ("grain distance", "frozen grain (truth)", "flicker in / out", "PSNR, dB", "SSIM", "MS-SSIM")
SPLIT = ("defect PSNR, dB", "objects fixed, %", "harm, %")


def figures_table(rows: dict[str, Figures], columns: Sequence[str]) -> str:
    """One line a row."""
    return table(["row", *columns], [[name, *(COLUMNS[c](figures) for c in columns)] for name, figures in rows.items()])


def kinds_table(rows: dict[str, Figures]) -> str:
    """One column a kind of damage: defect PSNR and share of objects fixed."""
    kinds = list(dict.fromkeys(kind for figures in rows.values() for kind in figures.kinds))
    lines = [
        [
            name,
            *(
                f"{number(figures.kinds[kind].error.psnr, 1)} dB, {number(figures.kinds[kind].fixed.share, 0, 100)} %"
                if kind in figures.kinds
                else "-"
                for kind in kinds
            ),
        ]
        for name, figures in rows.items()
    ]
    return table(["row", *kinds], lines)
