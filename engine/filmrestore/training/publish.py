"""From a run of `train_method` to weights that are shipped: averaged, calibrated, measured, with their card."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from ..errors import FilmRestoreError, InputError
from ..restorers.stored import save_network
from .calibrate import fit_one
from .card import DATA
from .checkpoint import NAME
from .methods import method_of


def publish(run: Path, target: Path, data: Path, cache: Path, windows: int) -> dict[str, Any]:
    """Writes the averaged weights of a run with their figures on the held-out set.

    Args:
        run: Folder of the run.
        target: Ends in ".safetensors".
        data, cache: As for training.
        windows: Held-out windows to calibrate on, and as many others to measure on; the figures are of the matte as
            it was before.

    Returns:
        The card as written beside the weights.

    Raises:
        InputError: no checkpoint there.
    """
    if not (run / NAME).exists():
        raise InputError(f"no {NAME} in {run}: give the folder of a run that has saved once")
    job = json.loads((run / "job.json").read_text())
    saved = torch.load(run / NAME, map_location="cpu", weights_only=True)
    method = method_of(job["model"])
    network = method.new(**job["network"])
    network.load_state_dict(saved["average"])
    network.eval()
    card = {
        "calibration": fit_one(*method.pixels(network, data, cache, windows)),
        "figures": method.figures(network, data, cache, windows),
        "run": {
            "windows": windows,
            "updates": saved["updates"],
            "hours": round(saved["seconds"] / 3600, 3),
            "job": {name: value for name, value in job.items() if name not in ("data", "out", "cache", "start")},
        },
        "data": [{"what": what, "source": source, "licence": licence} for what, source, licence in DATA],
        "licence": "Apache-2.0",
    }
    save_network(network, target, card)
    return card


def main() -> int:
    """`python -m filmrestore.training.publish`."""
    parser = argparse.ArgumentParser(prog="python -m filmrestore.training.publish", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--to", type=Path, required=True, help="weights to write, .safetensors")
    parser.add_argument("--data", type=Path, required=True, help="folder with train/stills and train/video")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded footage")
    parser.add_argument("--windows", type=int, default=48, help="held-out windows to measure on")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    try:
        card = publish(asked.run, asked.to, asked.data, asked.cache, asked.windows)
    except FilmRestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(card["figures"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
