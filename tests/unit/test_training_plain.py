"""Plain training runs: the prior and the segmentation nets, resumed to the same bits, exported with their card."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from filmrestore.cli import run
from filmrestore.errors import Cancelled, InputError, UsageError
from filmrestore.restorers.prior.network import FilmPrior
from filmrestore.restorers.stored import load_network
from filmrestore.restorers.two_stage.segmentation import DefectNet
from filmrestore.training.checkpoint import NAME
from filmrestore.training.export_plain import export_plain
from filmrestore.training.footage import open_footage
from filmrestore.training.plain import PlainJob, train_plain
from filmrestore.training.tasks import DEFAULTS, TASKS, task_of

torch.set_num_threads(1)
NETWORKS = {"prior": {"widths": [8, 8], "blocks": 1, "middle": 0}, "two_stage": {"widths": [4, 8]}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen stills and two clips, one of them held out."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(7)
    for index in range(13):
        _write(folder / "train" / "stills" / f"still_{index:02}.png", _picture(rng, 96))
    for name in ("walk", "chair"):
        scene = _picture(rng, 120)
        for index in range(7):
            _write(folder / "train" / "video" / name / f"{index:03}.png", scene[index : index + 90, index : index + 90])
    return folder


def _picture(rng: np.random.Generator, size: int) -> np.ndarray:
    coarse = rng.uniform(20, 235, (8, 8, 3)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def _write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def _job(model: str, data: Path, out: Path, **changes: object) -> PlainJob:
    job = PlainJob(
        data=data,
        out=out,
        cache=data / "cache",
        samples=16,
        size=32,
        batch=4,
        rate=1e-3,
        warm_up=2,
        network=NETWORKS[model],
        workers=0,
        validation=0,
        seed=5,
        half=False,
    )
    return replace(job, **changes)


@pytest.mark.parametrize("model", sorted(TASKS))
def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(model: str, data: Path, tmp_path: Path) -> None:
    whole = _job(model, data, tmp_path / "whole")
    parts = replace(whole, out=tmp_path / "parts", checkpoint_s=0.0)
    train_plain(task_of(model), whole)

    def cut_off(stage: str, done: int, total: int) -> None:
        if done == 12:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        train_plain(task_of(model), parts, cut_off)
    assert train_plain(task_of(model), parts).finished
    left, right = (torch.load(folder / NAME, weights_only=True) for folder in (whole.out, parts.out))
    assert left["updates"] == right["updates"] == 4
    for key in ("network", "average"):
        for name, value in left[key].items():
            assert torch.equal(value, right[key][name]), name


@pytest.mark.parametrize("model", sorted(TASKS))
def test_the_loss_falls(model: str, data: Path, tmp_path: Path) -> None:
    widths = {"prior": {"widths": [16, 16], "blocks": 1, "middle": 0}, "two_stage": {"widths": [8, 16]}}[model]
    job = _job(
        model,
        data,
        tmp_path,
        samples=120 if model == "two_stage" else 200,
        rate=5e-3,
        network=widths,
        validation=8,
        decay=0.9,
    )
    job = replace(job, checkpoint_s=1e9, budget_s=None)
    train_plain(task_of(model), replace(job, samples=8))
    train_plain(task_of(model), job)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "validation.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.9 * losses[0]
    assert json.loads((tmp_path / "job.json").read_text())["task"] == model
    curve = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert [line["event"] for line in curve if "event" in line] == ["began", "resumed"]
    assert any("loss" in line for line in curve)


def test_pictures_of_the_prior_lie_in_its_range_and_are_always_the_same(data: Path) -> None:
    footage = open_footage(data, data / "cache")
    task = task_of("prior")
    for step in range(12):
        picture = task.draw(footage, 3, step, 32)["picture"]
        assert picture.shape == (1, 3, 32, 32)
        assert float(picture.abs().max()) <= 1.0
        assert torch.equal(picture, task.draw(footage, 3, step, 32)["picture"])
    assert not torch.equal(task.draw(footage, 3, 0, 32)["picture"], task.draw(footage, 4, 0, 32)["picture"])


def test_the_budget_stops_a_run_and_leaves_a_checkpoint(data: Path, tmp_path: Path) -> None:
    outcome = train_plain(task_of("prior"), _job("prior", data, tmp_path, samples=10**6, budget_s=0.3))
    assert not outcome.finished and 0 < outcome.samples < 10**6
    assert outcome.checkpoint.exists()


@pytest.mark.parametrize(("model", "kind"), [("prior", FilmPrior), ("two_stage", DefectNet)])
def test_exported_weights_load_and_carry_their_figures(model: str, kind: type, data: Path, tmp_path: Path) -> None:
    train_plain(task_of(model), _job(model, data, tmp_path / "run", validation=4))
    target = tmp_path / f"{model}.safetensors"
    export_plain(tmp_path / "run", target, data, data / "cache", 1)
    stored = load_network(kind, target, "")
    average = torch.load(tmp_path / "run" / NAME, weights_only=True)["average"]
    for name, value in stored.net.state_dict().items():
        assert torch.allclose(value.float(), average[name].float(), atol=2e-3), name
    card = target.with_suffix(".md").read_text()
    assert "CC BY 4.0" in card and "| validation: loss |" in card
    if model == "two_stage":
        assert stored.card["calibration"]["temperature"] > 0
        assert set(stored.card["figures"]) == {"validation", "classical", "preview"}


def test_a_folder_without_a_run_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the folder of a run"):
        export_plain(tmp_path, tmp_path / "a.safetensors", data, data / "cache", 0)


def test_the_command_trains_and_goes_on(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["train", "--data", str(data), "-o", str(tmp_path), "--cache", str(data / "cache"), "--model", "two_stage"]
    line += ["--network", '{"kind": "unet", "widths": [4, 8]}', "--size", "32", "--batch", "4", "--workers", "0"]
    line += ["--validation", "0", "--progress", "none", "--json"]
    assert run([*line, "--samples", "4"]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["finished"] is True
    assert run([*line, "--samples", "8"]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["samples"] == 8
    assert json.loads((tmp_path / "job.json").read_text())["network"]["kind"] == "unet"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--model", "prior", "--start", "x"], "--start is not for --model prior"),
        (["--model", "frdm", "--size", "64"], "--size is not for --model frdm"),
        (["--model", "prior", "--network", "wide"], "--network is no JSON"),
        (["--model", "prior", "--network", "[8]"], "write it like"),
    ],
)
def test_what_a_model_does_not_take_is_refused(
    given: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--data", str(tmp_path), "-o", str(tmp_path / "run"), *given]) == 2
    assert told in capsys.readouterr().err


def test_an_unknown_model_and_a_job_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="plain runs train prior, two_stage"):
        task_of("colour")
    with pytest.raises(UsageError, match="give at least 1 of each"):
        PlainJob(data=tmp_path, out=tmp_path, **{**DEFAULTS["prior"], "samples": 0})
    with pytest.raises(UsageError, match="give a time above 0"):
        PlainJob(data=tmp_path, out=tmp_path, budget_s=0.0, **DEFAULTS["prior"])
