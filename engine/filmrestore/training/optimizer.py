"""What steps a network's weights: AdamW, or Muon for its matrices beside it."""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

MOMENTA = (0.9, 0.99)
ADAM_DECAY, MUON_DECAY = 1e-4, 1e-2
"""Of the weights, times the rate."""
OUTPUTS = ("head",)
"""Last part of the names of layers whose size is what is wanted of them: not for Muon."""


class Optimizer:
    """AdamW for all weights; or Muon for those of convolutions and linear layers, as matrices (out, all the rest), and
    AdamW for what is left. Muon's steps are scaled to the size that AdamW's would have: one rate holds for both.

    Args:
        network: Whose parameters learn; those whose gradient is None stay.
        rate: At the start; `set_rate` changes it.
        muon: Whether Muon takes the matrices.

    Source: Muon, Jordan et al. 2024; the scale of its steps, Liu et al. 2025 (torch.optim.Muon, "match_rms_adamw").
    """

    def __init__(self, network: nn.Module, rate: float, *, muon: bool) -> None:
        matrices = _matrices(network) if muon else []
        theirs = {id(parameter) for parameter in matrices}
        rest = [parameter for parameter in network.parameters() if id(parameter) not in theirs]
        self._pairs = [(parameter, parameter.detach().flatten(1)) for parameter in matrices]
        self._parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=rate, betas=MOMENTA, weight_decay=ADAM_DECAY, fused=True)
        ]
        if matrices:
            views = [view for _, view in self._pairs]
            self._parts.append(
                torch.optim.Muon(views, lr=rate, weight_decay=MUON_DECAY, adjust_lr_fn="match_rms_adamw")
            )

    def set_rate(self, rate: float) -> None:
        """Learning rate of the steps to come."""
        for group in chain.from_iterable(part.param_groups for part in self._parts):
            group["lr"] = rate

    def step(self) -> None:
        """One step down the gradients that the parameters hold."""
        for parameter, view in self._pairs:
            view.grad = None if parameter.grad is None else parameter.grad.flatten(1)
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Of plain tensors and numbers."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave.

        Raises:
            ValueError: it is of other parameters, or of another kind of optimizer.
        """
        parts = state.get("parts", [state])  # runs from before there was more than AdamW
        if len(parts) != len(self._parts):
            raise ValueError(f"its optimizer has {len(parts)} parts, {len(self._parts)} are wanted")
        for part, saved in zip(self._parts, parts, strict=True):
            part.load_state_dict(saved)


def _matrices(network: nn.Module) -> list[Tensor]:
    return [
        module.weight
        for name, module in network.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear)) and not name.endswith(OUTPUTS)
    ]
