"""Every module of frdm can be switched off, changes the answer when it is, and leaves it alone when it is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from filmrestore.bench import BenchOptions
from filmrestore.bench.rows import ABLATED, NAMES, choose_rows
from filmrestore.errors import UsageError
from filmrestore.frame import Box
from filmrestore.motion import ALL_CHANNELS
from filmrestore.restorers.base import Context, Restored
from filmrestore.restorers.frdm import scales
from filmrestore.restorers.frdm.ablations import ABLATIONS, MODULES, Ablation, modules, without
from filmrestore.restorers.frdm.network import FrdmNet, new_net
from filmrestore.restorers.frdm.restorer import FrdmRestorer
from filmrestore.restorers.frdm.weights import load_weights, save_weights
from filmrestore.settings import FRDM_MODULES, RestoreSettings

torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parents[2]
EDGE = 96


@pytest.fixture(scope="module")
def restorer(tmp_path_factory: pytest.TempPathFactory) -> FrdmRestorer:
    """Untrained, with small numbers wherever it starts as zero, so that every module is heard."""
    torch.manual_seed(1)
    net = new_net("frdm-test")
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
    path = tmp_path_factory.mktemp("weights") / "frdm.safetensors"
    save_weights(net, path, {})
    return FrdmRestorer(load_weights(path), torch.device("cpu"))


def answer(restorer: FrdmRestorer, **settings: object) -> Restored:
    """Of a window that moves: a large hole that no neighbour sees through, and a small one that they do."""
    random = torch.Generator().manual_seed(0)
    wide = torch.rand(1, 3, EDGE // 4, EDGE // 4 + 4, generator=random)
    wide = torch.nn.functional.interpolate(wide, scale_factor=4.0, mode="bilinear")[0]
    window = torch.stack([wide[:, :, 2 * frame : 2 * frame + EDGE] for frame in range(5)])
    matte = torch.zeros(5, 1, EDGE, EDGE)
    matte[:, :, 20:70, 20:70] = 1.0
    matte[2, :, 80:84, 80:84] = 1.0
    context = Context(
        frames=tuple(range(5)),
        present=(True,) * 5,
        box=Box(x0=64, y0=32, x1=64 + EDGE, y1=32 + EDGE),
        full=(300, 400),
        overview=torch.rand(3, 64, 64, generator=random),
        settings=RestoreSettings.from_dict(dict(settings)),
        matte=matte,
    )
    return restorer(window, context)


@pytest.fixture(scope="module")
def whole(restorer: FrdmRestorer) -> Restored:
    return answer(restorer)


RESTORERS_OWN = [one for one in modules("shipped") if not {"guard", "grain"} & set(one.settings) and one.name != "half"]


@pytest.mark.parametrize("ablation", RESTORERS_OWN, ids=lambda one: str(one.name))
def test_a_module_that_is_off_is_missed(restorer: FrdmRestorer, whole: Restored, ablation: Ablation) -> None:
    changed = answer(restorer, **ablation.settings)
    inside = whole.matte > 0.5
    assert (changed.picture - whole.picture).abs()[inside.expand(-1, 3, -1, -1)].max() > 1e-5


def test_without_the_second_look_the_first_is_what_is_said(
    restorer: FrdmRestorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scales, "SEEN", -100.0)  # all that an untrained network says is a mark
    twice, once = answer(restorer), answer(restorer, without="half")
    assert (twice.matte - once.matte).abs().max() > 1e-3
    monkeypatch.setattr(scales, "SEEN", 100.0)
    assert torch.equal(answer(restorer).matte, once.matte)


def test_all_modules_can_be_off_together(restorer: FrdmRestorer) -> None:
    every = ", ".join(name for name in FRDM_MODULES if name != "prompt")
    assert answer(restorer, without=every).picture.isfinite().all()


def test_an_unknown_module_is_an_error_that_lists_them() -> None:
    with pytest.raises(UsageError, match=re.escape(", ".join(FRDM_MODULES))):
        RestoreSettings(without="texture, colour")


def test_modules_of_frdm_are_for_frdm() -> None:
    with pytest.raises(UsageError, match="it is for frdm"):
        RestoreSettings(method="svi", without="texture")


def test_what_is_off_is_part_of_the_cache_key() -> None:
    assert RestoreSettings(without="texture").network_values() != RestoreSettings().network_values()


def test_the_shipped_network_has_no_prompt_to_leave_out(restorer: FrdmRestorer) -> None:
    with pytest.raises(UsageError, match="--prior"):
        answer(restorer, without="prompt")


def test_the_shipped_network_does_not_take_a_prompt_in_silence(restorer: FrdmRestorer) -> None:
    with pytest.raises(UsageError, match="--prior"):
        answer(restorer, prompt="a street in the rain")


def test_a_full_size_network_has_every_module() -> None:
    assert without(RestoreSettings(without=", ".join(FRDM_MODULES)), "full") == set(FRDM_MODULES)


def test_a_network_trained_without_a_module_does_as_one_whose_module_is_off() -> None:
    torch.manual_seed(2)
    net = new_net("frdm-test").eval()
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
    alone = FrdmNet(**{**net.config, "without": ["texture"]}).eval()
    alone.load_state_dict(net.state_dict())
    frame = torch.rand(1, 3, 3, 32, 32)
    whole, box = torch.rand(1, 3, 64, 64), torch.tensor([[0.0, 0.0, 0.5, 0.5]])
    given = (frame, torch.zeros(1, 3, ALL_CHANNELS, 32, 32), torch.ones(1, 3, dtype=torch.bool), whole, box)
    with torch.no_grad():
        told = [one.guide(*given, **also) for one, also in ((alone, {}), (net, {"without": ["texture"]}), (net, {}))]
    assert torch.equal(told[0].matte_logits, told[1].matte_logits)
    assert not torch.equal(told[0].matte_logits, told[2].matte_logits)


def test_a_network_cannot_be_made_without_what_it_does_not_have() -> None:
    with pytest.raises(ValueError, match="fusion, texture, temporal"):
        FrdmNet(without=["prompt"])


def test_every_setting_of_an_ablation_can_be_meant() -> None:
    assert len(ABLATIONS) == len(modules("shipped"))
    for one in MODULES:
        assert RestoreSettings.from_dict(dict(one.settings)) != RestoreSettings()


def test_the_bench_has_a_row_for_every_module_and_measures_it_only_when_asked(tmp_path: Path) -> None:
    assert [one.name for one in modules("shipped")] == [row.removeprefix("frdm-without-") for row in ABLATED]
    assert not set(ABLATED) & set(NAMES)
    rows, missing = choose_rows(BenchOptions(out_dir=tmp_path, rows=("input", *ABLATED)))
    assert len(rows) + len(missing) == 1 + len(ABLATED)


def test_every_module_is_told_of_in_the_docs() -> None:
    page = (ROOT / "docs" / "models" / "frdm.md").read_text()
    assert [name for name in FRDM_MODULES if f"`{name}`" not in page] == []
