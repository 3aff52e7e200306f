"""What each question of the guard is worth: `python guard.py BENCH PIECES [SEQUENCE ...]`.

Restores the sequences of `bench restore` (all, or those named) once, and lays in what was found with all that keeps a
repair from being made, and without one part of it at a time. Prints for each way objects fixed, PSNR inside the damage,
harm, clean pixels touched, and erasure on the undamaged sequences.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from laying import Call, Tally, tallies

from filmrestore.bench.clips import choose
from filmrestore.bench.light import Codes16
from filmrestore.bench.tables import number
from filmrestore.fixes import guard
from filmrestore.nodes import composite


def never(*_: Any, **__: Any) -> bool:
    return False


def every(net: Any, clean: Any, mended: Any, matte: Any, *_: Any) -> Any:
    return matte


NEAR = ((composite, "_REACH", 8), (guard, "_LIKE", 0.7))
WAYS: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "as built": (),
    "faint marks and whole rims laid in": ((composite, "worthwhile", every),),
    "large things that are elsewhere": ((composite, "is_large_thing_elsewhere", never),),
    "upright lines that stay": ((composite, "is_standing_picture", never),),
    "edges laid where the scan has none": ((composite, "makes_an_edge", never),),
    "parts of lines that go on": ((composite, "goes_on", never),),
    "looked for within 1/48 of the width, twice as alike": NEAR,
    "none of these": (
        (composite, "worthwhile", every), (composite, "makes_an_edge", never), (composite, "goes_on", never), *NEAR,
    ),
    "no guard at all": (
        (composite, "worthwhile", every), (composite, "makes_an_edge", never), (composite, "goes_on", never),
        (composite, "is_moving_picture", never), (composite, "is_standing_picture", never),
        (composite, "is_large_thing_elsewhere", never),
    ),
}  # fmt: skip


def laid(calls: Sequence[Call], way: str) -> Iterator[Codes16]:
    with ExitStack() as stack:
        for module, name, value in WAYS[way]:
            stack.enter_context(patch.object(module, name, value))
        for values, named in calls:
            yield composite.repair(*values, **named).codes


def line(way: str, tally: Tally) -> str:
    mean, worst = (float(np.mean(tally.erased)), max(tally.erased)) if tally.erased else (np.nan, np.nan)
    return (
        f"| {way} | {number(tally.fixed.share, 1, 100)} | {number(tally.error.psnr, 2)} | "
        f"{number(tally.harm.share, 3, 100)} | {number(tally.touched.share, 3, 100)} | "
        f"{number(mean, 3, 100)} / {number(worst, 2, 100)} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", type=Path)
    parser.add_argument("pieces", type=Path)
    parser.add_argument("sequences", nargs="*")
    asked = parser.parse_args()
    found = tallies(choose(tuple(asked.sequences), full=False), asked.bench, asked.pieces, WAYS, laid)
    print("| laid in besides | fixed, % | PSNR, dB | harm, % | clean touched, % | erasure mean / worst, % |")
    print("|---|--:|--:|--:|--:|--:|")
    for way, tally in found.items():
        print(line(way, tally))


if __name__ == "__main__":
    main()
