"""What laying in is worth, with everything before it the same: `python through.py BENCH PIECES [--told]`.

Restores the sequences of `bench restore` once, with the mattes that frdm finds or, `--told`, with the true ones, and
lays what was recovered over the scan in four ways. Prints for each objects fixed (all, and by their mean damage in
8-bit codes), PSNR inside the damage, harm, erasure on the undamaged sequences, and grain distance.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from filmrestore import metrics
from filmrestore.bench.clips import Clip, build, choose
from filmrestore.bench.figures import TRACE
from filmrestore.bench.light import Codes16, from_codes
from filmrestore.bench.rows import write_frames
from filmrestore.bench.tables import number
from filmrestore.metrics import Error, Share
from filmrestore.nodes import composite, mending
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore
from filmrestore.settings import RestoreSettings

F32 = NDArray[np.float32]
Call = tuple[tuple[Any, ...], dict[str, Any]]
FRAMES = 12
CLASSES = ((8, 12), (12, 20), (20, 40), (40, 256))
THROUGH, HIDDEN = composite.show_through, composite.hidden


def captured(clip: Clip, told: bool) -> list[Call]:
    """What `repair` is called with for each frame of the sequence."""
    calls: dict[int, Call] = {}
    real = mending.repair

    def noted(frame: Any, blended: Any, lumas: Any, *rest: Any, **named: Any) -> composite.Repair:
        around = lumas()
        calls[frame.number] = (frame, blended, lambda: around, *rest), named
        return real(frame, blended, lambda: around, *rest, **named)

    mending.repair = noted
    try:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            write_frames(work / "scan", clip.scan)
            if told:
                masks = [metrics.dilate(clip.damaged(t), 1).astype(np.uint16) * 65535 for t in range(clip.frames)]
                write_frames(work / "told", np.stack(masks)[..., None].repeat(3, axis=3))
            restore(
                RestoreJob(
                    source=str(work / "scan" / "####.png"),
                    output=str(work / "result" / "####.png"),
                    ledger=str(work / "ledger"),
                    cache=None,
                    settings=RestoreSettings(quality="final"),
                    colourspace="srgb",
                    device="cpu",
                    threads=1,
                    overwrite="always",
                    defect_map=str(work / "told" / "####.png") if told else None,
                )
            )
    finally:
        mending.repair = real
    return [call for _, call in sorted(calls.items())]


def replaced(net: F32, clean: F32, *rest: Any) -> F32:
    return clean


def everywhere(net: F32, mended: F32, matte: F32, model: Any) -> F32:
    return (matte > 0).astype(np.float32)


def nowhere(net: F32, mended: F32, matte: F32, model: Any) -> F32:
    return np.zeros_like(matte)


WAYS: dict[str, tuple[Callable[..., F32], Callable[..., F32]]] = {
    "replaced, grain added": (replaced, everywhere),
    "replaced, no grain added": (replaced, nowhere),
    "shown through, no grain added": (THROUGH, nowhere),
    "shown through, grain where it is hidden (as built)": (THROUGH, HIDDEN),
}


def laid(calls: list[Call], way: str) -> list[Codes16]:
    composite.show_through, composite.hidden = WAYS[way]
    return [composite.repair(*values, **named).codes for values, named in calls]


@dataclass
class Tally:
    """Sums over frames; `fixed` by class of damage."""

    fixed: list[Share] = field(default_factory=lambda: [Share() for _ in CLASSES])
    error: Error = field(default_factory=Error)
    harm: Share = field(default_factory=Share)
    erased: Share = field(default_factory=Share)
    distances: list[float] = field(default_factory=list)

    def add(self, clip: Clip, t: int, codes: Codes16) -> None:
        result, scan, truth = (from_codes(one) for one in (codes, clip.scan[t], clip.truth[t]))
        change = metrics.largest_difference(result, scan)
        if clip.plan.damage == "none":
            self.erased += Share(int((change > metrics.CHANGED).sum()), change.size)
            return
        damage, marked = metrics.largest_difference(scan, truth), clip.alpha[t] >= TRACE
        visible = damage > metrics.DAMAGED
        self.error += metrics.defect_error(result, truth, visible)
        self.harm += metrics.harm(result, truth, marked)
        self.distances.append(metrics.grain_distance(result, visible & (change > metrics.DAMAGED / 2), exclude=marked))
        labels, count = metrics.label(visible)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        depth = np.bincount(labels.ravel(), damage.ravel(), minlength=count + 1)[1:] / sizes * 255
        better = metrics.largest_difference(result, truth) <= damage / 2
        fixed = 2 * np.bincount(labels[better], minlength=count + 1)[1:] > sizes
        for row, (low, high) in enumerate(CLASSES):
            chosen = (depth >= low) & (depth < high)
            self.fixed[row] += Share(int(fixed[chosen].sum()), int(chosen.sum()))

    def line(self, way: str) -> str:
        whole = sum(self.fixed, Share())
        shares = " | ".join(f"{100 * one.share:.0f}" for one in self.fixed)
        return (
            f"| {way} | {100 * whole.share:.1f} | {shares} | {self.error.psnr:.1f} | {100 * self.harm.share:.3f} | "
            f"{number(self.erased.share, 3, 100)} | {np.nanmean(self.distances):.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", type=Path)
    parser.add_argument("pieces", type=Path)
    parser.add_argument("--told", action="store_true")
    parser.add_argument("--every", type=int, default=1, help="measure one frame in so many")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    tallies = {way: Tally() for way in WAYS}
    for plan in choose((), full=False):
        if plan.damage == "none" and asked.told:
            continue
        clip = build(plan, asked.bench, asked.pieces, FRAMES, 0)
        calls = captured(clip, asked.told)
        for way, tally in tallies.items():
            for at, codes in enumerate(laid(calls[:: asked.every], way)):
                tally.add(clip, at * asked.every, codes)
    print("| laid in | fixed, % | " + " | ".join(f"{low} to {high}" for low, high in CLASSES), end=" | ")
    print("PSNR, dB | harm, % | erasure, % | grain distance |")
    print("|---|" + "--:|" * 9)
    for way, tally in tallies.items():
        print(tally.line(way))


if __name__ == "__main__":
    main()
