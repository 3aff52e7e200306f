"""Laws that hold for every restorer of the registry, tried on small, untrained ones."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from filmrestore.errors import UsageError
from filmrestore.frame import Box
from filmrestore.restorers.base import (
    REGISTRY,
    Context,
    Origin,
    Restored,
    Restorer,
    load_restorer,
    numeric_class,
)
from filmrestore.restorers.exports import EXPORTS
from filmrestore.settings import RestoreSettings

if TYPE_CHECKING:
    from filmrestore.restorers.prior.model import Prior

torch.set_num_threads(1)


def heard(net: torch.nn.Module) -> Any:
    """With small values where it starts as zero, which would hide that a part works at all."""
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
    return net


def small_frdm(folder: Path, **backend: str) -> Restorer:
    from filmrestore.restorers.frdm.network import new_net
    from filmrestore.restorers.frdm.restorer import FrdmRestorer
    from filmrestore.restorers.frdm.weights import load_weights, save_weights

    torch.manual_seed(3)
    net = new_net("frdm-test")
    with torch.no_grad():
        heard(net).guidance.head.bias[:4] = -0.5
    save_weights(net, folder / "frdm.safetensors", {})
    return FrdmRestorer(load_weights(folder / "frdm.safetensors"), torch.device("cpu"), **backend)


def small_prior() -> Prior:
    from filmrestore.restorers.prior.model import Prior
    from filmrestore.restorers.prior.network import new_prior

    torch.manual_seed(3)
    return Prior.of_film(heard(new_prior("prior-test")), "untrained", torch.device("cpu"))


def small_defect_net(folder: Path) -> Any:
    from filmrestore.restorers.stored import load_network, save_network
    from filmrestore.restorers.two_stage.segmentation import DefectNet

    torch.manual_seed(3)
    net = heard(DefectNet(widths=[4, 8, 8])).eval()
    with torch.no_grad():
        net.head.weight.mul_(3000.0)
        soft = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 6), size=(48, 48), mode="bilinear")
        net.head.bias.sub_(net(soft, torch.cat([soft, soft, torch.ones(1, 4, 48, 48)], dim=1)).median())
    save_network(net, folder / "two_stage.safetensors", {})
    return load_network(DefectNet, folder / "two_stage.safetensors", "")


def small_two_stage(folder: Path, **backend: str) -> Restorer:
    from filmrestore.restorers.two_stage.restorer import TwoStageRestorer

    return TwoStageRestorer(small_defect_net(folder), small_prior(), torch.device("cpu"), **backend)


def small_iide(folder: Path) -> Restorer:
    from filmrestore.restorers.iide.network import IideNet, new_net
    from filmrestore.restorers.iide.restorer import IideRestorer
    from filmrestore.restorers.iide.small import SmallLatents
    from filmrestore.restorers.stored import load_network, save_network
    from filmrestore.restorers.two_stage.finder import Finder

    torch.manual_seed(9)
    save_network(heard(new_net("iide-test")), folder / "iide.safetensors", {})
    stored, cpu = load_network(IideNet, folder / "iide.safetensors", ""), torch.device("cpu")
    return IideRestorer(SmallLatents(stored.net, stored.digest, cpu), Finder(small_defect_net(folder), cpu), cpu)


def small_svi(folder: Path) -> Restorer:
    from filmrestore.restorers.svi.restorer import SviRestorer

    return SviRestorer(small_prior(), torch.device("cpu"))


def small_restormer(folder: Path, **backend: str) -> Restorer:
    from filmrestore.restorers.restormer.network import new_net
    from filmrestore.restorers.restormer.restorer import RestormerRestorer, load_weights, save_network

    torch.manual_seed(5)
    net = new_net("restormer-test")
    with torch.no_grad():
        net.head.weight.normal_(0, 0.02)
        net.head.bias[3:] = -0.5
    save_network(net, folder / "restormer.safetensors", {})
    return RestormerRestorer(load_weights(folder / "restormer.safetensors"), torch.device("cpu"), **backend)


def small_divd(folder: Path, **backend: str) -> Restorer:
    from filmrestore.restorers.divd.network import new_net
    from filmrestore.restorers.divd.restorer import DivdRestorer, load_weights, save_network

    torch.manual_seed(7)
    net = new_net("divd-test")
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
        net.head.bias[3:] = -0.5
    save_network(net, folder / "divd.safetensors", {})
    return DivdRestorer(load_weights(folder / "divd.safetensors"), torch.device("cpu"), **backend)


SMALL: dict[str, Callable[..., Restorer]] = {
    "frdm": small_frdm,
    "iide": small_iide,
    "restormer": small_restormer,
    "divd": small_divd,
    "svi": small_svi,
    "two_stage": small_two_stage,
}
"""One quick restorer for every name of the registry."""
EXPORTED = ("divd", "frdm", "restormer", "two_stage")
"""Methods that onnxruntime can run."""
BACKENDS_AGREE = 1e-4
"""Largest difference between the backends, of pictures in net units and of mattes."""
QUICK: dict[str, dict[str, object]] = {
    "iide": {"steps": 2},
    "svi": {"operator": "uniform-7", "steps": 2, "inner_steps": 2},
    "two_stage": {"steps": 3, "jump_length": 1},
}
"""Settings that make a method quick, and that make it do something."""


@pytest.fixture(scope="module", params=sorted(REGISTRY))
def restorer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Restorer:
    assert request.param in SMALL, f"give {request.param} a small, untrained restorer in SMALL"
    return SMALL[request.param](tmp_path_factory.mktemp(request.param))


def context_for(restorer: Restorer, window: Tensor, **settings: object) -> Context:
    count, _, height, width = window.shape
    return Context(
        frames=tuple(range(1001, 1001 + count)),
        present=(True,) * count,
        box=Box(x0=10, y0=20, x1=10 + width, y1=20 + height),
        full=(height + 64, width + 64),
        overview=torch.full((3, 64, 64), 0.4),
        settings=RestoreSettings(**{**QUICK.get(restorer.facts.name, {}), **settings}),
    )


def window_for(restorer: Restorer, height: int, width: int, seed: int = 0) -> Tensor:
    """A soft picture that moves, with grain and some specks."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 8 + 2, width // 8 + 4, generator=random)
    wide = width + max(8, restorer.facts.window)
    large = torch.nn.functional.interpolate(coarse, size=(height, wide), mode="bilinear")
    frames = [large[0, :, :, index : index + width] for index in range(restorer.facts.window)]
    window = torch.stack(frames) * 0.8 + 0.02 * torch.randn(len(frames), 3, height, width, generator=random)
    window[:, :, height // 3 : height // 3 + 3, width // 2 : width // 2 + 3] = 0.02
    return window


def assert_same(a: Restored, b: Restored) -> None:
    assert torch.equal(a.picture, b.picture)
    assert torch.equal(a.matte, b.matte)
    assert torch.equal(a.origin, b.origin)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (37, 61), (64, 40), (33, 2)])
