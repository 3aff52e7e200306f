"""Far frames of the shot: chosen by the analysis alone, and shown under what a lasting mark hides."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from scratched import grained, plate, scratched

from fakes import SilentRestorer
from film import read_codes, write_image
from filmrestore.analysis import Analysis, LastingScratch
from filmrestore.colour import open_colour
from filmrestore.fixes import FrameRecord, Ledger
from filmrestore.media import open_shot
from filmrestore.nodes.far import MOST, STEP, FarPlan
from filmrestore.nodes.far_fill import FarFrames, _agreed
from filmrestore.nodes.job import RestoreJob, RunReport
from filmrestore.nodes.live import Ask, LiveEngine, Plate
from filmrestore.nodes.restore import restore
from filmrestore.nodes.windows import Unit, most_read, plan_units
from filmrestore.restorers.base import REGISTRY
from filmrestore.settings import RestoreSettings

HEIGHT, WIDTH, COUNT, SPEED, COLUMN = 64, 112, 18, 2, 56.0
NUMBERS = tuple(range(1, COUNT + 1))
QUIET = RestoreSettings(sensitivity_dark=0.0, sensitivity_light=0.0, guard=1.0, grain=0.0)


def truth() -> list[NDArray[np.float32]]:
    """A panned picture full of detail as fine as the scratch is wide."""
    size = (HEIGHT, WIDTH + SPEED * COUNT)
    fine = cv2.GaussianBlur(np.random.default_rng(5).standard_normal(size).astype(np.float32), (0, 0), 1.2)
    wide = plate(4, *size) + np.float32(0.08) * fine / fine.std()
    return [grained(wide[:, SPEED * n : SPEED * n + WIDTH], n, 0.003) for n in range(COUNT)]


def scratch(**changes: object) -> LastingScratch:
    plain: dict[str, object] = {
        "first": 1,
        "last": COUNT,
        "frames": (1, COUNT),
        "columns": ((COLUMN,) * 5,) * 2,
        "top": 0,
        "bottom": HEIGHT,
        "width": 2.0,
        "polarity": "dark",
        "strength": 0.3,
        "certainty": 0.97,
    }
    return LastingScratch(**{**plain, **changes})  # type: ignore[arg-type]


def analysis(**changes: object) -> Analysis:
    plain: dict[str, object] = {
        "width": WIDTH,
        "height": HEIGHT,
        "frames": NUMBERS,
        "gate": ((0.0, 0.0, 0.0), *((-float(SPEED), 0.0, 0.0),) * (COUNT - 1)),
        "scratches": (scratch(),),
    }
    return Analysis(**{**plain, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A panned shot with one dark scratch, and its analysis."""
    folder = tmp_path_factory.mktemp("far")
    for number, frame in zip(NUMBERS, truth(), strict=True):
        codes = scratched(frame, COLUMN, -0.45, number)[:, :, None].repeat(3, axis=2)
        write_image(folder / f"s.{number:04d}.exr", np.asarray(codes, np.float32))
    with open_shot(str(folder / "s.####.exr")) as shot:
        colour = open_colour(shot.format, colourspace="scene_linear")
    analysis(colour=dict(colour.describe())).save(folder / "reel.json")
    return folder


@pytest.fixture(autouse=True)
def silent_restorer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGISTRY, "frdm", "fakes:load_silent")


def run(
    reel: Path, out: Path, span: str | None = None, on_error: str = "stop", rebuild: str = "", **changes: object
) -> RunReport:
    job = RestoreJob(
        source=str(reel / "s.####.exr"),
        output=str(out / "r.####.exr"),
        analysis=str(reel / "reel.json"),
        settings=replace(QUIET, **changes),  # type: ignore[arg-type]
        span=span,
        threads=1,
        colourspace="scene_linear",
        on_error=on_error,
        rebuild=rebuild,
    )
    return restore(job)


def pictures(out: Path) -> dict[str, bytes]:
    return {path.name: np.ascontiguousarray(read_codes(path)).tobytes() for path in sorted(out.glob("r.*.exr"))}


def ledger(out: Path) -> Ledger:
    return Ledger.open(next(out.glob("*.ledger")))


def record(out: Path, number: int) -> FrameRecord:
    found = ledger(out).record(number)
    assert found is not None
    return found


def units(wanted: tuple[int, ...] = NUMBERS, cuts: tuple[int, ...] = ()) -> list[Unit]:
    return plan_units(wanted, NUMBERS, cuts, window=5, keep=3)


