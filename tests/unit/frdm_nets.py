"""Small frdm networks and what they take, for tests."""

from __future__ import annotations

import torch

from filmrestore.motion import ALL_CHANNELS, VALID
from filmrestore.restorers.frdm.network import FrdmNet, new_net

torch.set_num_threads(1)


def awake(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The module with small random numbers wherever it starts as zero."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05, generator=random)
    return module.eval()


def small_net(*, waken: bool = True, learns: bool = False) -> FrdmNet:
    torch.manual_seed(1)
    net = new_net("frdm-test").requires_grad_(learns)
    return awake(net) if waken else net.eval()


def inputs(height: int = 64, width: int = 64, frames: int = 5, seed: int = 0) -> dict[str, torch.Tensor]:
    """What `FrdmNet.guide` takes, random but valid."""
    random = torch.Generator().manual_seed(seed)
    evidence = torch.rand(1, frames, ALL_CHANNELS, height, width, generator=random)
    evidence[:, :, VALID] = 1.0
    return {
        "window": torch.rand(1, frames, 3, height, width, generator=random),
        "evidence": evidence,
        "present": torch.ones(1, frames, dtype=torch.bool),
        "overview": torch.rand(1, 3, 64, 64, generator=random),
        "box": torch.tensor([[0.1, 0.2, 0.4, 0.6]]),
    }
