"""Further looks at half the size: a large mark is small there and seen whole, and much of what is mistaken is gone."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

EDGE = 12.0
"""Pixels: of a mark whose area is the square of this, and of larger ones, both looks say as much; of smaller ones the
second says less, by as much as their edge is shorter."""
WIDE = 1536
"""Columns of a frame from which on there is a third look, at a quarter: its marks are as much larger."""
SEEN = math.log(0.3 / 0.7)
"""Logit from which on, in either look, pixels make up a mark."""


def looks(width: int) -> int:
    """How often frames of so many columns are looked at: as they are, at half the size, and wide ones at a quarter."""
    return 2 if width < WIDE else 3


def halved(window: Float[Tensor, "t 3 h w"]) -> Float[Tensor, "t 3 h2 w2"]:
    """The frames at half the size, squares averaged; what is left over at an edge is a pixel, too."""
    return functional.avg_pool2d(window, 2, ceil_mode=True, count_include_pad=False)


def joined(logits: Float[Tensor, "t 1 h w"], half: Float[Tensor, "t 1 h2 w2"]) -> Float[Tensor, "t 1 h w"]:
    """The logits of both looks as one: their mean, weighted by the size of the mark that a pixel is of.

    Args:
        logits: Of the frames.
        half: Of the same `halved`, and padded; of all looks from there on.
    """
    logits = logits.float()
    half = functional.interpolate(half.float(), scale_factor=2, mode="bilinear", align_corners=False)
    half = half[..., : logits.shape[-2], : logits.shape[-1]]
    weight = _weights(torch.maximum(logits, half) > SEEN)
    return (logits + weight * half) / (1 + weight)


def _weights(seen: Bool[Tensor, "t 1 h w"]) -> Float[Tensor, "t 1 h w"]:
    """What the second look counts against the first, 0..1: by the area of what hangs together."""
    found = []
    for plane in seen[:, 0].cpu().numpy().astype(np.uint8):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(plane, connectivity=8)
        edges = np.sqrt(stats[:, cv2.CC_STAT_AREA].astype(np.float32)) / np.float32(EDGE)
        edges[0] = 0
        found.append(np.minimum(edges, np.float32(1))[labels])
    return torch.from_numpy(np.stack(found)[:, None]).to(seen.device)
