"""Hard examples: what counts as an error, where most of them are, and that a run learns from what was kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_runs import assert_same_run, make_data, stop_at

from filmrestore.errors import Cancelled, InputError, UsageError
from filmrestore.restorers.frdm.network import SIZES, FrdmNet
from filmrestore.training import Stage, job_of, mine, train
from filmrestore.training.batches import Windows
from filmrestore.training.footage import Footage, open_footage
from filmrestore.training.hard import found, load, save
from filmrestore.training.mine import cut, errors, worst
from filmrestore.training.windows import Recipe, Sample, draw_sample, label

TINY = SIZES["frdm-test"]
STAGES = (Stage(name="guidance", share=1.0, size=32, batch=2),)
DRAWN = Recipe(size=64, evidence_off=0.0, neighbour_off=0.0, clean=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def footage(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return open_footage(data, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def sample(footage: Footage) -> Sample:
    return next(
        drawn
        for drawn in (draw_sample(footage, 4, number, DRAWN) for number in range(50))
        if drawn.matte.sum() > 100 and all(drawn.present)
    )


@pytest.fixture(scope="module")
def examples(footage: Footage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mined from an untrained network, which finds nothing."""
    folder = tmp_path_factory.mktemp("hard")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mine, "DRAWN", DRAWN)
        patch.setattr(mine, "EDGE", 32)
        patch.setattr(mine, "ERRORS", 2)
        mine.mine(FrdmNet(**TINY).eval(), footage, folder, seed=1000, draws=8)
    return folder


def _plain(sample: Sample) -> Sample:
    """The same window with two marks of 4 x 4 in its middle frame and none elsewhere."""
    matte = torch.zeros_like(sample.matte)
    matte[2, 0, 10:14, 10:14] = 1
    matte[2, 0, 40:44, 50:54] = 1
    return replace(sample, matte=matte, weight=torch.ones_like(matte))


def test_what_is_found_is_no_error_and_what_is_missed_or_made_up_is_one(sample: Sample) -> None:
    plain = _plain(sample)
    right = plain.matte[:, 0].numpy()
    assert errors(right, plain).sum() == 0
    missed = right.copy()
    missed[2, 40:44, 50:53] = 0  # three quarters of one mark
    assert errors(missed, plain).sum() == 1
    assert errors(missed, plain)[38:46, 48:56].sum() == 1
    made_up = right.copy()
    made_up[3, 20:23, 20:23] = 1
    assert errors(made_up, plain)[21, 21] == 1
    rim = right.copy()
    rim[2, 9:15, 9:15] = 1  # a pixel too wide is no mark of its own
    assert errors(rim, plain).sum() == 0


def test_frames_that_stand_in_and_marks_that_nobody_can_see_are_no_errors(sample: Sample) -> None:
    plain = _plain(sample)
    nothing = np.zeros(plain.matte.shape[0:1] + plain.matte.shape[2:], np.float32)
    assert errors(nothing, plain).sum() == 2
    assert errors(nothing, replace(plain, present=(True, True, False, True, True))).sum() == 0
    faint = replace(plain, matte=torch.zeros_like(plain.matte), weight=1 - plain.matte)
    assert errors(plain.matte[:, 0].numpy(), faint).sum() == 0


def test_the_worst_part_is_the_one_with_most_errors() -> None:
    counts = np.zeros((64, 80), np.float32)
    counts[5, 5] = 1
    counts[40, 60] = counts[50, 70] = 1
    box, count = worst(counts, 32)
    assert count == 2
    assert counts[box.slices].sum() == 2
    assert (box.width, box.height) == (32, 32)
    assert box.x0 % 2 == box.y0 % 2 == 0
    assert worst(np.zeros((32, 32), np.float32), 32)[1] == 0


