"""Training: samples that are always the same, losses that mean what they say, runs that go on where they stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from training_runs import assert_same_run, make_data, stop_at

from filmrestore.errors import Cancelled, InputError, UsageError
from filmrestore.motion import NEXT, PREVIOUS, SECOND_VALID, VALID, evidence
from filmrestore.restorers.frdm.network import SIZES, FrdmNet
from filmrestore.restorers.frdm.weights import load_weights
from filmrestore.training import Stage, TrainJob, job_of, train
from filmrestore.training.batches import Windows, shorter, stack, turned
from filmrestore.training.calibrate import KNOTS
from filmrestore.training.checkpoint import NAME
from filmrestore.training.footage import Footage, open_footage
from filmrestore.training.job import seconds
from filmrestore.training.log import write_log
from filmrestore.training.look import unsteady
from filmrestore.training.lookalikes import LOOKALIKES
from filmrestore.training.losses import matte_loss, motion_of
from filmrestore.training.plot import plot
from filmrestore.training.publish import publish
from filmrestore.training.schedule import Schedule
from filmrestore.training.validation import classical, measure
from filmrestore.training.windows import Recipe, draw_sample

RECIPE = Recipe(size=32)
TINY = SIZES["frdm-test"]
STAGES = (
    Stage(name="guidance", share=0.5, size=32, batch=2),
    Stage(name="sampler", share=0.5, size=32, batch=2, rate=0.5),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def footage(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return open_footage(data, tmp_path_factory.mktemp("cache"))


def _job(data: Path, out: Path, **changes: object) -> TrainJob:
    return job_of(
        "frdm",
        **{
            "data": data, "out": out, "samples": 8, "network": TINY, "stages": STAGES, "warm_up": 2, "workers": 0,
            "validation": 0, "seed": 5, **changes,
        },
    )  # fmt: skip


def test_a_sample_is_the_same_whenever_it_is_drawn(footage: Footage) -> None:
    for step in range(4):
        first, again = draw_sample(footage, 3, step, RECIPE), draw_sample(footage, 3, step, RECIPE)
        for name in ("scan", "truth", "matte", "weight", "evidence", "overview"):
            assert torch.equal(getattr(first, name), getattr(again, name)), name
        assert (first.box, first.full, first.present) == (again.box, again.full, again.present)


def test_another_step_or_seed_gives_another_sample(footage: Footage) -> None:
    scans = [draw_sample(footage, seed, step, RECIPE).scan for seed, step in ((3, 0), (3, 1), (4, 0))]
    assert not torch.equal(scans[0], scans[1])
    assert not torch.equal(scans[0], scans[2])


def test_scan_and_truth_are_equal_bit_for_bit_outside_the_damage(footage: Footage) -> None:
    damaged = 0
    for step in range(16):
        sample = draw_sample(footage, 11, step, RECIPE)
        untouched = (sample.matte == 0) & ((sample.weight > 0) | ~torch.tensor(sample.present)[:, None, None, None])
        faint = (sample.scan != sample.truth).any(dim=1, keepdim=True) & (sample.matte == 0)
        untouched &= ~(faint & (sample.weight == 0))
        untouched = untouched.expand_as(sample.scan)
        assert torch.equal(sample.scan[untouched], sample.truth[untouched])
        damaged += int(sample.matte.sum())
    assert damaged > 0


def test_a_clean_window_has_nothing_to_find(footage: Footage) -> None:
    sample = draw_sample(footage, 3, 0, replace(RECIPE, clean=1.0))
    assert torch.equal(sample.scan, sample.truth)
    assert float(sample.matte.max()) == 0.0
    assert not sample.kinds


def test_frames_beyond_a_cut_hold_a_copy_and_ask_for_nothing(footage: Footage) -> None:
    samples = [draw_sample(footage, 21, step, RECIPE) for step in range(40)]
    cut = [sample for sample in samples if not all(sample.present)]
    assert cut
    for sample in cut:
        real = [index for index, there in enumerate(sample.present) if there]
        for index in set(range(5)) - set(real):
            nearest = min(real, key=lambda other, index=index: abs(other - index))
            assert torch.equal(sample.scan[index], sample.scan[nearest])
            assert float(sample.weight[index].max()) == 0.0


def test_evidence_can_be_held_back_whole_or_by_neighbour(footage: Footage) -> None:
    without = draw_sample(footage, 3, 1, replace(RECIPE, evidence_off=1.0))
    assert float(without.evidence.abs().max()) == 0.0
    single = draw_sample(footage, 3, 1, replace(RECIPE, evidence_off=0.0, neighbour_off=1.0))
    assert float(single.evidence[:, PREVIOUS].abs().max()) == float(single.evidence[:, NEXT].abs().max()) == 0.0


@pytest.mark.parametrize("name", sorted(LOOKALIKES))
def test_every_lookalike_is_drawn_and_stays_finite(name: str) -> None:
    changed = 0.0
    for seed in range(3):
        frames = np.full((5, 64, 64, 3), 0.2, np.float32)
        LOOKALIKES[name](np.random.default_rng(seed), frames)
        assert np.isfinite(frames).all()
        changed = max(changed, float(np.abs(frames - 0.2).max()))
    assert changed > 0.01


def test_held_out_footage_is_never_trained_on(data: Path, tmp_path: Path) -> None:
    train_set, held = open_footage(data, tmp_path), open_footage(data, tmp_path, held_out=True)
    assert not {*train_set.stills, *train_set.clips} & {*held.stills, *held.clips}
    assert [path.stem for path in held.clips] == ["chair"]


def test_a_folder_without_footage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training footage"):
        open_footage(tmp_path, tmp_path)


def test_a_false_alarm_costs_more_where_things_move() -> None:
    matte, weight = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    logits, motion = torch.full((1, 1, 8, 8), -4.0), torch.zeros(1, 1, 8, 8)
    motion[..., :4] = 1.0
    moving, still = logits.clone(), logits.clone()
    moving[..., 1], still[..., 6] = 4.0, 4.0
    assert matte_loss(moving, matte, weight, motion) > 1.5 * matte_loss(still, matte, weight, motion)


def test_a_pixel_that_is_not_asked_for_costs_nothing() -> None:
    matte, weight, motion = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    weight[..., 2, 2] = 0.0
    low, high = torch.full((1, 1, 8, 8), -4.0), torch.full((1, 1, 8, 8), -4.0)
    high[..., 2, 2] = 9.0
    assert torch.equal(matte_loss(low, matte, weight, motion), matte_loss(high, matte, weight, motion))


def test_motion_is_nought_in_a_still_window_and_full_where_it_changes() -> None:
    truth = torch.full((1, 5, 3, 16, 16), 0.4)
    assert float(motion_of(truth).max()) == 0.0
    truth[:, 2, :, :, 8:] = 0.9
    assert float(motion_of(truth)[0, 2, 0, 8, 15]) == 1.0
    assert float(motion_of(truth)[0, 0, 0, 8, 15]) == 0.0


def test_frames_of_other_tones_and_blends_stay_in_light_and_in_shape() -> None:
    frames = np.random.default_rng(0).random((5, 8, 8, 3), dtype=np.float32)
    drawn = [unsteady(np.random.default_rng(number), frames) for number in range(60)]
    changed = [light for light in drawn if not np.array_equal(light, frames)]
    assert 3 <= len(changed) <= 25
    assert all(light.shape == frames.shape and light.dtype == np.float32 and light.min() >= 0 for light in changed)


@pytest.mark.parametrize("at", [4, 6])
def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(at: int, data: Path, tmp_path: Path) -> None:
    """Before the sampler's stage, and in the middle of it."""
    whole, parts = _job(data, tmp_path / "whole"), _job(data, tmp_path / "parts", checkpoint_s=0.0)
    train(whole)
    with pytest.raises(Cancelled):
        train(parts, stop_at(at))
    assert train(parts).finished
    assert_same_run(whole.out, parts.out, updates=4)


