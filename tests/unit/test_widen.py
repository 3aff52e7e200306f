"""A wider frdm begins where a narrower one ended."""

from __future__ import annotations

import pytest
import torch
from frdm_nets import inputs, small_net

from filmrestore.errors import UsageError
from filmrestore.restorers.frdm.network import SIZES, FrdmNet
from filmrestore.restorers.frdm.weights import load_weights, save_weights
from filmrestore.training import widen
from filmrestore.training.widen import Channels, widened

TWICE, HALF_AS_WIDE_AGAIN = (16, 16, 32), (12, 12, 24)


@pytest.fixture
def size(monkeypatch, request) -> str:
    monkeypatch.setitem(
        SIZES, "wider", {**SIZES["frdm-test"], "widths": request.param, "denoiser_widths": request.param}
    )
    return "wider"


def _answers(net: FrdmNet) -> dict[str, torch.Tensor]:
    guidance = net.guide(**inputs(32, 32), prompt=torch.tensor([[1, 1, 1]]))
    features = guidance.features_of(torch.tensor([0]), torch.tensor([2]))
    base, inside = inputs(32, 32)["window"][:, 2], torch.ones(1, 1, 32, 32)
    clean = net.denoise(base + 0.1, torch.full((1,), 0.4), base + 0.2, base, inside, inside / 2, features)
    return {"matte": guidance.matte_logits, "kinds": guidance.class_logits, "clean": clean - base}


@pytest.mark.parametrize("size", [TWICE], indirect=True)
def test_with_every_channel_there_twice_and_no_noise_the_answers_are_the_same(monkeypatch, size):
    monkeypatch.setattr(widen, "NOISE", 0.0)
    narrow = small_net()
    wide = widened(narrow, size)
    before, after = _answers(narrow), _answers(wide)
    assert wide.config.widths == TWICE
    for name, answer in before.items():
        assert answer.std() > 1e-3, name
        assert torch.allclose(after[name], answer, atol=1e-4 * float(answer.abs().max())), name


@pytest.mark.parametrize("size", [HALF_AS_WIDE_AGAIN], indirect=True)
def test_with_some_there_twice_they_are_near_and_no_two_channels_the_same(size):
    narrow = small_net()
    wide = widened(narrow, size)
    before, after = _answers(narrow), _answers(wide)
    for name, answer in before.items():
        apart = (after[name] - answer).std() / answer.std()
        assert 0 < apart < 0.5, name
    weights = wide.guidance.stem.weight.flatten(1)
    assert len(torch.unique(weights, dim=0)) == len(weights)


def test_what_is_there_twice_gives_on_what_one_gave():
    torch.manual_seed(2)
    channels = Channels.doubled(7, 11)
    assert torch.allclose(torch.zeros(7).index_add(0, channels.source, channels.share), torch.ones(7))
    assert channels.share.min() >= widen.SMALLEST_SHARE and channels.again.tolist() == [False] * 7 + [True] * 4


@pytest.mark.parametrize("width", [7, 17])
def test_neither_narrower_nor_more_than_twice_as_wide(width):
    with pytest.raises(UsageError, match="up to twice as wide"):
        Channels.doubled(8, width)


@pytest.mark.parametrize("size", [HALF_AS_WIDE_AGAIN], indirect=True)
def test_the_command_writes_weights_that_a_run_starts_from(monkeypatch, tmp_path, capsys, size):
    save_weights(
        small_net(), tmp_path / "narrow.safetensors", {"figures": {"final": {}}, "run": {"hours": 2}, "licence": "ours"}
    )
    said = [
        "widen",
        "--weights",
        tmp_path / "narrow.safetensors",
        "--size",
        size,
        "--to",
        tmp_path / "wide.safetensors",
    ]
    monkeypatch.setattr("sys.argv", [str(word) for word in said])
    assert widen.main() == 0 and "train --start" in capsys.readouterr().out
    wide = load_weights(tmp_path / "wide.safetensors")
    assert tuple(wide.net.config.widths) == HALF_AS_WIDE_AGAIN
    assert wide.card["licence"] == "ours" and wide.card["run"] == {"hours": 2} and "figures" not in wide.card
