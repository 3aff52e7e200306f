"""From a run's checkpoint to weights that are shipped: averaged, calibrated, measured, with their card."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from ..errors import FilmRestoreError, InputError
from ..media.atomic import atomic_bytes
from ..restorers.frdm.calibration import Calibration
from ..restorers.frdm.network import FrdmNet
from ..restorers.frdm.weights import save_weights
from .answers import network_answer
from .batches import CLASSES
from .calibrate import fit_calibration
from .card import model_card
from .checkpoint import NAME
from .validation import CALIBRATION_SEED, classical, measure, validation_set


def export(run: Path, target: Path, data: Path, cache: Path, windows: int) -> dict[str, Any]:
    """Writes the averaged weights of a run with their calibration and their figures on the held-out set.

    Args:
        run: Folder of the run.
        target: Ends in ".safetensors".
        data, cache: As for training.
        windows: Damaged windows to calibrate on, and as many others to measure on.

    Returns:
        The card as written beside the weights.

    Raises:
        InputError: no checkpoint there.
    """
    if not (run / NAME).exists():
        raise InputError(f"no {NAME} in {run}: give the folder of a run that has saved once")
    job = json.loads((run / "job.json").read_text())
    saved = torch.load(run / NAME, map_location="cpu", weights_only=True)
    network = FrdmNet(**job["network"])
    network.load_state_dict(saved["average"])
    network.eval()
    calibration = fit_calibration(network, validation_set(data, cache, windows, seed=CALIBRATION_SEED))
    fitted = Calibration.from_card({"calibration": calibration}, CLASSES)
    samples = validation_set(data, cache, windows)
    card = {
        "calibration": calibration,
        "figures": {
            "classical": measure(samples, classical).to_dict(),
            "preview": measure(samples, network_answer(network, fitted)).to_dict(),
            "final": measure(samples, network_answer(network, fitted, sampler=True)).to_dict(),
        },
        "run": {
            "windows": windows,
            "samples": saved["updates"] * job["batch"],
            "hours": round(saved["seconds"] / 3600, 3),
            "job": {name: value for name, value in job.items() if name not in ("data", "out", "cache", "start")},
        },
        "licence": "Apache-2.0",
    }
    save_weights(network, target, card)
    atomic_bytes(target.with_suffix(".md"), model_card(card).encode())
    return card


def main() -> int:
    """`python -m filmrestore.training.export`."""
    parser = argparse.ArgumentParser(prog="python -m filmrestore.training.export", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--to", type=Path, required=True, help="weights to write, .safetensors")
    parser.add_argument("--data", type=Path, required=True, help="folder with train/stills and train/video")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded footage")
    parser.add_argument("--windows", type=int, default=64, help="damaged windows to measure on")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    try:
        card = export(asked.run, asked.to, asked.data, asked.cache, asked.windows)
    except FilmRestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(card["figures"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
