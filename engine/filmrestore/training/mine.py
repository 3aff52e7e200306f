"""Hard examples: windows that a network errs in, cut out of larger draws and kept to be learned from."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..frame import Box
from ..media.atomic import atomic_bytes
from ..restorers.frdm.network import FrdmNet
from ..restorers.frdm.weights import load_weights
from .answers import guidance_of
from .command import finished
from .footage import Footage, open_footage
from .hard import save
from .job import seconds
from .windows import Recipe, Sample, draw_sample

DRAWN = Recipe(size=256, evidence_off=0.0, neighbour_off=0.0)
"""What is looked through: four times the area of a training window, so that the worst of it can be chosen."""
EDGE = 128
"""Of what is kept, pixels."""
CONFIDENT = 0.5
"""Confidence from which the network says damage."""
SMALLEST = 3
"""Pixels of a mark, missed or made up, that counts."""
ERRORS = 10
"""In the five frames of a window that is kept, at least: about half of the draws have as many."""

_PICTURES = ("scan", "truth", "evidence", "matte", "weight")


def mine(
    network: FrdmNet,
    footage: Footage,
    folder: Path,
    *,
    seed: int,
    draws: int,
    budget_s: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Draws windows, asks the network, and keeps of each the part with the most errors, if these are `ERRORS` or more.

    Goes on where it stopped. No draw depends on another.

    Args:
        network: In evaluation mode, on the CPU.
        folder: One file a window is written there; see `hard.load`.
        seed: Not that of a run, which draws other windows.
        draws: How many are looked through.
        budget_s: Stop after this much time.
        progress: Called with (looked through, kept) after each.

    Returns:
        Windows in the folder.

    Raises:
        OutputError: the folder cannot be written.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    counter = folder / f"{seed}.looked-through"
    first = int(counter.read_text()) if counter.exists() else 0
    kept = len(list(folder.glob("*.npz")))
    for number in range(first, draws):
        sample = draw_sample(footage, seed, number, DRAWN)
        logits = guidance_of(network, sample).matte_logits[0, :, 0]
        wrong = errors(logits.sigmoid().numpy(), sample)
        box, count = worst(wrong, EDGE)
        if count >= ERRORS:
            save(cut(sample, box), folder / f"{seed}-{number:06d}.npz")
            kept += 1
        atomic_bytes(counter, str(number + 1).encode())
        if progress:
            progress(number + 1, kept)
        if budget_s is not None and time.monotonic() - began > budget_s:
            break
    return kept


def errors(confidence: NDArray[np.float32], sample: Sample) -> NDArray[np.float32]:
    """One for each mark that is missed by half or more and for each that is made up, at its middle, all frames added.

    Args:
        confidence: (t, h, w), 0..1.

    Returns:
        (h, w).
    """
    counts = np.zeros(confidence.shape[1:], np.float32)
    for index, said in enumerate(confidence >= CONFIDENT):
        if not sample.present[index]:
            continue
        damaged = sample.matte[index, 0].numpy() > 0
        either = damaged | (sample.weight[index, 0].numpy() == 0)
        near = cv2.dilate(either.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        _count(counts, damaged, ~said)
        _count(counts, said, ~near)
    return counts


def _count(counts: NDArray[np.float32], marks: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> None:
    """Adds one at the middle of each mark half of which or more is wrong."""
    total, labels, stats, middles = cv2.connectedComponentsWithStats(marks.astype(np.uint8), connectivity=8)
    share = np.bincount(labels[wrong], minlength=total) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    for label in range(1, total):
        if share[label] >= 0.5 and stats[label, cv2.CC_STAT_AREA] >= SMALLEST:
            x, y = np.rint(middles[label]).astype(int)
            counts[y, x] += 1


def worst(counts: NDArray[np.float32], edge: int) -> tuple[Box, int]:
    """The square with the most errors, at an even corner, the first of several; and how many it has."""
    sums = np.pad(counts.astype(np.float64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    inside = sums[edge:, edge:] - sums[:-edge, edge:] - sums[edge:, :-edge] + sums[:-edge, :-edge]
    even = np.rint(inside[::2, ::2]).astype(int)
    y, x = (2 * int(place) for place in np.unravel_index(int(even.argmax()), even.shape))
    return Box(x0=x, y0=y, x1=x + edge, y1=y + edge), int(even.max())


def cut(sample: Sample, box: Box) -> Sample:
    """A part of a sample, as if it had been drawn so; its evidence has seen what lies around it."""
    part = (..., *box.slices)
    tensors = {name: getattr(sample, name)[part].clone() for name in _PICTURES}
    at = sample.box
    return replace(
        sample,
        **tensors,
        kinds={name: where[part].copy() for name, where in sample.kinds.items()},
        box=Box(x0=at.x0 + box.x0, y0=at.y0 + box.y0, x1=at.x0 + box.x1, y1=at.y0 + box.y1),
    )


def main() -> int:
    """`python -m filmrestore.training.mine`."""
    parser = argparse.ArgumentParser(prog="python -m filmrestore.training.mine", description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="whose errors are looked for, .safetensors")
    parser.add_argument("--data", type=Path, required=True, help="folder with train/stills and train/video")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded footage")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the windows; one found there goes on")
    parser.add_argument("--draws", type=int, default=2000, help="windows to look through")
    parser.add_argument("--seed", type=int, default=1000, help="of the draws; not that of a run")
    parser.add_argument("--budget", help="stop after this time (90s, 25m, 1.5h)")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)

    def work() -> str:
        kept = mine(
            load_weights(asked.weights).net,
            open_footage(asked.data, asked.cache),
            asked.out,
            seed=asked.seed,
            draws=asked.draws,
            budget_s=seconds(asked.budget) if asked.budget else None,
            progress=lambda looked, kept: print(f"\r{looked} looked through, {kept} kept", end="", file=sys.stderr),
        )
        return f"\n{kept} windows in {asked.out}"

    return finished(work)


if __name__ == "__main__":
    sys.exit(main())
