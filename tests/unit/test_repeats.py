"""Repeated frames: found in the reel, counted once in windows, mended as the frame that they repeat."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from restoring import SETTINGS, bytes_of, job, quickly

from film import SPECKS, picture, read_codes, write_image
from filmrestore.analysis import Analysis, analyse
from filmrestore.analysis.model import VERSION
from filmrestore.analysis.repeats import RepeatFinder
from filmrestore.cli import run
from filmrestore.colour import open_colour
from filmrestore.errors import Cancelled, CorruptFile
from filmrestore.farm.chunks import cut_chunks
from filmrestore.fixes import Ledger
from filmrestore.fixes.verify import VerifyJob, verify
from filmrestore.frame import Format
from filmrestore.media import open_shot
from filmrestore.nodes.estimate import plan
from filmrestore.nodes.live import Ask, LiveEngine, Plate
from filmrestore.nodes.ranks import Ranks
from filmrestore.nodes.restore import restore
from filmrestore.nodes.windows import most_read, plan_units, without
from filmrestore.protocol import repeats_in, window_of

FILM = (1000, 1001, 1002, 1003, 1003, 1004, 1005, 1006, 1006, 1006, 1007, 1008, 1009)
"""Frame of the film that each frame of the reel shows, from 1000 on."""
REEL = range(1000, 1000 + len(FILM))
REPEATS = (1004, 1008, 1009)
pytestmark = pytest.mark.usefixtures("median_restorer")
REAL = Path("../shared/data/real/market_street_1906")


def write_reel(folder: Path, film: Sequence[int]) -> str:
    """Each frame of the film as often as it is named; two copies are alike to the bit, one has a codec's noise."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    for at, number in enumerate(film):
        codes = np.round(picture(number, 90, 133) * 65535)
        if 1000 + at == 1004 and film[at - 1] == number:
            codes = np.clip(codes + rng.integers(-9, 10, codes.shape), 0, 65535)
        write_image(folder / f"shot.{1000 + at}.png", codes.astype(np.uint16))
    return str(folder / "shot.####.png")


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_reel(tmp_path_factory.mktemp("reel") / "scan", FILM)


def clean(folder: Path) -> dict[int, NDArray[np.generic]]:
    return {int(path.name.split(".")[1]): read_codes(path) for path in sorted(folder.glob("clean.*.png"))}


