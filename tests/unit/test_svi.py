"""svi: every operator with its adjoint, what is solved, and what is estimated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from film import picture, read_codes, write_image
from filmrestore.cli import run
from filmrestore.colour import decode_net, encode_net
from filmrestore.frame import Box
from filmrestore.restorers.base import Context, Origin
from filmrestore.restorers.prior.consistency import Operator, masked, project
from filmrestore.restorers.prior.model import Prior
from filmrestore.restorers.prior.network import new_prior
from filmrestore.restorers.svi.closing import closed
from filmrestore.restorers.svi.evidence import Evidence, finest
from filmrestore.restorers.svi.missing import bridged, lost_frames
from filmrestore.restorers.svi.operators import (
    along_frame,
    along_time,
    averages,
    disc,
    gaussian,
    kernel,
    psf_matrix,
    telecine,
    uniform,
)
from filmrestore.restorers.svi.problem import problem_for
from filmrestore.restorers.svi.psf import on_simplex, psf_from_grain, refined_psf
from filmrestore.restorers.svi.restorer import FACTS, SviRestorer
from filmrestore.restorers.svi.sampler import solve
from filmrestore.settings import RestoreSettings

torch.set_num_threads(1)
CPU = torch.device("cpu")
T, H, W = 9, 12, 17
BOX = Box(x0=6, y0=3, x1=6 + W, y1=3 + H)
KEEP = (torch.rand(T, 1, H, W, generator=torch.Generator().manual_seed(1)) > 0.4).float()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


OPERATORS: dict[str, Operator] = {
    "mask": masked(KEEP.double()),
    "uniform-7": along_time(psf_matrix(uniform(7), T).double()),
    "uniform-13": along_time(psf_matrix(uniform(13), T).double()),
    "gaussian": along_time(psf_matrix(gaussian(1.0), T).double()),
    "uniform-7, going on": along_time(psf_matrix(uniform(7), T, before=3, after=3).double()),
    "telecine": along_time(telecine(range(101, 101 + T), 3)[0].double()),
    "blur": along_frame(psf_matrix(gaussian(2.0), H).double(), psf_matrix(gaussian(2.0), W).double()),
    "focus": kernel(disc(2.3).double(), H, W),
    "skewed kernel": kernel(noise(5, 5, seed=8), H, W),
    "reduce": along_frame(averages(BOX.y0, H, 4).double(), averages(BOX.x0, W, 4).double()),
}
OPERATORS["blend, then blur, then mask"] = OPERATORS["uniform-7"].then(OPERATORS["blur"]).then(OPERATORS["mask"])
OPERATORS["blend, then reduce"] = OPERATORS["uniform-7"].then(OPERATORS["reduce"])


@pytest.mark.parametrize("name", OPERATORS)
def test_the_adjoint_is_one(name: str) -> None:
    operator = OPERATORS[name]
    frames = {"telecine": telecine(range(101, 101 + T), 3)[0].shape[1], "uniform-7, going on": T + 6}.get(name, T)
    for seed in range(3):
        x = noise(frames, 3, H, W, seed=seed)
        y = operator.forward(x)
        other = noise(*y.shape, seed=seed + 50)
        there, back = float((y * other).sum()), float((x * operator.adjoint(other)).sum())
        assert there == pytest.approx(back, rel=1e-10, abs=1e-10)


UNEVEN = {"mask", "skewed kernel", "blend, then blur, then mask", "uniform-7, going on"}


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - UNEVEN))
def test_what_is_even_in_space_and_time_stays_as_bright(name: str) -> None:
    operator = OPERATORS[name]
    frames = telecine(range(101, 101 + T), 3)[0].shape[1] if name == "telecine" else T
    assert float((operator.forward(torch.full((frames, 3, H, W), 0.7).double()) - 0.7).abs().max()) < 1e-6


def test_cells_of_a_smaller_picture_are_those_of_the_whole_frame() -> None:
    whole, part = averages(0, 24, 4), averages(8, 16, 4)
    row = torch.arange(24.0)
    assert (whole @ row)[2:].tolist() == (part @ row[8:]).tolist()
    assert averages(6, 17, 4).shape == (5, 17)
    assert (averages(6, 17, 4) @ torch.ones(17)).tolist() == pytest.approx([1.0] * 5)


def test_film_frames_blended_to_video_come_back() -> None:
    film = noise(9, 3, 4, 4)
    blend, show = telecine(range(7, 18), 2)
    assert blend.shape == show.shape == (11, 9)
    video = along_time(blend.double()).forward(film)
    solved = torch.linalg.lstsq(blend.double(), video.flatten(1)).solution.view(film.shape)
    assert float((solved - film).abs().max()) < 1e-9
    assert show.sum(dim=1).tolist() == [1.0] * 11


@pytest.mark.parametrize("operator", RestoreSettings.facts()["operator"].choices)
@pytest.mark.parametrize("then", RestoreSettings.facts()["operator_then"].choices)
def test_every_setting_makes_a_problem_whose_start_agrees_in_an_even_picture(operator: str, then: str) -> None:
    problem = problem_for(RestoreSettings(operator=operator, operator_then=then), range(1000, 1000 + T), BOX)
    even = torch.full((T, 3, H, W), 0.4)
    start = problem.start(even)
    assert float((problem.operator.forward(start) - problem.measure(even)).abs().max()) < 1e-5
    assert problem.show(start).shape == even.shape
    known = torch.ones(T, 1, H, W)
    known[2, :, 5, 5] = 0
    weights = problem.weights(known)
    assert weights.shape == problem.measure(known).shape
    assert float(weights[2].min()) == 0.0 and float(weights[3].min()) == 1.0


class Knowing(torch.nn.Module):
    """A perfect prior of one still picture: it answers with v as if the picture were that one."""

    def __init__(self, picture: Tensor, alphas: Tensor) -> None:
        super().__init__()
        self.picture, self.alphas = picture, alphas

    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        return self.picture[..., : sample.shape[-2], : sample.shape[-1]].expand_as(sample)


def knowing(picture: Tensor) -> Prior:
    from filmrestore.restorers.prior.network import alphas_of

    alphas = alphas_of()
    return Prior(
        net=Knowing(picture, alphas),
        alphas=alphas,
        prediction="sample",
        multiple=1,
        window=256,
        overlap=32,
        digest="knows",
        device=CPU,
    )


def grey(height: int, width: int) -> Prior:
    """A prior that holds everything for mid grey: what it gets right is the data's doing."""
    return knowing(torch.zeros(1, 3, height, width))


