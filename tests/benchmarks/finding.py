"""Which marks frdm's network finds, by how strong and how large they are: `python finding.py BENCH PIECES [WEIGHTS]`.

Two frames of each sequence of `bench restore`, the network alone at a confidence of .3: no guard, no lasting
marks. An object is found when half of its area is. Prints objects and share found, by grain and largest difference to
the truth, and by area; and the share of clean pixels taken for damage, 2 px away from any, in damaged sequences and in
undamaged ones. Then the same of the first and the last frames of the damaged ones.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from filmrestore import metrics
from filmrestore.bench.clips import Clip, build, choose
from filmrestore.bench.light import from_codes, to_linear
from filmrestore.colour import encode_net
from filmrestore.motion import evidence
from filmrestore.restorers.frdm.network import FrdmNet
from filmrestore.restorers.frdm.weights import FOLDER, load_weights

COUNT, FRAMES, ENDS = 12, (3, 8), (0, 11)
RADIUS, CONFIDENCE, EDGE = 2, 0.3, 32
CONTRASTS, AREAS = (8, 12, 20, 40, 256), (3, 6, 12, 30, 100, 10**9)


class Object(NamedTuple):
    grain: str
    contrast: float
    area: int
    found: bool


def around(clip: Clip, t: int) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[bool, ...]]:
    """Window, evidence and which of its frames there are, as a network is given them."""
    numbers = range(t - RADIUS, t + RADIUS + 1)
    present = tuple(0 <= number < COUNT for number in numbers)
    codes = clip.scan[np.clip(numbers, 0, COUNT - 1)]
    window = np.stack([np.moveaxis(encode_net(to_linear(from_codes(one)).astype(np.float32)), 2, 0) for one in codes])
    return window, evidence(window, present, seconds=True), present


def confidence(net: FrdmNet, clip: Clip, t: int) -> NDArray[np.float32]:
    """0..1, (h, w): the network's own, not calibrated."""
    window, seen, present = around(clip, t)
    height, width = window.shape[2:]
    pad = (0, -width % EDGE, 0, -height % EDGE)
    scan, told = (functional.pad(torch.from_numpy(part), pad, mode="replicate") for part in (window, seen))
    overview = functional.interpolate(scan[RADIUS : RADIUS + 1], (64, 64), mode="area")
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    with torch.no_grad():
        said = net.guide(scan[None], told[None], torch.tensor([present]), overview, whole)
    return np.asarray(said.matte_logits[0, RADIUS, 0, :height, :width].sigmoid())


def objects(clip: Clip, t: int, found: NDArray[np.bool_]) -> Iterator[Object]:
    away = metrics.largest_difference(from_codes(clip.scan[t]), from_codes(clip.truth[t])) * 255
    count, labels, stats, _ = cv2.connectedComponentsWithStats(clip.damaged(t).astype(np.uint8), connectivity=8)
    for label in range(1, count):
        x, y, width, height, area = stats[label]
        if area >= AREAS[0]:
            part = np.s_[y : y + height, x : x + width]
            inside = labels[part] == label
            yield Object(clip.plan.grain, float(away[part][inside].max()), int(area), found[part][inside].mean() >= 0.5)


def share(chosen: list[Object]) -> str:
    return f"{len(chosen)}: {100 * np.mean([one.found for one in chosen]):.1f} %" if chosen else "-"


@dataclass
class Found:
    """Objects of some frames, and their clean pixels taken for damage."""

    objects: list[Object] = field(default_factory=list)
    false: metrics.Share = field(default_factory=metrics.Share)

    def add(self, clip: Clip, t: int, found: NDArray[np.bool_]) -> None:
        self.objects += objects(clip, t, found)
        clean = ~metrics.dilate(clip.damaged(t))
        self.false += metrics.Share(int((found & clean).sum()), int(clean.sum()))


def main() -> None:
    torch.set_num_threads(1)
    net = load_weights(Path(sys.argv[3]) if len(sys.argv) > 3 else FOLDER / "frdm.safetensors").net
    inside, ends, undamaged = Found(), Found(), Found()
    for plan in choose((), full=False):
        clip = build(plan, Path(sys.argv[1]), Path(sys.argv[2]), COUNT, 0)
        damaged = plan.damage != "none"
        for t in (*FRAMES, *(ENDS if damaged else ())):
            of_these = undamaged if not damaged else ends if t in ENDS else inside
            of_these.add(clip, t, confidence(net, clip, t) > CONFIDENCE)
    seen = inside.objects
    print(f"all {share(seen)}; clean pixels taken for damage {100 * inside.false.share:.3f} %")
    print(f"clean pixels of undamaged sequences taken for damage {100 * undamaged.false.share:.3f} %")
    print(f"first and last frames {share(ends.objects)}; clean pixels taken {100 * ends.false.share:.3f} %")
    for grain in ("fine", "coarse"):
        for low, high in itertools.pairwise(CONTRASTS):
            print(
                f"{grain} grain, {low} to {high}/255",
                share([o for o in seen if o.grain == grain and low <= o.contrast < high]),
            )
    for low, high in itertools.pairwise(AREAS):
        print(f"{low} to {high} px", share([o for o in seen if low <= o.area < high]))


if __name__ == "__main__":
    main()
