"""What frdm's second look, at half the size, is worth: `python looks.py BENCH PIECES [WEIGHTS]`.

Two frames of each sequence of `bench restore`, the network alone, as `finding.py` asks it. An object is found when half
of its area is. Prints a line for each way of joining the two looks: the objects found, in percent, where so many clean
pixels of damaged frames are taken, and in brackets what is taken of undamaged sequences then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import cv2
import numpy as np
import torch
from finding import AREAS, COUNT, EDGE, FRAMES, RADIUS, around
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from filmrestore import metrics
from filmrestore.bench.clips import build, choose
from filmrestore.motion import evidence
from filmrestore.restorers.frdm import scales
from filmrestore.restorers.frdm.network import FrdmNet
from filmrestore.restorers.frdm.weights import FOLDER, load_weights

SHARES = (0.05, 0.064, 0.08)
"""Percent of the clean pixels of damaged frames."""

Joined = Callable[[Tensor, Tensor], Tensor]


class Looked(NamedTuple):
    is_damaged: bool
    damage: NDArray[np.bool_]
    logits: Tensor
    half: Tensor


def logits_of(net: FrdmNet, window: Tensor, present: tuple[bool, ...], overview: Tensor) -> Tensor:
    """Of the middle frame, padded, (1, 1, h, w)."""
    told = torch.from_numpy(evidence(window.numpy(), present, seconds=True))
    pad = (0, -window.shape[-1] % EDGE, 0, -window.shape[-2] % EDGE)
    shown, told = (functional.pad(part, pad, mode="replicate") for part in (window, told))
    box = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    with torch.no_grad():
        said = net.guide(shown[None], told[None], torch.tensor([present]), overview, box)
    return said.matte_logits[0, RADIUS : RADIUS + 1]


def by_size(edge: float) -> Joined:
    def join(logits: Tensor, half: Tensor) -> Tensor:
        with patch.object(scales, "EDGE", edge):
            return scales.joined(logits, half)

    return join


def enlarged(logits: Tensor, half: Tensor) -> Tensor:
    half = functional.interpolate(half, scale_factor=2, mode="bilinear", align_corners=False)
    return half[..., : logits.shape[-2], : logits.shape[-1]]


WAYS: dict[str, Joined] = {
    "first look alone": lambda logits, half: logits,
    "second look alone": enlarged,
    "surer of the two": lambda logits, half: torch.maximum(logits, enlarged(logits, half)),
    "mean": lambda logits, half: (logits + enlarged(logits, half)) / 2,
    **{f"mean by size, to {edge:g} px": by_size(edge) for edge in sorted({6.0, scales.EDGE, 20.0, 40.0})},
}


def line(name: str, join: Joined, looked: list[Looked]) -> str:
    strengths: list[float] = []
    taken: list[NDArray[np.float32]] = []
    undamaged: list[NDArray[np.float32]] = []
    for one in looked:
        height, width = one.damage.shape
        said = join(one.logits, one.half)[0, 0, :height, :width].numpy()
        (taken if one.is_damaged else undamaged).append(said[~metrics.dilate(one.damage)])
        if one.is_damaged:
            count, labels = cv2.connectedComponents(one.damage.astype(np.uint8), connectivity=8)
            marks = [said[labels == label] for label in range(1, count)]
            strengths += [float(np.median(mark)) for mark in marks if len(mark) >= AREAS[0]]
    clean, calm = np.sort(np.concatenate(taken))[::-1], np.concatenate(undamaged)
    cells = [name]
    for share in SHARES:
        limit = clean[int(share / 100 * len(clean))]
        cells.append(f"{100 * np.mean(np.array(strengths) > limit):.1f} ({100 * np.mean(calm > limit):.3f})")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    torch.set_num_threads(1)
    bench, pieces = Path(sys.argv[1]), Path(sys.argv[2])
    net = load_weights(Path(sys.argv[3]) if len(sys.argv) > 3 else FOLDER / "frdm.safetensors").net
    looked = []
    for plan in choose((), full=False):
        clip = build(plan, bench, pieces, COUNT, 0)
        for t in FRAMES:
            window, _, present = around(clip, t)
            shown = torch.from_numpy(window)
            overview = functional.interpolate(shown[RADIUS : RADIUS + 1], (64, 64), mode="area")
            first, second = (logits_of(net, one, present, overview) for one in (shown, scales.halved(shown)))
            looked.append(Looked(plan.damage != "none", clip.damaged(t), first, second))
    print("| joined | " + " | ".join(f"{share} %" for share in SHARES) + " |\n|---|" + "--:|" * len(SHARES))
    for name, join in WAYS.items():
        print(line(name, join, looked), flush=True)


if __name__ == "__main__":
    main()
