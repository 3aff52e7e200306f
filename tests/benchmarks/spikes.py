"""What plain spikes in time tell of marks, without a network: `python spikes.py BENCH PIECES [DATA CACHE]`.

Two frames of each sequence of `bench restore`. For each way of measuring spikes: the share of objects whose strongest
pixel stands above all but .02 or .05 % of the clean ones, those 6 px away from any damage. Then how many marks of up to
60 px, put together of single pixels that stand 4.5 deviations against all neighbours, are damage and how many are none:
in these frames and, with the folders of training data, in windows as training draws them.
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
from filmrestore.restorers.frdm.inputs import DEVIATIONS, Shown, planes
from filmrestore.restorers.frdm.singles import LARGEST
from filmrestore.training.footage import open_footage
from filmrestore.training.windows import Recipe, draw_sample

EDGES = (1, 3, 5, 9)
NAMES = (*(f"mean of {edge} x {edge}" for edge in EDGES), "single pixel, all four", "single pixel, all but one")
TAKEN = (0.0002, 0.0005)
AWAY = 6
SEED, WINDOWS, STRONG = 5000, 400, 4.5


class Lone:
    """Small marks of strong single pixels, counted."""

    damage = picture = 0

    def add(self, spikes: np.ndarray, damaged: np.ndarray, near: np.ndarray) -> None:
        """Spikes in deviations, where damage is, and where some may be: what lies in both or in the last is neither."""
        _, labels, stats, _ = cv2.connectedComponentsWithStats((spikes > STRONG).astype(np.uint8), connectivity=8)
        for label in range(1, len(stats)):
            if stats[label, cv2.CC_STAT_AREA] <= LARGEST:
                own = labels == label
                self.damage += bool(damaged[own].mean() >= 0.5)
                self.picture += not near[own].any()

    def __str__(self) -> str:
        return f"{self.damage} are damage, {self.picture} are none"


def trained(data: Path, cache: Path) -> Lone:
    footage, lone = open_footage(data, cache), Lone()
    for number in range(WINDOWS):
        sample = draw_sample(footage, SEED, number, Recipe(evidence_off=0.0, neighbour_off=0.0))
        if not all(sample.present):
            continue
        shown = planes(sample.scan[RADIUS][None], sample.evidence[RADIUS][None], Shown((), seconds=True, singles=True))
        damaged = sample.matte[RADIUS, 0].numpy() > 0
        near = metrics.dilate(damaged | (sample.weight[RADIUS, 0].numpy() == 0))
        lone.add(DEVIATIONS * shown[0, -2].abs().numpy(), damaged, near)
    return lone


def main() -> None:
    torch.set_num_threads(1)
    lone = Lone()
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
            lone.add(DEVIATIONS * spikes[-2], damaged, metrics.dilate(damaged))
            count, labels, stats, _ = cv2.connectedComponentsWithStats(damaged.astype(np.uint8), connectivity=8)
            large = [label for label in range(1, count) if stats[label, cv2.CC_STAT_AREA] >= AREAS[0]]
            marks += [spikes[:, labels == label].max(axis=1) for label in large]
    of_marks, of_clean = np.stack(marks, axis=1), np.concatenate(clean, axis=1)
    print(f"{of_marks.shape[1]} objects")
    for name, mark, calm in zip(NAMES, of_marks, of_clean, strict=True):
        shares = [100 * (mark > np.quantile(calm, 1 - taken)).mean() for taken in TAKEN]
        print(name, *(f"{share:.1f} % at {100 * taken:.2f} %" for share, taken in zip(shares, TAKEN, strict=True)))
    print("lone spikes in these frames:", lone)
    if len(sys.argv) > 4:
        print(f"in {WINDOWS} windows as training draws them:", trained(Path(sys.argv[3]), Path(sys.argv[4])))


if __name__ == "__main__":
    main()
