"""Writing: whole files or none, behind the compute, never over the scan; full and forbidden disks are told."""

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from media_files import write_sequence

from filmrestore.errors import FilmRestoreError, OutputError, UsageError
from filmrestore.media import Shot, atomic_bytes, atomic_write, open_shot, open_writer, sweep, write_plane
from filmrestore.media.atomic import temporary_name


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shot]:
    folder = tmp_path_factory.mktemp("scans")
    kinds = {".png": "uint16", ".exr": "float16", ".tif": "uint16", ".jpg": "uint8", ".dpx": "uint16"}
    return {suffix: open_shot(write_sequence(folder / suffix[1:], 4, suffix, dtype)) for suffix, dtype in kinds.items()}


def copy(shot: Shot, target: Path, **options: object) -> None:
    with open_writer(target, shot, **options) as writer:
        for number in shot.frames:
            writer.write(shot.read(number))


@pytest.mark.parametrize("suffix", [".png", ".exr", ".tif", ".dpx"])
def test_a_sequence_is_written_whole(scans: dict[str, Shot], tmp_path: Path, suffix: str):
    shot = scans[suffix]
    copy(shot, tmp_path / "deep" / f"clean.#####{suffix}")
    result = open_shot(tmp_path / "deep")
    assert result.frames == shot.frames and result.path_of(1).name == f"clean.00001{suffix}"
    assert result.format == shot.format
    for number in shot.frames:
        assert result.read(number).codes.tobytes() == shot.read(number).codes.tobytes()


def test_a_folder_takes_the_names_of_the_scan(scans: dict[str, Shot], tmp_path: Path):
    copy(scans[".png"], tmp_path / "new")
    assert names(tmp_path / "new") == [f"scan.{number:04d}.png" for number in (1, 2, 3, 4)]


def test_no_frame_of_the_scan_is_written_over_where_patterns_meet_late(tmp_path: Path):
    for number in (999, 1000):
        write_plane(tmp_path / f"scan.{number:04d}.png", np.zeros((4, 4), np.float32))
    shot = open_shot(tmp_path / "scan.####.png")
    with pytest.raises(UsageError, match=r"scan\.1000\.png: this is the scan itself"):
        open_writer(tmp_path / "scan.%d.png", like=shot)


def test_the_scan_is_never_written_over(scans: dict[str, Shot], tmp_path: Path):
    shot = scans[".png"]
    (tmp_path / "link").symlink_to(shot.path.parent)
    for target in (shot.path, shot.path.parent, tmp_path / "link"):
        with pytest.raises(UsageError, match=r"scan\.0001\.png: this is the scan itself"):
            open_writer(target, shot, overwrite=True)


def test_one_file_for_many_frames_is_refused(scans: dict[str, Shot], tmp_path: Path):
    with pytest.raises(UsageError, match="one file for 4 frames"):
        open_writer(tmp_path / "a.png", scans[".png"])


def test_files_that_are_there_stay_unless_allowed(scans: dict[str, Shot], tmp_path: Path):
    shot = scans[".png"]
    copy(shot, tmp_path)
    with open_writer(tmp_path, shot) as writer:
        assert writer.exists(1) and not writer.exists(9)
        with pytest.raises(OutputError, match=r"scan\.0001\.png: is already there.*--overwrite"):
            writer.write(shot.read(1))
    copy(shot, tmp_path, overwrite=True)


def test_a_failed_frame_is_told_later_and_the_others_go_on(scans: dict[str, Shot], tmp_path: Path):
    shot = scans[".png"]
    frames = {number: shot.read(number) for number in shot.frames}
    (tmp_path / "scan.0002.png").mkdir()
    writer = open_writer(tmp_path, shot, overwrite=True)
    with pytest.raises(OutputError, match=r"scan\.0002\.png: cannot be written"):
        for frame in frames.values():
            writer.write(frame)
        writer.flush()
    for number in (3, 4):
        writer.write(frames[number])
    writer.close()
    assert list(writer.failed) == [2]
    assert all((tmp_path / f"scan.{number:04d}.png").is_file() for number in (1, 3, 4))


def test_frames_waiting_to_be_written_are_bounded(scans: dict[str, Shot], tmp_path: Path, monkeypatch):
    import filmrestore.media.writer as module

    gate = threading.Event()
    real = module.encode_image
    monkeypatch.setattr(module, "encode_image", lambda *given: gate.wait(20) and real(*given))
    shot = scans[".png"]
    frame = shot.read(1)
    done = []
    writer = open_writer(tmp_path, shot, behind=2)

    def work() -> None:
        for number in range(1, 5):
            writer.write(replace(frame, number=number))
            done.append(number)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.2)
    assert done == [1, 2]
    gate.set()
    thread.join()
    writer.close()
    assert done == [1, 2, 3, 4]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("write")]


