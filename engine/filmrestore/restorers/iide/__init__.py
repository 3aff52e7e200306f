"""iide: latent diffusion led by the scan, held to its own estimate; for stills and keyframes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base import Facts

if TYPE_CHECKING:
    import torch

    from .restorer import IideRestorer

FACTS = Facts(
    name="iide",
    window=3,
    keep=1,
    patch=256,
    overlap=32,
    needs=frozenset({"matte"}),
    weights="iide.safetensors",
    also=("two_stage.safetensors",),
    licence="Apache-2.0",
    source="Restoring Real-World Images with an Internal Detail Enhancement Diffusion Model (docs/models/iide.md)",
    purpose="stills and keyframes with a painted matte: draws inside it, from a prompt with a full-size model",
)


def load(device: torch.device, *, prior: str = "") -> IideRestorer:
    """The restorer on the small model that is shipped, or on the Stable Diffusion of a folder.

    Where no matte is given it finds damage with the nets of two_stage, if those are there.

    Raises:
        WeightsError: the weights are missing or damaged.
        UsageError: the folder wants the package transformers, which is not installed.
    """
    from ..stored import FOLDER, load_network
    from ..two_stage import FACTS as TWO_STAGE
    from ..two_stage.finder import Finder
    from ..two_stage.restorer import REMEDY as FINDER_REMEDY
    from ..two_stage.segmentation import DefectNet
    from .restorer import REMEDY, IideRestorer
    from .small import SmallLatents

    finder = None
    if (FOLDER / TWO_STAGE.weights).exists():
        finder = Finder(load_network(DefectNet, FOLDER / TWO_STAGE.weights, FINDER_REMEDY), device)
    if prior:
        from .stable import stable_from_folder

        return IideRestorer(stable_from_folder(prior, device), finder, device)
    from .network import IideNet

    stored = load_network(IideNet, FOLDER / FACTS.weights, REMEDY)
    return IideRestorer(SmallLatents(stored.net, stored.digest, device), finder, device)