def test_works_at_any_size(restorer, size):
    window = window_for(restorer, *size)
    answer = restorer(window, context_for(restorer, window))
    keep = restorer.facts.keep
    assert answer.picture.shape == (keep, 3, *size) and answer.picture.dtype == torch.float32
    assert answer.matte.shape == (keep, 1, *size) and answer.matte.dtype == torch.float32
    assert answer.origin.shape == (keep, 1, *size) and answer.origin.dtype == torch.uint8
    assert bool(torch.isfinite(answer.picture).all())
    assert float(answer.matte.min()) >= 0 and float(answer.matte.max()) <= 1
    assert set(answer.origin.unique().tolist()) <= {int(origin) for origin in Origin}


def test_every_pixel_in_the_matte_has_an_origin(restorer):
    window = window_for(restorer, 64, 64)
    answer = restorer(window, context_for(restorer, window))
    assert bool((answer.matte > 0.3).any())
    assert int(answer.origin[answer.matte > 0].min()) >= int(Origin.RECOVERED)


def test_does_not_clip_light_above_one(restorer):
    window = torch.full((restorer.facts.window, 3, 64, 64), 3.0)
    answer = restorer(window, context_for(restorer, window))
    assert float(answer.picture.min()) > 1.9


def test_does_not_clip_below_zero(restorer):
    window = torch.full((restorer.facts.window, 3, 64, 64), -3.0)
    answer = restorer(window, context_for(restorer, window))
    assert float(answer.picture.max()) < -1.9


@pytest.mark.parametrize("quality", ["final", "preview"])
def test_same_seed_gives_the_same_bits(restorer, quality):
    window = window_for(restorer, 48, 72)
    context = context_for(restorer, window, quality=quality)
    assert_same(restorer(window.clone(), context), restorer(window.clone(), context))


