"""What each question of the guard is worth: `python guard.py BENCH PIECES [SEQUENCE ...]`.

Restores the sequences of `bench restore` (all, or those named) once, and lays in what was found with all that keeps a
repair from being made, and without one part of it at a time. Prints for each way objects fixed, PSNR inside the damage,
harm, clean pixels touched, and erasure on the undamaged sequences.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from through import FRAMES, captured

from filmrestore import metrics
from filmrestore.bench.clips import Clip, build, choose
from filmrestore.bench.figures import TRACE
from filmrestore.bench.light import Codes16, from_codes
from filmrestore.bench.tables import number
from filmrestore.fixes import guard
from filmrestore.metrics import Error, Share, Touched
from filmrestore.nodes import composite


def never(*_: Any, **__: Any) -> bool:
    return False


def every(net: Any, clean: Any, mended: Any, matte: Any, *_: Any) -> Any:
    return matte


NEAR = ((composite, "_REACH", 8), (guard, "_LIKE", 0.7))
WAYS: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "as built": (),
    "faint marks and whole rims laid in": ((composite, "worthwhile", every),),
    "edges laid where the scan has none": ((composite, "makes_an_edge", never),),
    "parts of lines that go on": ((composite, "goes_on", never),),
    "looked for within 1/48 of the width, twice as alike": NEAR,
    "none of these": (
        (composite, "worthwhile", every), (composite, "makes_an_edge", never), (composite, "goes_on", never), *NEAR,
    ),
    "no guard at all": (
        (composite, "worthwhile", every), (composite, "makes_an_edge", never), (composite, "goes_on", never),
        (composite, "is_moving_picture", never), (composite, "is_standing_picture", never),
    ),
}  # fmt: skip


@contextmanager
def changed(way: str) -> Iterator[None]:
    with ExitStack() as stack:
        for module, name, value in WAYS[way]:
            stack.enter_context(patch.object(module, name, value))
        yield


@dataclass
class Tally:
    """Sums over frames."""

    fixed: Share = field(default_factory=Share)
    error: Error = field(default_factory=Error)
    harm: Share = field(default_factory=Share)
    touched: Touched = field(default_factory=Touched)
    erased: list[float] = field(default_factory=list)

    def add(self, clip: Clip, t: int, codes: Codes16) -> None:
        result, scan, truth = (from_codes(one) for one in (codes, clip.scan[t], clip.truth[t]))
        if clip.plan.damage == "none":
            self.erased.append(float((metrics.largest_difference(result, scan) > metrics.CHANGED).mean()))
            return
        marked = clip.alpha[t] >= TRACE
        self.fixed += metrics.objects_fixed(result, scan, truth)
        self.error += metrics.defect_error(result, truth, clip.damaged(t))
        self.harm += metrics.harm(result, truth, marked)
        self.touched += metrics.touched(result, scan, marked)

    def line(self, way: str) -> str:
        mean, worst = (float(np.mean(self.erased)), max(self.erased)) if self.erased else (np.nan, np.nan)
        return (
            f"| {way} | {number(self.fixed.share, 1, 100)} | {number(self.error.psnr, 2)} | "
            f"{number(self.harm.share, 3, 100)} | {number(self.touched.share, 3, 100)} | "
            f"{number(mean, 3, 100)} / {number(worst, 2, 100)} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", type=Path)
    parser.add_argument("pieces", type=Path)
    parser.add_argument("sequences", nargs="*")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    tallies = {way: Tally() for way in WAYS}
    for plan in choose(tuple(asked.sequences), full=False):
        clip = build(plan, asked.bench, asked.pieces, FRAMES, 0)
        calls = captured(clip, told=False)
        for way, tally in tallies.items():
            with changed(way):
                for t, (values, named) in enumerate(calls):
                    tally.add(clip, t, composite.repair(*values, **named).codes)
    print("| laid in besides | fixed, % | PSNR, dB | harm, % | clean touched, % | erasure mean / worst, % |")
    print("|---|--:|--:|--:|--:|--:|")
    for way, tally in tallies.items():
        print(tally.line(way))


if __name__ == "__main__":
    main()
