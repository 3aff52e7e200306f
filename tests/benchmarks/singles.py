"""What frdm gains and harms by what spikes say for themselves: `python singles.py BENCH PIECES [SEQUENCE ...]`.

Each sequence of `bench restore` is restored twice, with `restorers.frdm.singles` and without. Prints, for each, objects
fixed, PSNR in the damage, harm, and what is erased of undamaged frames.
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch
from laying import FRAMES, Tally, captured

from filmrestore.bench.clips import build, choose
from filmrestore.nodes import composite
from filmrestore.restorers.frdm import restorer

WAYS = {"without": lambda confidence, *_: torch.zeros_like(confidence), "with": restorer.lone_marks}


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print("| sequence | spikes | objects fixed, % | PSNR, dB | harm, % | erased, % |\n|---|---|--:|--:|--:|--:|")
    for plan in choose(tuple(sys.argv[3:]), full=False):
        clip = build(plan, Path(sys.argv[1]), Path(sys.argv[2]), FRAMES, 0)
        for way, lone_marks in WAYS.items():
            tally = Tally()
            with patch.object(restorer, "lone_marks", lone_marks):
                calls = captured(clip, False)
            for t, (values, named) in enumerate(calls):
                tally.add(clip, t, composite.repair(*values, **named).codes, grain=False)
            damaged = f"{100 * tally.fixed.share:.1f} | {tally.error.psnr:.2f} | {100 * tally.harm.share:.4f} | -"
            print(
                f"| {plan.name} | {way} |",
                f"- | - | - | {100 * np.mean(tally.erased):.4f}" if tally.erased else damaged,
                "|",
            )


if __name__ == "__main__":
    main()