def moving(count: int, height: int = 24, width: int = 32) -> Tensor:
    """A soft picture that moves, net encoding."""
    coarse = torch.rand(1, 3, 6, 12, generator=torch.Generator().manual_seed(3)) * 0.5 + 0.2
    large = torch.nn.functional.interpolate(coarse, size=(height, width + count), mode="bicubic", align_corners=True)
    return torch.stack([large[0, :, :, index : index + width] for index in range(count)])


def context_for(
    window: Tensor, matte: Tensor | None = None, present: tuple[bool, ...] | None = None, **settings: object
):
    count, _, height, width = window.shape
    return Context(
        frames=tuple(range(1000, 1000 + count)),
        present=present or (True,) * count,
        box=Box(x0=0, y0=0, x1=width, y1=height),
        full=(height, width),
        overview=torch.zeros(3, 64, 64),
        settings=RestoreSettings(method="svi", **settings),
        matte=matte,
    )


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean()))


@pytest.mark.parametrize("operator", ["uniform-7", "gaussian"])
def test_a_blend_of_frames_is_undone(operator: str) -> None:
    truth = moving(17)
    psf = uniform(7) if operator == "uniform-7" else gaussian(1.0)
    blended = encode_net(along_time(psf_matrix(psf, 17)).forward(decode_net(truth)))
    answer = SviRestorer(grey(24, 32), CPU)(blended, context_for(blended, operator=operator, steps=8, inner_steps=20))
    kept = slice(4, 13)
    assert psnr(answer.picture, truth[kept]) > psnr(blended[kept], truth[kept]) + 5
    assert float(answer.matte.min()) == 1.0
    assert set(answer.origin.unique().tolist()) == {int(Origin.RECOVERED)}


