"""What plain spikes in time tell of marks, without a network: `python spikes.py BENCH PIECES`.

Two frames of each sequence of `bench restore`. For each way of measuring spikes: the share of objects whose strongest
pixel stands above all but .02 or .05 % of the clean ones, those 6 px away from any damage.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from finding import AREAS, COUNT, FRAMES, RADIUS, around

from filmrestore import metrics
from filmrestore.bench.clips import build, choose
from filmrestore.restorers.frdm.inputs import Shown, planes

EDGES = (1, 3, 5, 9)
NAMES = (*(f"mean of {edge} x {edge}" for edge in EDGES), "single pixel, all four", "single pixel, all but one")
TAKEN = (0.0002, 0.0005)
AWAY = 6


def main() -> None:
    torch.set_num_threads(1)
    marks: list[np.ndarray] = []
    clean: list[np.ndarray] = []
    for plan in choose((), full=False):
        clip = build(plan, Path(sys.argv[1]), Path(sys.argv[2]), COUNT, 0)
        for t in FRAMES:
            window, seen, _ = (torch.from_numpy(np.asarray(part)) for part in around(clip, t))
            shown = planes(window[RADIUS][None], seen[RADIUS][None], Shown(EDGES, seconds=True, singles=True))
            spikes = shown[0, -len(NAMES) :].abs().numpy()
            damaged = clip.damaged(t)
            clean.append(spikes[:, ~metrics.dilate(damaged, AWAY)])
            count, labels, stats, _ = cv2.connectedComponentsWithStats(damaged.astype(np.uint8), connectivity=8)
            large = [label for label in range(1, count) if stats[label, cv2.CC_STAT_AREA] >= AREAS[0]]
            marks += [spikes[:, labels == label].max(axis=1) for label in large]
    of_marks, of_clean = np.stack(marks, axis=1), np.concatenate(clean, axis=1)
    print(f"{of_marks.shape[1]} objects")
    for name, mark, calm in zip(NAMES, of_marks, of_clean, strict=True):
        shares = [100 * (mark > np.quantile(calm, 1 - taken)).mean() for taken in TAKEN]
        print(name, *(f"{share:.1f} % at {100 * taken:.2f} %" for share, taken in zip(shares, TAKEN, strict=True)))


if __name__ == "__main__":
    main()
