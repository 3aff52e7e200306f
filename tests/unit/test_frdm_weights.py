"""Weights of frdm on disk, and its calibration."""

from __future__ import annotations

import json
import math

import pytest
import torch
from frdm_nets import inputs, small_net

from filmrestore.errors import WeightsError
from filmrestore.restorers.frdm.calibration import Calibration
from filmrestore.restorers.frdm.network import SIZES, FrdmNet
from filmrestore.restorers.frdm.weights import load_weights, save_weights


def test_saves_and_loads_as_diffusers_does(tmp_path):
    net = small_net()
    net.save_pretrained(tmp_path)
    back = FrdmNet.from_pretrained(tmp_path).requires_grad_(False)
    assert torch.equal(back.guide(**inputs(32, 32)).matte_logits, net.guide(**inputs(32, 32)).matte_logits)
    assert tuple(back.config.widths) == SIZES["frdm-test"]["widths"]


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


def test_a_mark_is_as_sure_as_those_of_its_strongest_pixel_were_damage():
    calibration = Calibration.from_card({"calibration": {"marks": [[0.25, 0.2], [0.75, 0.4]]}}, ("dust",))
    found = calibration.of_marks(torch.tensor([0.0, 0.125, 0.25, 0.5, 0.75, 0.875, 1.0]))
    assert torch.allclose(found, torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4, 0.7, 1.0]))
    plain = Calibration.from_card({}, ("dust",))
    assert torch.equal(plain.of_marks(found), found)


@pytest.mark.parametrize("marks", [[[0.5, 0.6], [0.4, 0.7]], [[0.5, 0.6], [0.7, 0.5]], [[0.5, 1.2]], [0.5]])
def test_marks_that_do_not_rise_are_refused(marks: object):
    with pytest.raises(WeightsError, match="calibration"):
        Calibration.from_card({"calibration": {"marks": marks}}, ("dust",))


@pytest.mark.parametrize("entry", [{"temperature": 0.0}, {"temperature": -1}, {"temperature": "warm"}, 3])
def test_calibration_that_cannot_be_is_refused(entry):
    with pytest.raises(WeightsError, match="calibration"):
        Calibration.from_card({"calibration": {"dust": entry}}, ("dust",))
