"""Modules of the frdm network, each by itself: spectrum, attention and prompt."""

from __future__ import annotations

import pytest
import torch
from frdm_nets import awake, inputs, small_net

from filmrestore.restorers.frdm.blocks import GlobalFusion, PromptSocket, TemporalAttention, position_mask
from filmrestore.restorers.frdm.texture import TextureReconstruction, dft, dft_matrices, inverse_dft

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