def test_the_sampler_is_left_alone_until_its_stage(data: Path, tmp_path: Path) -> None:
    job = _job(data, tmp_path, checkpoint_s=0.0)
    with pytest.raises(Cancelled):
        train(job, stop_at(6))
    saved = torch.load(tmp_path / NAME, weights_only=True)
    assert saved["updates"] == 2
    torch.manual_seed(job.seed)
    fresh = FrdmNet(**TINY).state_dict()
    same = {name for name in fresh if torch.equal(fresh[name], saved["network"][name])}
    assert all(name in same for name in fresh if name.startswith("denoiser."))
    assert not all(name in same for name in fresh if name.startswith("guidance."))


def test_the_budget_stops_a_run_and_leaves_a_checkpoint(data: Path, tmp_path: Path) -> None:
    outcome = train(_job(data, tmp_path, samples=10**6, budget_s=0.5))
    assert not outcome.finished
    assert outcome.samples < 10**6
    assert outcome.checkpoint.exists()


def test_a_save_that_fails_leaves_the_old_checkpoint(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(_job(data, tmp_path, samples=4))
    before = (tmp_path / NAME).read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(Exception, match="no space"):
            train(_job(data, tmp_path, samples=8))
    assert (tmp_path / NAME).read_bytes() == before
    assert not list(tmp_path.glob("*.tmp")) and not list(tmp_path.glob(".*.tmp"))


def test_a_damaged_checkpoint_is_named(data: Path, tmp_path: Path) -> None:
    train(_job(data, tmp_path, samples=4))
    whole = (tmp_path / NAME).read_bytes()
    for damaged in (whole[:1000], b"", b"not a checkpoint"):
        (tmp_path / NAME).write_bytes(damaged)
        with pytest.raises(InputError, match=r"checkpoint\.pt is damaged"):
            train(_job(data, tmp_path, samples=8))
    (tmp_path / NAME).write_bytes(whole)
    with pytest.raises(InputError, match="cannot go on from"):
        train(_job(data, tmp_path, samples=8, network={"widths": (8, 8, 8), "denoiser_widths": (8, 8, 8)}))


def test_the_curve_and_the_settings_are_kept(data: Path, tmp_path: Path) -> None:
    train(_job(data, tmp_path, samples=4, validation=1))
    assert json.loads((tmp_path / "job.json").read_text())["samples"] == 4
    lines = [json.loads(line) for line in (tmp_path / "validation.jsonl").read_text().splitlines()]
    assert [line["samples"] for line in lines] == [4] and "object_recall" in lines[0]


def test_the_log_of_a_run_holds_its_settings_and_the_means_of_its_curve(data: Path, tmp_path: Path) -> None:
    train(_job(data, tmp_path / "run", samples=4))
    curve = [{"samples": 10 * at, "seconds": at, "stage": "guidance", "matte": float(at)} for at in range(1, 13)]
    curve += [{"samples": 130, "seconds": 13, "stage": "sampler", "clean": 2.0}]
    (tmp_path / "run" / "curve.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in ({"event": "began"}, *curve))
    )
    assert write_log(tmp_path / "run", tmp_path / "log.jsonl") == 3
    head, *lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert head["job"]["samples"] == 4
    assert not {"data", "out", "cache", "start", "hard"} & head["job"].keys()  # of the machine it ran on
    assert [(line["samples"], line.get("matte"), line.get("clean")) for line in lines] == [
        (100, 5.5, None), (120, 11.5, None), (130, None, 2.0),
    ]  # fmt: skip


def test_published_weights_load_and_carry_calibration_and_figures(data: Path, tmp_path: Path) -> None:
    train(_job(data, tmp_path / "run", samples=4))
    publish(tmp_path / "run", tmp_path / "frdm.safetensors", data, tmp_path / "cache", 1)
    weights = load_weights(tmp_path / "frdm.safetensors")
    assert set(weights.card["figures"]) == {"classical", "preview", "final"}
    bins = weights.card["figures"]["preview"]["reliability"]
    assert bins and all(0 <= said <= 1 and 0 <= seen <= 1 and count > 0 for said, seen, count in bins)
    write_log(tmp_path / "run", tmp_path / "log.jsonl")
    plot([tmp_path / "log.jsonl", tmp_path / "run"], tmp_path / "frdm.json", tmp_path / "curve.png")
    assert cv2.imread(str(tmp_path / "curve.png")) is not None
    calibration = dict(weights.card["calibration"])
    assert [knot for knot, _ in calibration.pop("marks")] == list(KNOTS)
    assert all(entry["temperature"] > 0 for entry in calibration.values())
    card = (tmp_path / "frdm.md").read_text()
    assert "CC BY 4.0" in card and "| objects fixed |" in card


def test_a_run_is_averaged_with_another_or_with_published_weights(data: Path, tmp_path: Path) -> None:
    train(_job(data, tmp_path / "run", samples=4))
    train(_job(data, tmp_path / "other", samples=4, seed=2))
    for name in ("run", "other"):
        publish(tmp_path / name, tmp_path / f"{name}.safetensors", data, tmp_path / "cache", 0)
    mine, other = (load_weights(tmp_path / f"{name}.safetensors").net.state_dict() for name in ("run", "other"))
    for second in (tmp_path / "other", tmp_path / "other.safetensors"):
        publish(tmp_path / "run", tmp_path / "mean.safetensors", data, tmp_path / "cache", 0, [second])
        mean = load_weights(tmp_path / "mean.safetensors")
        assert mean.card["run"]["with"][0]["samples"] == 4
        for name, value in mean.net.state_dict().items():
            torch.testing.assert_close(value, (mine[name] + other[name]) / 2, atol=2e-3, rtol=2e-3)
    with pytest.raises(InputError, match=r"missing\.json|missing\.safetensors"):
        publish(tmp_path / "run", tmp_path / "no.safetensors", windows=0, others=[tmp_path / "missing.safetensors"])


def test_a_perfect_answer_fixes_everything_and_harms_nothing(footage: Footage) -> None:
    samples = [draw_sample(footage, 5, step, replace(RECIPE, clean=0.0)) for step in range(6)]
    found = measure(samples, lambda sample: (sample.matte, sample.truth))
    assert found.pixels.recall == found.pixels.precision == 1.0
    assert found.harm.part == 0
    everything = measure(samples, lambda sample: ((sample.scan != sample.truth).any(1, True).float(), sample.truth))
    assert everything.fixed.share == 1.0
    assert measure(samples, classical).pixels.recall < 1.0


def test_the_rate_warms_up_and_falls_to_its_last_value_times_the_stages() -> None:
    schedule = Schedule((Stage(share=0.5, size=8, batch=2), Stage(share=0.5, size=8, batch=2, rate=5.0)), 2000)
    assert schedule.share(0, 40) == pytest.approx(1 / 40, rel=1e-3)
    assert schedule.share(39, 40) > 0.9
    assert schedule.share(0, 1000) == pytest.approx(1 / 50, rel=1e-3)  # no more than a twentieth of the steps
    assert schedule.share(500, 100) == pytest.approx(5 * schedule.share(499, 100), rel=1e-2)
    assert schedule.share(999, 0) == pytest.approx(5 * 0.03, rel=1e-3)


def test_a_schedule_tells_every_sample_once() -> None:
    small, large = Stage(share=0.6, size=32, batch=4), Stage(share=0.4, size=64, batch=1)
    schedule = Schedule((small, large), 20)
    assert len(schedule) == 3 + 8
    steps = [schedule[number] for number in range(11)]
    assert [step.first + place for step in steps for place in range(step.stage.batch)] == list(range(20))
    assert [step.number for step in steps if step.begins] == [0, 3]
    assert [schedule.drawn(number) for number in (0, 3, 4, 11)] == [0, 12, 13, 20]
    assert [schedule.stage_of(sample) for sample in (0, 11, 12, 99)] == [small, small, large, large]
    with pytest.raises(IndexError):
        schedule[11]


@pytest.mark.parametrize(("text", "wanted"), [("90", 90.0), ("90s", 90.0), ("25m", 1500.0), ("1.5h", 5400.0)])
def test_a_budget_is_read_as_people_write_it(text: str, wanted: float) -> None:
    assert seconds(text) == wanted


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="write it like"):
        seconds("soon")


