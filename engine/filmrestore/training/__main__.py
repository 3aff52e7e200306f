"""`python -m filmrestore.training`: one run, started or gone on with."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import FilmRestoreError
from .job import TrainJob, seconds
from .loop import train


def main() -> int:
    """Reads the arguments, trains, prints where the run stands."""
    parser = argparse.ArgumentParser(prog="python -m filmrestore.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/stills and train/video")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; a run found there goes on")
    parser.add_argument("--cache", type=Path, help="folder for decoded footage")
    parser.add_argument("--samples", type=int, default=TrainJob.samples, help="length of the schedule")
    parser.add_argument("--budget", type=seconds, help="stop after this time, e.g. 25m")
    parser.add_argument("--start", type=Path, help="weights to start from")
    parser.add_argument("--batch", type=int, default=TrainJob.batch)
    parser.add_argument("--rate", type=float, default=TrainJob.rate, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=TrainJob.seed)
    parser.add_argument("--device", default=TrainJob.device)
    parser.add_argument("--threads", type=int, default=TrainJob.threads)
    parser.add_argument("--workers", type=int, default=TrainJob.workers)
    parser.add_argument("--validation", type=int, default=TrainJob.validation, help="windows of the held-out set")
    asked = vars(parser.parse_args())
    asked["budget_s"] = asked.pop("budget")
    try:
        outcome = train(TrainJob(**asked))
    except FilmRestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{outcome.samples} samples done, checkpoint {outcome.checkpoint}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
