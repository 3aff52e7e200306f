"""The prior: a diffusion network of clean film frames, and the data consistency that methods built on it share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .model import Prior

WEIGHTS = "prior.safetensors"
REMEDY = (
    "train them with `filmrestore train --model prior` and `python -m filmrestore.training.publish` "
    "(docs/models/prior.md), or name a diffusers folder with --prior"
)


def load_prior(device: torch.device, folder: str = "") -> Prior:
    """The prior that is shipped, or the one in a folder that diffusers wrote.

    Args:
        device: Where it runs.
        folder: "" for the shipped one; else a folder with a `UNet2DModel` or `FilmPrior` and its scheduler.

    Raises:
        WeightsError: the weights are missing, damaged or of another kind.
    """
    from ..stored import FOLDER, load_network
    from .folder import prior_from_folder
    from .model import Prior
    from .network import FilmPrior

    if folder:
        return prior_from_folder(folder, device)
    stored = load_network(FilmPrior, FOLDER / WEIGHTS, REMEDY)
    return Prior.of_film(stored.net, stored.digest, device)
