"""svi: a known, or estimated, linear operator undone over many frames at once, with an image prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base import Facts

if TYPE_CHECKING:
    import torch

    from .restorer import SviRestorer

FACTS = Facts(
    name="svi",
    window=17,
    keep=9,
    patch=256,
    overlap=32,
    needs=frozenset({"operator"}),
    weights="prior.safetensors",
    licence="Apache-2.0",
    source="Solving Video Inverse Problems Using Image Diffusion Models (docs/models/svi.md)",
    rebuilds=True,
    purpose="what was done to film and is known: blends, telecine, blur, a smaller size, lost frames",
)


def load(device: torch.device, *, prior: str = "") -> SviRestorer:
    """The restorer on the prior that is shipped, or on that of a folder.

    Raises:
        WeightsError: the weights are missing or damaged.
    """
    from ..prior import load_prior
    from .restorer import SviRestorer

    return SviRestorer(load_prior(device, prior), device)