def test_a_part_of_a_sample_lies_where_it_was_cut(sample: Sample) -> None:
    box, _ = worst(errors(np.zeros(sample.scan[:, 0].shape, np.float32), sample), 32)
    part = cut(sample, box)
    assert torch.equal(part.scan, sample.scan[..., box.y0 : box.y1, box.x0 : box.x1])
    assert (part.box.x0, part.box.y1) == (sample.box.x0 + box.x0, sample.box.y0 + box.y1)
    assert part.full == sample.full


def test_a_stored_sample_comes_back_with_scan_and_truth_equal_where_they_were(sample: Sample, tmp_path: Path) -> None:
    save(sample, tmp_path / "one.npz")
    again = load(tmp_path / "one.npz")
    assert float((again.matte == sample.matte).float().mean()) > 0.999
    assert torch.equal(again.matte, torch.from_numpy(label(again.scan.numpy(), again.truth.numpy(), again.present)[0]))
    assert torch.equal((again.scan == again.truth).all(1), (sample.scan.half() == sample.truth.half()).all(1))
    assert float((again.scan - sample.scan).abs().max()) < 1e-3
    assert (again.box, again.full, again.present) == (sample.box, sample.full, sample.present)
    assert again.kinds.keys() == sample.kinds.keys()
    assert all(np.array_equal(again.kinds[name], sample.kinds[name]) for name in sample.kinds)


def test_mining_goes_on_where_it_stopped(
    footage: Footage, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mine, "DRAWN", DRAWN)
    monkeypatch.setattr(mine, "EDGE", 32)
    monkeypatch.setattr(mine, "ERRORS", 2)
    network = FrdmNet(**TINY).eval()
    mine.mine(network, footage, tmp_path, seed=1000, draws=8, budget_s=1e-9)
    assert (tmp_path / "1000.looked-through").read_text() == "1"
    assert mine.mine(network, footage, tmp_path, seed=1000, draws=8) == len(found(examples))
    for one, other in zip(found(tmp_path), found(examples), strict=True):
        assert one.name == other.name
        assert torch.equal(load(one).scan, load(other).scan)


def test_hard_examples_are_among_the_windows_of_a_run(
    data: Path, footage: Footage, examples: Path, tmp_path: Path
) -> None:
    job = job_of("frdm", data=data, out=tmp_path, samples=64, network=TINY, stages=STAGES, seed=5)
    mixed = Windows(footage, job.seed, job.schedule, found(examples))
    stored = {round(float(load(path).matte.sum()), 3) for path in found(examples)}
    drawn = [mixed._use(use) for use in range(64)]
    hard = [sample for sample in drawn if round(float(sample.matte.sum()), 3) in stored]
    assert 0.1 < len(hard) / len(drawn) < 0.6
    assert torch.equal(drawn[40].scan, Windows(footage, job.seed, job.schedule, found(examples))._use(40).scan)


def test_a_run_with_hard_examples_that_was_cut_off_ends_as_if_it_had_not_been(
    data: Path, examples: Path, tmp_path: Path
) -> None:
    given = {
        "data": data, "samples": 16, "network": TINY, "stages": STAGES, "workers": 0, "validation": 0, "hard": examples,
    }  # fmt: skip
    whole = job_of("frdm", out=tmp_path / "whole", **given)
    parts = job_of("frdm", out=tmp_path / "parts", checkpoint_s=0.0, **given)
    train(whole)
    with pytest.raises(Cancelled):
        train(parts, stop_at(8))
    train(parts)
    assert_same_run(whole.out, parts.out, updates=8)


def test_errors_name_what_is_wrong(data: Path, examples: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no hard examples in"):
        found(tmp_path)
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"broken\.npz"):
        load(tmp_path / "broken.npz")
    (tmp_path / "cut.npz").write_bytes(found(examples)[0].read_bytes()[:-100])
    with pytest.raises(InputError, match=r"cut\.npz"):
        load(tmp_path / "cut.npz")
    with pytest.raises(UsageError, match="only frdm"):
        job_of("iide", data=data, out=tmp_path, hard=tmp_path)
