"""What the guidance branch is asked for: find the damage, and nothing else where things move."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

DAMAGE_WEIGHT = 4.0
"""Of a damaged pixel in the cross entropy, against a clean, still one."""
MOTION_WEIGHT = 6.0
"""Added to a clean pixel's weight where the picture changes from frame to frame: there a false alarm erases."""
FULL_MOTION = 0.1
"""Change between frames, net units, that counts as motion in full."""


def matte_loss(
    logits: Float[Tensor, "bt 1 h w"],
    matte: Float[Tensor, "bt 1 h w"],
    weight: Float[Tensor, "bt 1 h w"],
    motion: Float[Tensor, "bt 1 h w"],
) -> Float[Tensor, ""]:
    """Cross entropy, dearer where things move, plus Dice over the whole batch.

    Args:
        logits: Of the matte head.
        matte: 1 where damage shows.
        weight: 0 where no answer is asked for.
        motion: 0..1, how much the clean picture changes there between frames.
    """
    each = functional.binary_cross_entropy_with_logits(logits, matte, reduction="none")
    cost = weight * torch.where(matte > 0.5, DAMAGE_WEIGHT, 1.0 + MOTION_WEIGHT * motion)
    entropy = (each * cost).sum() / cost.sum().clamp_min(1.0)
    likely = torch.sigmoid(logits) * weight
    overlap = (likely * matte).sum()
    dice = 1.0 - (2.0 * overlap + 10.0) / (likely.sum() + (matte * weight).sum() + 10.0)
    return 4.0 * entropy + dice


def motion_of(truth: Float[Tensor, "b t 3 h w"]) -> Float[Tensor, "b t 1 h w"]:
    """How much each frame differs from its neighbours where it stands, 0..1, a little widened."""
    if truth.shape[1] == 1:
        return torch.zeros_like(truth[:, :, :1])
    change = (truth[:, 1:] - truth[:, :-1]).abs().amax(dim=2, keepdim=True)
    first, last = change[:, :1], change[:, -1:]
    either = torch.maximum(torch.cat([first, change], dim=1), torch.cat([change, last], dim=1))
    wide = functional.avg_pool2d(either.flatten(0, 1), 5, stride=1, padding=2).view_as(either)
    return (wide / FULL_MOTION).clamp(0.0, 1.0)
