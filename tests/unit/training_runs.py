"""A folder of footage small enough to train on in tests, and what is said of runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from filmrestore.errors import Cancelled
from filmrestore.training.checkpoint import NAME


def make_data(folder: Path, coarse: int = 8) -> Path:
    """Fourteen stills and two clips, one of them held out; `coarse` x `coarse` random colours, enlarged."""
    rng = np.random.default_rng(7)
    for index in range(14):
        _write(folder / "train" / "stills" / f"still_{index:02}.png", _picture(rng, 96, coarse))
    for name in ("walk", "chair"):
        scene = _picture(rng, 120, coarse)
        for index in range(7):
            shown = scene[index : index + 90, 2 * index : 2 * index + 90]
            _write(folder / "train" / "video" / name / f"{index:03}.png", shown)
    return folder


def _picture(rng: np.random.Generator, size: int, coarse: int) -> np.ndarray:
    colours = rng.uniform(20, 235, (coarse, coarse, 3)).astype(np.float32)
    return cv2.resize(colours, (size, size), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def _write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def stop_at(samples: int) -> Callable[[str, int, int], None]:
    """Progress that interrupts a run when so many samples were learned from."""

    def stop(stage: str, done: int, total: int) -> None:
        if done == samples:
            raise Cancelled("stopped")

    return stop


def assert_same_run(left: Path, right: Path, updates: int) -> None:
    """Both ended after so many steps, with the same weights and averages to the bit."""
    one, other = (torch.load(folder / NAME, weights_only=True) for folder in (left, right))
    assert one["updates"] == other["updates"] == updates
    for key in ("network", "average"):
        for name, value in one[key].items():
            assert torch.equal(value, other[key][name]), name