@pytest.fixture(scope="module")
def whole(reel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reel, restored in one run."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(REGISTRY, "frdm", "fakes:load_silent")
        run(reel, out)
    return out


def test_what_far_frames_show_comes_nearer_to_the_truth_than_joined_sides(
    reel: Path, whole: Path, tmp_path: Path
) -> None:
    run(reel, tmp_path, "7-9", far_range=0)
    missed = {whole: 0.0, tmp_path: 0.0}
    for number in (7, 8, 9):
        for out in missed:
            result = read_codes(out / f"r.{number:04d}.exr")[:, int(COLUMN), 0]
            missed[out] += float(np.abs(result - truth()[number - 1][:, int(COLUMN)]).mean())
    assert missed[whole] < 0.5 * missed[tmp_path]
    (fix,) = (fix for fix in ledger(whole).fixes(8) if fix.area > HEIGHT)
    assert (fix.cause, fix.origin, fix.far) == ("scratch", "recovered", (4, 12, 16))
    assert all(fix.far == () and fix.origin == "interpolated" for fix in ledger(tmp_path).fixes(8))


def test_nothing_but_the_line_changes(reel: Path, whole: Path) -> None:
    for number in NUMBERS:
        changed = read_codes(reel / f"s.{number:04d}.exr") != read_codes(whole / f"r.{number:04d}.exr")
        changed[:, int(COLUMN) - 4 : int(COLUMN) + 5] = False
        assert not changed.any()


def test_any_cut_into_chunks_gives_the_codes_and_the_fixes_of_the_whole(
    reel: Path, whole: Path, tmp_path: Path
) -> None:
    for span in ("11-18", "1-4", "5-10"):
        run(reel, tmp_path, span)
    assert pictures(tmp_path) == pictures(whole)
    for number in NUMBERS:
        assert list(ledger(tmp_path).fixes(number)) == list(ledger(whole).fixes(number))


def test_a_far_frame_that_changed_makes_the_frames_anew_that_asked_it(reel: Path, tmp_path: Path) -> None:
    copy, out = Path(shutil.copytree(reel, tmp_path / "reel")), tmp_path / "out"
    assert run(copy, out, "1-9").restored == 9
    assert run(copy, out, "1-9").restored == 0
    os.utime(copy / "s.0016.exr", ns=(1, 1))
    plan = FarPlan(analysis(), (), QUIET)
    asked = sum(len(unit.kept) for unit in units(tuple(range(1, 10))) if 16 in plan.of(unit))
    assert 0 < asked < 9
    assert run(copy, out, "1-9").restored == asked


def test_far_frames_that_are_not_there_are_done_without_and_the_ledger_says_so(reel: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(reel, tmp_path / "reel"))
    (copy / "s.0016.exr").unlink()
    run(copy, tmp_path / "one", "7-9")
    assert record(tmp_path / "one", 8).note == "without far frames 16"
    assert [fix.far for fix in ledger(tmp_path / "one").fixes(8) if fix.area > HEIGHT] == [(4, 12)]
    (copy / "s.0012.exr").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="frames beside it do without it"):
        run(copy, tmp_path / "two", "7-9")
    assert record(tmp_path / "two", 8).note == "without far frames 12,16"
    run(reel, tmp_path / "held", "7-9", handles=2)
    assert record(tmp_path / "held", 8).note == "without far frames 4,12,16"
    run(reel, tmp_path / "none", "7-9", far_range=0)
    assert pictures(tmp_path / "held") == pictures(tmp_path / "none")


def test_a_frame_is_rebuilt_without_far_frames_that_cannot_be_read(reel: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(reel, tmp_path / "reel"))
    (copy / "s.0008.exr").unlink()
    (copy / "s.0016.exr").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="frames beside it do without it"):
        assert run(copy, tmp_path / "out", "7-9", rebuild="missing").restored == 3


def test_far_frames_are_those_of_the_shot_on_a_grid_of_the_reel_whatever_the_span() -> None:
    plan = FarPlan(analysis(), (), QUIET)
    by_name = {unit.name: plan.of(unit) for unit in units()}
    assert all(number % STEP == 0 for asked in by_name.values() for number in asked)
    assert by_name["+0000006.0"] == (4, 12, 16)  # 7 is its middle; 8 is in the window
    for span in ((8,), (9, 10, 11), (1, 17)):
        assert all(plan.of(unit) == by_name[unit.name] for unit in units(span))
    cut = FarPlan(analysis(cuts=(10,)), (10,), QUIET)
    for unit in units(cuts=(10,)):
        assert all((number < 10) == (unit.kept[0] < 10) for number in cut.of(unit))
    assert 12 not in FarPlan(analysis(), (), QUIET, lost=(12,)).of(units((8,))[0])


