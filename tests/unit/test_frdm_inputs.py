"""What the frdm network is shown: spikes against the grain, second neighbours, folded pixels."""

from __future__ import annotations

import pytest
import torch
from frdm_nets import awake, inputs, small_net
from torch.nn import functional

from filmrestore.motion import CHANNELS, SECOND, SECOND_VALID, VALID
from filmrestore.restorers.frdm.blocks import folded
from filmrestore.restorers.frdm.inputs import (
    DEVIATIONS,
    QUIET,
    Shown,
    _mean_of,
    planes,
    seen,
    single_spikes,
    spikes_against_grain,
)
from filmrestore.restorers.frdm.network import new_net


def test_a_spike_counts_by_the_grain_and_not_by_its_size():
    generator = torch.Generator().manual_seed(0)
    near = torch.randn(1, 2, 48, 48, generator=generator)
    mark = torch.zeros(1, 2, 48, 48)
    mark[..., 22:25, 22:25] = 4.0
    fine, coarse = (spikes_against_grain(*(a * (near + mark),) * 2, (3,)) for a in (0.03, 0.09))
    torch.testing.assert_close(fine, coarse, atol=0.02, rtol=0)
    assert fine[0, 0, 23, 23] > 2 * fine[0, 0, :16].abs().max()
    torch.testing.assert_close(spikes_against_grain(-near, -near, (5,)), -spikes_against_grain(near, near, (5,)))


def _differences(*levels: float) -> torch.Tensor:
    return torch.tensor(levels)[None, :, None, None].expand(1, 2, 32, 32)


def test_what_one_neighbour_shares_is_no_spike():
    near = _differences(0.2, 0.0)
    assert not spikes_against_grain(near, near, (3, 9)).any()


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("near", "far", "shown"),
    [
        ((0.2, 0.2), (0.2, 0.2), 0.2),
        ((0.2, 0.0), (0.2, 0.2), 0.2),  # one neighbour has a mark there, too
        ((0.2, 0.2), (0.0, 0.2), 0.2),
        ((0.2, 0.0), (0.2, 0.0), 0.0),  # one side shows what is there
        ((0.2, 0.2), (0.0, 0.0), 0.0),
        ((0.3, 0.1), (0.2, 0.4), 0.2),
    ],
)
def test_of_four_neighbours_one_may_be_damaged(sign: int, near: tuple, far: tuple, shown: float):
    found = spikes_against_grain(sign * _differences(*near), sign * _differences(*far), (1,))
    noise = abs(near[0] - near[1]) if near[0] != near[1] else QUIET
    assert torch.allclose(found, torch.tensor(sign * min(shown / (DEVIATIONS * noise), 2.0)), atol=1e-3)


@pytest.mark.parametrize("shown", [(1.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_single_spikes_are_the_least_and_the_second_least_of_four(shown: tuple[float, float]):
    generator = torch.Generator().manual_seed(0)
    near = torch.randn(1, 2, 40, 48, generator=generator) * 0.05 + 0.1
    there = torch.tensor(shown)[None, :, None, None].expand(1, 2, 40, 48)
    far = torch.where(there > 0, torch.randn(1, 2, 40, 48, generator=generator) * 0.05 + 0.1, near)
    found = single_spikes(near, far, there)
    ranked = torch.cat([near, far], dim=1).sort(1).values
    least, second = (ranked[:, n].clamp(min=0) + ranked[:, 3 - n].clamp(max=0) for n in (0, 1))
    ratio = least / (DEVIATIONS * found[:, 0])
    assert torch.equal(found[:, 0] == 0, least == 0)
    assert torch.equal(found[:, 1].sign(), second.sign()) and (found[:, 1].abs() >= found[:, 0].abs()).all()
    # near and far lie at one level with a deviation of .05 each: two differ by .071
    assert 0.05 < float(ratio[least > 0.02].mean()) < 0.09


def test_one_neighbour_that_is_off_everywhere_hides_no_single_spike():
    generator = torch.Generator().manual_seed(0)
    near, far = (torch.randn(1, 2, 64, 64, generator=generator) * 0.01 for _ in range(2))
    for planes_of in (near, far):
        planes_of[..., 32, 32] += 0.1
    near[:, 1] += torch.randn(1, 64, 64, generator=generator)  # leaves that motion did not follow
    near[:, 1, 32, 32] = 0.1
    alone, mean = single_spikes(near, far, torch.ones_like(far)), spikes_against_grain(near, far, (1,))
    assert alone[0, 0, 32, 32] > 1.5 * alone[0, 0, :28].abs().max()
    assert alone[0, 0, 32, 32] > 5 * mean[0, 0, 32, 32]


@pytest.mark.parametrize("singles", [False, True])
@pytest.mark.parametrize("seconds", [False, True])
@pytest.mark.parametrize("edges", [(), (3, 5, 9)])
def test_what_goes_in_is_the_same_by_numpy_and_by_torch(edges: tuple[int, ...], seconds: bool, singles: bool):
    window, evidence = (inputs(40, 72)[name].flatten(0, 1) for name in ("window", "evidence"))
    window[1] += 3.0  # a highlight
    evidence[2, VALID] = 0.0
    evidence[:, SECOND_VALID] = (evidence[:, SECOND_VALID] > 0.5).float()
    which = Shown(edges, seconds, singles)
    torch.testing.assert_close(
        seen(window, evidence, which), folded(planes(window, evidence, which)), atol=2e-5, rtol=1e-5
    )


def test_a_network_that_looks_at_second_neighbours_hears_of_them_where_they_are_shown():
    net, given = small_net(), inputs()
    given["evidence"][:, :, SECOND_VALID] = 0.0
    without = net.guide(**given).matte_logits
    given["evidence"][:, :, SECOND] += 0.3
    torch.testing.assert_close(net.guide(**given).matte_logits, without, atol=0, rtol=0)
    given["evidence"][:, 2, SECOND_VALID] = 1.0
    assert (net.guide(**given).matte_logits - without)[:, 2].abs().max() > 1e-4


@pytest.mark.parametrize("singles", [False, True])
def test_a_network_from_before_second_neighbours_hears_nothing_of_them(singles: bool):
    torch.manual_seed(1)
    net, given = awake(new_net("frdm-test", seconds=False, singles=singles).requires_grad_(False)), inputs()
    all_told = net.guide(**given).matte_logits
    given["evidence"] = given["evidence"][:, :, :CHANNELS]
    torch.testing.assert_close(net.guide(**given).matte_logits, all_told, atol=0, rtol=0)


@pytest.mark.parametrize("edge", [3, 9, 15])
def test_means_over_squares_are_those_of_pooling(edge):
    planes = torch.randn(2, 3, 40, 24, generator=torch.Generator().manual_seed(0))
    pooled = functional.avg_pool2d(planes, edge, 1, edge // 2, count_include_pad=False)
    torch.testing.assert_close(_mean_of(planes, edge), pooled, atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", [(2, 19, 32, 64), (5, 3, 16, 8)])
def test_folded_pixels_are_in_the_order_of_pixel_unshuffle(shape):
    picture = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(folded(picture), functional.pixel_unshuffle(picture, 2))
    assert folded(picture).is_contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(folded(picture), functional.pixel_unshuffle(picture.bfloat16(), 2))
