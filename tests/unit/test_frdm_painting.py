"""What frdm lays into holes: masks, fill, noise, the bridge and the base that it starts from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from filmrestore.frame import Box
from filmrestore.restorers.frdm import base, sampler
from filmrestore.restorers.frdm.base import DAMAGED, FIRES, bases
from filmrestore.restorers.frdm.fill import SWEEPS, _evened, fill
from filmrestore.restorers.frdm.noise import noise

torch.set_num_threads(1)


@pytest.mark.parametrize("radius", [2, 3])
def test_a_mask_is_spread_by_its_radius_up_to_the_edge(radius):
    mask = torch.rand(3, 1, 31, 40, generator=torch.Generator().manual_seed(0)) > 0.98
    wanted = torch.nn.functional.max_pool2d(mask.float(), 2 * radius + 1, stride=1, padding=radius) > 0
    assert torch.equal(base.spread(mask, radius), wanted)


def test_a_mask_is_large_by_the_share_of_a_square_that_it_fills():
    random = torch.Generator().manual_seed(0)
    mask = (torch.rand(2, 1, 70, 90, generator=random) > 0.1) & (torch.arange(90) < 60)
    share = torch.nn.functional.avg_pool2d(mask.float(), sampler.LARGE, stride=1, padding=sampler.LARGE // 2)
    wanted = ((share - 0.75) * 4).clamp(0, 1) * mask
    assert float((sampler.large(mask) - wanted).abs().max()) < 1e-6
    assert float(wanted.max()) > 0.5


def test_fill_leaves_the_picture_where_the_matte_is_zero():
    picture = torch.rand(2, 3, 45, 37) * 3 - 1
    matte = torch.zeros(2, 1, 45, 37)
    matte[:, :, 10:20, 5:30] = 1
    filled = fill(picture, matte)
    outside = (matte == 0).expand_as(picture)
    assert torch.equal(filled[outside], picture[outside])


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (64, 64), (33, 70)])
def test_fill_continues_a_flat_picture(size):
    matte = torch.zeros(1, 1, *size)
    matte[..., : size[1] // 2] = 1
    picture = torch.where(matte > 0, torch.tensor(9.0), torch.tensor(0.3)).expand(1, 3, *size)
    assert float((fill(picture, matte) - 0.3).abs().max()) < 3e-4  # a 30,000th of the step at the edge


def test_fill_lets_no_light_from_beyond_a_hole_leak_into_it():
    picture = torch.zeros(1, 3, 64, 64)
    picture[..., 40:] = 1.0
    matte = torch.zeros(1, 1, 64, 64)
    matte[..., 20:30, 22:32] = 1.0  # eight pixels of black lie between the hole and the light
    assert float(fill(picture, matte)[..., :32].max()) < 0.02


def test_fill_is_a_membrane_between_the_rims():
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    matte = torch.zeros(1, 1, 64, 64)
    matte[..., 10:54, 28:37] = 1.0
    assert float((fill(ramp, matte) - ramp).abs().max()) < 0.01


def test_fill_of_a_covered_picture_is_its_mean():
    picture = torch.rand(1, 3, 24, 40, generator=torch.Generator().manual_seed(0))
    filled = fill(picture, torch.ones(1, 1, 24, 40))
    assert float((filled - picture.mean(dim=(2, 3), keepdim=True)).abs().max()) < 0.02


def test_fill_follows_light_above_one():
    picture, matte = torch.rand(1, 3, 32, 32), (torch.rand(1, 1, 32, 32) > 0.7).float()
    assert torch.allclose(fill(5 * picture, matte), 5 * fill(picture, matte), rtol=1e-5)


@pytest.mark.parametrize("size", [(1, 7), (9, 1), (33, 20)])
def test_fill_evens_out_what_is_not_held_and_nothing_else(size):
    random = torch.Generator().manual_seed(0)
    picture, held = torch.rand(2, 3, *size, generator=random), torch.rand(2, 1, *size, generator=random) > 0.4
    found, wanted = _evened(picture.clone(), held), picture
    for _ in range(SWEEPS):
        wide = torch.nn.functional.pad(wanted, (1, 1, 1, 1), mode="replicate")
        across, down = wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:], wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1]
        wanted = torch.where(held, wanted, 0.25 * (across + down))
    assert torch.equal(found, wanted)


# Noise


def test_noise_is_one_field_whatever_box_asks():
    whole = noise(7, 1001, Box(x0=0, y0=0, x1=90, y1=70))
    part = noise(7, 1001, Box(x0=33, y0=21, x1=80, y1=64))
    assert np.array_equal(whole[:, 21:64, 33:80], part)


def test_noise_is_normal_and_without_pattern():
    drawn = noise(0, 0, Box(x0=-50, y0=-10, x1=350, y1=390)).astype(np.float64)
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert abs((drawn**4).mean() - 3) < 0.1
    for shifted in (drawn[:, 1:] * drawn[:, :-1], drawn[:, :, 1:] * drawn[:, :, :-1], drawn[1:] * drawn[:-1]):
        assert abs(shifted.mean()) < 0.01


@pytest.mark.parametrize(("seed", "frame"), [(1, 0), (0, 1), (0, -1), (2**40, 0)])
def test_noise_differs_by_seed_and_frame(seed, frame):
    box = Box(x0=0, y0=0, x1=64, y1=64)
    assert abs((noise(0, 0, box) * noise(seed, frame, box)).mean()) < 0.05


# The bridge


def test_the_bridge_ends_at_what_the_model_says_and_asks_it_at_the_given_sigmas():
    truth, base, scan = torch.rand(3, 1, 3, 48, 48)
    inside = torch.zeros(1, 1, 48, 48, dtype=torch.bool)
    inside[..., 10:30, 10:30] = True
    asked = []

    def model(x, sigma):
        asked.append(float(sigma))
        assert torch.equal(x.masked_select(~inside), scan.masked_select(~inside))
        return truth

    out = sampler.sample_bridge(model, scan, base, inside, torch.randn(1, 3, 48, 48))
    assert asked == list(sampler.SIGMAS)
    assert float((out - torch.where(inside, truth, scan)).abs().max()) < 1e-6


def test_the_bridge_walks_a_straight_path():
    truth, base = torch.rand(2, 1, 3, 8, 8)
    drawn = torch.randn(1, 3, 8, 8)
    seen = []

    def model(x, sigma):
        seen.append(x)
        return truth

    sampler.sample_bridge(model, base, base, torch.ones(1, 1, 8, 8, dtype=torch.bool), drawn)
    start = base + sampler.KAPPA * drawn
    for x, sigma in zip(seen, sampler.SIGMAS, strict=True):
        assert float((x - (1 - sigma) * truth - sigma * start).abs().max()) < 1e-6


def test_the_bridge_is_walked_as_by_diffusers_scheduler_to_the_bit():
    scan, base, drawn = torch.randn(3, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    inside = torch.ones(2, 1, 16, 16, dtype=torch.bool)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    scheduler.set_timesteps(sigmas=list(sampler.SIGMAS))
    x = base + sampler.KAPPA * drawn
    for sigma, time in zip(scheduler.sigmas, scheduler.timesteps, strict=False):
        x = scheduler.step((x - torch.sin(x)) / sigma, time, x, return_dict=False)[0]
    assert torch.equal(sampler.sample_bridge(lambda x, sigma: torch.sin(x), scan, base, inside, drawn), x)


def test_the_coarse_picture_leads_inside_large_mattes_only():
    base, coarse = torch.zeros(1, 3, 128, 128), torch.ones(1, 3, 128, 128)
    inside = torch.zeros(1, 1, 128, 128, dtype=torch.bool)
    inside[..., 20:100, 20:100] = True
    inside[..., 110:114, 110:114] = True
    starts = []

    def model(x, sigma):
        starts.append(x)
        return x

    sampler.sample_bridge(model, base, base, inside, torch.zeros(1, 3, 128, 128), coarse)
    assert float(starts[0][0, 0, 60, 60]) == 1
    assert float(starts[0][0, 0, 112, 112]) == 0
    assert sampler.global_share(1.0) == 1 and sampler.global_share(0.0) == pytest.approx(0, abs=1e-12)


def test_the_base_is_the_scan_where_nothing_is_found():
    window = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    confidence = torch.zeros(5, 1, 32, 32)
    confidence[2, 0, 10:14, 10:14] = FIRES
    there = torch.ones(5, dtype=torch.bool)
    first, second = bases(window, confidence, there, [1, 2], coarse=False)
    assert torch.equal(first.picture, window[1:2]) and not first.inside.any()
    assert int(second.inside.sum()) == 100  # three pixels wider on each side
    assert torch.equal(second.picture[..., 20:, :], window[2:3, :, 20:])
    assert not torch.equal(second.picture[..., 10:14, 10:14], window[2:3, :, 10:14, 10:14])


def test_the_base_takes_nothing_from_what_is_damaged_itself():
    window = torch.full((5, 3, 48, 48), 0.4)
    window[:, :, 20:24, 20:24] = 1.0  # a mark that stays
    confidence = torch.zeros(5, 1, 48, 48)
    confidence[:, 0, 20:24, 20:24] = DAMAGED
    (found,) = bases(window, confidence, torch.ones(5, dtype=torch.bool), [2], coarse=False)
    assert float((found.picture - 0.4).abs().max()) < 1e-4
    assert float(found.trust[..., 20:24, 20:24].max()) < 1e-3
