"""The log of a run, short enough to be kept with the weights: its settings, and its curve in means of some lines."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..media.atomic import atomic_bytes
from .command import finished
from .publish import OURS

LINES = 10
"""Of the curve that become one."""


def write_log(run: Path, target: Path) -> int:
    """Writes the log of a run: JSON lines, first its job, then the means of every `LINES` lines of a stage's curve.

    Args:
        run: Folder of the run.
        target: File to write; `plot` reads it in place of the run.

    Returns:
        Lines of the curve that were written.

    Raises:
        InputError: the folder holds no run.
        OutputError: the file cannot be written.
    """
    try:
        job = json.loads((run / "job.json").read_text())
        curve = [json.loads(line) for line in (run / "curve.jsonl").read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read a run in {run} ({error}): give the folder of one that has begun") from error
    means = means_of(curve)
    head = {"job": {name: value for name, value in job.items() if name not in OURS}}
    atomic_bytes(target, "".join(json.dumps(line) + "\n" for line in (head, *means)).encode())
    return len(means)


def means_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of a curve, every `LINES` of a stage made one; what says that a run began is none."""
    means = []
    measured = [line for line in lines if "event" not in line]
    for stage in dict.fromkeys(line.get("stage") for line in measured):
        of_stage = [line for line in measured if line.get("stage") == stage]
        means += [_mean(of_stage[first : first + LINES]) for first in range(0, len(of_stage), LINES)]
    return means


def _mean(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Where the last line stands, and the mean of each of its other numbers."""
    last = lines[-1]
    kept = {name: last[name] for name in ("samples", "seconds", "stage", "size") if name in last}
    others = {name: value for name, value in last.items() if name not in kept and isinstance(value, (int, float))}
    return kept | {name: round(sum(line.get(name, 0.0) for line in lines) / len(lines), 5) for name in others}


def main() -> int:
    """`python -m filmrestore.training.log`."""
    parser = argparse.ArgumentParser(prog="python -m filmrestore.training.log", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--to", type=Path, required=True, help="log to write, .jsonl")
    asked = parser.parse_args()
    return finished(lambda: f"{write_log(asked.run, asked.to)} lines in {asked.to}")


if __name__ == "__main__":
    sys.exit(main())
