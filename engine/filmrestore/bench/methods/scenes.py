"""Clean footage as small volumes in net encoding, and how like two of them are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ... import metrics
from ...colour import decode_net, encode_net
from ...errors import InputError
from ..clips import Plan, footage
from ..figures import Figures, Mean
from ..light import Floats, to_display, to_linear


def scene(bench_dir: Path | None, clip: str, first: int, frames: int, edge: int) -> list[Floats]:
    """Whole scenes: the middle square of each frame, shrunk to `edge`, linear light (h, w, 3).

    Raises:
        InputError: the clip is missing or too short.
    """
    if bench_dir is None:
        raise InputError("the clean clips are missing: give their folder with --bench")
    plan = Plan(name=clip, clip=clip, first=first, grain="none", damage="none")
    shown = []
    for picture in footage(plan, bench_dir, frames):
        side = min(picture.shape[:2])
        y, x = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
        square = np.ascontiguousarray(picture[y : y + side, x : x + side])
        shown.append(to_linear(cv2.resize(square, (edge, edge), interpolation=cv2.INTER_AREA)))
    return shown


def as_volume(linear: list[Floats]) -> Float[Tensor, "t 3 h w"]:
    """Net encoding."""
    return torch.from_numpy(np.stack([np.moveaxis(encode_net(frame), 2, 0) for frame in linear]))


def as_display(volume: Float[Tensor, "t 3 h w"]) -> list[Floats]:
    """Display values, clipped to 0..1, (h, w, 3)."""
    return [to_display(np.moveaxis(decode_net(frame.float().numpy()), 0, 2)) for frame in volume]


def likeness(result: list[Floats], truth: list[Floats], seconds: float) -> Figures:
    """PSNR and SSIM of display values, all channels."""
    total = Figures(frames=len(truth), seconds=seconds)
    for ours, true in zip(result, truth, strict=True):
        total += Figures(psnr=Mean(metrics.psnr(ours, true), 1), ssim=Mean(metrics.ssim(ours, true), 1))
    return total
