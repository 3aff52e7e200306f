"""Which parts of a patch the prior works on: what surrounds damage, so that cost follows damage and not size."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from ...frame import Box

CELL = 16
"""px; regions are made of cells of the whole frame's grid, so that overlapping patches see the same ones."""
MARGIN = 16
"""px of surroundings on each side, for the prior to go by."""


def regions(inside: Bool[Tensor, "h w"], box: Box) -> list[Box]:
    """Boxes that hold all of `inside` with their margin, clipped to the patch, in the patch's pixels.

    Args:
        inside: What is to be made.
        box: The patch in the full frame.
    """
    height, width = inside.shape
    top, left = box.y0 % CELL, box.x0 % CELL
    framed = np.zeros((-(-(height + top) // CELL) * CELL, -(-(width + left) // CELL) * CELL), np.uint8)
    framed[top : top + height, left : left + width] = inside.to("cpu", torch.uint8).numpy()
    cells = framed.reshape(framed.shape[0] // CELL, CELL, -1, CELL).max(axis=(1, 3))
    _, _, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
    found = [
        Box(
            x0=max(0, CELL * int(x) - left - MARGIN),
            y0=max(0, CELL * int(y) - top - MARGIN),
            x1=min(width, CELL * int(x + across) - left + MARGIN),
            y1=min(height, CELL * int(y + down) - top + MARGIN),
        )
        for x, y, across, down, _ in stats[1:]
    ]
    return _merged(found)


def _merged(boxes: list[Box]) -> list[Box]:
    """Boxes that share much of their area become one: two neighbours cost more apart than together."""
    merged: list[Box] = []
    for box in boxes:
        grown = box
        while partner := next((other for other in merged if _cheaper_together(grown, other)), None):
            merged.remove(partner)
            grown = _around(grown, partner)
        merged.append(grown)
    return sorted(merged, key=lambda box: (box.y0, box.x0))


def _cheaper_together(a: Box, b: Box) -> bool:
    return a.meets(b) and _area(_around(a, b)) <= _area(a) + _area(b)


def _around(a: Box, b: Box) -> Box:
    return Box(x0=min(a.x0, b.x0), y0=min(a.y0, b.y0), x1=max(a.x1, b.x1), y1=max(a.y1, b.y1))


def _area(box: Box) -> int:
    return box.width * box.height
