"""bench methods: its rows, its parts, its peers, and the papers' claims on tiny volumes."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from bench_clips import clean_clip

import fakes
from filmrestore.bench import CLAIMS, BenchOptions
from filmrestore.bench.child import Measured
from filmrestore.bench.clips import PLANS
from filmrestore.bench.methods import blur, inverse, parts, running, table
from filmrestore.bench.methods.cells import kept, stored
from filmrestore.bench.methods.grid import fill_grid
from filmrestore.bench.methods.inverse import (
    CASES,
    Case,
    as_published,
    by_default,
    measured_through,
    solved,
    total_variation,
)
from filmrestore.bench.methods.rows import MethodRow, knows_nothing, peer_rows, registry_rows, rows_of
from filmrestore.bench.methods.scenes import as_display, as_volume, likeness
from filmrestore.bench.methods.tv import admm_tv, objective
from filmrestore.cli import run
from filmrestore.errors import FilmRestoreError, UsageError
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore
from filmrestore.restorers.base import REGISTRY, Facts, facts_of
from filmrestore.restorers.prior.consistency import Operator
from filmrestore.restorers.prior.model import Prior
from filmrestore.restorers.prior.network import new_prior
from filmrestore.restorers.svi.operators import along_time, gaussian, psf_matrix, uniform
from filmrestore.restorers.svi.variation import differences, gathered, shrunk
from filmrestore.settings import RestoreSettings

torch.set_num_threads(1)
cv2.setNumThreads(1)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def clean_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean_clip(tmp_path_factory.mktemp("clean"), frames=5)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two fakes for a registry; five frames of a clip, three of them measured; children in this process."""
    monkeypatch.setattr(parts, "HANDED", 5)
    monkeypatch.setattr(parts, "EDGE", 184)
    for name in tuple(REGISTRY):
        monkeypatch.delitem(REGISTRY, name)
    monkeypatch.setitem(REGISTRY, "frdm", "fakes:load")
    monkeypatch.setattr(running, "measured", in_this_process)


def in_this_process(job_file: Path, module: str = "") -> Measured:
    """What a child does, without the seconds that it takes to start one."""
    if module:
        pytest.fail(f"{module} was started")
    told = json.loads(job_file.read_text())["job"]
    report = restore(RestoreJob(**told | {"settings": RestoreSettings.from_dict(told["settings"])}))
    return Measured(
        report={"failed": report.failed}, start_up_s=1.0, work_s=2.0, cpu_s=1.5, peak_mib=99.0, trace_mib=[]
    )


def options_for(clean_dir: Path, out_dir: Path, **more: Any) -> BenchOptions:
    told: dict[str, Any] = {"clips": ("dashcam-model",), "frames": 3, "rows": ("input", "frdm", "frdm (true matte)")}
    return BenchOptions(out_dir=out_dir, bench_dir=clean_dir, **(told | more))


