"""Training of restormer and divd: draws that are always the same, honest labels, runs that go on where they stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from filmrestore.cli import run
from filmrestore.errors import Cancelled, InputError, UsageError, WeightsError
from filmrestore.restorers.divd.restorer import DivdRestorer
from filmrestore.restorers.divd.restorer import load_weights as load_divd
from filmrestore.restorers.restormer.restorer import RestormerRestorer
from filmrestore.restorers.restormer.restorer import load_weights as load_restormer
from filmrestore.training import blur, deblurring, marks
from filmrestore.training.calibrate import fit_one
from filmrestore.training.checkpoint import NAME
from filmrestore.training.footage import Footage, open_footage
from filmrestore.training.method_job import MethodJob, Patches, Schedule
from filmrestore.training.method_loop import rate, train_method
from filmrestore.training.methods import METHODS, method_of
from filmrestore.training.publish import publish

NETWORKS = {
    "restormer": {"dim": 8, "blocks": (1, 1, 1, 1), "refinement": 1, "heads": (1, 1, 2, 2), "shrink": 1},
    "divd": {"widths": (8, 8, 8, 8), "windows": (2, 2, 1, 1), "shrink": 1},
}
STAGES = (Patches(share=0.5, size=32, draws=2), Patches(share=0.5, size=48, draws=1))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen stills and two clips, one of them held out."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(7)
    for index in range(14):
        _write(folder / "train" / "stills" / f"still_{index:02}.png", _picture(rng, 96))
    for name in ("walk", "chair"):
        scene = _picture(rng, 120)
        for index in range(7):
            _write(
                folder / "train" / "video" / name / f"{index:03}.png",
                scene[index : index + 90, 2 * index : 2 * index + 90],
            )
    return folder


@pytest.fixture(scope="module")
def footage(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return open_footage(data, tmp_path_factory.mktemp("cache"))


def _picture(rng: np.random.Generator, size: int) -> np.ndarray:
    coarse = rng.uniform(20, 235, (24, 24, 3)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def _write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def _job(model: str, data: Path, out: Path, /, **changes: object) -> MethodJob:
    job = MethodJob(
        model=model, data=data, out=out, samples=8, network=NETWORKS[model], stages=STAGES, warm_up=2, workers=0,
        validation=0, seed=5,
    )  # fmt: skip
    return replace(job, **changes)


@pytest.mark.parametrize("model", sorted(METHODS))
def test_a_draw_is_the_same_whenever_it_is_drawn(model: str, footage: Footage) -> None:
    method = method_of(model)
    for number in range(3):
        first, again = (method.draw(footage, 3, number, 32, {}) for _ in "ab")
        assert first.keys() == again.keys()
        assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(
        method.draw(footage, 3, 3, 32, {})["scan"][:1], method.draw(footage, 4, 3, 32, {})["scan"][:1]
    )


def test_a_draw_of_marks_holds_real_frames_alone(footage: Footage) -> None:
    counts = {len(marks.draw(footage, 21, number, 32, {})["scan"]) for number in range(40)}
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
        drawn = deblurring.draw(footage, 3, 1, 32, {"frames": frames})
        assert drawn["scan"].shape == (1, frames, 3, 32, 32) and drawn["present"].shape == (1, frames)


def test_a_frame_that_is_not_there_is_stood_in_for(footage: Footage) -> None:
    cut = [drawn for n in range(30) if not (drawn := deblurring.draw(footage, 3, n, 32, {}))["present"].all()]
    assert cut
    for drawn in cut:
        gone = int((~drawn["present"][0]).nonzero())
        assert torch.equal(drawn["scan"][0, gone], drawn["scan"][0, 1 if gone == 0 else 2])


def test_the_masked_error_weighs_half_outside_the_mask() -> None:
    truth, matte = torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    matte[..., 2, 2] = 1.0
    inside, outside = truth.clone(), truth.clone()
    inside[..., 2, 2], outside[..., 5, 5] = 1.0, 1.0
    ratio = marks.masked_l1(inside, truth, matte) / marks.masked_l1(outside, truth, matte)
    assert float(ratio) == pytest.approx(2.0)


def test_a_schedule_tells_every_draw_once() -> None:
    stages = (Patches(share=0.6, size=32, draws=4), Patches(share=0.4, size=64, draws=1))
    schedule = Schedule(stages, 20)
    assert len(schedule) == 3 + 8
    numbers = [schedule[step].first + place for step in range(11) for place in range(schedule[step].stage.draws)]
    assert numbers == list(range(20))
    assert [schedule.drawn(steps) for steps in (0, 3, 4, 11)] == [0, 12, 13, 20]
    with pytest.raises(IndexError):
        schedule[11]


def test_the_rate_warms_up_and_falls() -> None:
    assert rate(1e-3, 100, 0, 1000) == pytest.approx(1e-5, rel=1e-3)
    assert rate(1e-3, 0, 1000, 1000) == pytest.approx(3e-5)


@pytest.mark.parametrize("model", sorted(METHODS))
def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(model: str, data: Path, tmp_path: Path) -> None:
    whole, parts = _job(model, data, tmp_path / "whole"), _job(model, data, tmp_path / "parts", checkpoint_s=0.0)
    train_method(whole)

    def cut_off(stage: str, done: int, total: int) -> None:
        if done == 5:
            raise Cancelled("stopped in the second stage")

    with pytest.raises(Cancelled):
        train_method(parts, cut_off)
    outcome = train_method(parts)
    assert outcome.finished and outcome.samples == 8
    left, right = (torch.load(folder / NAME, weights_only=True) for folder in (tmp_path / "whole", tmp_path / "parts"))
    assert left["updates"] == right["updates"] == 6
    for key in ("network", "average"):
        for name, value in left[key].items():
            assert torch.equal(value, right[key][name]), name


@pytest.mark.parametrize("model", sorted(METHODS))
def test_the_loss_falls_on_draws_that_are_seen_again(model: str, footage: Footage) -> None:
    torch.manual_seed(2)
    method = method_of(model)
    network = method.new(**NETWORKS[model])
    draws = (method.draw(footage, 3, number, 32, NETWORKS[model]) for number in range(8))
    drawn = max(draws, key=lambda each: float(each["matte"].sum()))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    totals = []
    for _ in range(30):
        losses = method.loss(network, drawn, torch.Generator().manual_seed(1))
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        totals.append(float(losses.total.detach()))
    assert totals[-1] < 0.8 * totals[0]


def test_the_budget_stops_a_run_and_weights_come_out_of_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deblurring, "SIZE", 48)
    for model, load, restorer in (
        ("restormer", load_restormer, RestormerRestorer),
        ("divd", load_divd, DivdRestorer),
    ):
        job = _job(model, data, tmp_path / model, samples=10**6, budget_s=0.3, validation=1)
        outcome = train_method(job)
        assert not outcome.finished and outcome.checkpoint.exists()
        assert json.loads((tmp_path / model / "validation.jsonl").read_text().splitlines()[-1])["samples"] > 0
        target = tmp_path / f"{model}.safetensors"
        card = publish(tmp_path / model, target, data, tmp_path / "cache", 1)
        assert card["figures"] and "out" not in card["run"]["job"]
        assert card["calibration"]["temperature"] > 0
        assert restorer(load(target), torch.device("cpu")).facts.name == model
        saved = torch.load(tmp_path / model / NAME, weights_only=True)["average"]
        name = next(iter(saved))
        assert torch.equal(load(target).net.state_dict()[name], saved[name].half().float())


def test_the_figures_of_deblurring_say_what_a_perfect_answer_is_worth(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def perfect(model, blurred, present, drawn, **_):  # type: ignore[no-untyped-def]
        window = next(found for found in windows if torch.equal(torch.from_numpy(found.scan)[None], blurred))
        return torch.from_numpy(window.truth)[None], torch.from_numpy(window.matte)[None] * 20 - 10

    held_out = open_footage(data, tmp_path, held_out=True)
    monkeypatch.setattr(deblurring, "SIZE", 64)
    windows = [blur.draw_blurred(held_out, deblurring.SEED, number, 64, 4) for number in range(4)]
    monkeypatch.setattr(deblurring, "deblur", perfect)
    figures = deblurring.figures(deblurring.new_network(**NETWORKS["divd"]), data, tmp_path, 4)
    assert figures["psnr"] > figures["psnr_scan"]
    assert figures["blur_recall"] == figures["blur_precision"] == 1.0
    assert figures["harm_percent"] == 0.0


def test_calibration_finds_the_temperature_and_shift_that_logits_were_bent_by() -> None:
    random = torch.Generator().manual_seed(4)
    honest = 3 * torch.randn(40000, generator=random)
    truth = (torch.rand(40000, generator=random) < honest.sigmoid()).float()
    fitted = fit_one(2.0 * honest + 1.0, truth)
    assert fitted["temperature"] == pytest.approx(2.0, rel=0.05)
    assert fitted["shift"] == pytest.approx(-0.5, abs=0.06)


def test_the_command_trains_the_named_model(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--model", "divd", "--data", str(data), "-o", str(tmp_path / "run"), "--samples", "100000"]
    words += ["--budget", "0.2s", "--workers", "0", "--validation", "0", "--json", "--progress", "none"]
    words += ["--network", json.dumps({"widths": [8, 8, 8, 8], "windows": [0, 0, 0, 0], "shrink": 2})]
    assert run(words) == 0
    assert not json.loads(capsys.readouterr().out)["finished"]
    assert json.loads((tmp_path / "run" / "job.json").read_text())["network"]["windows"] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--batch", "2"], "--batch is for frdm"), (["--network", "{"], "no JSON"), (["--network", "3"], "an object")],
)
def test_what_cannot_be_meant_is_refused(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--model", "restormer", "--data", str(tmp_path), "-o", str(tmp_path / "run"), *words]) == 2
    assert said in capsys.readouterr().err


def test_errors_name_what_is_wrong(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose one of frdm"):
        train_method(_job("restormer", data, tmp_path, model="svi"))
    with pytest.raises(WeightsError, match="weights of the same network"):
        train_method(_job("restormer", data, tmp_path / "a", start=tmp_path / "none.safetensors"))
    with pytest.raises(InputError, match="no checkpoint"):
        publish(tmp_path, tmp_path / "x.safetensors", data, tmp_path, 1)
    with pytest.raises(UsageError, match="at least 1"):
        _job("restormer", data, tmp_path, samples=0)
