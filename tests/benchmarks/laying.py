"""What `guard.py` and `through.py` share: sequences are restored once, then laid in in several ways, and judged."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch

from filmrestore import metrics
from filmrestore.bench.clips import Clip, Plan, build
from filmrestore.bench.figures import TRACE
from filmrestore.bench.light import Codes16, from_codes
from filmrestore.bench.rows import write_frames
from filmrestore.metrics import Error, Share, Touched
from filmrestore.nodes import composite, mending
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore
from filmrestore.settings import RestoreSettings

Call = tuple[tuple[Any, ...], dict[str, Any]]
FRAMES = 12
CLASSES = ((8, 12), (12, 20), (20, 40), (40, 256))
"""Mean damage of an object, in 8-bit codes."""


def captured(clip: Clip, told: bool) -> list[Call]:
    """What `repair` is called with for each frame of the sequence."""
    calls: dict[int, Call] = {}
    real = mending.repair

    def noted(frame: Any, blended: Any, lumas: Any, *rest: Any, **named: Any) -> composite.Repair:
        around = lumas()
        calls[frame.number] = (frame, blended, lambda: around, *rest), named
        return real(frame, blended, lambda: around, *rest, **named)

    with patch.object(mending, "repair", noted), tempfile.TemporaryDirectory() as folder:
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
    return [call for _, call in sorted(calls.items())]


@dataclass
class Tally:
    """Sums over frames; `classes` are objects fixed by their damage, of any size; `erased` is by undamaged frame."""

    fixed: Share = field(default_factory=Share)
    classes: list[Share] = field(default_factory=lambda: [Share() for _ in CLASSES])
    error: Error = field(default_factory=Error)
    harm: Share = field(default_factory=Share)
    touched: Touched = field(default_factory=Touched)
    erased: list[float] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)

    def add(self, clip: Clip, t: int, codes: Codes16, *, grain: bool) -> None:
        """One frame; `grain`: whether its grain distance is measured, too, which takes the longest."""
        result, scan, truth = (from_codes(one) for one in (codes, clip.scan[t], clip.truth[t]))
        change = metrics.largest_difference(result, scan)
        if clip.plan.damage == "none":
            self.erased.append(float((change > metrics.CHANGED).mean()))
            return
        damage, marked = metrics.largest_difference(scan, truth), clip.alpha[t] >= TRACE
        visible = damage > metrics.DAMAGED
        self.fixed += metrics.objects_fixed(result, scan, truth)
        self.error += metrics.defect_error(result, truth, visible)
        self.harm += metrics.harm(result, truth, marked)
        self.touched += metrics.touched(result, scan, marked)
        if grain:
            repaired = visible & (change > metrics.DAMAGED / 2)
            self.distances.append(metrics.grain_distance(result, repaired, exclude=marked))
        labels, count = metrics.label(visible)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        depth = np.bincount(labels.ravel(), damage.ravel(), minlength=count + 1)[1:] / sizes * 255
        better = metrics.largest_difference(result, truth) <= damage / 2
        fixed = 2 * np.bincount(labels[better], minlength=count + 1)[1:] > sizes
        for row, (low, high) in enumerate(CLASSES):
            chosen = (depth >= low) & (depth < high)
            self.classes[row] += Share(int(fixed[chosen].sum()), int(chosen.sum()))


def tallies(
    plans: Iterable[Plan],
    bench: Path,
    pieces: Path,
    ways: Iterable[str],
    laid: Callable[[Sequence[Call], str], Iterable[Codes16]],
    *,
    told: bool = False,
    every: int = 1,
    grain: bool = False,
) -> dict[str, Tally]:
    """What comes of each way of laying in, over some sequences.

    Args:
        plans: The sequences.
        bench, pieces: Folders that they are made of.
        ways: Names.
        laid: The frames that come of what `repair` is called with, in a way.
        told: Whether the method is told the true mattes.
        every: One frame in so many is measured.
        grain: Whether grain distance is.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found = {way: Tally() for way in ways}
    for plan in plans:
        clip = build(plan, bench, pieces, FRAMES, 0)
        calls = captured(clip, told)[::every]
        for way, tally in found.items():
            for at, codes in enumerate(laid(calls, way)):
                tally.add(clip, at * every, codes, grain=grain)
    return found
