"""What laying in is worth, with everything before it the same: `python through.py BENCH PIECES [--told]`.

Restores the sequences of `bench restore` once, with the mattes that frdm finds or, `--told`, with the true ones, and
lays what was recovered over the scan in four ways. Prints for each objects fixed (all, and by their mean damage in
8-bit codes), PSNR inside the damage, harm, erasure on the undamaged sequences, and grain distance.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from laying import CLASSES, Call, Tally, tallies
from numpy.typing import NDArray

from filmrestore.bench.clips import choose
from filmrestore.bench.light import Codes16
from filmrestore.bench.tables import number
from filmrestore.metrics import Share
from filmrestore.nodes import composite

F32 = NDArray[np.float32]
THROUGH, HIDDEN = composite.show_through, composite.hidden


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


def laid(calls: Sequence[Call], way: str) -> Iterator[Codes16]:
    through, hidden = WAYS[way]
    with patch.object(composite, "show_through", through), patch.object(composite, "hidden", hidden):
        for values, named in calls:
            yield composite.repair(*values, **named).codes


def line(way: str, tally: Tally) -> str:
    shares = " | ".join(f"{100 * one.share:.0f}" for one in tally.classes)
    erased = float(np.mean(tally.erased)) if tally.erased else np.nan
    return (
        f"| {way} | {100 * sum(tally.classes, Share()).share:.1f} | {shares} | {tally.error.psnr:.1f} | "
        f"{100 * tally.harm.share:.3f} | {number(erased, 3, 100)} | {np.nanmean(tally.distances):.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", type=Path)
    parser.add_argument("pieces", type=Path)
    parser.add_argument("--told", action="store_true")
    parser.add_argument("--every", type=int, default=1, help="measure one frame in so many")
    asked = parser.parse_args()
    plans = [plan for plan in choose((), full=False) if plan.damage != "none" or not asked.told]
    found = tallies(plans, asked.bench, asked.pieces, WAYS, laid, told=asked.told, every=asked.every, grain=True)
    print("| laid in | fixed, % | " + " | ".join(f"{low} to {high}" for low, high in CLASSES), end=" | ")
    print("PSNR, dB | harm, % | erasure, % | grain distance |")
    print("|---|" + "--:|" * 9)
    for way, tally in found.items():
        print(line(way, tally))


if __name__ == "__main__":
    main()
