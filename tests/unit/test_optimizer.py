"""The optimizer: Muon's steps are orthogonal, the rest is AdamW, and its state comes back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from filmrestore.training.optimizer import Optimizer


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 4, 1))
    layers.add_module("head", nn.Conv2d(4, 1, 1))
    return layers


def _learn(network: nn.Module, optimizer: Optimizer, steps: int, first: int = 0) -> None:
    for step in range(first, first + steps):
        x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        network.zero_grad(set_to_none=True)
        (network(x) - x[:, :1, 1:-1, 1:-1]).square().mean().backward()
        optimizer.step()


def test_a_step_moves_a_matrix_in_all_directions_alike() -> None:
    network = _network()
    before = network[0].weight.detach().clone()
    optimizer = Optimizer(network, 1e-2, muon=True)
    _learn(network, optimizer, 1)
    step = (network[0].weight.detach() - before * (1 - 1e-4)).flatten(1)
    values = torch.linalg.svdvals(step)
    assert values[0] / values[-1] < 2.5
    rms = float(step.square().mean().sqrt())
    assert 0.1e-2 < rms < 0.3e-2  # a fifth of the rate, as AdamW's are usual to be


def test_biases_and_the_last_layer_are_stepped_by_adam() -> None:
    network = _network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    _learn(network, Optimizer(network, 1e-2, muon=True), 1)
    for name in ("0.bias", "head.weight", "head.bias"):
        moved = network.state_dict()[name] - before[name] * (1 - 1e-6)
        assert torch.allclose(moved.abs(), torch.full_like(moved, 1e-2), rtol=1e-2), name


def test_what_has_no_gradient_stays() -> None:
    network = _network()
    network[0].requires_grad_(False)
    before = network[0].weight.detach().clone()
    _learn(network, Optimizer(network, 1e-2, muon=True), 2)
    assert torch.equal(network[0].weight, before)


@pytest.mark.parametrize("muon", [True, False])
def test_a_state_that_was_taken_up_goes_on_as_if_it_had_not_been(muon: bool) -> None:
    whole = _network()
    _learn(whole, Optimizer(whole, 1e-3, muon=muon), 4)
    parts = _network()
    first = Optimizer(parts, 1e-3, muon=muon)
    _learn(parts, first, 2)
    second = Optimizer(parts, 1e-3, muon=muon)
    second.load_state_dict(first.state_dict())
    _learn(parts, second, 2, first=2)
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), parts.parameters(), strict=True))


def test_the_rate_holds_for_both_parts() -> None:
    network = _network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = Optimizer(network, 1e-2, muon=True)
    optimizer.set_rate(0.0)
    _learn(network, optimizer, 1)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_state_of_another_kind_is_refused() -> None:
    network = _network()
    with pytest.raises(ValueError, match="1 parts, 2 are wanted"):
        Optimizer(network, 1e-3, muon=True).load_state_dict(Optimizer(network, 1e-3, muon=False).state_dict())
