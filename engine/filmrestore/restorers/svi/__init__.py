"""svi: a known, or estimated, linear operator undone over many frames at once, with an image prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .restorer import SviRestorer


def load(device: torch.device, *, prior: str = "") -> SviRestorer:
    """The restorer on the prior that is shipped, or on that of a folder.

    Raises:
        WeightsError: the weights are missing or damaged.
    """
    from ..prior import load_prior
    from .restorer import SviRestorer

    return SviRestorer(load_prior(device, prior), device)
