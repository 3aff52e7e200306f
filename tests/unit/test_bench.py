"""The benches' own parts: sequences with exact truth, classical peers, stored cells, and independent readings."""

import json
import math
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
from bench_clips import clean_clip

from filmrestore.bench import (
    BENCHES,
    BenchOptions,
    bounds,
    classical,
    clips,
    exact,
    figures,
    observer,
    paste,
    restore,
    shots,
    vapour,
)
from filmrestore.bench.light import from_codes, to_codes, to_display, to_linear
from filmrestore.bench.rows import choose_rows, restore_as_user, weights_hash
from filmrestore.bench.tables import number, table
from filmrestore.errors import InputError, UsageError
from filmrestore.frame import Box
from filmrestore.restorers.base import REGISTRY
from filmrestore.settings import RestoreSettings


@pytest.fixture(autouse=True)
def one_thread():
    cv2.setNumThreads(1)


@pytest.fixture(scope="module")
def clean_dir(tmp_path_factory) -> Path:
    return clean_clip(tmp_path_factory.mktemp("clean"), frames=4)


@pytest.fixture(scope="module")
def pieces_dir(tmp_path_factory) -> Path:
    """Pieces of every kind: a disc numbered 0 that the bench may use, a square numbered 1 that it may not."""
    folder = tmp_path_factory.mktemp("pieces")
    for name in {name for kind in paste.KINDS.values() for name in kind.folders}:
        (folder / name).mkdir()
        disc, square = np.zeros((40, 60), np.uint8), np.full((40, 60), 255, np.uint8)
        cv2.ellipse(disc, (30, 20), (28, 8), 0, 0, 360, 255, -1)
        cv2.imwrite(str(folder / name / "0000.png"), disc)
        cv2.imwrite(str(folder / name / "0001.png"), square)
    return folder


def plan(name: str) -> clips.Plan:
    return clips.choose((name,), full=False)[0]


@pytest.fixture(scope="module")
def clip(clean_dir) -> clips.Clip:
    return clips.build(plan("dashcam-model"), clean_dir, None, 4, 0)


def test_every_bench_can_be_reached_by_its_registry_line():
    for line in BENCHES.values():
        module, function = line.split(":")
        assert callable(getattr(import_module(module), function))


def test_display_and_light_are_inverse_over_all_16_bit_codes():
    codes = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    assert np.array_equal(to_codes(to_display(to_linear(from_codes(codes)))), codes)
    assert to_linear(np.array([0.5], np.float32))[0] == pytest.approx(0.2140411, rel=1e-5)


def test_a_sequence_is_the_same_each_time_and_differs_from_its_truth_only_in_its_masks(clip, clean_dir):
    again = clips.build(plan("dashcam-model"), clean_dir, None, 4, 0)
    assert np.array_equal(clip.scan, again.scan)
    changed = (clip.scan != clip.truth).any(axis=3)
    assert changed.any()
    assert not changed[clip.alpha == 0].any()


def test_pasted_damage_is_exact_and_uses_only_pieces_numbered_by_fives(clean_dir, pieces_dir):
    light = [np.full((90, 120, 3), 0.2, np.float32)] * 3
    damaged, masks = paste.paste(light, paste.Pieces(pieces_dir), np.random.default_rng(1))
    alpha = 1 - np.prod([1 - mask for mask in masks.values()], axis=0)
    changed = np.stack([(frame != 0.2).any(axis=2) for frame in damaged])
    assert not changed[alpha == 0].any()
    assert changed[alpha > 0.5].all()
    assert set(masks) == set(paste.KINDS)
    assert masks["scratch"].any(axis=(1, 2)).all()  # it lasts
    assert all(alphas[0].min() == 0 for alphas in paste.Pieces(pieces_dir)._alphas.values())  # discs, no squares


def test_missing_data_is_named_with_the_flag_that_gives_it(tmp_path, clean_dir):
    with pytest.raises(InputError, match="--bench"):
        clips.build(plan("dashcam-model"), tmp_path, None, 4, 0)
    with pytest.raises(InputError, match="lower --frames"):
        clips.build(plan("dashcam-model"), clean_dir, None, 9, 0)
    with pytest.raises(InputError, match="--pieces"):
        paste.Pieces(tmp_path)
    with pytest.raises(UsageError, match="juggle-model"):
        clips.choose(("no such clip",), full=False)
    with pytest.raises(UsageError, match="mc-median"):
        choose_rows(BenchOptions(out_dir=tmp_path, rows=("no such row",)))


