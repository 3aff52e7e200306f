"""A restorer for tests of everything around restorers: a temporal median, real but small and quick."""

from __future__ import annotations

import torch
from torch import Tensor

from filmrestore.restorers.base import Context, Facts, Origin, Restored


class MedianRestorer:
    """What differs from the median of its window is damage; the median replaces it."""

    facts = Facts(
        name="median",
        window=5,
        keep=3,
        moves=1,
        patch=48,
        overlap=16,
        needs=frozenset(),
        weights="",
        licence="Apache-2.0",
        source="temporal median",
    )
    weights_hash = "0123456789abcdef"
    precision = "float32"
    backend = "torch"

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.calls = 0

    def __call__(self, window: Tensor, context: Context) -> Restored:
        self.calls += 1
        there = window[torch.tensor(context.present)]
        median = there.median(dim=0).values
        kept = window[1:-1]
        difference = (kept - median).abs().amax(dim=1, keepdim=True)
        matte = ((difference - 0.05) * 10).clamp(0, 1)
        if context.matte is not None:
            matte = torch.maximum(matte, context.matte[1:-1])
        origin = torch.full_like(matte, int(Origin.RECOVERED), dtype=torch.uint8)
        return Restored(picture=median.expand_as(kept), matte=matte, origin=origin)


def load(device: torch.device) -> MedianRestorer:
    """As the registry calls it."""
    return MedianRestorer(device)


class SilentRestorer(MedianRestorer):
    """Finds nothing and mends nothing: what it is told of comes back as it was, as if from its surroundings."""

    def __call__(self, window: Tensor, context: Context) -> Restored:
        self.calls += 1
        kept = window[1:-1]
        matte = torch.zeros_like(kept[:, :1]) if context.matte is None else context.matte[1:-1]
        return Restored(
            picture=kept, matte=matte, origin=torch.full_like(matte, int(Origin.INTERPOLATED), dtype=torch.uint8)
        )


def load_silent(device: torch.device) -> SilentRestorer:
    """As the registry calls it."""
    return SilentRestorer(device)
