"""The parts of frdm: spectrum, attention, prompt, fill, noise, bridge, weights, and what the whole must keep to."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch.nn import functional

from filmrestore.errors import WeightsError
from filmrestore.frame import Box
from filmrestore.motion import AGREEMENT, ALL_CHANNELS, CHANNELS, NEXT, PREVIOUS, SECOND, SECOND_VALID, VALID
from filmrestore.restorers.base import Context, Origin, load_restorer
from filmrestore.restorers.frdm import base, sampler
from filmrestore.restorers.frdm.base import DAMAGED, FIRES, Base, bases
from filmrestore.restorers.frdm.base import MARGIN as WIDER
from filmrestore.restorers.frdm.blocks import GlobalFusion, PromptSocket, TemporalAttention, folded, position_mask
from filmrestore.restorers.frdm.calibration import Calibration
from filmrestore.restorers.frdm.fill import SWEEPS, _evened, fill
from filmrestore.restorers.frdm.inputs import (
    DEVIATIONS,
    QUIET,
    Shown,
    _mean_of,
    planes,
    seen,
    spikes_against_grain,
)
from filmrestore.restorers.frdm.network import SIZES, FrdmNet, new_net
from filmrestore.restorers.frdm.noise import noise
from filmrestore.restorers.frdm.painting import CORE, MARGIN, _parts
from filmrestore.restorers.frdm.restorer import FACTS, FrdmRestorer, _origin, one_sided
from filmrestore.restorers.frdm.texture import TextureReconstruction, dft, dft_matrices, inverse_dft
from filmrestore.restorers.frdm.weights import load_weights, save_weights
from filmrestore.settings import RestoreSettings

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


# The spectrum


def test_dft_is_the_fourier_transform():
    m = dft_matrices()
    block = torch.rand(3, 5, 16, 16, generator=torch.Generator().manual_seed(0))
    found = dft(block, m["columns"], m["rows"], m["times"])
    expected = torch.fft.fftn(block.double(), dim=(-3, -2, -1))[..., :9]
    assert float((found[:, 0] - expected.real).abs().max()) < 5e-4  # the sum of 1280 values of up to 1
    assert float((found[:, 1] - expected.imag).abs().max()) < 5e-4


def test_inverse_dft_gives_the_blocks_back():
    m = dft_matrices()
    block = torch.rand(2, 4, 5, 16, 16, generator=torch.Generator().manual_seed(0))
    spectrum = dft(block, m["columns"], m["rows"], m["times"])
    back = inverse_dft(spectrum, m["columns_back"], m["rows_back"], m["times_back"])
    assert float((back - block).abs().max()) < 2e-6


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_texture_reconstruction_starts_as_the_identity(frames):
    texture = TextureReconstruction(8, 12)
    x, picture = torch.rand(frames, 8, 32, 48), torch.rand(frames, 12, 32, 48)
    out = texture(x, picture, torch.rand(1, 3, 64, 64), torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    assert torch.equal(out, x)


def test_texture_reconstruction_with_flat_gain_adds_its_features():
    texture = awake(TextureReconstruction(8, 12))
    with torch.no_grad():
        texture.overview.weight.zero_()
        texture.overview.bias.zero_()
        texture.gain[1].zero_()
    x, picture = torch.rand(5, 8, 32, 48), torch.rand(5, 12, 32, 48)
    with torch.no_grad():
        out = texture(x, picture, torch.rand(1, 3, 64, 64), torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
        assert float((out - x - texture.out(texture.feature(x))).abs().max()) < 1e-6


# Attention


@pytest.mark.parametrize("shifted", [False, True])
def test_temporal_attention_starts_as_the_identity(shifted):
    attention = TemporalAttention(8, 2, shifted=shifted)
    x = torch.rand(10, 8, 16, 12)
    assert torch.equal(attention(x, torch.ones(2, 5, dtype=torch.bool)), x)


@pytest.mark.parametrize("shifted", [False, True])
def test_temporal_attention_sees_present_frames_and_no_others(shifted):
    attention = awake(TemporalAttention(8, 2, shifted=shifted))
    x = torch.rand(5, 8, 16, 12)
    other = x.clone()
    other[4] = torch.rand(8, 16, 12)
    there = torch.ones(1, 5, dtype=torch.bool)
    gone = torch.tensor([[True, True, True, True, False]])
    assert torch.equal(attention(x, gone)[:4], attention(other, gone)[:4])
    assert not torch.equal(attention(x, there)[0], attention(other, there)[0])


def test_temporal_attention_keeps_windows_of_a_batch_apart():
    attention = awake(TemporalAttention(8, 2))
    x = torch.rand(10, 8, 8, 8)
    present = torch.tensor([[True] * 5, [True, True, True, False, False]])
    both = attention(x, present)
    assert torch.allclose(both[:5], attention(x[:5], present[:1]), atol=1e-6)
    assert torch.allclose(both[5:], attention(x[5:], present[1:]), atol=1e-6)


def test_relative_bias_tells_every_offset_apart():
    attention = TemporalAttention(8, 1, frames=5, window=4).requires_grad_(False)
    attention.bias[0] = torch.arange(attention.bias.shape[1])
    bias = attention._relative(5)[0]
    assert len(bias.unique()) == 9 * 7 * 7
    assert float(bias.max()) == 9 * 7 * 7 - 1
    assert bias[0, 1] == bias[1, 2] != bias[1, 0]


def test_global_fusion_starts_as_the_identity():
    fusion = GlobalFusion(8, 2)
    x = torch.rand(5, 8, 4, 4)
    assert torch.equal(fusion(x, torch.rand(1, 64, 8)), x)


def test_position_mask_covers_the_area_of_the_box():
    mask = position_mask(torch.tensor([[0.1, 0.25, 0.35, 0.5], [0.0, 0.0, 1.0, 1.0]]))
    assert float(mask[0].mean()) == pytest.approx(0.25 * 0.25, abs=1e-6)
    assert mask[0, 0, 20, 10] == 1 and mask[0, 0, 20, 40] == 0 and mask[0, 0, 40, 10] == 0
    assert float(mask[1].min()) == 1


# The prompt


def test_the_null_prompt_changes_nothing_even_after_training():
    net = small_net(learns=True)
    given = inputs(32, 32)
    null = torch.zeros(1, 3, dtype=torch.long)
    assert torch.equal(net.guide(**given).matte_logits, net.guide(**given, prompt=null).matte_logits)
    words = torch.tensor([[1, 2, 1]])
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
    net.guide(**given, prompt=words).matte_logits.sum().backward()
    optimizer.step()
    assert torch.equal(net.guide(**given).matte_logits, net.guide(**given, prompt=null).matte_logits)
    assert not torch.equal(net.guide(**given).matte_logits, net.guide(**given, prompt=words).matte_logits)


def test_a_prompt_has_one_scale_and_shift_for_each_channel():
    socket = PromptSocket((7, 3, 4), (8, 12, 16))
    assert [tuple(part.shape) for part in socket(torch.tensor([[1, 0, 2], [6, 2, 3]]))] == [(2, 16), (2, 24), (2, 32)]


# Masks and fill


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


# The whole network


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_an_untrained_net_finds_nothing(frames):
    confidence = small_net(waken=False).guide(**inputs(frames=frames)).matte_logits.sigmoid()
    assert confidence.shape == (1, frames, 1, 64, 64)
    assert float(confidence.max()) < FIRES


def test_a_pixel_does_not_depend_on_the_far_side_of_its_patch():
    net = small_net()
    given = inputs(32, 768)
    other = {name: value.clone() for name, value in given.items()}
    other["window"][..., :32] = 1 - other["window"][..., :32]
    here, there = net.guide(**given), net.guide(**other)
    assert torch.equal(here.matte_logits[..., 512:], there.matte_logits[..., 512:])
    assert torch.equal(here.class_logits[..., 512:], there.class_logits[..., 512:])
    assert not torch.equal(here.matte_logits[..., 32:64], there.matte_logits[..., 32:64])


def test_denoiser_starts_at_the_base():
    net = small_net(waken=False)
    guidance = net.guide(**inputs(32, 32))
    windows, frames = torch.tensor([0, 0]), torch.tensor([1, 3])
    start, x, inside = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32), torch.ones(2, 1, 32, 32)
    clean = net.denoise(x, torch.ones(2), x, start, inside, inside / 2, guidance.features_of(windows, frames))
    assert torch.equal(clean, start)


@pytest.mark.parametrize("present", [[True] * 5, [True, True, True, False, False]])
def test_attention_says_the_same_whether_it_learns_or_not(present):
    attention = awake(TemporalAttention(16, 2, shifted=True))
    torch.nn.init.normal_(attention.bias)
    window = torch.randn(10, 16, 8, 12, generator=torch.Generator().manual_seed(0))
    there = torch.tensor([present, [True] * 5])
    learning = attention(window, there)
    with torch.no_grad():
        torch.testing.assert_close(attention(window, there), learning, atol=1e-5, rtol=0)
    assert learning.requires_grad and not torch.equal(learning, window)


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


def test_a_network_from_before_second_neighbours_hears_nothing_of_them():
    torch.manual_seed(1)
    net, given = awake(new_net("frdm-test", seconds=False).requires_grad_(False)), inputs()
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


def test_every_weight_learns():
    net = small_net(learns=True)
    with torch.no_grad():
        net.guidance.texture.gain.normal_(1, 0.1)
    guidance = net.guide(**inputs(32, 32), prompt=torch.tensor([[1, 1, 1]]))
    index = torch.tensor([0])
    base, inside = torch.rand(1, 3, 32, 32), torch.ones(1, 1, 32, 32)
    features = guidance.features_of(index, index)
    clean = net.denoise(base + 0.1, torch.ones(1), base + 0.2, base, inside, inside / 2, features)
    loss = clean.sum() + guidance.matte_logits.sum() + guidance.class_logits.square().sum()
    loss.backward()
    idle = [name for name, value in net.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle == []


@pytest.mark.parametrize(("size", "low", "high"), [("frdm-s", 0.8e6, 1.3e6), ("frdm-m", 2e6, 4e6)])
def test_sizes_are_what_they_are_called(size, low, high):
    assert low <= sum(parameter.numel() for parameter in FrdmNet(**SIZES[size]).parameters()) <= high


def test_saves_and_loads_as_diffusers_does(tmp_path):
    net = small_net()
    net.save_pretrained(tmp_path)
    back = FrdmNet.from_pretrained(tmp_path).requires_grad_(False)
    assert torch.equal(back.guide(**inputs(32, 32)).matte_logits, net.guide(**inputs(32, 32)).matte_logits)
    assert tuple(back.config.widths) == SIZES["frdm-test"]["widths"]


# Weights and calibration


def test_weights_come_back_as_they_were_saved(tmp_path):
    net = small_net()
    save_weights(net, tmp_path / "frdm.safetensors", {"licence": "Apache-2.0"}, dtype=torch.float32)
    weights = load_weights(tmp_path / "frdm.safetensors")
    assert weights.card["licence"] == "Apache-2.0"
    for name, value in net.state_dict().items():
        assert torch.equal(weights.net.state_dict()[name], value)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nothere\.safetensors .*: install filmrestore again"):
        load_weights(tmp_path / "nothere.safetensors")


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_truncated_weights_are_refused(tmp_path, keep):
    path = tmp_path / "frdm.safetensors"
    save_weights(small_net(), path, {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match=r"damaged: .* expected"):
        load_weights(path)


def test_a_single_flipped_bit_is_found(tmp_path):
    path = tmp_path / "frdm.safetensors"
    save_weights(small_net(), path, {})
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"config": {}}', "not json"])
def test_a_card_that_describes_nothing_is_refused(tmp_path, text):
    path = tmp_path / "frdm.safetensors"
    save_weights(small_net(), path, {})
    path.with_suffix(".json").write_text(text)
    with pytest.raises(WeightsError, match=r"frdm\.json does not describe weights"):
        load_weights(path)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "frdm.safetensors"
    save_weights(small_net(), path, {})
    card = json.loads(path.with_suffix(".json").read_text())
    card["config"]["widths"] = [8, 8, 24]
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="does not fit"):
        load_weights(path)


def test_the_hash_covers_tensors_and_card(tmp_path):
    digests = set()
    for index, card in enumerate(({}, {"calibration": {"dust": {"temperature": 2.0}}})):
        save_weights(small_net(), tmp_path / f"{index}.safetensors", card)
        digests.add(load_weights(tmp_path / f"{index}.safetensors").digest)
    assert len(digests) == 2


def test_calibration_follows_the_likely_kind():
    card = {"calibration": {"dust": {"temperature": 2.0}, "hair": {"shift": -1.0}}}
    calibration = Calibration.from_card(card, ("dust", "hair"))
    logits = torch.full((1, 1, 1, 2), 3.0)
    kinds = torch.tensor([[[[50.0, 0.0]], [[0.0, 50.0]]]])
    confidence = calibration.confidence(logits, kinds)[0, 0, 0]
    assert float(confidence[0]) == pytest.approx(1 / (1 + math.exp(-1.5)), abs=1e-6)
    assert float(confidence[1]) == pytest.approx(1 / (1 + math.exp(-2.0)), abs=1e-6)


@pytest.mark.parametrize("entry", [{"temperature": 0.0}, {"temperature": -1}, {"temperature": "warm"}, 3])
def test_calibration_that_cannot_be_is_refused(entry):
    with pytest.raises(WeightsError, match="calibration"):
        Calibration.from_card({"calibration": {"dust": entry}}, ("dust",))


# The restorer


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    net = small_net()
    with torch.no_grad():
        net.guidance.head.bias[:4] = -6.0
    path = tmp_path_factory.mktemp("weights") / "frdm.safetensors"
    save_weights(net, path, {})
    return load_weights(path)


def context_of(height: int, width: int, x0: int = 0, y0: int = 0, **settings: object) -> Context:
    return Context(
        frames=(1, 2, 3, 4, 5),
        present=(True,) * 5,
        box=Box(x0=x0, y0=y0, x1=x0 + width, y1=y0 + height),
        full=(height + 100, width + 100),
        overview=torch.full((3, 64, 64), 0.4),
        settings=RestoreSettings(**settings),
    )


def test_missing_shipped_weights_are_an_error_that_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("filmrestore.restorers.frdm.weights.FOLDER", tmp_path)
    with pytest.raises(WeightsError, match="install filmrestore again"):
        load_restorer("frdm")


def _wider(mask: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.max_pool2d(mask.float(), 2 * WIDER + 1, stride=1, padding=WIDER) > 0


def test_the_sampler_touches_nothing_outside_its_matte(weights):
    restorer = FrdmRestorer(weights, torch.device("cpu"))
    window = torch.rand(5, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    known = torch.zeros(5, 1, 96, 96)
    known[:, :, 70:74, 70:74] = 1
    final = restorer(window, replace(context_of(96, 96), matte=known))
    preview = restorer(window, replace(context_of(96, 96, quality="preview"), matte=known))
    assert torch.equal(final.matte, preview.matte)
    outside = ~_wider(final.matte >= FIRES).expand_as(final.picture)
    assert bool(outside.any()) and not bool(outside.all())
    assert torch.equal(final.picture[outside], preview.picture[outside])
    assert not torch.equal(final.picture[~outside], preview.picture[~outside])


def test_what_neighbours_show_stays_film_and_is_not_sampled(weights):
    restorer = FrdmRestorer(weights, torch.device("cpu"))
    still = torch.nn.functional.interpolate(
        torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)), size=(128, 128), mode="bicubic"
    )
    window = still.repeat(5, 1, 1, 1)
    window[2, :, 30:34, 30:34] = 1.0
    known = torch.zeros(5, 1, 128, 128)
    known[2, :, 29:35, 29:35] = 1  # on one frame: its neighbours show what was there
    known[:, :, 90:96, 90:96] = 1  # on all: nobody knows
    final = restorer(window, replace(context_of(128, 128), matte=known))
    preview = restorer(window, replace(context_of(128, 128, quality="preview"), matte=known))
    assert float((final.picture - still)[1, :, 29:35, 29:35].abs().max()) < 0.02
    assert torch.equal(final.picture[1, :, 29:35, 29:35], preview.picture[1, :, 29:35, 29:35])
    assert not torch.equal(final.picture[1, :, 90:96, 90:96], preview.picture[1, :, 90:96, 90:96])


def test_what_a_person_marked_is_never_painted_from_the_scan(weights):
    restorer = FrdmRestorer(weights, torch.device("cpu"))
    window = torch.full((5, 3, 64, 64), 0.3)
    other = window.clone()
    other[:, :, 20:40, 30:33] = 0.9  # a line that lasts: no neighbour shows what it hides
    known = torch.zeros(5, 1, 64, 64)
    known[:, :, 20:40, 30:33] = 1
    clean, lined = (restorer(frames, replace(context_of(64, 64), matte=known)) for frames in (window, other))
    inside = known[1:4].expand(-1, 3, -1, -1) > 0
    assert float((clean.picture - lined.picture)[inside].abs().max()) < 0.1


def test_the_sampler_runs_where_the_matte_fires_and_never_on_more_than_the_patch():
    inside = torch.zeros(256, 256, dtype=torch.bool)
    assert _parts(inside) == []
    inside[70, 130] = True
    around = Box(x0=128 - MARGIN, y0=64 - MARGIN, x1=128 + CORE + MARGIN, y1=64 + CORE + MARGIN)
    assert _parts(inside) == [(Box(x0=128, y0=64, x1=128 + CORE, y1=64 + CORE), around)]
    inside[255, 0] = True
    ((core, corner),) = _parts(inside)[1:]
    assert core == Box(x0=0, y0=256 - CORE, x1=CORE, y1=256)
    assert (corner.width, corner.height) == (around.width, around.height)  # so that both go in one batch
    whole = Box(x0=0, y0=0, x1=256, y1=256)
    assert _parts(torch.ones(256, 256, dtype=torch.bool)) == [(whole, whole)]


def test_blocks_that_are_sampled_together_do_not_see_each_other(weights, monkeypatch):
    restorer = FrdmRestorer(weights, torch.device("cpu"))
    window = torch.rand(5, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    known = torch.zeros(5, 1, 192, 192)
    known[:, :, 20:23, 20:23] = known[:, :, 150:153, 20:23] = known[:, :, 90:93, 160:163] = 1
    together = restorer(window, replace(context_of(192, 192), matte=known))
    monkeypatch.setattr("filmrestore.restorers.frdm.painting.AT_ONCE", 1)
    alone = restorer(window, replace(context_of(192, 192), matte=known))
    assert float((together.picture - alone.picture).abs().max()) < 1e-5
    assert not torch.equal(together.picture[:, :, 20:23, 20:23], window[1:4, :, 20:23, 20:23])


def test_what_stands_in_for_a_frame_is_not_painted(weights):
    restorer = FrdmRestorer(weights, torch.device("cpu"))
    window = torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    window[3:] = window[2]
    known = torch.zeros(5, 1, 64, 64)
    known[:, :, 20:30, 20:30] = 1
    context = replace(context_of(64, 64), matte=known, present=(True, True, True, False, False))
    answer = restorer(window, context)
    assert torch.equal(answer.picture[2], window[3])
    assert not torch.equal(answer.picture[1], window[2])


def test_a_large_defect_calls_the_coarse_picture_and_stays_finite(weights, monkeypatch):
    restorer = FrdmRestorer(weights, torch.device("cpu"))
    calls = []
    coarse = base._coarse
    monkeypatch.setattr(base, "_coarse", lambda *given: calls.append(1) or coarse(*given))
    window = torch.rand(5, 3, 96, 130, generator=torch.Generator().manual_seed(0))
    known = torch.zeros(5, 1, 96, 130)
    known[2, :, 20:80, 20:80] = 1
    answer = restorer(window, replace(context_of(96, 130), matte=known))
    assert calls == [1]
    assert bool(torch.isfinite(answer.picture).all())


def test_another_seed_changes_repairs_only(weights):
    restorer = FrdmRestorer(weights, torch.device("cpu"))
    window = torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    known = torch.zeros(5, 1, 64, 64)
    known[:, :, 20:30, 20:30] = 1
    one = restorer(window, replace(context_of(64, 64, seed=1), matte=known))
    two = restorer(window, replace(context_of(64, 64, seed=2), matte=known))
    assert torch.equal(one.matte, two.matte)
    changed = (one.picture != two.picture).any(dim=1, keepdim=True)
    assert bool(changed.any())
    assert not bool((changed & ~_wider(one.matte >= FIRES)).any())


def test_bfloat16_is_close_to_float32(weights):
    window = torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    exact = FrdmRestorer(weights, torch.device("cpu"))(window, context_of(64, 64))
    rough = FrdmRestorer(weights, torch.device("cpu"), "bfloat16")(window, context_of(64, 64))
    assert 0 < float((exact.matte - rough.matte).abs().max()) < 0.02
    assert float((exact.picture - rough.picture).abs().max()) < 0.02


@pytest.mark.parametrize(
    ("trust", "sampled", "origin"),
    [(0.8, 0.0, Origin.RECOVERED), (0.2, 0.0, Origin.INTERPOLATED), (0.8, 0.2, Origin.GENERATED)],
)
def test_origin_says_where_pixels_come_from(trust, sampled, origin):
    shape = (1, 1, 4, 4)
    start = Base(torch.full((1, 3, 4, 4), 0.5), torch.full(shape, trust), torch.ones(shape, dtype=torch.bool))
    found = _origin(start, start.picture + sampled)
    assert bool((found[..., 1:3, 1:3] == int(origin)).all())


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


def test_agreement_and_validity_lie_behind_the_pictures():
    assert (slice(0, 3), slice(3, 6), slice(6, 8), slice(8, CHANNELS)) == (PREVIOUS, NEXT, VALID, AGREEMENT)
    assert (slice(CHANNELS, 12), slice(12, ALL_CHANNELS)) == (SECOND, SECOND_VALID)
    assert FACTS.patch % 32 == 0 and FACTS.overlap % 2 == 0


@pytest.mark.parametrize(
    ("present", "doubted"),
    [("11111", "00000"), ("01111", "01000"), ("00111", "10100"), ("11011", "01010"), ("1", "0")],
)
def test_frames_beside_an_absent_one_have_to_show_more(present: str, doubted: str) -> None:
    there = torch.tensor([flag == "1" for flag in present])
    wanted = torch.tensor([flag == "1" for flag in doubted])
    assert torch.equal(one_sided(there) & there, wanted & there)
