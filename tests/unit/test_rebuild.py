"""Lost frames: made from neighbours better than by repeating or blending them, on record, never across a cut."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from restoring import job, ledger_of, quickly

from film import read_codes
from filmrestore.colour import encode_net
from filmrestore.errors import MissingFrames, UsageError
from filmrestore.fixes import Ledger
from filmrestore.fixes.replay import ApplyJob, apply
from filmrestore.fixes.verify import VerifyJob, verify
from filmrestore.grain import stock
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore
from filmrestore.restorers.prior.network import new_prior
from filmrestore.settings import RestoreSettings
from filmrestore.wide.rebuild import rebuild
from wide_shots import coded, moving, plate, write

F32 = NDArray[np.float32]
pytestmark = pytest.mark.usefixtures("median_restorer")
cv2.setNumThreads(1)


def psnr(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    return float(-10 * np.log10(np.mean((one - other) ** 2)))


def nets(seed: int, *numbers: int) -> list[F32]:
    scene = plate(seed)
    return [encode_net(moving(number, scene, pan=2.5).astype(np.float32)) for number in numbers]


@pytest.mark.parametrize(("gap", "gain"), [(2, 8.0), (4, 5.0)])
def test_is_nearer_the_truth_than_a_repeated_neighbour_and_than_a_blend(gap: int, gain: float) -> None:
    before, true, after = nets(1, 10, 11, 10 + gap)
    made = rebuild(before, after, 1 / gap).picture
    blend = (1 - 1 / gap) * before + after / gap
    assert psnr(made, true) > max(psnr(before, true), psnr(after, true)) + gain
    assert psnr(made, true) > psnr(blend, true) + gain


def test_says_where_it_guesses() -> None:
    before, _, after = nets(2, 10, 11, 12)
    after = after.copy()
    after[40:80, 60:110] = 0.9  # something that was not there
    made = rebuild(before, after, 0.5)
    assert made.seen[:, :40].mean() > 0.95 and made.seen[50:70, 70:100].mean() < 0.5


def test_has_the_grain_that_a_mean_of_two_frames_lacks() -> None:
    rng = np.random.default_rng(0)
    grains = [0.012 * cv2.GaussianBlur(rng.standard_normal((96, 96, 3)), (0, 0), 0.6).astype(np.float32) for _ in "ab"]
    before, after = (0.47 + grain for grain in grains)
    plain = rebuild(before, after, 0.5).picture
    grainy = rebuild(before, after, 0.5, grain=stock(), frame=7).picture
    other = rebuild(before, after, 0.5, grain=stock(), frame=8).picture
    assert plain.std() < 0.85 * before.std()
    assert grainy.std() > plain.std() + 0.002
    assert not np.array_equal(grainy, other)


class Reel:
    """Twelve frames without 1006, with a speck beside the gap and 1009 torn."""

    def __init__(self, folder: Path) -> None:
        scene = plate(3)
        self.clean = [
            moving(k, scene, pan=0.5, ball=False) for k in range(12)
        ]  # slow: a median stands for the restorer
        frames = [light.copy() for light in self.clean]
        frames[4][50:54, 70:74] = 0.0
        frames[8][:, 50:120] = 0.9
        self.pattern = write(folder, frames, grain=0.002, skip=(1006,))


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    return Reel(tmp_path_factory.mktemp("reel"))


def rebuilding(reel: Reel, out: Path, **changes: object) -> RestoreJob:
    plain: dict[str, object] = {"settings": RestoreSettings(deflicker=0.5), "rebuild": "missing,1009"}
    return job(reel.pattern, out, **plain | changes)


@pytest.fixture(scope="module")
def whole(reel: Reel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    done = quickly(rebuilding(reel, out))
    assert not done.failed and done.restored == 12
    return out


def shares_of(out: Path, number: int) -> NDArray[np.float64]:
    return np.asarray(read_codes(out / f"clean.{number}.png"), np.float64) / 65535


@pytest.mark.parametrize("number", [1006, 1009])
def test_the_frame_is_there_and_is_what_was_lost(reel: Reel, whole: Path, number: int) -> None:
    made = shares_of(whole, number)
    true, beside = (coded(reel.clean[n - 1001]) for n in (number, number - 1))
    assert psnr(made, true) > psnr(beside, true) + 4


def test_a_speck_of_a_neighbour_is_not_carried_over(reel: Reel, whole: Path) -> None:
    made = shares_of(whole, 1006)[48:56, 68:76]
    assert np.abs(made - coded(reel.clean[5])[48:56, 68:76]).max() < 0.15


@pytest.mark.parametrize("number", [1006, 1009])
def test_the_ledger_says_that_the_frame_was_made(whole: Path, number: int) -> None:
    ledger = Ledger.open(ledger_of(whole))
    fixes = ledger.fixes(number)
    assert {fix.cause for fix in fixes} == {"lost_frame"}
    assert {fix.origin for fix in fixes} <= {"interpolated", "generated"}
    record = ledger.record(number)
    assert record is not None and (record.source == "") == (number == 1006)


def test_the_result_verifies_and_apply_gives_the_same_bits(reel: Reel, whole: Path, tmp_path: Path) -> None:
    ledger = ledger_of(whole)
    found = verify(VerifyJob(source=reel.pattern, result=str(whole / "clean.####.png"), ledger=ledger))
    assert found.ok and found.frames == 12, found.text()
    apply(ApplyJob(source=reel.pattern, ledger=ledger, output=str(tmp_path / "clean.####.png")))
    for path in whole.glob("clean.*.png"):
        assert np.array_equal(read_codes(path), read_codes(tmp_path / path.name))


def test_chunks_give_the_bits_of_the_whole(reel: Reel, whole: Path, tmp_path: Path) -> None:
    analysis = str(next(whole.glob("*.analysis.json")))
    for span in ("1001-1006", "1007-1008", "1009-1012"):
        restore(rebuilding(reel, tmp_path, span=span, analysis=analysis))
    for path in whole.glob("clean.*.png"):
        assert np.array_equal(read_codes(path), read_codes(tmp_path / path.name))


def test_svi_says_what_the_neighbours_contradict_each_other_on(reel: Reel, tmp_path: Path) -> None:
    new_prior("prior-test").save_pretrained(tmp_path / "prior")
    plain = {"method": "svi", "operator": "missing", "prior": str(tmp_path / "prior"), "grain": 0.0}
    made = {}
    for quality in ("final", "preview"):
        out = tmp_path / quality
        settings = RestoreSettings(**plain, quality=quality)  # type: ignore[arg-type]
        done = restore(rebuilding(reel, out, settings=settings, span="1005-1007", rebuild="missing"))
        assert not done.failed and done.restored == 3
        made[quality] = shares_of(out, 1006)
    fixes = Ledger.open(ledger_of(tmp_path / "final")).fixes(1006)
    assert {fix.cause for fix in fixes} == {"lost_frame"} and all(" svi@" in fix.model for fix in fixes)
    assert psnr(made["final"], coded(reel.clean[5])) > 40
    changed = np.abs(made["final"] - made["preview"]).max(axis=2) > 0
    generated = sum(fix.area * fix.shares[2] for fix in fixes)  # the speck that one neighbour has, and torn edges
    assert changed[48:56, 68:76].any() and changed.sum() <= generated + 1


def test_a_second_run_leaves_rebuilt_frames_alone(reel: Reel, whole: Path) -> None:
    done = restore(rebuilding(reel, whole))
    assert done.skipped == 12 and done.restored == 0


def test_a_frame_beside_a_cut_fails_and_says_why(reel: Reel, tmp_path: Path) -> None:
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("1007\n")
    done = restore(rebuilding(reel, tmp_path / "out", cuts=str(cuts), on_error="skip", rebuild="missing"))
    assert set(done.failed) == {1006} and "cut between 1005 and 1007" in done.failed[1006]


def test_too_many_in_a_row_fail(reel: Reel, tmp_path: Path) -> None:
    done = restore(rebuilding(reel, tmp_path, on_error="skip", rebuild="1004-1008", span="1003-1009"))
    assert set(done.failed) == {1004, 1005, 1006, 1007, 1008} and "at most 4" in done.failed[1005]


def test_a_missing_frame_that_nobody_asked_for_is_still_refused(reel: Reel, tmp_path: Path) -> None:
    with pytest.raises(MissingFrames, match="--rebuild missing"):
        restore(rebuilding(reel, tmp_path, rebuild="1009"))


def test_the_ends_of_a_reel_are_refused(reel: Reel, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lies at an end"):
        restore(rebuilding(reel, tmp_path, rebuild="1001"))
