"""Weights of frdm on disk."""

from __future__ import annotations

from pathlib import Path

from ..stored import FOLDER, Stored, load_network
from ..stored import save_network as save_weights
from .network import FrdmNet

Weights = Stored[FrdmNet]

REMEDY = "install filmrestore again, or make weights with `filmrestore train`"

__all__ = ["FOLDER", "Weights", "load_weights", "save_weights"]


def load_weights(path: str | Path) -> Weights:
    """The network that `save_weights` wrote, in float32.

    Raises:
        WeightsError: a file is missing, truncated, does not hash to what it should, or does not fit.
    """
    return load_network(FrdmNet, path, REMEDY)