ENDS = (False, *(True,) * 15, False)
"""A shot of 15 frames, all of which the window sees."""


@pytest.mark.parametrize("light", [True, False])
@pytest.mark.parametrize("operator", ["uniform-7", "gaussian"])
@pytest.mark.parametrize("solver", ["balanced", "published"])
def test_a_blend_of_a_whole_shot_is_undone_to_the_last_digits(operator: str, light: bool, solver: str) -> None:
    truth = moving(17, 16, 20)
    psf = uniform(7) if operator == "uniform-7" else gaussian(1.0)
    shown = decode_net(truth) if light else truth
    blended = along_time(psf_matrix(psf, 15)).forward(shown[1:16])
    scan = truth.clone()
    scan[1:16] = encode_net(blended) if light else blended
    settings = {"operator": operator, "operator_light": light, "solver": solver, "steps": 4, "operator_noise": 0.0}
    answer = SviRestorer(grey(16, 20), CPU)(scan, context_for(scan, present=ENDS, **settings))
    assert float((answer.picture - truth[4:13]).abs().max()) < 1e-4


@pytest.mark.parametrize("name", ["uniform-7", "gaussian", "blur"])
def test_what_is_closed_is_no_worse_than_plain_conjugate_gradients(name: str) -> None:
    operator, truth = OPERATORS[name], moving(T, H, W)
    values = operator.forward(truth)
    plain = project(values, values, operator, 500)
    evidence = Evidence(operator=operator, values=values, light=False)
    for start in (values, torch.full_like(truth, 0.5)):
        assert psnr(evidence.closed(start, 500, 0.0), truth) >= psnr(plain, truth) - 0.1


def test_closing_stops_at_the_noise() -> None:
    operator, truth = OPERATORS["blur"], moving(T, H, W).double()
    values = operator.forward(truth) + 0.01 * noise(T, 3, H, W)
    stopped, fitted = (closed(values, values, operator, 300, level) for level in (0.01, 0.0))
    left = float((operator.forward(stopped) - values).square().mean().sqrt())
    assert 0.009 < left <= 0.01
    assert psnr(stopped, truth) > psnr(fitted, truth) + 10


@pytest.mark.parametrize("level", [0.0, 0.003, 0.02])
def test_noise_over_a_blur_is_found(level: float) -> None:
    soft = along_frame(psf_matrix(gaussian(1.5), 64), psf_matrix(gaussian(1.5), 64)).forward(moving(3, 64, 64))
    scan = soft + level * noise(3, 3, 64, 64).float()
    known = torch.ones(3, 1, 64, 64)
    known[:, :, 20:30, 20:30] = 0
    scan[:, :, 20:30, 20:30] = 9.0
    assert finest(scan, known) == pytest.approx(level, rel=0.05, abs=1e-4)
    assert finest(scan[..., :5, :5], known[..., :5, :5]) == 0.0
    assert finest(scan, torch.zeros_like(known)) == 0.0


def test_in_light_the_measurement_near_a_volume_is_the_measurement() -> None:
    truth = moving(T, H, W).double()
    light = Evidence(
        operator=OPERATORS["uniform-7"], values=OPERATORS["uniform-7"].forward(decode_net(truth)), light=True
    )
    operator, values = light.around(truth)
    assert float((operator.forward(truth) - values).abs().max()) < 1e-6
    x, y = noise(T, 3, H, W, seed=1), noise(T, 3, H, W, seed=2)
    assert float((operator.forward(x) * y).sum()) == pytest.approx(float((x * operator.adjoint(y)).sum()), rel=1e-10)


