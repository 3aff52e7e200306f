"""A restorer whose patches take a tenth of a second and no processor."""

import time

import torch
from torch import Tensor

from fakes import MedianRestorer
from filmrestore.restorers.base import Context, Restored


class WaitingRestorer(MedianRestorer):
    """The median, later."""

    def __call__(self, window: Tensor, context: Context) -> Restored:
        time.sleep(0.1)
        return super().__call__(window, context)


def load(device: torch.device) -> WaitingRestorer:
    """As the registry calls it."""
    return WaitingRestorer(device)