def test_a_folder_that_may_not_be_written_is_told_at_once(scans: dict[str, Shot], tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file.*cannot be written.*(choose another|check the folder)"):
        open_writer(tmp_path / "file" / "deep", scans[".png"])
    with pytest.raises(OutputError, match=r"/proc/.*cannot be written"):
        open_writer(Path("/proc/filmrestore"), scans[".png"])


def test_a_read_only_folder_is_told_at_once(scans: dict[str, Shot], tmp_path: Path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written: Permission denied; give this user the right"):
        open_writer(tmp_path, scans[".png"])


SUFFIXES = [".png", ".exr", ".tif", ".jpg", ".dpx"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up_is_told_and_nothing_half_written_is_seen(
    scans: dict[str, Shot], tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
):
    def fills_up(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(bytes(data)[:300])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fills_up)
    with pytest.raises(
        OutputError, match=rf"scan\.0001\{suffix}: cannot be written: No space.*make room and run again"
    ):
        copy(scans[suffix], tmp_path, lossy=True)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 12 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truly_full_disk_is_told(scans: dict[str, Shot], small_disk: Path, suffix: str):
    shot = scans[suffix]
    with pytest.raises(OutputError, match=r"No space left on device; \d+\.\d MiB are free there; make room"):  # noqa: SIM117
        with open_writer(small_disk / f"o.####{suffix}", shot, lossy=True) as writer:
            for number in range(1, 20):
                writer.write(replace(shot.read(1), number=number))
    left = sorted(small_disk.iterdir())
    assert len(left) < 15 and not [path for path in left if path.name.startswith(".")]
    for path in left:
        open_shot(path).read(open_shot(path).frames[0])


def test_an_atomic_write_that_fails_leaves_the_old_file(tmp_path: Path):
    target = tmp_path / "a.json"
    atomic_bytes(target, b"old")
    with pytest.raises(ZeroDivisionError), atomic_write(target) as temporary:
        temporary.write_bytes(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"old" and names(tmp_path) == ["a.json"]
    with pytest.raises(OutputError, match=r"a\.json: cannot be written"), atomic_write(target):
        pass
    assert target.read_bytes() == b"old"


def test_long_and_foreign_names_can_be_written(tmp_path: Path):
    target = tmp_path / ("ж" * 120 + ".json")
    atomic_bytes(target, b"new")
    assert target.read_bytes() == b"new"


def test_what_crashed_runs_left_is_swept_and_the_rest_stays(tmp_path: Path):
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    mine = temporary_name(tmp_path / "a.png")
    dead = mine.with_name(mine.name.replace(f".{os.getpid()}.", f".{int(child.stdout)}."))
    foreign = dead.with_name(dead.name.replace(".a.png.", ".a.png.other-"))
    old = foreign.with_name(foreign.name.replace("other-", "older-"))
    innocent = tmp_path / ".notes.tmp"
    for path in (mine, dead, foreign, old, innocent):
        path.touch()
    os.utime(old, (1, 1))
    assert sweep(tmp_path) == 2
    assert sorted(tmp_path.iterdir()) == sorted([mine, foreign, innocent])


def test_a_killed_run_leaves_no_half_written_file(scans: dict[str, Shot], tmp_path: Path):
    shot = scans[".exr"]
    code = (
        "import sys; from dataclasses import replace; from filmrestore.media import open_shot, open_writer\n"
        "shot = open_shot(sys.argv[1]); frame = shot.read(1)\n"
        "writer = open_writer(sys.argv[2], shot)\n"
        "print('ready', flush=True)\n"
        "for number in range(1, 100000): writer.write(replace(frame, number=number))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(shot.path), str(tmp_path / "o.####.exr")], stdout=subprocess.PIPE
    )
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    for _ in range(600):
        if len(list(tmp_path.glob("o.*.exr"))) > 5:
            break
        time.sleep(0.05)
    child.kill()
    child.wait()
    child.stdout.close()
    result = open_shot(tmp_path / "o.####.exr", "1-99999", missing="allow")  # two write at once: one may be ahead
    assert len(result.frames) > 3
    expected = shot.read(1).codes
    for number in (*result.frames[:3], *result.frames[-3:]):
        assert np.array_equal(result.read(number).codes.view(np.uint16), expected.view(np.uint16))
    with open_writer(tmp_path / "o.####.exr", shot):
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_error_in_the_block_keeps_finished_frames(scans: dict[str, Shot], tmp_path: Path):
    shot = scans[".png"]
    with pytest.raises(FilmRestoreError, match="stop"), open_writer(tmp_path, shot) as writer:
        writer.write(shot.read(1))
        raise FilmRestoreError("stop")
    assert names(tmp_path) == ["scan.0001.png"]
