"""How near `filmrestore.recovery` comes to what stood under known damage: `python recovery.py BENCH PIECES`.

The holes are the bench's own (known damage, one pixel wider) and as many discs again on undamaged picture. Prints, for
each row, objects fixed, PSNR inside the damage, the share of the discs' pixels that would be harmed, and the power of
what is finer than 1.2 pixels against the truth's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from filmrestore import metrics, motion, recovery
from filmrestore.bench.clips import build, choose
from filmrestore.bench.light import from_codes, to_linear
from filmrestore.colour import encode_net
from filmrestore.restorers.frdm.fill import fill

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
FIRST, WINDOW = 3, 5
DISCS = 60


@dataclass
class Case:
    """A window of five frames: scan, truth and fills in net encoding, its damage, its discs and all holes."""

    scan: F32
    truth: F32
    fills: F32
    damage: Mask
    discs: Mask
    holes: Mask


def cases(bench: Path, pieces: Path) -> Iterator[Case]:
    rng = np.random.default_rng(1)
    for plan in choose((), full=False):
        if plan.damage == "none":
            continue
        clip = build(plan, bench, pieces, FIRST + WINDOW + 1, 0)
        numbers = range(FIRST, FIRST + WINDOW)
        scan, truth = (
            np.stack([encode_net(to_linear(from_codes(codes[n]))) for n in numbers]).astype(np.float32)
            for codes in (clip.scan, clip.truth)
        )
        damage = np.stack([clip.damaged(n) for n in numbers])
        discs = np.zeros(damage.shape, np.uint8)
        for plane in discs:
            for x, y, radius in rng.integers((0, 0, 2), (plane.shape[1], plane.shape[0], 7), (DISCS, 3)).tolist():
                cv2.circle(plane, (x, y), radius, 1, -1)
        holes = np.stack([metrics.dilate(plane, 1) for plane in damage]) | (discs > 0)
        fills = fill(torch.from_numpy(scan).permute(0, 3, 1, 2), torch.from_numpy(holes[:, None].astype(np.float32)))
        clean = np.stack([metrics.dilate(plane) for plane in damage])
        yield Case(scan, truth, fills.permute(0, 2, 3, 1).numpy(), damage, (discs > 0) & ~clean, holes)


def recovered(case: Case) -> list[F32]:
    """The three middle frames."""
    there = (True,) * WINDOW
    return [found.picture for found in recovery.recover(case.scan, case.fills, case.holes, there, (1, 2, 3))]


def surroundings(case: Case) -> list[F32]:
    return list(case.fills[1:4])


def row(name: str, found: list[Case], answer: Callable[[Case], list[F32]]) -> str:
    fixed, error = metrics.Share(), metrics.Error()
    harmed, power = metrics.Share(), []
    began = time.process_time()
    answers = [answer(case) for case in found]
    seconds = time.process_time() - began
    for case, pictures in zip(found, answers, strict=True):
        for index, picture in enumerate(pictures, 1):
            truth, damage, discs = case.truth[index], case.damage[index], case.discs[index]
            fixed += metrics.objects_fixed(picture, case.scan[index], truth)
            error += metrics.defect_error(picture, truth, damage)
            wrong = metrics.largest_difference(picture, truth)[discs] > 12 / 255
            harmed += metrics.Share(int(wrong.sum()), int(discs.sum()))
            power.append(_fine(picture)[damage | discs].var() / _fine(truth)[damage | discs].var())
    return (
        f"| {name} | {100 * fixed.share:.1f} | {error.psnr:.2f} | {100 * harmed.share:.1f} | {np.mean(power):.2f} | "
        f"{seconds / (3 * len(found)):.2f} |"
    )


def _fine(picture: F32) -> F32:
    return np.asarray(picture - cv2.GaussianBlur(picture, (0, 0), 1.2), np.float32)


def main() -> None:
    torch.set_num_threads(1)
    found = list(cases(Path(sys.argv[1]), Path(sys.argv[2])))
    print(
        "| fill | objects fixed, % | PSNR, dB | discs harmed, % | fine power | CPU s a frame |\n"
        "|---|--:|--:|--:|--:|--:|"
    )
    print(row("surroundings alone", found, surroundings))
    print(row("neighbours within two frames (as built)", found, recovered))
    with patch.object(recovery._Motion, "_follows", lambda *_: False):
        print(row("motion searched for to second neighbours, too", found, recovered))
    recovery.REACH = 1
    print(row("next neighbours only", found, recovered))
    recovery.REACH = 2
    recovery.compensate = lambda picture, field, cubic=False: motion.compensate(picture, field)
    print(row("bilinear instead of bicubic", found, recovered))


if __name__ == "__main__":
    main()
