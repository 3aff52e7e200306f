"""Restoring with frame-wide fixes: the ledger replays, verifies and gives way, and chunks equal the whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from restoring import job, ledger_of, quickly

from film import read_codes, write_image
from filmrestore.errors import LedgerError, UsageError
from filmrestore.fixes import Ledger
from filmrestore.fixes.replay import ApplyJob, apply
from filmrestore.fixes.verify import VerifyJob, verify
from filmrestore.frame import Box
from filmrestore.nodes.live import Ask, Key, LiveEngine, Plate
from filmrestore.nodes.restore import restore
from filmrestore.settings import RestoreSettings
from wide_shots import moving, plate, write

FIRST = 1001
SETTINGS = RestoreSettings(deflicker=1.0, deflicker_uneven=0.5, unfade=0.5, stabilise=1.0, grain=0.0)
pytestmark = pytest.mark.usefixtures("median_restorer")


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> str:
    rng, scene = np.random.default_rng(5), plate(6)
    frames = []
    for k in range(14):
        x, y = rng.normal(0, 0.7, 2)
        light = moving(k, scene, shift=(x, y)) * np.exp(rng.normal(0, 0.05)) * (0.9, 1.0, 0.8)
        light[40 + k : 44 + k, 60:64] = 0.001
        frames.append(light)
    return write(tmp_path_factory.mktemp("scan"), frames)


@pytest.fixture(scope="module")
def whole(scan: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    quickly(job(scan, out, settings=SETTINGS))
    return out


def test_every_frame_has_a_fix_of_each_kind(whole: Path) -> None:
    ledger = Ledger.open(ledger_of(whole))
    kinds = {number: [fix.cause for fix in ledger.wide(number)] for number in ledger.frames}
    assert set(map(tuple, kinds.values())) == {("flicker", "fade", "weave")}


def test_the_result_verifies(scan: str, whole: Path) -> None:
    found = verify(VerifyJob(source=scan, result=str(whole / "clean.####.png"), ledger=ledger_of(whole)))
    assert found.ok and found.wide == 3 * 14 and found.applied > 0, found.text()


def test_one_code_more_does_not_verify(scan: str, whole: Path, tmp_path: Path) -> None:
    for path in whole.glob("clean.*.png"):
        codes = read_codes(path)
        if path.name.endswith("1004.png"):
            codes[3, 5, 1] += 1
        write_image(tmp_path / path.name, codes)
    found = verify(VerifyJob(source=scan, result=str(tmp_path / "clean.####.png"), ledger=ledger_of(whole)))
    assert not found.ok and found.wrong == 1


def test_apply_gives_the_same_bits(scan: str, whole: Path, tmp_path: Path) -> None:
    apply(ApplyJob(source=scan, ledger=ledger_of(whole), output=str(tmp_path / "clean.####.png")))
    for path in whole.glob("clean.*.png"):
        assert np.array_equal(read_codes(path), read_codes(tmp_path / path.name))


@pytest.mark.parametrize("cause", ["flicker", "fade", "weave"])
def test_each_can_be_left_out_alone_and_the_rest_stays(scan: str, whole: Path, tmp_path: Path, cause: str) -> None:
    without = (f"cause:{cause}",)
    out = str(tmp_path / "clean.####.png")
    done = apply(ApplyJob(source=scan, ledger=ledger_of(whole), output=out, without=without))
    assert done.left_out == 14
    assert verify(VerifyJob(source=scan, result=out, ledger=ledger_of(whole), without=without)).ok
    first = read_codes(tmp_path / "clean.1006.png")
    assert not np.array_equal(first, read_codes(whole / "clean.1006.png"))


def test_without_all_of_them_the_result_is_that_of_a_run_without(scan: str, whole: Path, tmp_path: Path) -> None:
    without = ("cause:flicker", "cause:fade", "cause:weave")
    out = tmp_path / "apply"
    apply(ApplyJob(source=scan, ledger=ledger_of(whole), output=str(out / "clean.####.png"), without=without))
    plain = tmp_path / "plain"
    restore(job(scan, plain, settings=RestoreSettings(grain=0.0)))
    for path in plain.glob("clean.*.png"):
        assert np.array_equal(read_codes(path), read_codes(out / path.name))


def test_chunks_give_the_bits_of_the_whole(scan: str, whole: Path, tmp_path: Path) -> None:
    analysis = str(next(whole.glob("*.analysis.json")))
    for span in ("1001-1005", "1009-1014", "1006-1008"):
        restore(job(scan, tmp_path, settings=SETTINGS, span=span, analysis=analysis))
    for path in whole.glob("clean.*.png"):
        assert np.array_equal(read_codes(path), read_codes(tmp_path / path.name))


def test_parameters_that_were_edited_are_refused(scan: str, whole: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "edited.ledger"
    shutil.copytree(ledger_of(whole), ledger)
    lines = (ledger / "ledger.jsonl").read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if '"kind":"flicker"' in line)
    entry = msgspec.json.decode(lines[at])
    entry["gain"][0] += 0.25
    lines[at] = msgspec.json.encode(entry).decode()
    (ledger / "ledger.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(LedgerError, match="parameters of flicker"):
        apply(ApplyJob(source=scan, ledger=ledger, output=str(tmp_path / "out.####.png")))


def test_a_host_gets_the_bits_of_a_run_over_files(tmp_path: Path) -> None:
    rng, scene = np.random.default_rng(7), plate(8)
    lights = [(moving(k, scene) * np.exp(rng.normal(0, 0.1))).astype(np.float32)[:64, :72] for k in range(6)]
    for number, light in enumerate(lights, FIRST):
        write_image(tmp_path / f"shot.{number:04d}.exr", light)
    scan = str(tmp_path / "shot.####.exr")
    settings = RestoreSettings(deflicker=1.0, stabilise=1.0, grain=0.0)
    out = tmp_path / "out"
    restore(job(scan, out, output=str(out / "clean.####.exr"), settings=settings, colourspace="scene_linear"))
    analysis = str(next(out.glob("*.analysis.json")))
    plate_of_host = Plate(height=64, width=72, channels="RGB")
    frames: dict[Key, np.ndarray] = {("source", n): light for n, light in enumerate(lights, FIRST)}
    changes = {key: str(key) for key in frames}
    engine = LiveEngine(device="cpu", threads=1, cache=None, keep_mib=64)
    for number in (1001, 1004):
        ask = Ask(
            clip=("clip",), plate=plate_of_host, number=number, settings=settings, changes=changes, analysis=analysis
        )
        answer = engine.answer(ask, frames, lambda: None)
        assert np.array_equal(answer.pixels, read_codes(out / f"clean.{number}.exr"))
    without = Ask(clip=("clip",), plate=plate_of_host, number=1001, settings=settings, changes=changes)
    with pytest.raises(UsageError, match="give the analysis"):
        engine.answer(without, frames, lambda: None)


def test_a_region_and_a_whole_frame_exclude_each_other(scan: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="whole frame"):
        restore(job(scan, tmp_path, settings=SETTINGS, roi=Box(x0=0, y0=0, x1=8, y1=8)))
