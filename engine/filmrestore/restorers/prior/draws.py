"""Noise for samplers: a function of seed, frame, absolute pixel and number of the draw alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ...frame import Box
from ..frdm.noise import noise

Draw = Callable[[int], Tensor]
"""Number of a draw -> normal noise "t 3 h w"; the same number gives the same noise."""

_STRIDE = 1_000_003  # seeds of a sampler's draws lie this far apart


def draws(seed: int, frames: Sequence[int], box: Box, device: torch.device) -> Draw:
    """Noise of its own for every frame.

    Args:
        seed: Of the node.
        frames: Source frame numbers.
        box: Absolute pixels.
        device: Where the noise is wanted.
    """

    def draw(number: int) -> Tensor:
        planes = [noise(seed + _STRIDE * (number + 1), frame, box) for frame in frames]
        return torch.from_numpy(np.stack(planes)).to(device)

    return draw


def shared_draws(seed: int, count: int, box: Box, device: torch.device) -> Draw:
    """The same noise for each of `count` frames: what keeps a batch of frames alike.

    Source: Solving Video Inverse Problems, section 3.2.
    """
    one = draws(seed, [0], box, device)
    return lambda number: one(number).expand(count, -1, -1, -1)