@pytest.fixture(scope="module")
def whole(scan: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reel restored in one run, with mattes, tiles, ledger and analysis."""
    out = tmp_path_factory.mktemp("whole")
    report = quickly(job(scan, out, matte_out=str(out / "matte.####.png"), cache=str(out / "tiles")))
    assert report.restored == len(REEL) and not report.failed
    return out


@pytest.fixture(scope="module")
def analysis(whole: Path) -> str:
    return str(whole / "shot.analysis.json")


# The analysis


def found(frames: Sequence[NDArray[np.float32]], cuts: tuple[int, ...] = (), first: int = 0) -> tuple[int, ...]:
    height, width, channels = frames[0].shape
    form = Format(
        width=width,
        height=height,
        channels=tuple("RGB"[:channels]),
        dtype="float32",
        bits=32,
        container="exr",
        lossless=True,
    )
    finder = RepeatFinder(open_colour(form, colourspace="srgb"))
    for number, frame in enumerate(frames, first):
        finder.add(number, frame)
    return finder.finish(cuts)


def still(count: int) -> list[NDArray[np.float32]]:
    """One picture without grain."""
    return [picture(1000, 60, 80, speck=False)] * count


def test_the_analysis_finds_the_repeats_whatever_the_span(scan: str, analysis: str) -> None:
    assert Analysis.load(analysis).repeats == REPEATS
    with open_shot(scan, "1008-1009") as shot:
        assert analyse(shot, open_colour(shot.format, colourspace="srgb")).repeats == REPEATS


def test_a_freeze_is_a_chain_of_fours_however_long() -> None:
    assert found(still(50)) == tuple(n for n in range(50) if n % 4)
    assert found(still(50), first=1001) == tuple(n + 1001 for n in range(50) if n % 4)


def test_a_first_frame_of_a_shot_repeats_nothing() -> None:
    assert found(still(4), cuts=(2,)) == (1, 3)


def test_frames_with_grain_of_their_own_under_a_still_camera_are_no_repeats() -> None:
    rng = np.random.default_rng(2)
    for grain in (0.01, 0.001):
        film = [frame + rng.normal(0, grain, frame.shape).astype(np.float32) for frame in still(8)]
        assert found(film) == ()
        assert found([film[at] for at in (0, 1, 1, 2, 3)]) == (2,)


@pytest.mark.parametrize("size", [2, 5])
def test_one_speck_tells_two_frames_apart_and_a_pair_with_the_same_speck_is_one(size: int) -> None:
    frames = [frame.copy() for frame in still(6)]
    for number in (3, 4):
        frames[number][30 : 30 + size, 41 : 41 + size] = 0.95
    assert found(frames) == (1, 2, 4)


def test_a_slow_fade_is_no_repeat() -> None:
    faded = [np.asarray(frame * (1 - 0.004 * at), np.float32) for at, frame in enumerate(still(24))]
    assert found(faded) == ()
    assert found([faded[at] for at in (0, 4, 4, 8, 12)]) == (2,)


def test_a_gap_in_the_numbers_ends_a_chain_and_pixels_that_are_no_number_end_none() -> None:
    frames = [frame.copy() for frame in still(4)]
    frames[1][10, 10] = np.nan
    frames[2][20, 20] = np.inf
    for frame in frames[1:]:
        frame[10, 10, 1:] = frame[20, 20, 1:] = 0.0
    finder_input = [frames[0]] * 2
    assert found(finder_input) == (1,)
    assert found([frames[1]] * 3) == (1, 2) and found([frames[2]] * 3) == (1, 2)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 700, 3), (300, 5, 1)])
def test_frames_of_any_size_are_compared(shape: tuple[int, int, int]) -> None:
    frame = np.random.default_rng(0).random(shape, np.float32)
    assert found([frame, frame, 1 - frame]) == (1,)


def test_a_frame_that_cannot_be_read_ends_a_chain(scan: str, tmp_path: Path) -> None:
    shutil.copytree(Path(scan).parent, tmp_path / "scan")
    (tmp_path / "scan/shot.1008.png").write_bytes(b"")
    with open_shot(tmp_path / "scan/shot.####.png") as shot:
        seen = analyse(shot, open_colour(shot.format, colourspace="srgb"))
    assert (seen.unreadable, seen.repeats) == ((1008,), (1004,))


def test_finds_the_repeats_of_market_street_and_no_others() -> None:
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is not here: the real film stays outside the repository")
    with open_shot(REAL) as shot:
        colour = open_colour(shot.format, colourspace="srgb")
        finder = RepeatFinder(colour)
        for number in shot.available:
            finder.add(number, shot.read(number).picture())
    assert finder.finish(()) == (3, 13, 20, 30, 49, 56)


def test_probe_says_which_frames_repeat(scan: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", scan, "-o", str(tmp_path / "a.json"), "--progress", "none", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["repeats"] == "3 (1004,1008-1009)"


def test_an_analysis_from_before_repeats_were_looked_for_is_refused_with_a_remedy(
    analysis: str, tmp_path: Path
) -> None:
    facts = json.loads(Path(analysis).read_text())
    del facts["repeats"]
    old = tmp_path / "old.json"
    old.write_text(json.dumps({**facts, "version": 1}))
    with pytest.raises(
        CorruptFile, match=f"version 1, expected {VERSION}: delete it and run `filmrestore probe` again"
    ):
        Analysis.load(old)


# Windows

reels = st.integers(-20, 20).flatmap(
    lambda first: st.lists(st.integers(0, 3), min_size=1, max_size=30).map(
        lambda copies: (first, tuple(first + at for at in _copies_at(copies)), sum(copies) + len(copies))
    )
)
"""First frame, repeats, and count of frames of a reel."""


def _copies_at(copies: Sequence[int]) -> list[int]:
    starts = np.cumsum([0, *(1 + count for count in copies[:-1])])
    return [int(start) + step for start, count in zip(starts, copies, strict=True) for step in range(1, count + 1)]


@given(reels)
def test_a_rank_is_the_number_less_the_repeats_up_to_it(reel: tuple[int, tuple[int, ...], int]) -> None:
    first, repeats, count = reel
    ranks = Ranks(repeats)
    for number in range(first - 9, first + count + 9):
        assert ranks.rank(number) == number - sum(repeat <= number for repeat in repeats)
        same = ranks.frames(ranks.rank(number))
        assert number in same and list(same[1:]) == [n for n in same if n in repeats]
        assert same.start not in repeats and Ranks().frames(number) == range(number, number + 1)


@given(reels)
def test_hosts_offer_the_window_that_the_engine_wants(reel: tuple[int, tuple[int, ...], int]) -> None:
    first, repeats, count = reel
    far = range(first - 9, first + count + 9)
    for unit in plan_units(range(first, first + count), far, (), window=5, keep=3, repeats=repeats):
        for number in unit.kept:
            offered = window_of(number, 5, 3, repeats)
            assert set(unit.sources) <= set(offered) and offered.start == unit.sources[0]
            assert {n for same in unit.choices for n in same} == set(offered) & set(far)


def test_repeats_are_read_from_an_analysis_and_from_nothing_else(analysis: str) -> None:
    assert repeats_in(Path(analysis).read_bytes()) == REPEATS
    for other in (b"", b"[]", b"{}", b'{"repeats": 3}', b'{"repeats": ["3"]}', b"\xff", b"3"):
        assert repeats_in(other) == ()


def test_a_repeat_shares_its_originals_slot_and_is_no_neighbour_of_it() -> None:
    [unit] = plan_units(range(6, 11), range(20), (), window=5, keep=3, repeats=(7, 9))
    # Ranks: 6 and 7 are 6, 8 and 9 are 7, 10 is 8.
    assert unit.kept == (6, 7, 8, 9, 10) and unit.slots == (0, 0, 1, 1, 2)
    assert unit.numbers == unit.sources == (5, 6, 8, 10, 11) and all(unit.present)
    assert [unit.source(n) for n in unit.kept] == [6, 6, 8, 8, 10]
    assert unit.frames == (5, 6, 7, 8, 9, 10, 11)


def test_the_repeat_of_a_broken_frame_stands_for_it_as_if_nothing_were_missing() -> None:
    [unit] = plan_units(range(6, 11), range(20), (), window=5, keep=3, repeats=(7, 9))
    rest = without(unit, {8})
    assert rest.kept == (6, 7, 9, 10) and rest.slots == (0, 0, 1, 2)
    assert rest.numbers == unit.numbers and rest.sources == (5, 6, 9, 10, 11) and all(rest.present)
    assert without(unit, {9}).sources == unit.sources and without(unit, {9}).kept == (6, 7, 8, 10)
    none = without(unit, {8, 9})
    assert none.kept == (6, 7, 10) and none.sources == (5, 6, 6, 10, 11)
    assert none.present == (True, True, False, True, True)


def test_a_cut_between_two_frames_ends_their_likeness() -> None:
    before, after = plan_units(range(6, 9), range(20), (7,), window=5, keep=3, repeats=(7, 8))
    assert before.kept == (6,) and before.numbers == (5, 6, 7, 9, 10)
    assert after.kept == (7, 8) and after.slots == (1, 1) and after.sources == (7, 7, 7, 9, 10)


@given(reels, st.sets(st.integers(-20, 60), max_size=4), st.integers(-20, 60), st.integers(3, 6))
def test_any_chunk_has_the_windows_of_the_whole(
    reel: tuple[int, tuple[int, ...], int], cuts: set[int], chop: int, handles: int
) -> None:
    first, repeats, count = reel
    marks, frames = tuple(sorted(cuts)), range(first, first + count)
    ranks = Ranks(repeats, marks)

    units = plan_units(frames, frames, marks, window=5, keep=3, moves=1, repeats=repeats)
    whole = {n: unit for unit in units for n in unit.kept}
    assert set(whole) == set(frames)
    for part in ([n for n in frames if n < chop], [n for n in frames if n >= chop]):
        if not part:
            continue
        low, high = ranks.rank(part[0]) - handles, ranks.rank(part[-1]) + handles
        near = [n for n in frames if low <= ranks.rank(n) <= high]
        for unit in plan_units(part, near, marks, window=5, keep=3, moves=1, repeats=repeats):
            for number, slot in zip(unit.kept, unit.slots, strict=True):
                same = whole[number]
                assert (unit.name, unit.numbers, unit.choices) == (same.name, same.numbers, same.choices)
                assert (unit.sources, unit.present) == (same.sources, same.present)
                assert slot == same.slots[same.kept.index(number)]


@given(reels, st.integers(1, 20))
def test_farm_chunks_share_no_window(reel: tuple[int, tuple[int, ...], int], size: int) -> None:
    first, repeats, count = reel
    frames, ranks = range(first, first + count), Ranks(repeats)
    chunks = cut_chunks(frames, (), keep=3, size=size, repeats=repeats)
    assert [n for chunk in chunks for n in chunk] == list(frames)
    windows = [{ranks.rank(n) // 3 for n in chunk} for chunk in chunks]
    assert sum(map(len, windows)) == len(set().union(*windows))
    assert all(len(chunk) <= size or len(window) == 1 for chunk, window in zip(chunks, windows, strict=True))


def test_a_freeze_of_any_length_reads_a_bounded_number_of_frames() -> None:
    def read(count: int) -> int:
        repeats = found([np.full((4, 4, 3), 0.5, np.float32)] * count)
        return most_read(plan_units(range(count), range(count), (), window=5, keep=3, repeats=repeats))

    assert read(50) == read(500) == 26
    assert most_read(plan_units(range(500), range(500), (), window=5, keep=3)) == 8


# Restoring


def test_a_speck_on_a_repeated_frame_goes_in_every_copy_with_one_and_the_same_box(scan: str, whole: Path) -> None:
    ledger, after = Ledger.open(whole / "shot.ledger"), clean(whole)
    for film, copies in ((1003, (1003, 1004)), (1006, (1007, 1008, 1009))):
        row, column = SPECKS[film]
        boxes = [[fix.box for fix in ledger.fixes(n) if _meets(fix.box, row, column)] for n in copies]
        assert len(boxes[0]) == 1 and all(box == boxes[0] for box in boxes)
        spots = [after[n][row : row + 4, column : column + 4] for n in copies]
        scanned = [read_codes(Path(scan).parent / f"shot.{n}.png")[row : row + 4, column : column + 4] for n in copies]
        assert spots[0].min() > 10000
        for spot, own in zip(spots, scanned, strict=True):  # of its own noise a copy keeps what shows through a mark
            assert apart(spot, spots[0]) <= apart(own, scanned[0])


def apart(a: np.ndarray, b: np.ndarray) -> int:
    """The largest difference of two pictures, codes."""
    return int(np.abs(a.astype(np.int64) - b.astype(np.int64)).max())


def _meets(box: tuple[int, int, int, int], row: int, column: int) -> bool:
    return box[0] < column + 4 and column < box[2] and box[1] < row + 4 and row < box[3]


def test_a_repeat_keeps_its_own_codes_outside_the_matte_which_is_its_originals(scan: str, whole: Path) -> None:
    after = clean(whole)
    for number in REEL:
        before = read_codes(Path(scan).parent / f"shot.{number}.png")
        matte = read_codes(whole / f"matte.{number}.png")[:, :, 0]
        assert np.array_equal(before[matte == 0], after[number][matte == 0])
    same, other = (
        [read_codes(whole / f"matte.{n}.png")[:, :, 0] for n in pair] for pair in ((1007, 1009), (1003, 1004))
    )
    assert same[0].any() and np.array_equal(*same)
    # Where the repair is the original's own code, the copy's code, which is noisier, is still another.
    assert other[0].any() and (other[1] >= other[0]).all()
    assert not np.array_equal(after[1003], after[1004])


def test_verify_finds_every_pixel_accounted_for(scan: str, whole: Path) -> None:
    report = verify(VerifyJob(source=scan, result=str(whole / "clean.####.png"), ledger=whole / "shot.ledger"))
    assert report.ok, report


def test_the_film_without_its_repeats_looks_the_same_at_the_same_cost(scan: str, whole: Path, tmp_path: Path) -> None:
    film = write_reel(tmp_path / "film", sorted(set(FILM)))
    plain = restore(job(film, tmp_path / "out"))
    assert Analysis.load(tmp_path / "out/shot.analysis.json").repeats == ()
    once, twice = clean(tmp_path / "out"), clean(whole)
    for at, number in zip(REEL, FILM, strict=True):
        if at not in REPEATS:
            assert apart(once[number], twice[at]) <= 16  # of 65535: grain was measured on other frames
    again = restore(job(scan, tmp_path / "again", cache=str(tmp_path / "tiles")))
    assert again.tiles_computed == plain.tiles_computed
    warm = restore(job(scan, tmp_path / "warm", cache=str(whole / "tiles")))
    assert (warm.tiles_computed, warm.tiles_cached) == (0, again.tiles_computed)
    assert bytes_of(tmp_path / "warm") == bytes_of(whole)


@pytest.mark.parametrize(
    "spans",
    [("1004-1012", "1000-1003"), ("1008", "1009-1012", "1000-1007"), ("1000,1002,1004", "1001-1012x2", "1000-1012")],
)
def test_chunks_that_part_a_repeat_from_its_original_give_the_bytes_of_the_whole(
    scan: str, whole: Path, tmp_path: Path, spans: tuple[str, ...]
) -> None:
    for span in spans:
        restore(job(scan, tmp_path, span=span))
    assert bytes_of(tmp_path) == bytes_of(whole)


def test_a_run_that_was_stopped_goes_on_where_it_was(scan: str, whole: Path, tmp_path: Path) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 30

    with pytest.raises(Cancelled):
        restore(job(scan, tmp_path), cancelled=stop)
    done = len(bytes_of(tmp_path))
    assert 0 < done < len(REEL)
    assert restore(job(scan, tmp_path)).skipped == done
    (tmp_path / "clean.1008.png").unlink()
    assert restore(job(scan, tmp_path)).restored == 1
    assert bytes_of(tmp_path) == bytes_of(whole)


def test_a_repeat_whose_own_file_changed_is_made_again_alone(scan: str, analysis: str, tmp_path: Path) -> None:
    shutil.copytree(Path(scan).parent, tmp_path / "scan")
    changed = job(str(tmp_path / "scan/shot.####.png"), tmp_path / "out", analysis=analysis)
    assert restore(changed).restored == len(REEL)
    path = tmp_path / "scan/shot.1004.png"
    codes = read_codes(path).copy()
    codes[80:, 100:] += 1
    write_image(path, codes)
    assert restore(changed).restored == 1
    path = tmp_path / "scan/shot.1003.png"
    write_image(path, read_codes(path))
    assert restore(changed).restored == 6  # its window, with 1004, and that of the shot's first frames


def damaged(scan: str, folder: Path, *numbers: int) -> str:
    shutil.copytree(Path(scan).parent, folder)
    for number in numbers:
        path = folder / f"shot.{number}.png"
        path.write_bytes(path.read_bytes()[:2000])
    return str(folder / "shot.####.png")


@pytest.mark.parametrize("broken", [(1004,), (1008, 1009)])
def test_a_broken_repeat_is_the_only_loss(
    scan: str, whole: Path, analysis: str, tmp_path: Path, broken: tuple[int, ...]
) -> None:
    bad = damaged(scan, tmp_path / "scan", *broken)
    report = restore(job(bad, tmp_path / "out", analysis=analysis, on_error="skip"))
    assert tuple(report.failed) == broken
    lost = {f"clean.{number}.png" for number in broken}
    assert bytes_of(tmp_path / "out") == {name: data for name, data in bytes_of(whole).items() if name not in lost}
    with pytest.raises(CorruptFile, match=f"shot.{broken[0]}.png"):
        restore(job(bad, tmp_path / "stopped", analysis=analysis))


@pytest.mark.parametrize("spans", [(None,), ("1000-1007", "1008-1012")])
def test_where_an_original_is_broken_its_copy_stands_for_it(
    scan: str, analysis: str, tmp_path: Path, spans: tuple[str | None, ...]
) -> None:
    bad = damaged(scan, tmp_path / "scan", 1007)
    with_warnings = pytest.warns(UserWarning, match="shot.1007.png") if len(spans) > 1 else nullcontext()
    with with_warnings:
        for span in spans:
            restore(job(bad, tmp_path / "out", analysis=analysis, on_error="skip", span=span))
    # As if the copy had been there all along, one frame less: the same picture at the same place in the window.
    film = write_reel(tmp_path / "film", FILM)
    shutil.copy(tmp_path / "film/shot.1008.png", tmp_path / "film/shot.1007.png")
    restore(job(film, tmp_path / "sound", analysis=analysis))
    sound = bytes_of(tmp_path / "sound")
    del sound["clean.1007.png"]
    assert bytes_of(tmp_path / "out") == sound
    row, column = SPECKS[1006]
    assert clean(tmp_path / "out")[1008][row : row + 4, column : column + 4].min() > 10000


def test_a_broken_chain_loses_its_frames_alone(scan: str, analysis: str, tmp_path: Path) -> None:
    bad = damaged(scan, tmp_path / "scan", 1007, 1008, 1009)
    report = restore(job(bad, tmp_path / "out", analysis=analysis, on_error="copy"))
    assert tuple(report.failed) == (1007, 1008, 1009) and report.restored == len(REEL) - 3
    assert (tmp_path / "out/clean.1008.png").read_bytes() == (tmp_path / "scan/shot.1008.png").read_bytes()


def test_a_defect_map_of_the_original_holds_for_its_repeats(scan: str, analysis: str, tmp_path: Path) -> None:
    for number in REEL:
        mask = np.zeros((90, 133, 1), np.uint8)
        mask[70:74, 100:104] = 255 * (number == 1003)
        write_image(tmp_path / f"map.{number}.png", mask)
    restore(job(scan, tmp_path / "out", analysis=analysis, defect_map=str(tmp_path / "map.####.png")))
    after = clean(tmp_path / "out")
    for number in (1002, 1003, 1004, 1005):
        before = read_codes(Path(scan).parent / f"shot.{number}.png")
        assert (before != after[number])[70:74, 100:104].any() == (number in (1003, 1004))
    ledger = Ledger.open(tmp_path / "out/shot.ledger")
    assert any(fix.cause == "infrared" for fix in ledger.fixes(1004))


def test_a_movie_of_the_reel_is_written_in_order(scan: str, whole: Path, tmp_path: Path) -> None:
    report = restore(job(scan, tmp_path, output=str(tmp_path / "clean.mkv"), lossy=True))
    assert report.restored == len(REEL)
    with open_shot(tmp_path / "clean.mkv") as movie:
        assert len(movie.frames) == len(REEL)


def test_the_plan_knows_the_repeats_of_a_reel_that_was_probed(scan: str, analysis: str, tmp_path: Path) -> None:
    frozen = json.loads(Path(analysis).read_text())
    freeze = tmp_path / "freeze.json"
    freeze.write_text(json.dumps({**frozen, "repeats": [n for n in REEL if n % 4]}))
    usual, held = (plan(job(scan, tmp_path, analysis=str(path))) for path in (tmp_path / "none.json", freeze))
    assert held.memory_mib != usual.memory_mib


def test_hosts_that_give_an_analysis_get_the_commands_bits(tmp_path: Path) -> None:
    folder = tmp_path / "scan"
    folder.mkdir()
    frames = {at: picture(film, 48, 60) * 2 - np.float32(0.1) for at, film in zip(REEL, FILM, strict=True)}
    for number, codes in frames.items():
        codes[4 * FILM[number - 1000] % 40 : 4 * FILM[number - 1000] % 40 + 3, 20:23] = 0.02
        write_image(folder / f"shot.{number}.exr", codes)
    files = job(
        str(folder / "shot.####.exr"), tmp_path, output=str(tmp_path / "clean.####.exr"), colourspace="scene_linear"
    )
    restore(files)
    assert Analysis.load(tmp_path / "shot.analysis.json").repeats == REPEATS
    changed = 0
    engine = LiveEngine(device="cpu", threads=1, cache=None, keep_mib=16)
    for number in REEL:
        ask = Ask(
            clip=("a",),
            plate=Plate(height=48, width=60, channels="RGB"),
            number=number,
            settings=SETTINGS,
            changes={("source", n): "1" for n in REEL},
            analysis=str(tmp_path / "shot.analysis.json"),
            whole=True,
        )
        planes = {key: frames[key[1]] for key in engine.wanted(ask)}
        answer = engine.answer(ask, planes, lambda: None)
        codes = read_codes(tmp_path / f"clean.{number}.exr")
        assert np.array_equal(answer.pixels.view(np.uint32), codes.view(np.uint32))
        changed += answer.facts["changed"] > 0
    assert changed >= 3
