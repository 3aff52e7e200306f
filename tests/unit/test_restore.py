"""The restore node's laws: bit-exact outside the matte, the same bytes however the work is cut up."""

from __future__ import annotations

import random
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from msgspec import structs
from restoring import SETTINGS, bytes_of, job, quickly

from film import SPECKS, picture, read_codes, write_image, write_shot
from filmrestore import __version__
from filmrestore.analysis import Analysis
from filmrestore.errors import (
    Cancelled,
    CorruptFile,
    FilmRestoreError,
    InputError,
    MissingFrames,
    OutputError,
    UsageError,
)
from filmrestore.fixes import Ledger
from filmrestore.frame import Box, Frame
from filmrestore.media import Writer
from filmrestore.nodes.mending import Mender, Seen
from filmrestore.nodes.restore import restore
from filmrestore.nodes.results import Made
from filmrestore.nodes.tiles import Blended

pytestmark = pytest.mark.usefixtures("median_restorer")


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shot(tmp_path_factory.mktemp("scan"))


def codes_of(folder: Path, extension: str = "png") -> dict[str, np.ndarray]:
    return {path.name: read_codes(path) for path in sorted(folder.glob(f"*.{extension}"))}


@pytest.fixture(scope="module")
def whole(scan: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole")
    quickly(job(scan, out))
    return bytes_of(out)


def test_specks_go_and_every_pixel_outside_the_matte_keeps_its_code(scan: str, tmp_path: Path) -> None:
    report = restore(job(scan, tmp_path, matte_out=str(tmp_path / "matte" / "m.####.png")))
    assert report.restored == report.frames == 12 and not report.failed
    source = Path(scan).parent
    for number in range(1000, 1012):
        before, after = read_codes(source / f"shot.{number}.png"), read_codes(tmp_path / f"clean.{number}.png")
        matte = read_codes(tmp_path / "matte" / f"m.{number}.png")[:, :, 0]
        assert after.dtype == before.dtype == np.uint16
        assert np.array_equal(before[matte == 0], after[matte == 0])
        changed = (before != after).any(axis=2)
        if number in SPECKS:
            row, column = SPECKS[number]
            assert changed[row : row + 4, column : column + 4].all()
            assert after[row : row + 4, column : column + 4].min() > 10000
        assert changed.mean() < 0.01


def test_strength_0_and_mix_0_give_the_scan_bit_for_bit(scan: str, tmp_path: Path) -> None:
    for name in ("strength", "mix"):
        out = tmp_path / name
        report = restore(job(scan, out, span="1002-1006", settings=replace(SETTINGS, **{name: 0.0})))
        assert report.fixes == 0
        for path in out.glob("*.png"):
            assert np.array_equal(read_codes(path), read_codes(Path(scan).parent / path.name.replace("clean", "shot")))


@pytest.mark.parametrize("seed", [1, 2])
def test_any_cut_into_chunks_gives_the_bytes_of_the_whole(
    scan: str, tmp_path: Path, whole: dict[str, bytes], seed: int
) -> None:
    numbers = list(range(1000, 1012))
    chops = sorted(random.Random(seed).sample(range(1, 12), 3))
    chunks = [numbers[a:b] for a, b in zip([0, *chops], [*chops, 12], strict=True)]
    random.Random(seed).shuffle(chunks)
    for chunk in chunks:
        restore(job(scan, tmp_path, span=f"{chunk[0]}-{chunk[-1]}"))
    assert bytes_of(tmp_path) == whole


@pytest.mark.parametrize("threads", [1, 3])
def test_the_count_of_threads_changes_no_byte(scan: str, tmp_path: Path, whole: dict[str, bytes], threads: int) -> None:
    restore(job(scan, tmp_path, threads=threads))
    assert bytes_of(tmp_path) == whole


def test_a_warm_cache_gives_the_same_bytes_without_one_network_call(
    scan: str, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    cold = restore(job(scan, tmp_path / "cold", cache=str(tmp_path / "tiles")))
    assert cold.tiles_cached == 0 and cold.tiles_computed > 0
    warm = restore(job(scan, tmp_path / "warm", cache=str(tmp_path / "tiles")))
    assert (warm.tiles_computed, warm.tiles_cached) == (0, cold.tiles_computed)
    assert bytes_of(tmp_path / "warm") == bytes_of(tmp_path / "cold") == whole


@pytest.mark.parametrize(
    "change",
    [
        {"strength": 0.5},
        {"sensitivity_dark": 0.9},
        {"mix": 0.3},
        {"smallest": 3.0},
        {"guard": 0.0},
        {"output": "matte"},
    ],
)
def test_what_acts_after_the_cache_renders_no_tile_anew(scan: str, tmp_path: Path, change: dict[str, object]) -> None:
    cache = str(tmp_path / "tiles")
    restore(job(scan, tmp_path / "a", cache=cache, span="1003-1005"))
    again = restore(
        job(scan, tmp_path / "b", cache=cache, span="1003-1005", settings=replace(SETTINGS, **change))  # type: ignore[arg-type]
    )
    assert again.tiles_computed == 0


def test_a_protect_mask_renders_no_tile_anew_and_keeps_what_it_covers(scan: str, tmp_path: Path) -> None:
    cache = str(tmp_path / "tiles")
    restore(job(scan, tmp_path / "a", cache=cache, span="1003-1005"))
    mask = np.zeros((90, 133, 1), np.uint8)
    row, column = SPECKS[1003]
    mask[row - 5 : row + 9, column - 5 : column + 9] = 255
    write_image(tmp_path / "protect.png", mask)
    out = tmp_path / "b"
    report = restore(job(scan, out, cache=cache, span="1003-1005", protect=str(tmp_path / "protect.png")))
    assert report.tiles_computed == 0
    before, after = read_codes(Path(scan).parent / "shot.1003.png"), read_codes(out / "clean.1003.png")
    covered = mask[:, :, 0] > 0
    assert np.array_equal(before[covered], after[covered])


def test_one_speck_more_renders_only_the_tiles_that_see_it(tmp_path: Path) -> None:
    scan = write_shot(tmp_path / "scan", height=150, width=230)
    cache = str(tmp_path / "tiles")
    first = restore(job(scan, tmp_path / "a", cache=cache))
    path = tmp_path / "scan" / "shot.1004.png"
    codes = read_codes(path).copy()
    codes[70:73, 100:103] = 0
    write_image(path, codes)
    second = restore(job(scan, tmp_path / "b", cache=cache))
    patches_a_window = first.tiles_computed // 4  # twelve frames are kept by five windows at most
    assert 0 < second.tiles_computed <= 8 < patches_a_window * 2
    assert second.tiles_computed + second.tiles_cached == first.tiles_computed


def test_running_again_does_nothing_and_a_lost_frame_is_made_again(
    scan: str, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    restore(job(scan, tmp_path, span="1000-1008"))
    [part] = tmp_path.glob("*.ledger/parts/*/0001007.jsonl")
    part.unlink()
    assert restore(job(scan, tmp_path)).restored == 4
    assert (tmp_path / "shot.ledger" / "ledger.jsonl").exists() and restore(job(scan, tmp_path)).restored == 0
    lines = tmp_path / "shot.ledger" / "ledger.jsonl"
    lines.write_text("".join(f"{line}\n" for line in lines.read_text().splitlines() if '"frame":1002,' not in line))
    (tmp_path / "clean.1004.png").unlink()
    report = restore(job(scan, tmp_path))
    assert report.restored == 2 and report.skipped == 10
    assert bytes_of(tmp_path) == whole


def test_a_changed_scan_or_setting_is_done_again_but_never_with_overwrite_never(tmp_path: Path) -> None:
    scan = write_shot(tmp_path / "scan", 6)
    out = tmp_path / "out"
    restore(job(scan, out))
    path = tmp_path / "scan" / "shot.1000.png"
    codes = read_codes(path).copy()
    codes[50:53, 20:23] = 65535
    write_image(path, codes)
    assert restore(job(scan, out, overwrite="never")).restored == 0
    assert 0 < restore(job(scan, out)).restored < 6
    stronger = replace(SETTINGS, sensitivity_light=0.7)
    assert restore(job(scan, out, settings=stronger)).restored == 6
    assert restore(job(scan, out, settings=stronger, overwrite="always")).restored == 6


def test_a_stopped_run_keeps_what_is_finished_and_goes_on_from_there(
    scan: str, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 40

    with pytest.raises(Cancelled, match="run the same command again"):
        restore(job(scan, tmp_path), cancelled=stop)
    finished = bytes_of(tmp_path)
    assert 0 < len(finished) < 12
    assert not list(tmp_path.glob(".*tmp*"))
    report = restore(job(scan, tmp_path))
    assert report.skipped == len(finished)
    assert bytes_of(tmp_path) == whole


def test_a_window_is_finished_while_the_tiles_of_the_next_are_at_work(
    scan: str, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    blend, finished, second = Mender.blend, Mender.finished, threading.Event()
    seen: list[Seen] = []
    met: list[bool] = []

    def blends(mender: Mender, window: Seen) -> dict[int, Blended]:
        seen.append(window)
        if len(seen) == 2:
            second.set()
        return blend(mender, window)

    def waits(mender: Mender, number: int, window: Seen, blended: Blended) -> Made:
        if window is seen[0]:
            met.append(second.wait(60))
        return finished(mender, number, window, blended)

    monkeypatch.setattr(Mender, "blend", blends)
    monkeypatch.setattr(Mender, "finished", waits)
    restore(job(scan, tmp_path))
    assert met and all(met)
    assert bytes_of(tmp_path) == whole


@pytest.mark.parametrize("why", [MemoryError, RuntimeError, KeyboardInterrupt])
def test_what_ends_a_run_in_one_window_loses_no_frame_of_those_before(
    scan: str, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, why: type[BaseException]
) -> None:
    blend, calls = Mender.blend, 0

    def fails(mender: Mender, window: Seen) -> dict[int, Blended]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise why("in the third window")
        return blend(mender, window)

    with monkeypatch.context() as patch:
        patch.setattr(Mender, "blend", fails)
        with pytest.raises((FilmRestoreError, RuntimeError, KeyboardInterrupt)):
            restore(job(scan, tmp_path))
    kept = bytes_of(tmp_path)
    assert len(kept) >= 5 and kept.items() <= whole.items()
    assert restore(job(scan, tmp_path)).skipped == len(kept)
    assert bytes_of(tmp_path) == whole


@pytest.mark.parametrize("on_error", ["stop", "skip", "copy"])
def test_a_frame_that_fails_takes_none_of_its_window_along(
    scan: str, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, on_error: str
) -> None:
    finished = Mender.finished

    def fails(mender: Mender, number: int, window: Seen, blended: Blended) -> Made:
        if number == 1005:
            raise InputError("the mask of frame 1005 cannot be read")
        return finished(mender, number, window, blended)

    monkeypatch.setattr(Mender, "finished", fails)
    asked = job(scan, tmp_path, on_error=on_error)
    if on_error == "stop":
        with pytest.raises(InputError, match="1005"):
            restore(asked)
    else:
        assert list(restore(asked).failed) == [1005]
    made = bytes_of(tmp_path)
    assert {"clean.1006.png", "clean.1007.png"} <= made.keys()
    assert ("clean.1005.png" in made) == (on_error == "copy")
    assert all(made[name] == whole[name] for name in made if name != "clean.1005.png")


def test_a_region_limits_repair_and_changes_nothing_in_it(scan: str, tmp_path: Path, whole: dict[str, bytes]) -> None:
    roi = Box(x0=20, y0=10, x1=60, y1=40)
    report = restore(job(scan, tmp_path, roi=roi))
    assert report.tiles_computed < 12 / 3 * 12
    for path in sorted(tmp_path.glob("clean.*.png")):
        scan_codes = read_codes(Path(scan).parent / path.name.replace("clean", "shot"))
        codes = read_codes(path)
        outside = np.ones(codes.shape[:2], bool)
        outside[roi.slices] = False
        assert np.array_equal(codes[outside], scan_codes[outside])
    row, column = SPECKS[1003]
    fixed = read_codes(tmp_path / "clean.1003.png")[row : row + 4, column : column + 4]
    assert fixed.min() > 10000


def test_a_defect_map_is_repaired_where_nothing_was_seen(scan: str, tmp_path: Path) -> None:
    mask = np.zeros((90, 133, 1), np.uint8)
    mask[70:74, 100:104] = 255
    write_image(tmp_path / "map.png", mask)
    out = tmp_path / "out"
    restore(job(scan, out, span="1003-1005", defect_map=str(tmp_path / "map.png")))
    before, after = read_codes(Path(scan).parent / "shot.1004.png"), read_codes(out / "clean.1004.png")
    assert (before != after).any(axis=2)[70:74, 100:104].mean() > 0.9
    ledger = Ledger.open(next(out.glob("*.ledger")))
    assert any(fix.cause == "infrared" for fix in ledger.fixes(1004))


def test_light_above_white_and_values_below_black_and_nan_survive(tmp_path: Path) -> None:
    folder = tmp_path / "scan"
    scan = write_shot(folder, 6, extension="exr", dtype="float32")
    for number in range(1000, 1006):
        path = folder / f"shot.{number}.exr"
        codes = read_codes(path).copy()
        codes[:10] *= 400
        codes[10:20] -= 0.8
        codes[40, 50] = np.nan
        codes[41, 50] = np.inf
        write_image(path, codes)
    out = tmp_path / "out"
    report = restore(job(scan, out, output=str(out / "clean.####.exr"), colourspace="linear"))
    assert report.restored == 6
    for path in out.glob("clean.*.exr"):
        before = read_codes(folder / path.name.replace("clean", "shot"))
        after = read_codes(path)
        same = before.view(np.uint32) == after.view(np.uint32)
        assert same[40, 50].all() and same[41, 50].all()
        assert same[:36].all(axis=2).mean() > 0.95
        assert after[:10].max() > 100 and after[10:20].min() < -0.2


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (49, 47), (133, 96)])
def test_any_size_works(tmp_path: Path, size: tuple[int, int]) -> None:
    scan = write_shot(tmp_path / "scan", 4, height=size[0], width=size[1], first=5)
    report = restore(job(scan, tmp_path / "out"))
    assert report.restored == 4
    assert read_codes(tmp_path / "out" / "clean.0005.png").shape == (*size, 3)


def test_one_single_frame_works(tmp_path: Path) -> None:
    scan = write_shot(tmp_path / "scan", 1)
    report = restore(job(scan, tmp_path / "out"))
    assert report.restored == 1 and report.fixes == 0


def test_two_runs_into_one_folder_share_the_work(scan: str, tmp_path: Path, whole: dict[str, bytes]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(restore, [job(scan, tmp_path, threads=1)] * 2))
    assert sum(report.restored for report in reports) == 12
    assert all(report.restored + report.skipped == 12 for report in reports)
    assert bytes_of(tmp_path) == whole


def broken_copy(scan: str, folder: Path, number: int) -> str:
    shutil.copytree(Path(scan).parent, folder)
    path = folder / f"shot.{number}.png"
    path.write_bytes(path.read_bytes()[:2000])
    return str(folder / "shot.####.png")


def test_a_corrupt_frame_stops_the_run_and_names_itself(scan: str, tmp_path: Path) -> None:
    bad = broken_copy(scan, tmp_path / "scan", 1004)
    with pytest.raises(CorruptFile, match=r"shot\.1004\.png"):
        restore(job(bad, tmp_path / "out"))


@pytest.mark.parametrize("on_error", ["skip", "copy"])
def test_a_corrupt_frame_can_be_left_out_and_the_rest_goes_on(scan: str, tmp_path: Path, on_error: str) -> None:
    bad = broken_copy(scan, tmp_path / "scan", 1004)
    report = restore(job(bad, tmp_path / "out", on_error=on_error))
    assert list(report.failed) == [1004] and "shot.1004.png" in report.failed[1004]
    assert report.restored == 11
    copied = tmp_path / "out" / "clean.1004.png"
    assert copied.exists() == (on_error == "copy")
    if on_error == "copy":
        assert copied.read_bytes() == (tmp_path / "scan" / "shot.1004.png").read_bytes()


def test_a_missing_frame_is_named(scan: str, tmp_path: Path) -> None:
    shutil.copytree(Path(scan).parent, tmp_path / "scan")
    (tmp_path / "scan" / "shot.1005.png").unlink()
    pattern = str(tmp_path / "scan" / "shot.####.png")
    with pytest.raises(MissingFrames, match="1005"):
        restore(job(pattern, tmp_path / "out"))
    report = restore(job(pattern, tmp_path / "out", on_error="skip"))
    assert list(report.failed) == [1005] and report.restored == 11


def test_an_output_that_is_the_scan_is_refused(scan: str) -> None:
    with pytest.raises(UsageError, match="scan"):
        restore(job(scan, Path(scan).parent, output=scan))


def test_mattes_over_the_scan_or_the_result_or_without_numbers_are_refused(scan: str, tmp_path: Path) -> None:
    for matte_out, word in [
        (scan, "scan itself"),
        (str(tmp_path / "clean.####.png"), "two names"),
        (str(tmp_path / "matte.png"), "12 frames"),
        (str(tmp_path / "matte.####.jpg"), "JPEG"),
    ]:
        with pytest.raises(UsageError, match=word):
            restore(job(scan, tmp_path, matte_out=matte_out))
    assert not list(tmp_path.glob("*.png"))


def test_mattes_lie_in_the_windows_of_their_frames_and_the_history_tells_of_the_run(tmp_path: Path) -> None:
    windows = {"x": 3, "y": 5, "full_width": 60, "full_height": 50}
    scan, mattes = tmp_path / "scan" / "shot.1000.exr", tmp_path / "matte.1000.exr"
    scan.parent.mkdir()
    write_image(scan, picture(1000, 40, 50), windows=windows)
    restore(job(str(scan), tmp_path, output=str(tmp_path / "clean.1000.exr"), matte_out=str(mattes)))
    for path in (tmp_path / "clean.1000.exr", mattes):
        spec = oiio.ImageInput.open(str(path)).spec()
        assert {name: getattr(spec, name) for name in windows} == windows
    history = oiio.ImageInput.open(str(tmp_path / "clean.1000.exr")).spec().getattribute("Exif:ImageHistory")
    assert history == f"filmrestore {__version__} restore {SETTINGS.digest()}"


def test_a_defect_map_may_end_with_the_span_and_its_loss_is_an_input_error(scan: str, tmp_path: Path) -> None:
    for number in (1003, 1004):
        write_image(tmp_path / f"map.{number}.png", np.zeros((90, 133, 1), np.uint8))
    mapped = job(scan, tmp_path / "out", span="1003-1004", defect_map=str(tmp_path / "map.####.png"))
    assert restore(mapped).restored == 2
    assert restore(mapped).skipped == 2
    (tmp_path / "map.1004.png").unlink()
    with pytest.raises(MissingFrames, match="1004"):
        restore(mapped)


def test_another_analysis_makes_the_frames_anew(scan: str, tmp_path: Path) -> None:
    restore(job(scan, tmp_path, span="1000-1002"))
    file = tmp_path / "shot.analysis.json"
    changed = structs.replace(Analysis.load(file), dirt=0.5)
    changed.save(file)
    assert restore(job(scan, tmp_path, span="1000-1002")).restored == 3


def test_a_movie_is_made_whole_where_one_of_its_frames_changed(tmp_path: Path) -> None:
    scan = write_shot(tmp_path / "scan", 9, height=48, width=64)
    movie = job(scan, tmp_path, output=str(tmp_path / "clean.mkv"))
    assert restore(movie).restored == 9
    assert restore(movie).skipped == 9
    path = tmp_path / "scan" / "shot.1008.png"
    codes = read_codes(path).copy()
    codes[20:23, 20:23] = 65535
    write_image(path, codes)
    assert restore(movie).restored == 9


def test_an_output_folder_that_is_a_file_is_an_output_error(scan: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        restore(job(scan, tmp_path / "file"))


@pytest.mark.parametrize("output", ["matte", "difference", "overlay", "removed"])
def test_every_output_is_written(scan: str, tmp_path: Path, output: str) -> None:
    restore(job(scan, tmp_path, span="1003", settings=replace(SETTINGS, output=output)))
    shown = read_codes(tmp_path / "clean.1003.png")
    row, column = SPECKS[1003]
    source = read_codes(Path(scan).parent / "shot.1003.png")
    if output in ("matte", "difference", "removed"):
        assert shown[80:, 100:].max() == 0
    else:
        assert np.array_equal(shown[80:, 100:], source[80:, 100:])
    assert (shown[row + 1, column + 1] != source[row + 1, column + 1]).any() or output == "removed"


def test_a_run_that_dies_between_record_and_picture_leaves_no_old_picture_that_counts_as_done(
    scan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = replace(SETTINGS, strength=0.5)
    restore(job(scan, tmp_path / "new", settings=new))
    restore(job(scan, tmp_path / "out"))

    def dies(writer: Writer, frame: Frame) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Writer, "write", dies)
        restore(job(scan, tmp_path / "out", settings=new))
    restore(job(scan, tmp_path / "out", settings=new))
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "new")


def test_going_back_to_earlier_settings_makes_again_what_was_made_otherwise(
    scan: str, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    restore(job(scan, tmp_path))
    restore(job(scan, tmp_path, settings=replace(SETTINGS, strength=0.5), span="1003-1006"))
    assert bytes_of(tmp_path) != whole
    report = restore(job(scan, tmp_path))
    assert (report.restored, report.skipped) == (4, 8)
    assert bytes_of(tmp_path) == whole


def test_a_broken_frame_that_the_span_leaves_out_stops_nothing(tmp_path: Path) -> None:
    scan = write_shot(tmp_path / "scan", 6)
    broken = tmp_path / "scan" / "shot.1003.png"
    broken.write_bytes(broken.read_bytes()[:500])
    with pytest.raises(CorruptFile, match=r"shot\.1003\.png"):
        restore(job(scan, tmp_path / "all"))
    with pytest.warns(UserWarning, match=r"shot\.1003\.png.*frames beside it do without it"):
        report = restore(job(scan, tmp_path / "out", span="1000-1002,1004-1005"))
    assert report.restored == 5 and not report.failed
    restore(job(scan, tmp_path / "skipped", on_error="skip"))
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "skipped")


def test_a_folder_for_output_holds_its_own_ledger_and_analysis(tmp_path: Path) -> None:
    scan = write_shot(tmp_path / "scan", 2, height=16, width=16)
    for out in ("a", "b"):
        restore(job(scan, tmp_path, output=str(tmp_path / out)))
        assert sorted(path.name for path in (tmp_path / out).iterdir()) == [
            "shot.1000.png",
            "shot.1001.png",
            "shot.analysis.json",
            "shot.ledger",
        ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "scan"]


def test_a_region_beyond_the_frame_is_refused(tmp_path: Path) -> None:
    scan = write_shot(tmp_path / "scan", 1, height=16, width=20)
    with pytest.raises(UsageError, match=r"the region 20,0,30,9 lies outside the frames of .*, 20 x 16"):
        restore(job(scan, tmp_path, roi=Box(x0=20, y0=0, x1=30, y1=9)))
    restore(job(scan, tmp_path, roi=Box(x0=19, y0=0, x1=30, y1=9)))