def disc_volume(frames: int = 8, edge: int = 24) -> torch.Tensor:
    """A bright disc that crosses a soft ramp, net encoding."""
    light = []
    for n in range(frames):
        ramp = np.repeat(np.linspace(0.1, 0.3, edge, dtype=np.float32)[None], edge, axis=0)
        frame = np.stack([ramp, ramp * 0.9, ramp * 0.8], axis=2)
        light.append(cv2.circle(frame, (4 + 2 * n, edge // 2), 4, (0.8, 0.7, 0.6), -1))
    return as_volume(light)


def test_every_method_of_the_registry_has_its_rows_or_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGISTRY, "sixth", "fakes:load")
    rows, missing = registry_rows()
    assert [row.name for row in rows if row.method == "sixth"] == ["sixth", "sixth (true matte)"]
    for name in REGISTRY:
        told = [words for words in missing if words.startswith(f"{name} ")]
        assert bool([row for row in rows if row.method == name]) != bool(told)
    assert all(row.told for row in rows if facts_of(row.method).needs & {"matte", "operator"})


def test_what_mends_blur_is_sent_to_its_own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    told = vars(fakes.MedianRestorer.facts) | {"cause": "blur"}
    monkeypatch.setattr(fakes.MedianRestorer, "facts", Facts(**told))
    monkeypatch.setitem(REGISTRY, "sixth", "fakes:load")
    rows, missing = registry_rows()
    assert not [row for row in rows if row.method == "sixth"]
    assert any(words.startswith("sixth mends blur") for words in missing)


def test_rows_of_a_method_come_from_a_list_of_settings_and_what_it_does_not_know_is_said(small: None) -> None:
    rows, missing = rows_of("frdm", {"": {}, "soft": {"quality": "preview"}, "odd": {"no_such_setting": 1}})
    assert [row.name for row in rows] == ["frdm", "frdm, soft"]
    assert "frdm, odd is left out" in missing[0] and "no_such_setting" in missing[0]
    assert rows[0].version != rows[1].version
    assert rows_of("iide", {"": {}}) == ([], ["iide is left out: it is not in the registry"])


def test_a_part_is_the_middle_of_the_frames_that_bench_restore_measures(small: None, clean_dir: Path) -> None:
    plan = next(plan for plan in PLANS if plan.name == "dashcam-model")
    part = parts.part_of(plan, options_for(clean_dir, Path("unused")))
    assert part.whole.scan.shape == (5, 184, 184, 3) and part.measured.scan.shape == (3, 184, 184, 3)
    assert np.array_equal(part.measured.scan, part.whole.scan[1:4])
    changed = (part.whole.scan != part.whole.truth).any(axis=3)
    assert changed.any() and 0 < part.coverage < 0.2
    assert all(part.matte[t][part.whole.damaged(t)].all() for t in range(5))
    assert not changed[part.whole.alpha == 0].any()


def test_the_table_has_a_line_a_row_and_goes_on_where_it_stopped(
    small: None, clean_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_for(clean_dir, tmp_path)
    steps: list[tuple[str, int, int]] = []
    half = table.run(options_for(clean_dir, tmp_path, rows=("input", "frdm")))
    assert {cell["row"] for cell in half["table"]["cells"]} == {"input", "frdm"}
    ran: list[Path] = []

    def counted(job: Path, module: str = "") -> Measured:
        ran.append(job)
        return in_this_process(job, module)

    monkeypatch.setattr(running, "measured", counted)
    whole = table.run(options, lambda *step: steps.append(step))
    assert len(ran) == 1  # the row that was not there yet
    assert steps[-1][1:] == (3, 3) and "min of one core" in steps[0][0]
    text = (tmp_path / "methods.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| frdm (true matte)")]
    assert "99" in lines[0] and "0.50" in lines[0]  # MiB, and seconds a frame
    cells = {cell["row"]: cell["figures"] for cell in whole["table"]["cells"]}
    assert cells["input"]["fixed"]["part"] == 0 < cells["frdm (true matte)"]["fixed"]["part"]
    assert table.run(options) == whole and len(ran) == 1
    assert json.loads((tmp_path / "methods.json").read_text()) == whole


def test_a_row_that_fails_is_named_and_the_others_go_on(
    small: None, clean_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(job: Path, module: str = "") -> Measured:
        raise FilmRestoreError("the measured process ended with 1: out of ink")

    monkeypatch.setattr(running, "measured", fails)
    found = table.run(options_for(clean_dir, tmp_path))["table"]
    assert [cell["row"] for cell in found["cells"]] == ["input"]
    assert "frdm is left out: the measured process ended with 1: out of ink" in found["left_out"]


def test_a_told_row_is_not_run_where_nothing_is_damaged(small: None, clean_dir: Path, tmp_path: Path) -> None:
    plan = next(plan for plan in PLANS if plan.name == "dashcam-clean")
    early = type(plan)(name=plan.name, clip=plan.clip, first=0, grain=plan.grain, damage="none")
    rows = [MethodRow(name="input"), MethodRow(name="frdm (true matte)", method="frdm", told=True)]
    grid = fill_grid(rows, [early], options_for(clean_dir, tmp_path))
    assert list(grid.cells) == [("input", "dashcam-clean")]
    assert grid.facts["dashcam-clean"].coverage == 0


def test_claims_are_blocks_beside_the_table_and_each_can_be_reached(
    small: None, clean_dir: Path, tmp_path: Path
) -> None:
    table.run(options_for(clean_dir, tmp_path, rows=("input",)))
    found = table.run(options_for(clean_dir, tmp_path, claims=("restormer", "iide"), only_claims=True))
    assert set(found) == {"table", "restormer", "iide"}
    assert "restormer is left out: it is not in the registry" in found["restormer"]["left_out"]
    assert (tmp_path / "methods.md").read_text().count("### ") == 3
    with pytest.raises(UsageError, match="restormer, svi, divd, iide, frdm"):
        table.run(options_for(clean_dir, tmp_path, claims=("no such paper",)))
    for line in CLAIMS.values():
        module, function = line.split(":")
        assert callable(getattr(__import__(module, fromlist=[function]), function))


def test_the_command_refuses_claims_of_other_benches(tmp_path: Path) -> None:
    assert run(["bench", "restore", "-o", str(tmp_path), "--claims"]) == UsageError.exit_code


def test_the_command_refuses_rows_where_a_bench_has_none(tmp_path: Path) -> None:
    assert run(["bench", "speed", "-o", str(tmp_path), "--row", "frdm-final"]) == UsageError.exit_code


def test_peers_run_in_a_process_of_their_own_and_told_rows_detect_nothing(
    clean_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "HANDED", 5)
    plan = next(plan for plan in PLANS if plan.name == "dashcam-model")
    part = parts.part_of(plan, options_for(clean_dir, tmp_path))
    telea = next(row for row in peer_rows(str(tmp_path / "no-python"))[0] if row.name == "telea-true-mask")
    cell = running.run_row(part, telea, tmp_path, device="cpu", vapoursynth=None)
    assert cell.figures.frames == 3 and cell.figures.fixed.part > 0 and cell.figures.harm.part == 0
    assert cell.cost.peak_mib > 10
    assert knows_nothing(telea) and knows_nothing(MethodRow(name="x", told=True))


def test_a_torn_or_other_cell_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "cell.json"
    assert kept(path, "key", dict[str, float], lambda: {"x": 1.5}) == {"x": 1.5}
    assert kept(path, "key", dict[str, float], lambda: pytest.fail("made again")) == {"x": 1.5}
    assert stored(path, "other", dict[str, float]) is None
    path.write_bytes(path.read_bytes()[:12])
    assert kept(path, "key", dict[str, float], lambda: {"x": 2.0}) == {"x": 2.0}


def test_differences_have_their_adjoint_and_are_shortened_as_vectors() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 3, 5, 6, generator=generator, dtype=torch.float64)
    y = torch.randn(3, 4, 3, 5, 6, generator=generator, dtype=torch.float64)
    assert float((differences(x) * y).sum()) == pytest.approx(float((x * gathered(y)).sum()), rel=1e-12)
    short = shrunk(y, 0.3)
    lengths = [steps.square().sum(dim=0).sqrt() for steps in (y, short)]
    assert float((lengths[1] - (lengths[0] - 0.3).clamp(min=0)).abs().max()) < 1e-12


def test_admm_lowers_its_objective_and_gives_back_more_than_the_blend() -> None:
    truth = disc_volume()
    operator = along_time(psf_matrix(uniform(5), len(truth)))
    blended = operator.forward(truth)
    seen: list[float] = []
    result = admm_tv(
        blended,
        operator,
        weight=1e-3,
        penalty=0.1,
        watch=lambda x: seen.append(objective(x, blended, operator, 1e-3)),
    )
    assert len(seen) == 30 and seen[-1] < seen[0]
    assert max(b - a for a, b in pairwise(seen[4:])) < 0.01 * seen[0]
    assert seen[-1] <= objective(truth, blended, operator, 1e-3) * 1.05
    shown = as_display(truth)
    ours, before = (likeness(as_display(x), shown, 0.0).psnr.mean for x in (result, blended))
    assert ours > before + 3


def test_admm_without_variation_is_least_squares() -> None:
    truth = disc_volume(4, 12)
    same = Operator(lambda x: 2 * x, lambda y: 2 * y)
    assert float((admm_tv(2 * truth, same, weight=0.0, penalty=0.1) - truth).abs().max()) < 1e-3


@pytest.mark.parametrize("name", CASES)
def test_each_case_measures_what_its_operator_says(name: str) -> None:
    truth = disc_volume(7, 16)
    seen = measured_through(CASES[name], truth)
    assert seen.start.shape == truth.shape and bool(torch.isfinite(seen.start).all())
    other = torch.randn(seen.values.shape, generator=torch.Generator().manual_seed(2))
    there = float((seen.operator.forward(truth) * other).sum())
    assert there == pytest.approx(float((truth * seen.operator.adjoint(other)).sum()), rel=1e-3, abs=1e-3)
    even = measured_through(CASES[name], torch.full_like(truth, 0.5))
    assert float((even.start - 0.5).abs().max()) < (1e-3 if CASES[name].bits else 1e-4)


def test_svi_and_its_peers_stand_in_one_table_with_the_papers_figures(
    clean_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(psf=uniform(3), steps=2, paper={"svi, as published": "43.16, .992"})
    monkeypatch.setattr(inverse, "CASES", {"uniform-7": case})
    monkeypatch.setattr(inverse, "CLIPS", {"dashcam": 1})
    monkeypatch.setattr(inverse, "HELD_OUT", ("dashcam", 0))
    monkeypatch.setattr(inverse, "EDGE", 24)
    monkeypatch.setattr(inverse, "HELD_OUT_EDGE", 16)
    monkeypatch.setattr(inverse, "lacks", lambda method: "")
    prior = Prior.of_film(new_prior("prior-test"), "untrained", CPU)
    monkeypatch.setattr(inverse, "load_prior", lambda device: prior)
    block = inverse.compared(options_for(clean_dir, tmp_path, clips=(), frames=4))
    assert {cell["row"] for cell in block.figures["cells"]} == {*inverse.PEERS, *inverse.ROWS}
    psnr = {cell["row"]: cell["psnr"]["total"] for cell in block.figures["cells"]}
    assert psnr["conjugate gradients, as many as svi"] > psnr["input"]
    assert min(psnr["svi"], psnr["svi, as published, closed"]) >= psnr["conjugate gradients, as many as svi"]
    assert "43.16, .992" in block.markdown
    monkeypatch.setattr(inverse, "solved", lambda *a: pytest.fail("a stored sample was measured again"))
    assert inverse.compared(options_for(clean_dir, tmp_path, clips=(), frames=4)) == block


def test_svi_on_a_prior_agrees_with_what_was_measured() -> None:
    truth = disc_volume(6, 16)
    case = Case(psf=uniform(3), steps=3, paper={})
    seen = measured_through(case, truth)
    prior = Prior.of_film(new_prior("prior-test"), "untrained", CPU)
    figures = solved(seen, case, as_published(prior))
    start = likeness(as_display(seen.start), as_display(truth), 0.0)
    assert figures.frames == 6 and figures.seconds > 0
    assert figures.psnr.mean > start.psnr.mean - 3  # an untrained prior must not undo the data


def test_svi_by_default_inverts_what_can_be_inverted() -> None:
    prior, case = Prior.of_film(new_prior("prior-test"), "untrained", CPU), Case(psf=gaussian(0.7))
    assert solved(measured_through(case, disc_volume(6, 16)), case, by_default(prior)).psnr.mean > 80


def test_weights_of_total_variation_are_the_best_of_the_grid() -> None:
    truth, case = disc_volume(6, 16), Case(psf=uniform(3), paper={})
    best = inverse.tuned(case, truth)
    seen = measured_through(case, truth)
    worst = solved(seen, case, total_variation(max(inverse.WEIGHTS), max(inverse.PENALTIES)))
    assert solved(seen, case, total_variation(best.weight, best.penalty)).psnr.mean >= worst.psnr.mean


def test_blurs_keep_the_light_and_the_line_runs_as_it_is_told() -> None:
    for psf in (blur.line(9.0, 30.0), blur.line(5.0, 0.0)):
        assert float(psf.sum()) == pytest.approx(1.0, abs=1e-6) and float(psf.min()) >= 0
    along = blur.line(7.0, 0.0)
    assert float(along[along.shape[0] // 2].sum()) == pytest.approx(1.0, abs=1e-6)
    still = [np.full((48, 64, 3), 0.25, np.float32)] * 3
    assert all(np.array_equal(a, b) for a, b in zip(blur.smeared(still), still, strict=True))


def test_methods_that_mend_blur_stand_beside_what_is_told_the_blur(
    small: None, clean_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = vars(fakes.MedianRestorer.facts) | {"cause": "blur"}
    monkeypatch.setattr(fakes.MedianRestorer, "facts", Facts(**told))
    monkeypatch.setattr(blur, "CLIPS", ("dashcam",))
    monkeypatch.setattr(blur, "EDGE", 48)
    monkeypatch.setattr(blur, "ROUNDS", 5)
    monkeypatch.setattr(blur, "lacks", lambda method: "")
    monkeypatch.setattr(blur, "load_prior", lambda device: Prior.of_film(new_prior("prior-test"), "untrained", CPU))
    block = blur.compared(options_for(clean_dir, tmp_path, frames=3))
    found = {(cell["case"], cell["row"]): cell["psnr"]["total"] / 3 for cell in block.figures["cells"]}
    for case in blur.KERNELS:
        assert found[case, "conjugate gradients, blur known"] > found[case, "input"]
        assert (case, "svi, blur known") in found and (case, "frdm") in found
    assert (blur.MOVING, "frdm") in found and (blur.MOVING, "svi, blur known") not in found