def test_a_window_inside_a_shot_knows_that_the_shot_goes_on() -> None:
    long = moving(45)
    blended = along_time(psf_matrix(uniform(7), 45)).forward(long)[14:31]
    settings = {"operator": "uniform-7", "operator_light": False}
    answer = SviRestorer(grey(24, 32), CPU)(blended, context_for(blended, **settings)).picture
    repeated = Evidence(operator=along_time(psf_matrix(uniform(7), 17)), values=blended, light=False)
    wrong = repeated.agreed(blended, 100)[4:13]
    assert psnr(answer, long[18:27]) > psnr(wrong, long[18:27]) + 3


def test_a_direction_that_a_blend_lost_is_left_as_it_was() -> None:
    operator, truth = along_time(psf_matrix(uniform(7), 17)), moving(17)
    assert float(torch.linalg.svdvals(psf_matrix(uniform(7), 17))[-1]) < 1e-12
    values = operator.forward(truth) + 1e-3 * noise(17, 3, 24, 32).float()
    answer = Evidence(operator=operator, values=values, light=False).closed(values, 500, 0.0)
    assert psnr(answer, truth) > psnr(values, truth)


def test_the_prior_is_asked_within_frames_and_its_pull_is_felt() -> None:
    truth = moving(17)
    soft = truth[..., ::4, ::4].repeat_interleave(4, -1).repeat_interleave(4, -2)
    settings = {"operator": "reduce", "operator_light": False, "quality": "final"}
    knows = SviRestorer(knowing((truth[8:9] + 0.1) / 0.6 - 1), CPU)(soft, context_for(soft, **settings)).picture[4]
    without = SviRestorer(grey(24, 32), CPU)(soft, context_for(soft, **{**settings, "quality": "preview"})).picture[4]
    assert psnr(knows, truth[8]) > psnr(without, truth[8]) + 1


def test_the_published_way_draws_and_the_balanced_one_does_not() -> None:
    window = moving(17, 16, 20)
    restorer = SviRestorer(Prior.of_film(new_prior("prior-test"), "untrained", CPU), CPU)

    def answers(**settings: object) -> list[Tensor]:
        return [
            restorer(window, context_for(window, operator="uniform-7", steps=3, seed=seed, **settings)).picture
            for seed in (1, 2)
        ]

    assert torch.equal(*answers())
    assert not torch.equal(*answers(solver="published", closing_steps=0, inner_steps=5))


def test_what_neighbours_contradict_each_other_on_is_the_priors() -> None:
    picture = moving(1)[0]
    seen = torch.ones(24, 32, dtype=torch.bool)
    seen[8:16, 8:16] = False
    answer = SviRestorer(grey(24, 32), CPU).guessed(picture, seen)
    assert torch.equal(answer[:, seen], picture[:, seen])
    assert float((answer[:, ~seen] - 0.5).abs().max()) < 1e-5  # this one holds everything for mid grey


def test_blurred_frames_are_sharper_and_each_is_solved_alone() -> None:
    truth = moving(17) + 0.05 * noise(17, 3, 24, 32).float()
    psf = gaussian(0.8)
    blur = along_frame(psf_matrix(psf, 24), psf_matrix(psf, 32))
    blurred = encode_net(blur.forward(decode_net(truth)))
    settings = {"operator": "blur", "blur_size": 0.8, "steps": 6, "inner_steps": 20}
    restorer = SviRestorer(grey(24, 32), CPU)
    answer = restorer(blurred, context_for(blurred, **settings))
    kept = slice(4, 13)
    assert psnr(answer.picture, truth[kept]) > psnr(blurred[kept], truth[kept]) + 5
    other = blurred.clone()
    other[5] = 0.3
    assert torch.equal(restorer(other, context_for(other, **settings)).picture[[0, 2, 8]], answer.picture[[0, 2, 8]])
    assert set(answer.origin.unique().tolist()) == {int(Origin.INTERPOLATED)}


