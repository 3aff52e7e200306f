"""Patterns, spans and shots: what is opened, what is missing, and what is read ahead."""

import os
import resource
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from media_files import make_dpx, random_codes, write_image, write_sequence

from filmrestore.errors import CorruptFile, InputError, MissingFrames, UsageError
from filmrestore.media import format_span, open_shot, parse_span, probe_format, read_ahead
from filmrestore.media.patterns import parse_pattern


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sequence(tmp_path_factory.mktemp("shot") / "scan", 12)


def named(folder: Path, *names: str) -> Path:
    """Files of these names, all the same small scan."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(make_dpx(4, 3))
    return folder


@pytest.mark.parametrize("name", ["scan.####.png", "scan.%04d.png", "scan.@@@@.png", "", "scan.0005.png"])
def test_every_way_to_name_a_scan_opens_it(scan: Path, name: str):
    shot = open_shot(scan.parent / name)
    assert shot.name == ("scan.0005" if "0005" in name else "scan")
    assert shot.frames == ((5,) if "0005" in name else tuple(range(1, 13)))
    assert shot.read(5).number == 5 and np.array_equal(shot.read(5).codes, random_codes((24, 32, 3), "uint8", 5))
    assert shot.path_of(5) == scan.parent / "scan.0005.png"


def test_one_hash_means_its_own_length(tmp_path: Path):
    folder = named(tmp_path, "a.1.dpx", "a.02.dpx", "a.003.dpx", "a.0004.dpx", "a.10000.dpx")
    assert open_shot(folder / "a.#.dpx", "1").available == (1, 10000)
    assert open_shot(folder / "a.##.dpx", "2").available == (2, 10000)
    assert open_shot(folder / "a.####.dpx", "4").available == (4, 10000)
    assert open_shot(folder / "a.%d.dpx", "1").available == (1, 10000)


def test_negative_and_unpadded_numbers_are_frames(tmp_path: Path):
    folder = named(tmp_path / "signed", "a.-002.dpx", "a.-001.dpx", "a.0000.dpx", "a.0001.dpx")
    assert open_shot(folder).frames == (-2, -1, 0, 1) == open_shot(folder / "a.####.dpx").frames
    assert open_shot(folder, "-2-0").frames == (-2, -1, 0)
    assert open_shot(folder).path_of(-2).name == "a.-002.dpx"
    assert open_shot(named(tmp_path / "dash", "a-1.dpx", "a-2.dpx")).frames == (1, 2)
    assert open_shot(named(tmp_path / "plain", "8.dpx", "9.dpx", "10.dpx")).frames == (8, 9, 10)
    assert open_shot(tmp_path / "plain").name == "plain"


def test_names_with_signs_of_other_languages_are_taken_as_they_are(tmp_path: Path):
    folder = named(tmp_path / "r[1] *", "a+b (1).0001.dpx", "a+b (1).0002.dpx")
    assert open_shot(folder / "a+b (1).####.dpx").frames == (1, 2)
    assert open_shot(folder).frames == (1, 2)


def test_a_folder_of_several_sequences_lists_them(tmp_path: Path):
    folder = named(tmp_path, "a.0001.dpx", "a.0002.dpx", "b.1.dpx", "still.dpx", ".hidden.0001.dpx", "notes.txt")
    with pytest.raises(InputError, match=r"3 sequences.*give one of them") as told:
        open_shot(folder)
    assert all(text in str(told.value) for text in ("a.####.dpx (2 frames)", "b.#.dpx (1", "still.dpx (1"))


def test_a_folder_of_mixed_paddings_is_two_sequences(tmp_path: Path):
    with pytest.raises(InputError, match="2 sequences"):
        open_shot(named(tmp_path, "a.01.dpx", "a.02.dpx", "a.0003.dpx"))


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("nothing", InputError, "no such file or folder"),
        ("a.####.b.####.dpx", UsageError, "2 places"),
        ("####/a.dpx", UsageError, "folder's name"),
        ("a.####.gif", UsageError, "'.gif' is not known"),
        ("a.####.dpx", MissingFrames, "no file of this pattern"),
        ("gone/a.####.dpx", InputError, "cannot be read"),
        ("", InputError, "no image or movie"),
    ],
)
def test_what_cannot_be_opened_is_told(tmp_path: Path, path: str, kind: type[Exception], words: str):
    with pytest.raises(kind, match=words):
        open_shot(tmp_path / path)


@pytest.mark.parametrize(
    ("span", "frames"),
    [
        ("1-4", (1, 2, 3, 4)),
        ("1-10x4", (1, 5, 9)),
        ("9-12,1,5", (1, 5, 9, 10, 11, 12)),
        ("3,3,2-3", (2, 3)),
        ("-2-1", (-2, -1, 0, 1)),
    ],
)
def test_a_span_is_read(span: str, frames: tuple[int, ...]):
    assert parse_span(span) == frames


@pytest.mark.parametrize("span", ["a", "1-", "", "1--", "1-99999999999", f"1{'0' * 30}", "1..5", "0x10q"])
def test_a_wrong_span_is_told(span: str):
    with pytest.raises(UsageError, match=r"span .*1-100x2"):
        parse_span(span)


def test_a_span_is_written_in_few_words():
    assert format_span([1, 2, 3, 7, 9, 10]) == "1-3,7,9-10"
    assert format_span([]) == ""
    every_second = tuple(range(1, 101, 2))
    assert format_span(every_second).endswith("21,23,...")
    assert parse_span(format_span(every_second, whole=True)) == every_second
    assert format_span(range(0, 1000, 2)).endswith(",...")


def test_frames_that_are_missing_are_named_with_a_remedy(tmp_path: Path):
    folder = named(tmp_path, *(f"a.{number:04d}.dpx" for number in (1, 2, 3, 5, 6, 9)))
    with pytest.raises(MissingFrames, match=r"a\.####\.dpx: 3 frames .*: 4,7-8; .*span 1-3,5-6,9"):
        open_shot(folder / "a.####.dpx")
    with pytest.raises(MissingFrames, match=r"1 frames .*: 4; "):
        open_shot(folder / "a.####.dpx", "1-5")
    with pytest.raises(MissingFrames, match=r"it holds 1-3,5-6,9"):
        open_shot(folder / "a.####.dpx", "100-200")
    shot = open_shot(folder, "1-5", missing="allow")
    assert (shot.frames, shot.missing, shot.available) == ((1, 2, 3, 5), (4,), (1, 2, 3, 5, 6, 9))
    with pytest.raises(MissingFrames, match="there is no frame 4"):
        shot.read(4)


def test_a_sequence_in_steps_has_no_holes(tmp_path: Path):
    assert open_shot(named(tmp_path, "a.0001.dpx", "a.0003.dpx", "a.0005.dpx")).frames == (1, 3, 5)


def test_a_file_that_went_away_is_told(scan: Path, tmp_path: Path):
    folder = named(tmp_path, "a.0001.dpx", "a.0002.dpx")
    shot = open_shot(folder)
    (folder / "a.0002.dpx").unlink()
    with pytest.raises(InputError, match=r"a\.0002\.dpx: cannot be read: No such file"):
        shot.read(2)


def test_an_empty_file_is_told(tmp_path: Path):
    folder = named(tmp_path, "a.0001.dpx")
    (folder / "a.0002.dpx").touch()
    with pytest.raises(CorruptFile, match=r"a\.0002\.dpx: the file is empty \(0 bytes\); copy it again"):
        open_shot(folder).read(2)


def test_a_hundred_thousand_frames_open_at_once(tmp_path: Path):
    for number in range(1, 100_001):
        if number % 50_000 == 1:  # file systems limit the names of one file
            first = named(tmp_path, f"a.{number:06d}.dpx") / f"a.{number:06d}.dpx"
        else:
            os.link(first, tmp_path / f"a.{number:06d}.dpx")
    start = time.process_time()
    assert len(open_shot(tmp_path).frames) == 100_000
    assert len(open_shot(tmp_path / "a.######.dpx", "1-100000x2").frames) == 50_000
    spent_s = time.process_time() - start
    shutil.rmtree(tmp_path)
    assert spent_s < 3.0


def test_probing_reads_no_pixel(tmp_path: Path):
    path = write_image(tmp_path / "a.0001.exr", random_codes((64, 64, 3), "float16"))
    path.write_bytes(path.read_bytes()[:2000])  # header whole, pixels gone
    form = probe_format(path)
    assert (form.width, form.height, form.channels, form.dtype) == (64, 64, ("R", "G", "B"), "float16")


def test_reading_ahead_gives_the_frames_in_the_order_asked_for(scan: Path):
    shot = open_shot(scan)
    order = [7, 1, 12, 3, 3]
    assert [frame.number for frame in read_ahead(shot, order)] == order


def test_reading_ahead_is_bounded_and_stops_when_left(scan: Path):
    shot = open_shot(scan)
    asked: list[int] = []

    def numbers():
        for number in shot.frames:
            asked.append(number)
            yield number

    with read_ahead(shot, numbers(), depth=3) as frames:
        assert next(frames).number == 1
        assert len(asked) <= 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read")]
    with pytest.raises(StopIteration):
        next(frames)


def test_an_error_comes_at_its_frame_and_reading_goes_on(tmp_path: Path):
    folder = named(tmp_path, *(f"a.{number:04d}.dpx" for number in (1, 2, 3)))
    (folder / "a.0002.dpx").write_bytes(b"XPDS")
    frames = read_ahead(open_shot(folder), (1, 2, 3))
    assert next(frames).number == 1
    with pytest.raises(CorruptFile, match=r"a\.0002\.dpx"):
        next(frames)
    assert next(frames).number == 3
    frames.close()


def test_open_files_are_bounded(scan: Path):
    shot = open_shot(scan)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    threads = []
    failures: list[Exception] = []

    def work() -> None:
        try:
            for number in shot.frames:
                shot.read(number)
        except Exception as failure:
            failures.append(failure)

    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, hard))
    try:
        threads = [threading.Thread(target=work) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert failures == []


def test_a_pattern_tells_the_file_of_a_frame():
    pattern = parse_pattern("/film/a.%05d.exr")
    assert pattern is not None and str(pattern) == "/film/a.#####.exr"
    assert [pattern.path_of(number).name for number in (1, -1, 123456)] == [
        "a.00001.exr",
        "a.-0001.exr",
        "a.123456.exr",
    ]
