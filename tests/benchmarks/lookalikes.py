"""What frdm's network takes of things that look like damage and are none: `python lookalikes.py DATA CACHE [WEIGHTS]`.

Windows without damage, each with one kind of `training.lookalikes` drawn in, numbered as no run numbers its own. Prints
for each kind which share of the pixels that it changed, and of those two pixels off or more, the network alone holds
for damage, at a confidence of .5, calibrated; no guard.
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from filmrestore.metrics import Share, dilate
from filmrestore.restorers.frdm.calibration import Calibration
from filmrestore.restorers.frdm.weights import FOLDER, load_weights
from filmrestore.training import windows
from filmrestore.training.answers import guidance_of
from filmrestore.training.clips import Linear
from filmrestore.training.footage import Footage, open_footage
from filmrestore.training.lookalikes import LOOKALIKES, Lookalike

SEED, WINDOWS, MIDDLE, CONFIDENCE = 5000, 24, 2, 0.5
CHANGED = 0.02
"""Share of its light by which a pixel is changed, to be the lookalike's."""
RECIPE = windows.Recipe(size=192, evidence_off=0.0, neighbour_off=0.0, lookalikes=1.0, clean=1.0)


def drawn(footage: Footage, draw: Lookalike, number: int) -> tuple[windows.Sample, NDArray[np.bool_]]:
    """A window with that lookalike in it, and which pixels of the middle frame are the lookalike's."""
    changed: list[NDArray[np.bool_]] = []

    def noted(rng: np.random.Generator, frames: Linear) -> None:
        before = frames[MIDDLE].copy()
        draw(rng, frames)
        more = np.abs(frames[MIDDLE] - before).max(axis=-1)
        changed.append(more > CHANGED * (before.max(axis=-1) + CHANGED))

    with patch.object(windows, "add_lookalikes", noted):
        sample = windows.draw_sample(footage, SEED, number, RECIPE)
    return sample, changed[0]


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    weights = load_weights(Path(sys.argv[3]) if len(sys.argv) > 3 else FOLDER / "frdm.safetensors")
    calibration = Calibration.from_card(weights.card, weights.net.config.kinds)
    footage = open_footage(Path(sys.argv[1]), Path(sys.argv[2]))
    print("| kind | taken of it, % | taken beside it, % |\n|---|--:|--:|")
    for kind, draw in sorted(LOOKALIKES.items()):
        own, beside = Share(), Share()
        for number in range(WINDOWS):
            sample, changed = drawn(footage, draw, number)
            if not all(sample.present):
                continue
            said = guidance_of(weights.net, sample)
            confidence = calibration.confidence(said.matte_logits[0], said.class_logits[0])
            taken = calibration.of_marks(confidence)[MIDDLE, 0].numpy() >= CONFIDENCE
            off = ~dilate(changed)
            own += Share(int((taken & changed).sum()), int(changed.sum()))
            beside += Share(int((taken & off).sum()), int(off.sum()))
        print(f"| {kind} | {100 * own.share:.2f} | {100 * beside.share:.3f} |", flush=True)


if __name__ == "__main__":
    main()