@pytest.mark.parametrize("motion", [False, True])
def test_the_median_takes_a_speck_away_and_keeps_the_codes_around_it(motion):
    still = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 65535, (64, 64, 3)).astype(np.float32), (0, 0), 3)
    scan = np.stack([still.astype(np.uint16)] * 5)
    truth = scan.copy()
    scan[2, 30:33, 30:33] = 65535
    result, matte = classical.temporal_median(scan, motion=motion)
    assert np.abs(result[2].astype(int) - truth[2]).max() < 65535 * 0.02
    assert matte[2, 31, 31] == 1 and matte[2].sum() <= 49
    assert np.array_equal(result[2][matte[2] == 0], scan[2][matte[2] == 0])


def test_inpainting_fills_the_mask_and_nothing_else():
    scan = np.full((1, 32, 32, 3), 30000, np.uint16)
    scan[0, 10:13, 10:13] = 0
    mask = scan[..., 0] == 0
    result, _ = classical.inpaint(scan, mask)
    assert np.abs(result[mask].astype(int) - 30000).max() <= 4  # of 65535: its own rounding
    assert np.array_equal(result[~mask], scan[~mask])


def test_a_perfect_answer_has_perfect_figures_and_the_scan_has_none(clip):
    y, x = np.argwhere(clip.damaged(1))[0]
    here = Box(x0=int(x), y0=int(y), x1=int(x) + 1, y1=int(y) + 1)
    claims = (figures.Claim(frame=1, confidence=0.75, box=here, pixels=np.ones((1, 1), bool)),)
    perfect = figures.measure(clip, figures.Answer(result=clip.truth, matte=clip.alpha, claims=claims, seconds=1.0))
    assert perfect.error.psnr == math.inf and perfect.fixed.share == 1.0 and perfect.harm.part == 0
    assert perfect.touched.changed == 0 and perfect.frames == 4
    nothing = figures.measure(clip, figures.Answer(result=clip.scan, matte=clip.alpha * 0, seconds=1.0))
    assert nothing.fixed.share == 0.0 and nothing.objects.recall == 0.0 and nothing.harm.part == 0
    both = perfect + nothing
    assert both.fixed.share == 0.5 and both.seconds == 2.0
    assert both.kinds.keys() == clip.masks.keys()
    assert both.calibration.counts[7] == both.calibration.true[7] == 1
    assert both.calibration.expected_error == pytest.approx(0.25)


def test_the_bench_writes_a_table_and_goes_on_where_it_stopped(tmp_path, clean_dir, monkeypatch):
    options = BenchOptions(
        out_dir=tmp_path, bench_dir=clean_dir, rows=("input", "median"), clips=("dashcam-model",), frames=4
    )
    told = []
    first = restore.run(options, lambda *step: told.append(step))
    assert told[-1] == ("sequences", 1, 1)
    assert first["rows"]["median"]["fixed"]["part"] > 0
    assert "| median |" in (tmp_path / "restore.md").read_text()
    assert cv2.imread(str(tmp_path / "sheets" / "dashcam-model.png")) is not None
    monkeypatch.setattr(restore, "build", lambda *a: pytest.fail("a stored cell was measured again"))
    assert restore.run(options) == first
    assert json.loads((tmp_path / "restore.json").read_text()) == first


def test_a_torn_cell_is_measured_again(tmp_path, clean_dir):
    options = BenchOptions(out_dir=tmp_path, bench_dir=clean_dir, rows=("input",), clips=("dashcam-model",), frames=4)
    first = restore.run(options)
    cell = tmp_path / "cells" / "dashcam-model" / "input.json"
    cell.write_bytes(cell.read_bytes()[:100])
    assert restore.run(options) == first


def test_the_truth_bounds_what_can_be_mended(tmp_path, clean_dir):
    options = BenchOptions(out_dir=tmp_path, bench_dir=clean_dir, clips=("dashcam-model",), frames=2)
    found = bounds.run(options)
    assert found["all"]["objects"] == found["fine grain"]["objects"] > 0
    for one in found.values():
        assert one["fixed"]["truth"] == 1
        assert one["fixed"]["picture without grain"] >= one["fixed"]["picture with new grain"]
        assert one["told"]["an ideal observer"] >= one["told"]["its shape"] > 0
    assert "an ideal observer" in (tmp_path / "bounds.md").read_text()


