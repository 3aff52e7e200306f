"""A run as a picture: its losses, what the held-out set says at each checkpoint, and whether confidences hold."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from .command import finished
from .log import LINES, means_of

FIGURES = ("object_recall", "object_precision", "objects_fixed")
"""Shares of the held-out set; a model that finds nothing has its loss shown instead."""
NO_LOSS = {"samples", "seconds", "size", "gradient", "updates"}
"""Numbers of the curve that are none."""


def plot(runs: Sequence[Path], card: Path, target: Path) -> None:
    """Writes the picture (PNG) of a run, or of several, one after the other.

    Args:
        runs: Folders, or logs as `log` writes them.
        card: JSON beside the weights that were published from it.
        target: Picture to write.

    Raises:
        InputError: a folder holds no curve, or the card cannot be read.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves = [_curve(run) for run in runs]
    record = runs[-1] / "validation.jsonl"
    checks = [line for line in _lines(record) if "method" not in line] if record.exists() else []
    figures = json.loads(_text(card))["figures"]
    told = (told.get("reliability") for name, told in figures.items() if name != "classical")
    bins = next((bins for bins in told if bins), None)
    count = 1 + bool(checks) + bool(bins)
    figure, every = pyplot.subplots(1, count, figsize=(4 * count, 3.2), dpi=90, layout="constrained", squeeze=False)
    panels = list(every[0])
    _draw_losses(panels[0], curves)
    if checks:
        _draw_checks(panels[1], checks)
    if bins:
        _draw_reliability(panels[-1], bins)
    for axes in panels:
        axes.legend()
        axes.grid(alpha=0.3)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target)
    pyplot.close(figure)


def _curve(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's folder, means of ten of each stage's; those of a log are that already."""
    if run.is_file():
        return [line for line in _lines(run) if "samples" in line]
    return means_of(_lines(run / "curve.jsonl"))


def _draw_losses(axes: Any, curves: list[list[dict[str, Any]]]) -> None:
    lines = [line for curve in curves for line in curve]
    names = {name: None for line in lines for name, value in line.items() if _is_number(value) and name not in NO_LOSS}
    terms = [name for name in names if name != "loss"] or ["loss"]
    for number, name in enumerate(terms):
        before = 0
        for place, curve in enumerate(curves):
            points = [(before + line["samples"], line[name]) for line in curve if name in line]
            label = name if not place else None
            axes.plot([at for at, _ in points], [value for _, value in points], color=f"C{number}", label=label)
            before += curve[-1]["samples"] if curve else 0
    axes.set(xlabel="samples", ylabel="loss", yscale="log", title=f"training, means of {LINES} lines of the curve")


def _draw_checks(axes: Any, checks: list[dict[str, Any]]) -> None:
    shares = [name for name in FIGURES if any(name in line for line in checks)]
    for name in shares or ["loss"]:
        points = [(line["samples"], line[name]) for line in checks if line.get(name) is not None]
        axes.plot([samples for samples, _ in points], [value for _, value in points], "o-", ms=3, label=name)
    axes.set(xlabel="samples", title="held out", **({"ylim": (0, 1)} if shares else {"yscale": "log"}))


def _draw_reliability(axes: Any, bins: list[tuple[float, float, int]]) -> None:
    axes.plot([0, 1], [0, 1], color="0.7", lw=1)
    axes.plot([said for said, _, _ in bins], [seen for _, seen, _ in bins], "o-", ms=3, label="calibrated matte")
    axes.set(xlabel="confidence", ylabel="share damaged", xlim=(0, 1), ylim=(0, 1), title="held-out pixels")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _text(path).splitlines()]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}): give a run's folder and its card") from error


def main() -> int:
    """`python -m filmrestore.training.plot`."""
    parser = argparse.ArgumentParser(prog="python -m filmrestore.training.plot", description=__doc__)
    parser.add_argument(
        "--run", type=Path, required=True, nargs="+", help="folder or log of the run; of several, one after the other"
    )
    parser.add_argument("--card", type=Path, required=True, help="JSON beside its exported weights")
    parser.add_argument("--to", type=Path, required=True, help="picture to write, .png")
    asked = parser.parse_args()
    return finished(lambda: plot(asked.run, asked.card, asked.to))


if __name__ == "__main__":
    sys.exit(main())
