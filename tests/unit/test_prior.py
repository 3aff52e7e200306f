"""The prior: splits noise from picture, any size, any range; its projections and operators keep their word."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from filmrestore.errors import WeightsError
from filmrestore.frame import Box
from filmrestore.restorers.base import load_restorer
from filmrestore.restorers.prior.consistency import IDENTITY, Operator, masked, project, project_masked
from filmrestore.restorers.prior.draws import draws, shared_draws
from filmrestore.restorers.prior.encoding import HIGH, LOW, Range
from filmrestore.restorers.prior.folder import prior_from_folder
from filmrestore.restorers.prior.model import Prior
from filmrestore.restorers.prior.network import SIZES, FilmPrior, new_prior
from filmrestore.restorers.prior.regions import MARGIN, regions
from filmrestore.restorers.prior.repaint import Walk, raised, repaint, stepped
from filmrestore.restorers.stored import load_network, save_network

torch.set_num_threads(1)
CPU = torch.device("cpu")
BOX = Box(x0=0, y0=0, x1=24, y1=16)


@pytest.fixture(scope="module")
def prior() -> Prior:
    return Prior.of_film(lively(new_prior("prior-test")), "untrained", CPU)


def lively(net: FilmPrior) -> FilmPrior:
    """With what starts as zero made small instead, so that every part is heard."""
    random = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=random))
    return net


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (64, 40)])
def test_picture_and_noise_make_up_the_sample_again(prior: Prior, size: tuple[int, int]) -> None:
    x = noise(2, 3, *size)
    for time in (999, 400, 20):
        clean, drawn = prior.estimate(x, time)
        alpha = prior.alphas[time]
        assert float(clean.abs().max()) <= 1.0
        assert torch.allclose(alpha.sqrt() * clean + (1 - alpha).sqrt() * drawn, x, atol=1e-5)


def test_a_picture_larger_than_the_window_slides_through(prior: Prior) -> None:
    x = noise(1, 3, 80, 104)
    whole, _ = prior.estimate(x, 500)
    slid, _ = replace(prior, window=64, overlap=32).estimate(x, 500)
    assert float((whole - slid).abs().median()) < 0.01  # windows see less around their edges
    constant = replace(prior, net=Constant(), window=64, overlap=32)
    assert torch.allclose(constant.estimate(x, 500)[0], constant_clean(x, prior.alphas[500]), atol=1e-6)


class Constant(torch.nn.Module):
    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        return torch.full_like(sample, 0.3)


def constant_clean(x: Tensor, alpha: Tensor) -> Tensor:
    return (alpha.sqrt() * x - (1 - alpha).sqrt() * 0.3).clamp(-1, 1)


def test_frames_of_a_batch_do_not_change_each_other(prior: Prior) -> None:
    x = noise(3, 3, 24, 24)
    together, _ = prior.estimate(x, 300)
    alone, _ = prior.estimate(x[1:2], 300)
    assert torch.equal(together[1:2], alone)


def test_what_lies_far_away_changes_no_pixel() -> None:
    net = lively(FilmPrior(widths=[8, 8], blocks=1, middle=0))
    x = noise(1, 3, 16, 160)
    other = x.clone()
    other[..., 120:] += 1.0
    with torch.no_grad():
        a, b = net(x, torch.tensor([500.0])), net(other, torch.tensor([500.0]))
    assert torch.equal(a[..., :40], b[..., :40])
    assert not torch.equal(a[..., 110:], b[..., 110:])


def test_the_shipped_size_is_small_enough_for_two_cores() -> None:
    for name in SIZES:
        assert sum(parameter.numel() for parameter in new_prior(name).parameters()) < 15e6


def test_encoding_and_back_gives_the_same_and_leaves_the_range_where_the_light_does() -> None:
    net = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.1
    plain = Range.around(net, torch.zeros(1, 1, 20, 30))
    assert float(plain.shift.abs().max()) == 0.0
    assert float(plain.encoded(net).abs().max()) <= 1.0
    for level in (3.0, -3.0, 1.05):
        bright = torch.full((1, 3, 20, 30), level)
        span = Range.around(bright, torch.zeros(1, 1, 20, 30))
        assert float(span.encoded(bright).abs().max()) <= 1.0
        assert torch.allclose(span.decoded(span.encoded(bright)), bright, atol=1e-5)
        assert torch.allclose(span.decoded(torch.ones(1)) - span.decoded(-torch.ones(1)), torch.tensor(HIGH - LOW))


def test_the_range_is_blind_to_what_is_unknown() -> None:
    net = torch.full((1, 3, 20, 30), 0.5)
    unknown = torch.zeros(1, 1, 20, 30)
    net[..., 8:12, 8:12], unknown[..., 8:12, 8:12] = 40.0, 1.0
    assert float(Range.around(net, unknown).shift.abs().max()) == 0.0


def test_noise_is_of_the_absolute_pixel_the_frame_and_the_draw() -> None:
    draw = draws(5, [10, 11], BOX, CPU)
    part = draws(5, [11], Box(x0=8, y0=4, x1=20, y1=10), CPU)
    assert torch.equal(draw(3)[1:, :, 4:10, 8:20], part(3))
    assert not torch.equal(draw(3)[0], draw(3)[1])
    assert not torch.equal(draw(3), draw(4))
    same = shared_draws(5, 4, BOX, CPU)(2)
    assert same.shape == (4, 3, 16, 24)
    assert torch.equal(same[0], same[3])


def test_regions_hold_all_of_the_damage_and_little_else() -> None:
    inside = torch.zeros(200, 300, dtype=torch.bool)
    assert regions(inside, Box(x0=0, y0=0, x1=300, y1=200)) == []
    inside[3, 5] = inside[150:152, 220] = inside[199, 299] = True
    found = regions(inside, Box(x0=40, y0=24, x1=340, y1=224))
    covered = torch.zeros_like(inside)
    for box in found:
        assert 0 <= box.x0 < box.x1 <= 300 and 0 <= box.y0 < box.y1 <= 200
        covered[box.slices] = True
    assert bool(covered[inside].all())
    assert int(covered.sum()) < 0.25 * covered.numel()
    assert len(found) == 3


def test_a_defect_has_its_margin_on_every_side() -> None:
    inside = torch.zeros(128, 128, dtype=torch.bool)
    inside[64, 64] = True
    (box,) = regions(inside, Box(x0=0, y0=0, x1=128, y1=128))
    assert min(64 - box.x0, 64 - box.y0, box.x1 - 65, box.y1 - 65) >= MARGIN


def test_a_mask_is_projected_in_closed_form_as_conjugate_gradients_would() -> None:
    keep = (noise(2, 1, 9, 11, seed=2) > 0).float()
    estimate, truth = noise(2, 3, 9, 11, seed=3), noise(2, 3, 9, 11, seed=4)
    closed = project_masked(estimate, truth, keep)
    assert torch.equal(closed[keep.expand_as(closed) == 1], truth[keep.expand_as(closed) == 1])
    assert torch.equal(closed[keep.expand_as(closed) == 0], estimate[keep.expand_as(closed) == 0])
    assert float((project(estimate, keep * truth, masked(keep), 3) - closed).abs().max()) < 1e-5


def test_conjugate_gradients_solve_and_keep_what_the_operator_cannot_see() -> None:
    matrix = noise(8, 12, seed=5).double()
    operator = Operator(lambda x: x @ matrix.mT, lambda y: y @ matrix)
    estimate, truth = noise(1, 1, 1, 12, seed=6).double(), noise(1, 1, 1, 12, seed=7).double()
    solved = project(estimate, operator.forward(truth), operator, 40)
    assert float((operator.forward(solved - truth)).abs().max()) < 1e-5
    unseen = torch.linalg.svd(matrix).Vh[8:]
    assert float(((solved - estimate) @ unseen.mT).abs().max()) < 1e-6


def test_a_solved_problem_is_left_as_it_is() -> None:
    truth = noise(1, 3, 4, 4)
    assert torch.equal(project(truth, truth, IDENTITY, 5), truth)
    nothing = torch.zeros(1, 3, 4, 4)
    assert torch.equal(project(nothing, nothing, IDENTITY, 5), nothing)


def test_the_walk_is_that_of_repaint(prior: Prior) -> None:
    path = Walk(steps=20, jump_length=5, resampling=2).path(prior)
    ups = sum(later > earlier for earlier, later in pairwise(path))
    assert path[0] == 950 and path[-1] == -50
    assert ups == 3 * 5
    assert Walk(steps=20, jump_length=5, resampling=1).path(prior) == list(range(950, -51, -50))
    assert len(Walk(steps=250, jump_length=10, resampling=10).path(prior)) == 4571


@pytest.mark.parametrize("start", [0.05, 0.31, 0.6, 0.99])
def test_a_walk_that_starts_lower_goes_step_by_step_and_never_higher(prior: Prior, start: float) -> None:
    path = Walk(steps=20, jump_length=5, resampling=3, start=start).path(prior)
    assert max(path) == path[0] < max(1000 * start, 51) and path[-1] == -50
    assert {abs(later - earlier) for earlier, later in pairwise(path)} == {50}


def test_repaint_that_starts_lower_keeps_more_of_the_guess(prior: Prior) -> None:
    known = torch.full((1, 3, 16, 24), 0.5)
    keep = torch.zeros(1, 1, 16, 24)
    far = [
        float((repaint(prior, known, keep, walk, draws(0, [3], BOX, CPU)) - known).abs().mean())
        for walk in (Walk(steps=20, jump_length=5, resampling=1, start=start) for start in (0.1, 0.5, 1.0))
    ]
    assert far[0] < far[1] < far[2]


def test_a_step_is_that_of_the_repaint_scheduler(prior: Prior, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import RePaintScheduler
    from diffusers.schedulers import scheduling_repaint

    x, known, drawn = 0.1 * noise(1, 3, 16, 16), 0.3 * noise(1, 3, 16, 16, seed=1), noise(1, 3, 16, 16, seed=2)
    keep = (noise(1, 1, 16, 16, seed=3) > 0).float()
    scheduler = RePaintScheduler(beta_schedule="squaredcos_cap_v2", eta=1.0)
    scheduler.set_timesteps(20, 5, 2)
    monkeypatch.setattr(scheduling_repaint, "randn_tensor", lambda *_, **__: drawn)
    for time in (950, 500, 50, 0):
        wanted = scheduler.step(prior.estimate(x, time)[1], time, x, known, keep).prev_sample
        assert float((stepped(prior, x, known, keep, time, time - 50, drawn) - wanted).abs().max()) < 1e-4, time


def test_noise_added_at_once_is_as_strong_as_that_of_the_level(prior: Prior) -> None:
    x = noise(1, 3, 200, 200)
    low = prior.alphas[300].sqrt() * 0.5 + (1 - prior.alphas[300]).sqrt() * x
    high = raised(prior, low, 300, 700, noise(1, 3, 200, 200, seed=9))
    assert float(high.mean()) == pytest.approx(float(prior.alphas[700].sqrt()) * 0.5, abs=0.02)
    assert float(high.var()) == pytest.approx(float(1 - prior.alphas[700]), abs=0.02)


def test_repaint_keeps_what_is_known_and_draws_the_rest_within_range(prior: Prior) -> None:
    known = 0.5 * torch.tanh(noise(1, 3, 16, 24))
    keep = torch.ones(1, 1, 16, 24)
    keep[..., 4:9, 6:13] = 0
    walk = Walk(steps=6, jump_length=2, resampling=2)
    drawn = repaint(prior, known, keep, walk, draws(0, [3], BOX, CPU))
    assert torch.equal(drawn[keep.expand_as(drawn) == 1], known[keep.expand_as(drawn) == 1])
    hole = drawn[keep.expand_as(drawn) == 0]
    assert float(hole.abs().max()) <= 1.0 + 1e-5
    assert torch.equal(drawn, repaint(prior, known, keep, walk, draws(0, [3], BOX, CPU)))
    other = repaint(prior, known, keep, walk, draws(1, [3], BOX, CPU))
    assert not torch.equal(hole, other[keep.expand_as(drawn) == 0])


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    net = lively(new_prior("prior-test"))
    save_network(net, tmp_path / "prior.safetensors", {"licence": "Apache-2.0"}, dtype=torch.float32)
    stored = load_network(FilmPrior, tmp_path / "prior.safetensors", "make them")
    for name, value in net.state_dict().items():
        assert torch.equal(stored.net.state_dict()[name], value), name
    assert stored.card["licence"] == "Apache-2.0"


def test_weights_that_are_damaged_or_missing_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "prior.safetensors"
    with pytest.raises(WeightsError, match="make them"):
        load_network(FilmPrior, path, "make them")
    save_network(new_prior("prior-test"), path, {})
    path.write_bytes(path.read_bytes()[:-4] + b"1234")
    with pytest.raises(WeightsError, match="is damaged"):
        load_network(FilmPrior, path, "make them")
    path.with_suffix(".json").write_text("[1]")
    with pytest.raises(WeightsError, match="does not describe weights"):
        load_network(FilmPrior, path, "make them")


def test_a_prior_of_the_users_own_in_diffusers_form_is_loaded_from_its_folder(tmp_path: Path) -> None:
    from diffusers import DDPMScheduler, UNet2DModel

    torch.manual_seed(1)
    net = UNet2DModel(
        sample_size=32,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=8,
    )
    net.save_pretrained(tmp_path / "unet")
    DDPMScheduler(prediction_type="epsilon").save_pretrained(tmp_path / "scheduler")
    prior = prior_from_folder(tmp_path, CPU)
    assert (prior.window, prior.prediction) == (32, "epsilon")
    x = noise(1, 3, 33, 47)
    clean, drawn = prior.estimate(x, 200)
    alpha = prior.alphas[200]
    assert torch.allclose(alpha.sqrt() * clean + (1 - alpha).sqrt() * drawn, x, atol=1e-5)
    assert prior.digest != prior_from_folder(_changed(net, tmp_path), CPU).digest


def _changed(net: torch.nn.Module, folder: Path) -> Path:
    with torch.no_grad():
        next(net.parameters()).add_(1.0)
    net.save_pretrained(folder / "unet")
    return folder


def test_a_film_prior_saved_by_diffusers_is_loaded_too(tmp_path: Path) -> None:
    net = lively(new_prior("prior-test"))
    net.save_pretrained(tmp_path)
    prior = prior_from_folder(tmp_path, CPU)
    x = noise(1, 3, 16, 16)
    assert torch.equal(prior.estimate(x, 500)[0], Prior.of_film(net, "", CPU).estimate(x, 500)[0])


def test_a_folder_with_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="give a folder that diffusers wrote"):
        prior_from_folder(tmp_path / "nowhere", CPU)
    (tmp_path / "config.json").write_text('{"_class_name": "AutoencoderKL"}')
    with pytest.raises(WeightsError, match="holds a AutoencoderKL: a prior is one of"):
        prior_from_folder(tmp_path, CPU)


@pytest.mark.parametrize("method", ["svi", "two_stage"])
def test_a_method_whose_weights_are_missing_names_the_remedy(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filmrestore.restorers.stored.FOLDER", tmp_path)
    with pytest.raises(WeightsError, match=f"filmrestore train --model {'prior' if method == 'svi' else method}"):
        load_restorer(method)


def test_stored_numbers_are_half_as_long_and_counts_stay_whole(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from filmrestore.restorers.two_stage.segmentation import DefectNet

    path = tmp_path / "two_stage.safetensors"
    save_network(DefectNet(widths=[4, 8]), path, {})
    kinds = {name.rpartition(".")[2]: value.dtype for name, value in load_file(path).items()}
    assert kinds["weight"] == torch.float16
    assert kinds["num_batches_tracked"] == torch.int64
    assert bool(torch.isfinite(load_network(DefectNet, path, "").net.head.weight).all())