def test_a_reel_without_anything_certain_asks_and_reads_nothing_more() -> None:
    weak = analysis(scratches=(msgspec.structs.replace(scratch(), certainty=0.8),))
    plans = [FarPlan(weak, (), QUIET), FarPlan(analysis(scratches=()), (), QUIET)]
    without = (replace(QUIET, far_range=0), replace(QUIET, temporal_radius=0), replace(QUIET, lines=0.0))
    plans += [FarPlan(analysis(), (), settings) for settings in without]
    for plan in plans:
        assert [plan.with_far(unit, NUMBERS) for unit in units()] == units()
    ended = FarPlan(analysis(scratches=(scratch(last=4, frames=(1, 4)),)), (), QUIET)
    assert ended.of(units((2,))[0]) and not ended.of(units((8,))[0])


def test_a_window_asks_no_more_than_a_few_those_that_show_the_place_first() -> None:
    numbers = tuple(range(1, 201))
    still = ((0.0, 0.0, 0.0),) * 110
    long = analysis(frames=numbers, gate=(*still, *((-1.0, 0.0, 0.0),) * 90), scratches=(scratch(last=200),))
    plan = FarPlan(long, (), replace(QUIET, far_range=40))
    (unit,) = plan_units((100,), numbers, (), window=5, keep=3)
    assert len(plan.of(unit)) == MOST and min(plan.of(unit)) > 110
    reels = [plan.with_far(unit, numbers) for unit in plan_units(numbers, numbers, (), window=5, keep=3)]
    assert most_read(reels) <= 8 + 2 * MOST


def test_one_frame_that_differs_is_outvoted_and_none_that_are_believed_show_nothing() -> None:
    values = np.array([[[0.2] * 3], [[0.21] * 3], [[0.9] * 3]], np.float32)
    mean, by = _agreed(values, np.full((3, 1), 0.8, np.float32))
    assert abs(float(mean[0, 0]) - 0.205) < 1e-3 and by[0] == 0b011
    mean, by = _agreed(values, np.full((3, 1), 0.001, np.float32))
    assert not mean.any() and not by.any()


def test_a_far_frame_that_is_no_number_gives_nothing(reel: Path) -> None:
    with open_shot(str(reel / "s.####.exr")) as shot:
        colour = open_colour(shot.format, colourspace="scene_linear")
        frames = {number: shot.read(number) for number in (7, 12)}
    moved = slice(55 - 5 * SPEED, 58 - 5 * SPEED)  # where it has what the hole hides, and nothing around that
    codes = frames[12].codes.copy()
    codes[:, moved] = np.nan
    unit = replace(units((7,))[0], far=(12,))
    holes = np.zeros((HEIGHT, WIDTH), np.bool_)
    holes[:, 55:58] = True
    net = colour.to_net(frames[7].picture())
    plan, before = FarPlan(analysis(), (), QUIET), net.copy()
    assert FarFrames(unit, frames, plan, colour).fill(7, net.copy(), holes).any()
    far = FarFrames(unit, {**frames, 12: frames[12].replaced(codes)}, plan, colour)
    assert not far.fill(7, net, holes).any() and not far.fill(7, net, holes & False).any()
    assert np.array_equal(net, before)


def live(reel: Path, offered: tuple[int, ...], number: int = 8, **changes: object) -> NDArray[np.float32]:
    """The frame as a host gets it that offers these frames."""
    engine = LiveEngine(device="cpu", threads=1, cache=None, keep_mib=64)
    ask = Ask(
        clip=("clip",),
        plate=Plate(height=HEIGHT, width=WIDTH, channels="RGB"),
        number=number,
        settings=replace(QUIET, **changes),  # type: ignore[arg-type]
        changes={("source", n): str(n) for n in offered},
        analysis=str(reel / "reel.json"),
        whole=True,
    )
    planes = {key: np.asarray(read_codes(reel / f"s.{key[1]:04d}.exr"), np.float32) for key in engine.wanted(ask)}
    assert {n for _, n in planes} <= set(offered)
    return engine.answer(ask, planes, lambda: None).pixels


def test_a_host_gets_what_the_frames_that_it_offers_show(reel: Path, whole: Path) -> None:
    assert np.array_equal(live(reel, NUMBERS), read_codes(whole / "r.0008.exr"))
    window = (5, 6, 7, 8, 9)
    alone = live(reel, window)
    assert np.array_equal(alone, live(reel, window, far_range=0))
    assert np.array_equal(alone, live(reel, window)) and SilentRestorer.facts.window == len(window)
