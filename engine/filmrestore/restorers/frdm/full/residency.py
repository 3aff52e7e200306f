"""Which networks lie on the device: all of them, or only those that work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .folder import Parts


class Residency:
    """Brings networks to a device.

    Args:
        parts: The networks, on the CPU.
        device: Where they work.
        offload: Whether each goes back when its work is done.
    """

    def __init__(self, parts: Parts, device: torch.device, *, offload: bool) -> None:
        self._parts, self._device, self._offload = parts, device, offload
        if not offload:
            for network in parts.networks.values():
                network.to(device)

    @contextmanager
    def of(self, *names: str) -> Iterator[None]:
        """Within, these networks are on the device, those that the folder has."""
        if not self._offload:
            yield
            return
        working = [self._parts.networks[name] for name in names if name in self._parts.networks]
        for network in working:
            network.to(self._device)
        try:
            yield
        finally:
            for network in working:
                network.to("cpu")