def test_the_mask_alone_changes_only_what_it_hides_and_costs_nothing_where_it_hides_nothing() -> None:
    window = moving(17)
    matte = torch.zeros(17, 1, 24, 32)
    matte[8, :, 10:14, 10:14] = 1
    damaged = torch.where(matte > 0, 5.0, window)
    prior = knowing((window[8:9] + 0.1) / 0.6 - 1)
    answer = SviRestorer(prior, CPU)(damaged, context_for(damaged, matte, steps=5))
    assert torch.equal(answer.matte, matte[4:13])
    inside = (matte[4:13] > 0).expand_as(answer.picture)
    assert torch.equal(answer.picture[~inside], damaged[4:13][~inside])
    assert float((answer.picture[4] - window[8]).abs().max()) < 1e-4  # a perfect prior gives the picture back


def test_a_lost_frame_is_bridged_from_its_neighbours() -> None:
    window = moving(17, 48, 64)
    damaged = window.clone()
    damaged[8] = 0
    matte = torch.zeros(17, 1, 48, 64)
    matte[8] = 1
    answer = SviRestorer(grey(48, 64), CPU)(damaged, context_for(damaged, matte, operator="missing", steps=3))
    recovered = (answer.origin[4] == int(Origin.RECOVERED)).expand(3, -1, -1)
    assert float(recovered.float().mean()) > 0.6
    assert float((answer.picture[4] - window[8])[recovered].abs().max()) < 0.06
    assert not answer.matte[[3, 5]].any()
    alone = SviRestorer(grey(48, 64), CPU)(
        damaged, context_for(damaged, matte, operator="missing", steps=3, temporal_radius=0)
    )
    assert not (alone.origin == int(Origin.RECOVERED)).any()


def test_a_frame_at_the_end_of_the_shot_has_nothing_to_be_bridged_from() -> None:
    window = moving(5)
    assert bridged(window, 4, [4], (True,) * 5) is None
    assert bridged(window, 2, [2], (False, False, True, True, True)) is None
    assert lost_frames(torch.tensor([0.0, 1.0, 0.4])[:, None, None, None].expand(3, 1, 4, 4)) == [1]


def test_frames_beyond_a_cut_are_no_data() -> None:
    window = moving(17)
    other = window.clone()
    other[12:] = 0.9
    present = (True,) * 12 + (False,) * 5
    restorer = SviRestorer(grey(24, 32), CPU)
    answers = [
        restorer(w, context_for(w, present=present, operator="uniform-7", steps=3)).picture[:8] for w in (window, other)
    ]
    assert torch.equal(*answers)


def test_a_preview_leaves_the_prior_out() -> None:
    window = moving(17)

    class Refuses(torch.nn.Module):
        def forward(self, *_: Tensor) -> Tensor:
            raise AssertionError("the prior was asked")

    prior = grey(24, 32)
    restorer = SviRestorer(prior.__class__(**{**prior.__dict__, "net": Refuses()}), CPU)
    matte = torch.zeros(17, 1, 24, 32)
    matte[:, :, 3:6, 3:6] = 1
    for operator in ("uniform-7", "mask", "telecine"):
        answer = restorer(window, context_for(window, matte, operator=operator, quality="preview"))
        assert bool(torch.isfinite(answer.picture).all())


def test_noise_that_all_frames_share_keeps_still_frames_alike() -> None:
    from filmrestore.restorers.prior.draws import shared_draws
    from filmrestore.restorers.prior.encoding import Range

    drawn = solve(
        grey(24, 32),
        lambda estimate: estimate,
        Range(torch.zeros(4, 3, 24, 32)),
        shared_draws(3, 4, Box(x0=0, y0=0, x1=32, y1=24), CPU),
        steps=4,
        eta=0.8,
    )
    assert torch.equal(drawn.picture[0], drawn.picture[3])