def test_threads_side_by_side_give_the_same_bits(restorer):
    windows = [window_for(restorer, 40, 56, seed) for seed in range(4)]
    context = context_for(restorer, windows[0])
    alone = [restorer(window, context) for window in windows]
    with ThreadPoolExecutor(3, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        together = list(pool.map(lambda window: restorer(window, context), windows))
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


def test_leaves_its_input_alone(restorer):
    window = window_for(restorer, 40, 40)
    window[restorer.facts.window // 2, 0, 3, 3] = torch.nan
    before = window.clone()
    restorer(window, context_for(restorer, window))
    assert torch.equal(window.nan_to_num(7.0), before.nan_to_num(7.0))


def test_settings_that_networks_do_not_read_change_nothing(restorer):
    window = window_for(restorer, 48, 48)
    plain = context_for(restorer, window)
    other = {
        name: facts.high
        for name, facts in RestoreSettings.facts().items()
        if not facts.network and facts.high is not None and isinstance(getattr(plain.settings, name), float)
    }
    assert "strength" in other or "grow" in other
    assert_same(restorer(window, plain), restorer(window, context_for(restorer, window, **other)))


def test_one_frame_only_works(restorer):
    window = window_for(restorer, 48, 48)
    middle = restorer.facts.window // 2
    window = window[middle : middle + 1].repeat(restorer.facts.window, 1, 1, 1)
    present = tuple(index == middle for index in range(restorer.facts.window))
    answer = restorer(window, replace(context_for(restorer, window), present=present))
    assert bool(torch.isfinite(answer.picture).all())
    kept = restorer.facts.keep // 2
    assert not bool((answer.origin[kept] == int(Origin.RECOVERED)).any())  # there is nothing to recover from


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_nan_and_infinity_do_not_spread(restorer, bad):
    window = window_for(restorer, 64, 64)
    window[:, :, 10, 10] = bad
    window[restorer.facts.window // 2, 1, 30:34, 30:34] = bad
    answer = restorer(window, context_for(restorer, window))
    assert bool(torch.isfinite(answer.picture).all())
    assert bool(torch.isfinite(answer.matte).all())


def test_what_cannot_be_read_is_not_repaired(restorer):
    window = window_for(restorer, 64, 64)
    window[:, 1, 10, 10] = torch.nan
    answer = restorer(window, context_for(restorer, window))
    assert not answer.matte[:, :, 10, 10].any()


def test_even_a_patch_of_nothing_but_nan_is_answered(restorer):
    window = torch.full((restorer.facts.window, 3, 33, 33), torch.nan)
    answer = restorer(window, context_for(restorer, window))
    assert bool(torch.isfinite(answer.picture).all()) and not answer.matte.any()


def test_known_defects_are_in_the_matte(restorer):
    window = window_for(restorer, 64, 64)
    known = torch.zeros(restorer.facts.window, 1, 64, 64)
    known[:, :, 20:28, 20:28] = 1
    answer = restorer(window, replace(context_for(restorer, window), matte=known))
    assert float(answer.matte[:, :, 20:28, 20:28].min()) == 1


def test_frames_beyond_the_temporal_radius_are_not_seen(restorer):
    facts = restorer.facts
    if facts.window == 1:
        pytest.skip(f"{facts.name} sees one frame")
    slot = facts.keep // 2
    index = slot + (facts.window - facts.keep) // 2
    window = window_for(restorer, 48, 48)
    apart = torch.tensor([abs(other - index) for other in range(facts.window)])
    for radius in range(int(apart.max())):
        other = torch.where((apart > radius)[:, None, None, None], 1 - window, window)
        context = context_for(restorer, window, temporal_radius=radius)
        assert torch.equal(restorer(window, context).picture[slot], restorer(other, context).picture[slot])
    other = torch.where((apart == apart.max())[:, None, None, None], 1 - window, window)
    context = context_for(restorer, window)
    assert not torch.equal(restorer(window, context).picture[slot], restorer(other, context).picture[slot])


def test_its_facts_hold_together(restorer):
    facts = restorer.facts
    assert facts.name in SMALL
    assert 1 <= facts.keep <= facts.window and (facts.window - facts.keep) % 2 == 0
    assert 0 <= facts.overlap < facts.patch
    assert facts.licence and facts.source and restorer.weights_hash
    assert restorer.precision in ("float32", "bfloat16") and restorer.backend in ("torch", "onnx")


@pytest.mark.parametrize("name", EXPORTED)
def test_onnxruntime_answers_as_torch_does(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="exporting wants onnx")
    pytest.importorskip("onnxruntime", reason="the backend onnx wants onnxruntime")
    by_torch, by_onnx = (SMALL[name](tmp_path, backend=backend) for backend in ("torch", "onnx"))
    assert (by_torch.backend, by_onnx.backend) == ("torch", "onnx")
    assert by_torch.weights_hash == by_onnx.weights_hash
    assert numeric_class(by_torch) != numeric_class(by_onnx)  # tiles of one are not the other's
    for (height, width), level in (((37, 61), 1.0), ((1, 5), 1.0), ((40, 33), 4.0), ((33, 40), -2.0)):
        window = level * window_for(by_torch, height, width)
        # A preview of two_stage: what its prior draws hangs on every bit, and torch draws it on either backend.
        context = context_for(by_torch, window, quality="preview" if name == "two_stage" else "final")
        one, other = by_torch(window, context), by_onnx(window, context)
        assert float((one.picture - other.picture).abs().max()) < BACKENDS_AGREE
        assert float((one.matte - other.matte).abs().max()) < BACKENDS_AGREE


def test_every_method_that_takes_a_backend_can_be_exported_and_no_other() -> None:
    loads = {name: import_module(f"filmrestore.restorers.{name}").load for name in REGISTRY}
    assert {name for name, load in loads.items() if "backend" in signature(load).parameters} == set(EXPORTED)
    assert set(EXPORTS) == set(EXPORTED)


@pytest.mark.parametrize("name", sorted(set(REGISTRY) - set(EXPORTED)))
def test_onnxruntime_for_a_method_that_has_no_export_is_an_error_that_says_what_to_do(name: str) -> None:
    with pytest.raises(UsageError, match=f"the method {name} has no backend 'onnx': choose --backend auto or torch"):
        load_restorer(name, "cpu", "onnx")
