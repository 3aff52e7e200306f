"""A run as a picture: its losses, what the held-out set says at each checkpoint, and whether confidences hold."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError

FIGURES = ("object_recall", "object_precision", "objects_fixed")


def plot(run: Path, card: Path, target: Path) -> None:
    """Writes the picture (PNG) of a run.

    Args:
        run: Folder of the run.
        card: JSON beside the weights that were exported from it.
        target: Picture to write.

    Raises:
        InputError: the folder holds no curve, or the card cannot be read.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curve = [line for line in _lines(run / "curve.jsonl") if "stage" in line]
    record = run / "validation.jsonl"
    checks = [line for line in _lines(record) if "method" not in line] if record.exists() else []
    bins = json.loads(_text(card))["figures"]["preview"]["reliability"]
    count = 3 if checks else 2
    figure, every = pyplot.subplots(1, count, figsize=(4 * count, 3.2), dpi=90, layout="constrained")
    losses, held = every[0], every[-1]
    for name in ("matte", "clean"):
        points = _smooth([(line["samples"], line[name]) for line in curve if name in line])
        losses.plot([samples for samples, _ in points], [value for _, value in points], label=name)
    losses.set(xlabel="windows", ylabel="loss", yscale="log", title="training, mean of ten lines of the curve")
    for name in FIGURES if checks else ():
        every[1].plot([line["samples"] for line in checks], [line[name] for line in checks], "o-", ms=3, label=name)
        every[1].set(xlabel="windows", ylim=(0, 1), title="held-out windows")
    held.plot([0, 1], [0, 1], color="0.7", lw=1)
    held.plot([said for said, _, _ in bins], [seen for _, seen, _ in bins], "o-", ms=3, label="calibrated matte")
    held.set(xlabel="confidence", ylabel="share damaged", xlim=(0, 1), ylim=(0, 1), title="held-out pixels")
    for axes in every:
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
    return [json.loads(line) for line in _text(path).splitlines()]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}): give a run's folder and its card") from error


def main() -> int:
    """`python -m filmrestore.training.plot`."""
    parser = argparse.ArgumentParser(prog="python -m filmrestore.training.plot", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--card", type=Path, required=True, help="JSON beside its exported weights")
    parser.add_argument("--to", type=Path, required=True, help="picture to write, .png")
    asked = parser.parse_args()
    try:
        plot(asked.run, asked.card, asked.to)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