@pytest.mark.parametrize("psf", [uniform(1), uniform(5), uniform(7), gaussian(1.0)], ids=["1", "5", "7", "gaussian"])
def test_the_psf_is_found_in_the_grain(psf: tuple[float, ...]) -> None:
    grain = 0.03 * noise(40, 3, 48, 48).float() + moving(40, 48, 48)[:1]
    blended = along_time(psf_matrix(psf, 40)).forward(grain)[12:29]
    assert psf_from_grain(blended) == pytest.approx(psf)


def test_too_few_frames_or_no_grain_tell_of_no_blend() -> None:
    assert psf_from_grain(moving(3)) == (1.0,)
    assert psf_from_grain(torch.full((17, 3, 8, 8), 0.4)) == (1.0,)


def test_the_psf_is_refined_from_the_restored_frames() -> None:
    truth = moving(17) + 0.1 * noise(17, 3, 24, 32).float()
    psf = (0.1, 0.2, 0.4, 0.2, 0.1)
    found = refined_psf(truth, along_time(psf_matrix(psf, 17)).forward(truth), uniform(5), 3)
    assert found == pytest.approx((0.0, *psf, 0.0), abs=5e-3)
    assert min(found) >= 0 and sum(found) == pytest.approx(1.0)
    even = torch.full((17, 3, 24, 32), 0.4)
    assert refined_psf(even, even, psf, 3) == pytest.approx((0.0, *psf, 0.0))  # which tells nothing


def test_the_nearest_weights_of_sum_one() -> None:
    assert on_simplex(torch.tensor([0.2, 0.8])).tolist() == pytest.approx([0.2, 0.8])
    assert on_simplex(torch.tensor([2.0, 0.0, -1.0])).tolist() == pytest.approx([1.0, 0.0, 0.0])


def test_a_blend_is_undone_without_being_told_which() -> None:
    truth = moving(17) + 0.03 * noise(17, 3, 24, 32).float()
    blended = encode_net(along_time(psf_matrix(uniform(5), 17)).forward(decode_net(truth)))
    answer = SviRestorer(grey(24, 32), CPU)(blended, context_for(blended, operator="blind", steps=6, inner_steps=10))
    kept = slice(4, 13)
    assert psnr(answer.picture, truth[kept]) > psnr(blended[kept], truth[kept])
    assert bool(answer.matte.all())


def test_frames_that_were_not_blended_are_left_as_they_are() -> None:
    window = moving(17) + 0.03 * noise(17, 3, 24, 32).float()
    answer = SviRestorer(grey(24, 32), CPU)(window, context_for(window, operator="blind"))
    assert not answer.matte.any()
    assert torch.equal(answer.picture, window[4:13])


def test_its_window_is_the_longest_that_a_radius_can_ask_for() -> None:
    assert FACTS.window // 2 == RestoreSettings.facts()["temporal_radius"].high


def test_the_command_undoes_a_blend_with_a_prior_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new_prior("prior-test").save_pretrained(tmp_path / "prior")
    clean = [picture(number, 40, 64).astype(np.float64) for number in range(1, 15)]
    (tmp_path / "scan").mkdir()
    for index in range(8):
        blended = np.mean(clean[index : index + 7], axis=0)
        write_image(tmp_path / "scan" / f"a.{index + 1101}.exr", blended.astype(np.float32))
    line = f"restore {tmp_path}/scan/a.####.exr -o {tmp_path}/out/a.####.exr --method svi --operator uniform-7"
    line += f" --prior {tmp_path}/prior --steps 4 --inner-steps 20 --no-operator-light --grain 0 --progress none"
    assert run(line.split()) == 0, capsys.readouterr().err
    results = [read_codes(tmp_path / "out" / f"a.{number}.exr") for number in range(1101, 1109)]
    scans = [read_codes(tmp_path / "scan" / f"a.{number}.exr") for number in range(1101, 1109)]
    changed = [float((result != scan).mean()) for result, scan in zip(results, scans, strict=True)]
    assert min(changed) > 0.9
    assert run([*line.split(), "--prior", str(tmp_path / "none")]) == 1
    assert "give a folder that diffusers wrote" in capsys.readouterr().err
