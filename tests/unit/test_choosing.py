"""`--method auto`: what is picked for a reel, that it is said, and that it is settled before anything is made by it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from server_house import array, client, image, running

from film import write_shot
from filmrestore.analysis import Analysis, LastingScratch
from filmrestore.analysis.blur import blur_of, edges_of
from filmrestore.cli import run
from filmrestore.fixes import Ledger
from filmrestore.nodes.choosing import AUTO, PICKED, choose, is_usable, windows
from filmrestore.nodes.estimate import plan
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore
from filmrestore.nodes.windows import unit_of
from filmrestore.protocol import window_of
from filmrestore.restorers.base import REGISTRY, facts_of
from filmrestore.settings import RestoreSettings

REEL = Analysis(width=2048, height=1556, frames=tuple(range(1, 25)), dirt=0.004, blur=1.4)
SCRATCH = LastingScratch(
    first=1,
    last=24,
    frames=(1, 24),
    columns=((9.0,) * 5,) * 2,
    top=0,
    bottom=1556,
    width=1.2,
    polarity="dark",
    strength=0.1,
    certainty=0.95,
)


@pytest.fixture(autouse=True)
def quick_restorers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PICKED:
        monkeypatch.setitem(REGISTRY, name, "fakes:load")


def pick(found: Analysis, *missing: str) -> tuple[str, str]:
    choice = choose(found, lambda method: method not in missing)
    return choice.method, choice.why


def changed(**values: Any) -> Analysis:
    from msgspec import structs

    return structs.replace(REEL, **values)


def job(scan: str, out: Path, method: str) -> RestoreJob:
    settings = RestoreSettings(method=method, grain=0.0)
    return RestoreJob(source=scan, output=str(out / "c.####.png"), settings=settings, threads=1, colourspace="srgb")


def test_running_film_with_marks_is_restored_from_its_neighbours() -> None:
    method, why = pick(changed(scratches=(SCRATCH,)))
    assert method == "frdm" and "0.40 %" in why and "1 scratch last" in why and "neighbour" in why


@pytest.mark.parametrize(
    ("frames", "cuts", "repeats"),
    [((7,), (), ()), (tuple(range(1, 7)), (3, 5), ()), (tuple(range(1, 7)), (), (2, 3, 5, 6))],
)
def test_frames_without_neighbours_go_to_the_method_of_single_frames(
    frames: tuple[int, ...], cuts: tuple[int, ...], repeats: tuple[int, ...]
) -> None:
    found = changed(frames=frames, cuts=cuts, repeats=repeats)
    method, why = pick(found)
    assert method == "restormer" and "no neighbours" in why
    method, why = pick(found, "restormer")
    assert method == "frdm" and "restormer is left out, for its weights are missing" in why


def test_soft_film_is_sharpened_only_where_it_is_clean() -> None:
    soft = changed(dirt=0.0001, blur=4.5)
    method, why = pick(soft)
    assert method == "divd" and "4.5 px" in why
    assert pick(soft, "divd")[0] == "frdm"
    method, why = pick(changed(blur=4.5))
    assert method == "frdm" and "divd" in why
    assert pick(changed(dirt=0.0001, blur=4.5, scratches=(SCRATCH,)))[0] == "frdm"
    assert pick(changed(dirt=0.0001, blur=3.9))[0] == "frdm"


def test_lost_frames_and_a_reel_that_was_not_looked_at_are_told_of() -> None:
    assert "frames 5-7 are missing" in pick(changed(frames=(1, 2, 3, 4, 8, 9, 10)))[1]
    assert "missing" not in pick(changed(frames=(1, 2, 4), unreadable=(3,)))[1]
    choice = choose(None, lambda method: True)
    assert choice.method == "frdm" and "filmrestore probe" in choice.why


def test_nothing_is_picked_that_must_be_told_more() -> None:
    assert not any(facts_of(name).needs for name in PICKED)
    assert set(PICKED) <= set(RestoreSettings.facts()["method"].choices) - {AUTO}


def test_missing_weights_make_a_method_unusable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filmrestore.restorers import restormer
    from filmrestore.restorers.restormer import restorer

    assert is_usable("restormer") and not is_usable("restormer", "onnx")
    monkeypatch.setitem(REGISTRY, "restormer", f"{restormer.__name__}:load")
    monkeypatch.setattr(restorer, "FOLDER", tmp_path)
    assert not is_usable("restormer")


def test_hosts_offer_auto_every_frame_that_a_picked_method_may_look_at() -> None:
    known = windows()
    assert next(iter(known)) == RestoreSettings().method and set(known) == {*REGISTRY, AUTO}
    for name, cuts, number in product(PICKED, ((), (7,), (7, 9)), range(30)):
        unit = unit_of(number, range(30), cuts, facts_of(name))
        assert set(unit.sources) <= set(window_of(number, *known[name])) & set(window_of(number, *known[AUTO]))


@pytest.mark.parametrize(("grain", "least"), [(0.0, 0.75), (0.02, 0.45)])
def test_the_blur_of_edges_is_measured_and_grain_only_lowers_it(grain: float, least: float) -> None:
    rng = np.random.default_rng(1)
    measured = []
    for blur in (1.5, 4.0, 8.0):
        pictures = []
        for _ in range(4):
            picture = np.full((384, 384), 0.4, np.float32)
            for _ in range(40):
                (x, y), (w, h) = rng.integers(0, 384, 2), rng.integers(20, 120, 2)
                picture[y : y + h, x : x + w] = 0.1 + 0.8 * rng.random()
            noise = rng.normal(0, grain, picture.shape).astype(np.float32)
            pictures.append(edges_of(cv2.GaussianBlur(picture, (0, 0), blur) + noise))
        measured.append(blur_of(pictures))
        assert least * blur < measured[-1] < 1.2 * blur
    assert measured == sorted(measured)
    assert blur_of([edges_of(np.full((64, 64), 0.5, np.float32))]) == 0


def test_a_run_records_what_was_picked_and_is_the_run_by_that_name(tmp_path: Path) -> None:
    scan = write_shot(tmp_path / "scan", 4, height=48, width=48)
    by_name = restore(job(scan, tmp_path / "named", "frdm"))
    assert by_name.method == "frdm" and by_name.why == ""
    picked = restore(job(scan, tmp_path / "auto", "auto"))
    assert picked.method == "frdm" and picked.why and picked.restored == 4
    header = Ledger.open(picked.ledger).header
    assert header.method == header.settings["method"] == "frdm" and header.why == picked.why
    for path in (tmp_path / "named").glob("*.png"):
        assert path.read_bytes() == (tmp_path / "auto" / path.name).read_bytes()
    again = restore(job(scan, tmp_path / "auto", "frdm"))
    assert again.skipped == 4 and Ledger.open(again.ledger).header.why == picked.why


def test_plan_and_farm_carry_the_name_once_the_reel_was_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = write_shot(tmp_path / "scan", 1, height=48, width=48)
    words = ["submit", scan, "--out", str(tmp_path / "out/c.####.png"), "--colourspace", "srgb", "--method", "auto"]
    analysis = str(tmp_path / "a.json")
    words += ["--bundle", str(tmp_path / "bundle"), "--analysis", analysis]
    assert run(words) == 2
    assert "run `filmrestore probe`" in capsys.readouterr().err
    assert run(["probe", scan, "-o", analysis, "--colourspace", "srgb", "--progress", "none"]) == 0
    assert run(words) == 0
    bundle = "".join(path.read_text() for path in (tmp_path / "bundle").rglob("*") if path.is_file())
    assert "--method=restormer" in bundle and "--method=auto" not in bundle and "no neighbours" in bundle
    auto = replace(job(scan, tmp_path / "out", "auto"), analysis=analysis)
    assert any(line.startswith("method: restormer, for no shot") for line in plan(auto).text)


def test_a_server_answers_auto_with_the_frames_of_the_method_it_picks(tmp_path: Path) -> None:
    film = {number: image(number, height=40, width=46) for number in range(1000, 1007)}
    with running(tmp_path / "run"), client() as engine:
        assert engine.welcome["methods"][AUTO] == {"window": windows()[AUTO][0], "keep": 1}
        by_name = array(engine.restore_frame("a", 1003, film, settings={"method": "frdm"}))
        assert np.array_equal(array(engine.restore_frame("a", 1003, film, settings={"method": "auto"})), by_name)


def test_models_tells_what_each_is_for_what_it_weighs_and_what_it_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from filmrestore.bench import costs

    monkeypatch.setattr("filmrestore.restorers.base.REGISTRY", {"frdm": "filmrestore.restorers.frdm:load"})
    monkeypatch.setattr("filmrestore.cli.models.costs_file", lambda: tmp_path / "costs.json")
    assert run(["models", "--json"]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    [file] = entry["files"]
    assert entry["purpose"] and entry["cost"] is None
    assert file["name"] == "frdm.safetensors" and file["parameters"] > 1e5 and len(file["sha256"]) == 64
    cost = costs.Cost(weights=entry["hash"], device="cpu", machine="a machine", seconds=1.5, peak_mib=900)
    costs.keep(tmp_path / "costs.json", "frdm", cost)
    assert run(["models"]) == 0
    told = capsys.readouterr().out
    assert "1.5 s a frame of 512 x 512, 900 MiB" in told and file["sha256"][:12] in told
    costs.keep(tmp_path / "costs.json", "frdm", replace(cost, weights="of others"))
    assert run(["models"]) == 0
    assert "not measured" in capsys.readouterr().out
