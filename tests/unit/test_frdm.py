"""The frdm network and its restorer as a whole: what they must keep to."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from frdm_nets import inputs, small_net

from filmrestore.errors import WeightsError
from filmrestore.frame import Box
from filmrestore.motion import AGREEMENT, ALL_CHANNELS, CHANNELS, NEXT, PREVIOUS, SECOND, SECOND_VALID, VALID
from filmrestore.restorers.base import Context, Origin, load_restorer
from filmrestore.restorers.frdm import base, restorer
from filmrestore.restorers.frdm.base import FIRES, Base
from filmrestore.restorers.frdm.base import MARGIN as WIDER
from filmrestore.restorers.frdm.network import SIZES, FrdmNet
from filmrestore.restorers.frdm.painting import CORE, MARGIN, _parts
from filmrestore.restorers.frdm.restorer import FACTS, FrdmRestorer, _origin, one_sided
from filmrestore.restorers.frdm.singles import SPEAKS_FOR
from filmrestore.restorers.frdm.weights import FOLDER, load_weights, save_weights
from filmrestore.settings import RestoreSettings


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
    (tmp_path / "here").mkdir()
    save_weights(small_net(), tmp_path / "here" / FACTS.weights, {})
    monkeypatch.chdir(tmp_path / "here")  # what lies where it is called from is nobody's prior
    with pytest.raises(WeightsError, match="install filmrestore again"):
        load_restorer("frdm")


def test_the_larger_network_ships_beside_the_default_one():
    for name, prior in (("frdm-s", ""), ("frdm-m", "frdm-m")):
        shipped = load_weights(FOLDER / prior / FACTS.weights)
        assert tuple(shipped.net.config.widths) == SIZES[name]["widths"]
        assert load_restorer("frdm", prior=prior).weights_hash == shipped.digest


def test_marks_are_mended_by_what_such_marks_were_worth_and_lone_ones_for_themselves(monkeypatch, weights):
    window, context = torch.rand(5, 3, 70, 60, generator=torch.Generator().manual_seed(3)), context_of(70, 60)
    plain = FrdmRestorer(weights, torch.device("cpu"))(window, context)
    half = {"calibration": {"marks": [[0.0001, 0.00005], [0.999, 0.4995]]}}
    of_marks = FrdmRestorer(replace(weights, card=weights.card | half), torch.device("cpu"))
    doubted = of_marks(window, context)
    assert plain.matte.max() < 0.99 and torch.allclose(doubted.matte, plain.matte / 2, atol=1e-3)
    assert torch.equal(doubted.picture, plain.picture)

    def at_the_corner(confidence, *_):
        found = torch.zeros_like(confidence, dtype=torch.bool)
        found[..., -3:, -3:] = True
        return found

    monkeypatch.setattr(restorer, "lone_marks", at_the_corner)
    found = of_marks(window, context).matte
    assert (found[..., -3:, -3:] >= SPEAKS_FOR).all()
    assert torch.equal(found[..., :-3, :], doubted.matte[..., :-3, :])


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
