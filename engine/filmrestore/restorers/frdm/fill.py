"""Fill from the surroundings in the same frame: a pyramid of weighted means, evened out to a membrane."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

LEAST = 1e-6  # weight of a pixel under the matte: all that is left where the matte covers everything
SWEEPS = 8
"""Rounds at each size in which what is not known becomes the mean of its four neighbours."""


def fill(picture: Float[Tensor, "n 3 h w"], matte: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 3 h w"]:
    """The picture where the matte is 0, and a membrane stretched between what is around where it is 1.

    Linear in the picture, hence as safe with light above one as the picture itself. Height and width may
    be anything from 1 up.

    Source: pull-push interpolation, S. Gortler et al., "The Lumigraph", 1996; then Jacobi's rounds for Laplace's
    equation from coarse to fine, without which light from beyond a hole's other rim leaks into it.
    """
    weight = (1 - matte).clamp(min=LEAST)
    sums, weights = [picture * weight], [weight]
    while max(sums[-1].shape[-2:]) > 1:
        sums.append(_halved(sums[-1]))
        weights.append(_halved(weights[-1]))
    coarse = sums[-1] / weights[-1]
    for level in range(len(sums) - 2, -1, -1):
        size = sums[level].shape[-2:]
        coarse = functional.interpolate(coarse, size=(size[0], size[1]), mode="bilinear", align_corners=False)
        trust = (weights[level] * (4 if level else 1)).clamp(max=1)
        coarse = _evened(sums[level] * (trust / weights[level]) + coarse * (1 - trust), trust == 1)
    return coarse


def _halved(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
    """Means of two by two pixels, at odd ends of what is there; without odd ends torch has a faster way."""
    odd = x.shape[-2] % 2 == 1 or x.shape[-1] % 2 == 1
    return functional.avg_pool2d(x, 2, ceil_mode=odd, count_include_pad=False)


def _evened(picture: Float[Tensor, "n 3 h w"], held: Bool[Tensor, "n 1 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Jacobi's rounds in place, over the few pixels that are not held; beyond its edge the picture goes on as it is."""
    channels, height, width = picture.shape[1:]
    frame, y, x = (~held[:, 0]).nonzero().unbind(1)
    place = (frame * (channels * height) + y) * width + x
    planes = torch.arange(channels, device=picture.device)[:, None] * (height * width)
    sides = -(x > 0).long(), (x < width - 1).long(), -width * (y > 0), width * (y < height - 1)
    left, right, above, below = ((planes + (place + side)).flatten() for side in sides)
    loose = (planes + place).flatten()
    flat = picture.flatten()
    for _ in range(SWEEPS):
        across = flat.index_select(0, left) + flat.index_select(0, right)
        down = flat.index_select(0, above) + flat.index_select(0, below)
        flat.index_copy_(0, loose, 0.25 * (across + down))
    return flat.view(picture.shape)
