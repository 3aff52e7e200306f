"""Lost frames: what the frames around them say, carried along the motion, and where that can be trusted."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...motion import compensate, flow, luma8

LOST = 0.9
"""Share of the patch that a defect map must cover for the frame to count as lost."""
MISS = 1.5
"""px by which the motion there and back may differ."""
UNLIKE = 0.06
"""Net units by which the two sides may differ."""


def lost_frames(matte: Float[Tensor, "t 1 h w"]) -> list[int]:
    """Places of frames that the defect map covers."""
    return [index for index, plane in enumerate(matte) if float((plane > 0.5).float().mean()) > LOST]


def bridged(
    window: Float[Tensor, "t 3 h w"], index: int, lost: list[int], present: tuple[bool, ...]
) -> tuple[Float[Tensor, "3 h w"], Float[Tensor, "1 h w"]] | None:
    """A lost frame from its nearest neighbours, and 1 where they agree on it, else 0; None with none on either side."""
    there = [place for place in range(len(window)) if present[place] and place not in lost]
    before = max((place for place in there if place < index), default=None)
    after = min((place for place in there if place > index), default=None)
    if before is None or after is None:
        return None
    a, b = (np.ascontiguousarray(window[place].permute(1, 2, 0).numpy()) for place in (before, after))
    share = np.float32((index - before) / (after - before))
    forth, back = flow(luma8(a), luma8(b)), flow(luma8(b), luma8(a))
    left, left_inside = compensate(a, share * back)
    right, right_inside = compensate(b, (1 - share) * forth)
    returned, _ = compensate(back, forth)
    agrees = np.hypot(*np.moveaxis(forth + returned, 2, 0)) < MISS
    alike = np.abs(left - right).max(axis=2) < UNLIKE
    trust = agrees & alike & (left_inside > 0) & (right_inside > 0)
    picture = (1 - share) * left + share * right
    return torch.from_numpy(np.moveaxis(picture, 2, 0).copy()), torch.from_numpy(trust[None].astype(np.float32))
