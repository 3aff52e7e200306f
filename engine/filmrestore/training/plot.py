"""A run's curve as a picture: the losses, and what the held-out set says at each checkpoint."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError

FIGURES = ("object_recall", "object_precision", "objects_fixed")


def plot(run: Path, target: Path) -> None:
    """Writes the picture (PNG) of a run.

    Raises:
        InputError: the folder holds no curve.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curve = [line for line in _lines(run / "curve.jsonl") if "matte" in line]
    checks = [line for line in _lines(run / "validation.jsonl") if "method" not in line]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), dpi=90, layout="constrained")
    for name in ("matte", "base", "clean"):
        points = _smooth([(line["samples"], line[name]) for line in curve if name in line])
        left.plot([samples for samples, _ in points], [value for _, value in points], label=name)
    left.set(xlabel="windows", ylabel="loss", yscale="log", title="training, mean of 500 windows")
    for name in FIGURES:
        right.plot([line["samples"] for line in checks], [line[name] for line in checks], "o-", ms=3, label=name)
    right.set(xlabel="windows", ylim=(0, 1), title="held-out windows")
    for axes in (left, right):
        axes.legend()
        axes.grid(alpha=0.3)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target)
    pyplot.close(figure)


def _smooth(points: list[tuple[int, float]], width: int = 10) -> list[tuple[int, float]]:
    """Each value's mean with the `width` - 1 before it."""
    heard = [[value for _, value in points[max(0, end - width) : end]] for end in range(1, len(points) + 1)]
    return [(samples, sum(values) / len(values)) for (samples, _), values in zip(points, heard, strict=True)]


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}): give the folder of a run") from error


def main() -> int:
    """`python -m filmrestore.training.plot`."""
    parser = argparse.ArgumentParser(prog="python -m filmrestore.training.plot", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--to", type=Path, required=True, help="picture to write, .png")
    asked = parser.parse_args()
    try:
        plot(asked.run, asked.to)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
