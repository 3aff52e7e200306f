"""The terminal script, from plate to written EXR, on the stand-in with the real server and files."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from film import read_codes
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore
from filmrestore.server.serve import Server
from nuke_path import FRAMES, RENDER, build_script, command, nuke_t, restored_by_nuke, variables
from unit.server_house import GatedRestorer, running

pytestmark = pytest.mark.usefixtures("engine")


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.array_equal(
        np.ascontiguousarray(a).view(np.uint32), np.ascontiguousarray(b).view(np.uint32)
    )


@pytest.fixture(scope="module")
def by_command(engine: Server, clip: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("command")
    restore(RestoreJob(source=clip, output=str(out / "c.####.exr"), colourspace="scene_linear", threads=1))
    return out


@pytest.mark.parametrize("rendered", [False, True], ids=["files", "rendered"])
def test_nuke_writes_what_the_command_writes_bit_for_bit(
    clip: str, by_command: Path, tmp_path: Path, rendered: bool
) -> None:
    written = restored_by_nuke(clip, tmp_path, FRAMES, rendered=rendered)
    changed = 0
    for number, path in written.items():
        expected = read_codes(by_command / f"c.{number}.exr")
        assert same_bits(read_codes(path), expected), number
        changed += not same_bits(expected, read_codes(Path(clip % number)))
    assert changed == 2


@pytest.fixture
def main(terminal: ModuleType) -> Any:
    """The terminal script's main, in a Nuke of this process."""
    from filmrestore_nuke.terminal import main

    return main


@pytest.fixture(scope="module")
def script(engine: Server, clip: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A script whose plate is rendered: frames 1000 to 1011, folder out beside it."""
    folder = tmp_path_factory.mktemp("script")
    return build_script(folder, clip, FRAMES, knobs={"plate": "rendered", "folder": str(folder / "out")})


def of_frames(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob("*.exr"))}


def test_chunks_give_the_bytes_of_a_whole_run_and_are_not_redone(
    main: Any, script: Path, by_command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = script.parent / "out"
    for span in ("1006-1011", "1000-1005"):
        assert main([str(script), "--node", "FilmRestore1", f"--frames={span}", "--write", "Write1"]) == 0
    for number in FRAMES:
        expected = read_codes(by_command / f"c.{number}.exr")
        assert same_bits(read_codes(out / f"result.{number}.exr"), expected), number
        assert same_bits(read_codes(script.parent / f"written.{number}.exr"), expected), number
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert [line for line in lines if line.startswith("Frame 1006")] == ["Frame 1006 (1 of 6)"] * 2
    written = re.compile(r"Writing .+ took [0-9.]+ seconds")
    assert sum(written.fullmatch(line) is not None for line in lines) == 24
    assert "Error:" not in told.out + told.err

    before, plate = of_frames(out), of_frames(out / "plate")
    assert main([str(script), "--node", "FilmRestore1", "--frames=1000-1005"]) == 0
    assert of_frames(out) == before and of_frames(out / "plate") == plate


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--node", "Nobody", "--frames=1"], 2, "no node Nobody"),
        (["--node", "Write1", "--frames=1"], 2, "Write1 is no FilmRestore"),
        (["--node", "FilmRestore1", "--frames=9-1"], 2, "run backwards"),
        (["--node", "FilmRestore1", "--frames=1003", "--write", "Write9"], 2, "no node Write9"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_says_why(
    main: Any, script: Path, words: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(script), *words]) == code
    error = capsys.readouterr().err
    assert error.startswith("Error: ") and told in error


def test_a_script_that_is_not_there_ends_with_4(main: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.nk"), "--node", "FilmRestore1", "--frames=1"]) == 4
    assert "Error: " in capsys.readouterr().err


def test_frames_that_are_missing_fail_or_are_left_out(
    main: Any, clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in FRAMES:
        if number != 1004:
            (tmp_path / f"hole.{number}.exr").write_bytes(Path(clip % number).read_bytes())
    pattern = str(tmp_path / "hole.%04d.exr")
    script = build_script(tmp_path / "job", pattern, FRAMES)
    words = [str(script), "--node", "FilmRestore1", "--frames=1003-1005"]
    assert main(words) == 4
    assert "Error: " in capsys.readouterr().err
    assert main([*words, "--on-error", "skip"]) == 3
    assert "frame 1004" in capsys.readouterr().err
    results = sorted(path.name for path in (tmp_path / "job" / "filmrestore" / "FilmRestore1").glob("result*"))
    assert results == ["result.1003.exr", "result.1005.exr"]


def test_a_farm_that_stops_a_task_gets_130_and_no_half_frame(clip: str, tmp_path: Path) -> None:
    with running(tmp_path / "run", "unit.server_house:load_gated"):
        script = build_script(tmp_path / "job", clip, FRAMES)
        words = command(RENDER, script, "--node", "FilmRestore1", "--frames=1000-1011", "--write", "Write1")
        GatedRestorer.reached.clear()
        task = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables())
        assert GatedRestorer.reached.wait(60)
        task.send_signal(signal.SIGTERM)
        output, errors = task.communicate(timeout=60)
        GatedRestorer.gate.set()
    assert task.returncode == 130, errors
    assert "Error:" not in output + errors and "Traceback" not in errors
    assert not list((tmp_path / "job").rglob("result*")) and not list((tmp_path / "job").glob("written*"))


def test_nuke_takes_no_range_from_the_end_of_the_command(engine: Server, clip: str, tmp_path: Path) -> None:
    knobs = {"plate": "rendered", "folder": str(tmp_path / "out")}
    script = build_script(tmp_path, clip, FRAMES, knobs=knobs)  # its own: a frame that is done would not be done again
    told = nuke_t(RENDER, script, "--node", "FilmRestore1", "--frames=1003-1003")
    assert "Frame 1003 (1 of 1)" in told.stdout
