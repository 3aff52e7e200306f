"""What each model is taught: draws that stay the same, losses that fall, runs that go on, weights that come out."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from training_runs import assert_same_run, make_data, stop_at

from filmrestore.cli import run
from filmrestore.cli.train import MODELS
from filmrestore.errors import Cancelled, InputError, UsageError, WeightsError
from filmrestore.restorers.divd.restorer import DivdRestorer
from filmrestore.restorers.divd.restorer import load_weights as load_divd
from filmrestore.restorers.frdm.calibration import Calibration
from filmrestore.restorers.prior.network import FilmPrior
from filmrestore.restorers.restormer.restorer import RestormerRestorer
from filmrestore.restorers.restormer.restorer import load_weights as load_restormer
from filmrestore.restorers.stored import load_network
from filmrestore.restorers.two_stage.segmentation import DefectNet
from filmrestore.training import Samples, Stage, TrainJob, blur, calibrate, job_of, train
from filmrestore.training.calibrate import fit_one
from filmrestore.training.checkpoint import NAME
from filmrestore.training.footage import Footage, open_footage
from filmrestore.training.publish import publish
from filmrestore.training.tasks import TASKS, divd, task_of
from filmrestore.training.tasks.restormer import masked_l1

torch.set_num_threads(1)
NETWORKS: dict[str, dict[str, Any]] = {
    "frdm": {"widths": (8, 8, 16), "denoiser_widths": (8, 8, 16)},
    "prior": {"widths": [8, 8], "blocks": 1, "middle": 0},
    "two_stage": {"widths": [4, 8]},
    "restormer": {"dim": 8, "blocks": (1, 1, 1, 1), "refinement": 1, "heads": (1, 1, 2, 2), "shrink": 1},
    "divd": {"widths": (8, 8, 8, 8), "windows": (2, 2, 1, 1), "shrink": 1},
}
STAGE = Stage(size=32, batch=2)
STAGED = {"frdm", "iide"}
"""Those with stages of their own, whose tests have them."""
PUBLISHED = {
    "prior": lambda path: load_network(FilmPrior, path, ""),
    "two_stage": lambda path: load_network(DefectNet, path, ""),
    "restormer": load_restormer,
    "divd": load_divd,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"), coarse=24)


@pytest.fixture(scope="module")
def footage(data: Path) -> Footage:
    return open_footage(data, data / "cache")


def _job(model: str, data: Path, out: Path, /, **changes: Any) -> TrainJob:
    """Steps of four samples, then of two."""
    stages = (Stage(share=0.5, size=32, batch=4), Stage(share=0.5, size=48, batch=2))
    given = {"samples": 16, "network": NETWORKS[model], "stages": stages, "warm_up": 2, "workers": 0, "validation": 0}
    return job_of(model, **{"data": data, "out": out, "cache": data / "cache", "seed": 5, **given, **changes})


def _draw(model: str, footage: Footage, seed: int, number: int) -> Samples:
    stage = task_of(model).recipe.stages[0]
    return task_of(model).draw(footage, seed, number, Stage(name=stage.name, size=32, batch=1), {})


def test_the_command_offers_every_model() -> None:
    assert set(MODELS) == set(TASKS)
    assert all(task_of(name).name == name for name in TASKS)


@pytest.mark.parametrize("model", sorted(TASKS))
def test_a_draw_is_the_same_whenever_it_is_drawn(model: str, footage: Footage) -> None:
    for number in range(3):
        first, again = (_draw(model, footage, 3, number) for _ in "ab")
        assert first.keys() == again.keys()
        assert all(torch.equal(first[name], again[name]) for name in first)
    here, elsewhere = (next(iter(_draw(model, footage, seed, 3).values()))[:1] for seed in (3, 4))
    assert here.shape != elsewhere.shape or not torch.equal(here, elsewhere)


def test_pictures_of_the_prior_lie_in_its_range(footage: Footage) -> None:
    for number in range(12):
        picture = _draw("prior", footage, 3, number)["picture"]
        assert picture.shape == (1, 3, 32, 32)
        assert float(picture.abs().max()) <= 1.0


def test_a_batch_of_middle_frames_holds_as_many_as_were_asked_for(data: Path, footage: Footage, tmp_path: Path) -> None:
    job = _job("two_stage", data, tmp_path)
    samples = task_of("two_stage").drawing(footage, job)(job.schedule[0])
    assert all(len(part) == 4 for part in samples.values())


def test_a_draw_of_marks_holds_real_frames_alone(footage: Footage) -> None:
    counts = {len(_draw("restormer", footage, 21, number)["scan"]) for number in range(40)}
    assert 5 in counts and min(counts) < 5


def test_a_window_without_blur_has_nothing_to_find(footage: Footage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blur, "SHARP", 1.0)
    window = blur.draw_blurred(footage, 3, 0, 48, 4)
    assert np.array_equal(window.scan, window.truth)
    assert not window.matte.any() and window.weight.all()


def test_what_is_called_blurred_is_softer_than_its_truth(footage: Footage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blur, "SHARP", 0.0)
    softer = harder = 0
    for number in range(12):
        window = blur.draw_blurred(footage, 9, number, 64, 4)
        where = window.matte[:, 0] > 0
        detail = [np.abs(np.diff(side, axis=3, prepend=0)).mean(axis=1) for side in (window.scan, window.truth)]
        if where.sum() > 200:
            softer += bool(detail[0][where].mean() < detail[1][where].mean())
            harder += bool(detail[0][where].mean() >= detail[1][where].mean())
    assert softer > 3 * harder and softer > 3


def test_as_many_frames_are_drawn_as_the_network_takes(footage: Footage) -> None:
    for frames in (1, 4, 5):
        drawn = task_of("divd").draw(footage, 3, 1, STAGE, {"frames": frames})
        assert drawn["scan"].shape == (1, frames, 3, 32, 32) and drawn["present"].shape == (1, frames)


def test_a_frame_that_is_not_there_is_stood_in_for(footage: Footage) -> None:
    cut = [drawn for n in range(30) if not (drawn := _draw("divd", footage, 3, n))["present"].all()]
    assert cut
    for drawn in cut:
        gone = int((~drawn["present"][0]).nonzero())
        assert torch.equal(drawn["scan"][0, gone], drawn["scan"][0, 1 if gone == 0 else 2])


def test_the_masked_error_weighs_the_mean_outside_the_mask_half_as_much() -> None:
    truth, matte = torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    matte[..., 2, 2] = 1.0
    assert float(masked_l1(truth + 0.25 * matte, truth, matte)) == pytest.approx(0.25)
    assert float(masked_l1(truth + 0.25 * (1 - matte), truth, matte)) == pytest.approx(0.125)
    assert float(masked_l1(truth, truth, torch.zeros_like(matte))) == 0.0


@pytest.mark.parametrize("model", sorted(set(TASKS) - STAGED))
def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(model: str, data: Path, tmp_path: Path) -> None:
    whole, parts = _job(model, data, tmp_path / "whole"), _job(model, data, tmp_path / "parts", checkpoint_s=0.0)
    train(whole)
    with pytest.raises(Cancelled):
        train(parts, stop_at(12))  # in the second stage
    outcome = train(parts)
    assert outcome.finished and outcome.samples == 16
    assert_same_run(whole.out, parts.out, updates=6)


@pytest.mark.parametrize("model", sorted(set(TASKS) - STAGED))
def test_the_loss_falls_on_draws_that_are_seen_again(model: str, footage: Footage) -> None:
    torch.manual_seed(2)
    task = task_of(model)
    network = task.network(NETWORKS[model])
    draws = [task.draw(footage, 3, number, STAGE, NETWORKS[model]) for number in range(8)]
    if "matte" in draws[0]:
        draws = [max(draws, key=lambda each: float(each["matte"].sum()))]
    samples = {name: torch.cat([drawn[name] for drawn in draws]) for name in draws[0]}
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    totals = []
    for _ in range(30):
        losses = task.loss(network, samples, torch.Generator().manual_seed(1), STAGE)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        totals.append(float(losses.total.detach()))
    assert totals[-1] < 0.8 * totals[0]


@pytest.mark.parametrize("model", sorted(PUBLISHED))
def test_the_budget_stops_a_run_and_weights_come_out_of_it(
    model: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(divd, "SIZE", 48)
    out, target = tmp_path / "run", tmp_path / f"{model}.safetensors"
    outcome = train(_job(model, data, out, samples=10**6, budget_s=0.3, validation=1))
    assert not outcome.finished and outcome.checkpoint.exists()
    assert json.loads((out / "validation.jsonl").read_text().splitlines()[-1])["samples"] == outcome.samples > 0
    card = publish(out, target, windows=1)
    assert card["run"]["samples"] == outcome.samples and not {"out", "data"} & card["run"]["job"].keys()
    assert all(card["figures"].values())
    assert model == "prior" or card["calibration"]["temperature"] > 0
    stored = PUBLISHED[model](target)
    saved = torch.load(out / NAME, weights_only=True)["average"]
    for name, value in stored.net.state_dict().items():
        real = saved[name].is_floating_point()
        assert torch.equal(value, saved[name].half().float() if real else saved[name]), name
    page = target.with_suffix(".md").read_text()
    assert "CC BY 4.0" in page and f"docs/models/{model}.md" in page and "held-out" in page


@pytest.mark.parametrize(("model", "restorer"), [("restormer", RestormerRestorer), ("divd", DivdRestorer)])
def test_published_weights_make_a_restorer(model: str, restorer: Any, data: Path, tmp_path: Path) -> None:
    train(_job(model, data, tmp_path / "run", samples=4, stages=(Stage(size=32, batch=4),)))
    card = publish(tmp_path / "run", tmp_path / "w.safetensors", windows=0)
    assert card["figures"] == {} and "calibration" not in card
    assert restorer(PUBLISHED[model](tmp_path / "w.safetensors"), torch.device("cpu")).facts.name == model


def test_the_mean_of_runs_is_published_and_said_to_be_one(data: Path, tmp_path: Path) -> None:
    runs = [tmp_path / "one", tmp_path / "other"]
    for seed, out in enumerate(runs):
        train(_job("restormer", data, out, samples=4, seed=seed, stages=(Stage(size=32, batch=4),)))
    card = publish(runs[0], tmp_path / "w.safetensors", windows=0, others=runs[1:])
    assert [one["samples"] for one in card["run"]["with"]] == [4]
    one, other = (torch.load(out / NAME, weights_only=True)["average"] for out in runs)
    for name, value in PUBLISHED["restormer"](tmp_path / "w.safetensors").net.state_dict().items():
        torch.testing.assert_close(value, (one[name] + other[name]) / 2, atol=1e-3, rtol=1e-3)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert "averaged with those of 1 other run." in (tmp_path / "w.md").read_text()
    train(_job("two_stage", data, tmp_path / "else", samples=4, stages=(Stage(size=32, batch=4),)))
    with pytest.raises(InputError, match="another network"):
        publish(runs[0], tmp_path / "x.safetensors", windows=0, others=[tmp_path / "else"])


def test_a_run_of_the_trainer_before_this_one_is_published_and_gone_on_with(data: Path, tmp_path: Path) -> None:
    run_, target = tmp_path / "run", tmp_path / "w.safetensors"
    train(_job("two_stage", data, run_, samples=8, stages=(Stage(size=32, batch=4),)))
    now = json.loads((run_ / "job.json").read_text())
    before = {name: now[name] for name in now.keys() - {"model", "stages", "start"}}
    before |= {"task": "two_stage", "size": 32, "batch": 4}
    (run_ / "job.json").write_text(json.dumps(before))
    assert publish(run_, target, windows=0)["run"]["samples"] == 8
    saved = torch.load(run_ / NAME, weights_only=True)
    saved["optimizer"] = saved["optimizer"]["parts"][0]
    for group in saved["optimizer"]["param_groups"]:
        group["fused"] = None
    torch.save(saved, run_ / NAME)
    assert train(_job("two_stage", data, run_, samples=16, stages=(Stage(size=32, batch=4),))).samples == 16


def test_the_figures_of_deblurring_say_what_a_perfect_answer_is_worth(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def perfect(model, blurred, present, drawn, **_):  # type: ignore[no-untyped-def]
        window = next(found for found in windows if torch.equal(torch.from_numpy(found.scan)[None], blurred))
        return torch.from_numpy(window.truth)[None], torch.from_numpy(window.matte)[None] * 20 - 10

    task, job = task_of("divd"), _job("divd", data, tmp_path)
    monkeypatch.setattr(divd, "SIZE", 64)
    windows = task.held_out(open_footage(data, data / "cache", held_out=True), job, 4)
    monkeypatch.setattr(divd, "deblur", perfect)
    figures = task.figures(task.network(NETWORKS["divd"]), windows, job)
    assert figures["psnr"] > figures["psnr_scan"]
    assert figures["blur_recall"] == figures["blur_precision"] == 1.0
    assert figures["harm_percent"] == 0.0


def test_calibration_finds_the_temperature_and_shift_that_logits_were_bent_by() -> None:
    random = torch.Generator().manual_seed(4)
    honest = 3 * torch.randn(40000, generator=random)
    truth = (torch.rand(40000, generator=random) < honest.sigmoid()).float()
    fitted = fit_one([(2.0 * honest[:9] + 1.0, truth[:9]), (2.0 * honest[9:] + 1.0, truth[9:])])
    assert fitted["temperature"] == pytest.approx(2.0, rel=0.05)
    assert fitted["shift"] == pytest.approx(-0.5, abs=0.06)


def test_the_command_trains_and_goes_on(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--data", str(data), "-o", str(tmp_path), "--cache", str(data / "cache"), "--model", "two_stage"]
    words += ["--network", '{"kind": "unet", "widths": [4, 8]}', "--size", "32", "--batch", "4", "--workers", "0"]
    words += ["--validation", "0", "--progress", "none", "--json"]
    assert run([*words, "--samples", "4"]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["finished"] is True
    assert run([*words, "--samples", "8"]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["samples"] == 8
    job = json.loads((tmp_path / "job.json").read_text())
    assert job["model"] == "two_stage" and job["network"]["kind"] == "unet" and job["stages"][0]["batch"] == 4
    events = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert [line["event"] for line in events] == ["began", "resumed"]


def test_a_size_or_batch_given_holds_for_every_stage(data: Path, tmp_path: Path) -> None:
    job = job_of("frdm", data=data, out=tmp_path, size=96, batch=2)
    assert [(stage.size, stage.batch, stage.rate) for stage in job.stages] == [(96, 2, 1.0), (96, 2, 5.0)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "restormer", "--size", "64"], "--size is not for --model restormer"),
        (["--model", "restormer", "--batch", "2"], "--batch is not for --model restormer"),
        (["--model", "prior", "--network", "{"], "--network is no JSON"),
        (["--model", "prior", "--network", "[8]"], "write it like"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--data", str(tmp_path), "-o", str(tmp_path / "run"), *words]) == 2
    assert said in capsys.readouterr().err


def test_errors_name_what_is_wrong(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose one of frdm"):
        job_of("svi", data=data, out=tmp_path)
    with pytest.raises(WeightsError, match="weights of the same network"):
        train(_job("restormer", data, tmp_path / "a", start=tmp_path / "none.safetensors"))
    with pytest.raises(InputError, match="no checkpoint"):
        publish(tmp_path, tmp_path / "x.safetensors", data)
    with pytest.raises(UsageError, match="at least 1"):
        _job("restormer", data, tmp_path, samples=0)
    with pytest.raises(UsageError, match="give a time above 0"):
        _job("restormer", data, tmp_path, budget_s=0.0)


def test_marks_are_worth_what_share_of_them_was_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five marks of .8 in a frame: three damage, one none, one neither; the first and the last frame are not asked."""
    confidence = torch.zeros(5, 1, 32, 32)
    confidence[:, 0, 4:7, 4:7] = confidence[:, 0, 4:7, 14:17] = 0.8
    confidence[:, 0, 14:17, 4:7] = confidence[:, 0, 14:17, 14:17] = confidence[:, 0, 24:27, 4:7] = 0.8
    matte, weight = torch.zeros(5, 1, 32, 32), torch.ones(5, 1, 32, 32)
    matte[1:4, 0, 4:7, 4:7] = matte[1:4, 0, 4:7, 14:16] = matte[1:4, 0, 24:27, 4:7] = 1
    weight[1:4, 0, 14:17, 4:5] = 0
    one = SimpleNamespace(matte=matte, weight=weight, present=(True,) * 5)
    said = SimpleNamespace(matte_logits=torch.logit(confidence)[None], class_logits=torch.zeros(1, 5, 1, 32, 32))
    monkeypatch.setattr(calibrate, "guidance_of", lambda _network, _sample: said)
    plain = Calibration.from_card({}, ("dust",))
    found = dict(calibrate.fit_marks(plain, None, [one] * 40))  # type: ignore[arg-type, list-item]
    assert found[0.25] == 0.25
    assert found[0.8] == pytest.approx(3 / 4, abs=0.01)
    assert found[0.98] == pytest.approx(0.98) and list(found.values()) == sorted(found.values())