def test_a_turned_sample_is_as_if_it_had_been_filmed_so(footage: Footage) -> None:
    sample = draw_sample(footage, 3, 2, replace(RECIPE, evidence_off=0.0, neighbour_off=0.0))
    once = turned(sample)
    assert once.present == sample.present[::-1]
    assert torch.equal(once.scan[0, 0], sample.scan[4, 2].flip(1))
    assert torch.equal(once.evidence[1, PREVIOUS][0], sample.evidence[3, NEXT][2].flip(1))
    again = sample
    for _ in range(6):  # mirror and time come back after two turns, the three colours after three
        again = turned(again)
    for name in ("scan", "truth", "matte", "weight", "evidence", "overview"):
        assert torch.equal(getattr(again, name), getattr(sample, name)), name


@pytest.mark.parametrize("present", [(True,) * 5, (True, True, True, False, False), (False, True, True, True, True)])
@pytest.mark.parametrize("radius", [0, 1])
def test_a_shorter_window_is_shown_nothing_of_the_frames_that_it_lost(
    present: tuple[bool, ...], radius: int, footage: Footage
) -> None:
    drawn = draw_sample(footage, 3, 4, replace(RECIPE, evidence_off=0.0, neighbour_off=0.0))
    seen = evidence(drawn.scan.numpy(), present, seconds=True)
    whole = stack([replace(drawn, present=present, evidence=torch.from_numpy(seen))])
    frames = slice(2 - radius, 3 + radius)
    own = evidence(drawn.scan[frames].numpy(), present[frames], seconds=True)
    told = shorter(whole, radius).evidence[0]
    for channels in (VALID, SECOND_VALID):
        valid = told[:, channels].flatten(2).amax(2)
        assert torch.equal(valid, torch.from_numpy(own[:, channels]).flatten(2).amax(2))


def test_every_sample_is_used_twice_and_no_order_changes_a_batch(data: Path, footage: Footage, tmp_path: Path) -> None:
    job = _job(data, tmp_path, samples=32)
    forward = Windows(footage, job.seed, job.schedule)
    batches = [forward(job.schedule[number]) for number in range(16)]
    alone = Windows(footage, job.seed, job.schedule)(job.schedule[11])
    assert torch.equal(batches[11]["scan"], alone["scan"])
    middles = [window[len(window) // 2] for batch in batches for window in batch["scan"]]
    sums = sorted(round(float(middle.double().sum()), 3) for middle in middles)
    assert sums[::2] == sums[1::2]