def test_an_observer_tells_a_mark_from_grain_as_often_as_its_chance_says():
    grain = [cv2.GaussianBlur(noise, (0, 0), 0.8) for noise in np.random.default_rng(2).normal(0, 1, (9, 96, 96, 3))]
    grain = [(frame / frame.std()).astype(np.float32) for frame in grain]
    seen = observer.Observer.of(grain)
    mark = np.zeros((4, 4, 3), np.float32)
    assert seen.chances(mark, 16, 0.02) == pytest.approx((observer.BUDGET / 16,) * 2)
    chances = [seen.chances(mark + strength, 16, 0.02) for strength in (0.5, 1.0, 2.0, 4.0)]
    assert chances == sorted(chances) and chances[-1][0] > 0.99
    # The first observer's answer, counted: the mark laid over a frame less the mean of four others.
    there = [frame - np.mean(grain[n + 1 : n + 5], axis=0) for n, frame in enumerate(grain[:4])]
    sums = np.concatenate([cv2.blur(field.sum(axis=2), (4, 4))[4:-4, 4:-4].ravel() for field in there]) * 16
    limit = np.quantile(sums, 1 - observer.BUDGET / 16)
    assert np.mean(sums + 16 * 3 * 1.2 > limit) == pytest.approx(seen.chances(mark + 1.2, 16, 0.02)[0], abs=0.1)


def test_the_restorers_rows_go_through_files_as_a_user_would(tmp_path, clip, monkeypatch):
    monkeypatch.setitem(REGISTRY, "frdm", "fakes:load")
    answer = restore_as_user(clip.scan, tmp_path, RestoreSettings(quality="preview"), "cpu")
    assert answer.result.dtype == np.uint16 and answer.result.shape == clip.scan.shape
    assert answer.matte is not None and answer.matte.shape == clip.scan.shape[:3]
    assert np.array_equal(answer.result[answer.matte == 0], clip.scan[answer.matte == 0])
    assert {claim.frame for claim in answer.claims} <= set(range(4)) and answer.claims


def test_the_other_colour_system_and_back_is_within_two_codes():
    scan = np.random.default_rng(3).integers(0, 65536, (1, 16, 16, 3)).astype(np.uint16)
    assert np.abs(vapour._pictures(vapour._planes(scan)).astype(int) - scan).max() <= 2


def test_a_python_without_vapoursynth_is_not_taken(tmp_path):
    assert vapour.find_vapoursynth(str(tmp_path / "no-python")) is None
    rows, missing = choose_rows(
        BenchOptions(out_dir=tmp_path, rows=("spotless",), vapoursynth=str(tmp_path / "no-python"))
    )
    assert not rows and "--vapoursynth" in missing[0]


def test_dpx_codes_are_read_as_they_were_written(tmp_path):
    codes = np.random.default_rng(4).integers(0, 1024, (7, 13, 3)).astype(np.uint16)
    shots.write_codes(tmp_path / "a.dpx", codes, 10)
    assert np.array_equal(exact.unpacked((tmp_path / "a.dpx").read_bytes()), codes)


def test_a_made_shot_repeats_its_frames_there_and_back(tmp_path):
    shots.make_shot(tmp_path, 48, 32, 6, bits=10, unique=3)
    frames = [path.read_bytes()[2048:] for path in sorted(tmp_path.iterdir())]
    assert frames[3] == frames[1] and frames[4] == frames[0] and frames[5] == frames[1]
    assert len(set(frames)) == 3


def test_tables_say_a_dash_where_there_is_no_figure():
    assert number(math.nan) == "-" and number(0.12345, 1, 100) == "12.3"
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| :-- | --: |\n| x | 1 |\n"


@pytest.mark.slow
def test_the_shipped_restorer_is_exact_outside_its_mattes(tmp_path):
    if not weights_hash():
        pytest.skip("no weights in filmrestore/weights")
    found = exact.run(BenchOptions(out_dir=tmp_path, clips=("dpx",), frames=3))["dpx"]
    assert found["pixels changed outside"] == 0 and found["header bytes changed"] == 0
    assert found["verify passes"] and found["verify fails after one code of one pixel"]
