"""What a preview's proxy finds of a large frame, and what it takes: `python proxies.py [WIDTH HEIGHT]`, 2048 1556.

A moving texture with grain, worn by the degrade node with marks as large as they are at that size. Three frames of it,
one window, are restored: as final, as a preview of the frame as it is, and as a preview of its proxy. Prints objects
fixed and harm in percent, error in the defects, and processor seconds a frame.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch
from laying import Tally

from filmrestore.bench.clips import Clip, choose
from filmrestore.bench.light import to_codes, to_display, to_linear
from filmrestore.bench.rows import restore_as_user
from filmrestore.bench.shots import frame_of, texture
from filmrestore.damage import Damage
from filmrestore.restorers.base import Facts
from filmrestore.settings import DEGRADE_PRESETS, RestoreSettings

FRAMES = 3
WAYS = (
    ("final", "final", Facts.step),
    ("preview of the frame as it is", "preview", lambda *_: 1),
    ("preview", "preview", Facts.step),
)


def worn(width: int, height: int) -> Clip:
    """The shot with its truth."""
    model = Damage(replace(DEGRADE_PRESETS["worn"], grain=0.0), height, width)
    wide = texture(width + 8 * FRAMES + 64, height + 4 * FRAMES + 64, 0)
    numbers = range(1, FRAMES + 1)
    made = [model.apply(to_linear(frame_of(wide, width, height, number, 0)), number) for number in numbers]
    scan, truth = (np.stack([to_codes(to_display(getattr(one, of))) for one in made]) for of in ("scan", "truth"))
    kinds = {kind for one in made for kind in one.masks}
    empty = np.zeros((height, width), np.float32)
    masks = {kind: np.stack([one.masks.get(kind, empty) for one in made]).astype(np.float16) for kind in kinds}
    return Clip(plan=choose((), full=False)[0], scan=scan, truth=truth, masks=masks)


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    width, height = (int(word) for word in sys.argv[1:3]) if len(sys.argv) > 2 else (2048, 1556)
    clip = worn(width, height)
    print(f"| {width}x{height} | objects fixed, % | harm, % | defect PSNR, dB | CPU s a frame |\n|---|--:|--:|--:|--:|")
    for name, quality, step in WAYS:
        with tempfile.TemporaryDirectory() as folder, patch.object(Facts, "step", step):
            answer = restore_as_user(clip.scan, Path(folder), RestoreSettings(quality=quality), "cpu")
        tally = Tally()
        for t in range(FRAMES):
            tally.add(clip, t, answer.result[t], grain=False)
        print(
            f"| {name} | {100 * tally.fixed.share:.1f} of {tally.fixed.whole} | {100 * tally.harm.share:.3f} "
            f"| {tally.error.psnr:.1f} | {answer.seconds / FRAMES:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
