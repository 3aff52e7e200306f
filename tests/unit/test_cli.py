"""The command line: exit codes, what goes to stdout and stderr, options made from the settings, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import filmrestore.cli
from film import read_codes, write_image, write_shot
from filmrestore.analysis import Analysis
from filmrestore.cli import VERBS, run
from filmrestore.cli.progress import JsonLines, Lines, OpenJobLines, Rate, duration
from filmrestore.errors import InputError
from filmrestore.restorers.base import REGISTRY
from filmrestore.settings import DEGRADE_PRESETS, DegradeSettings, GrainSettings, RestoreSettings

pytestmark = pytest.mark.usefixtures("median_restorer")
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shot(tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="module")
def restored(scan: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the result of a restore by the command."""
    out = tmp_path_factory.mktemp("restored")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(REGISTRY, "frdm", "fakes:load")
        assert run(["restore", scan, "-o", str(out / "clean.####.png"), "--colourspace", "srgb"]) == 0
    return out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_on_stdout(verb: str, capsys: Captured) -> None:
    assert run([verb, "--help"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"Usage: filmrestore {verb}")
    assert told.err == ""


@pytest.mark.parametrize(
    ("verb", "settings"), [("restore", RestoreSettings), ("degrade", DegradeSettings), ("grain", GrainSettings)]
)
def test_every_setting_has_its_option(verb: str, settings: type, capsys: Captured) -> None:
    run([verb, "--help"])
    told = capsys.readouterr().out
    for name in settings.facts():  # type: ignore[attr-defined]
        assert f"--{name.replace('_', '-')} " in told or f"--no-{name.replace('_', '-')} " in told


def test_restore_verify_and_apply_agree(scan: str, restored: Path, tmp_path: Path, capsys: Captured) -> None:
    result = str(restored / "clean.####.png")
    assert run(["verify", scan, result]) == 0
    assert capsys.readouterr().out.startswith("verified: 12 frames")
    ledger = next(restored.glob("*.ledger"))
    again = str(tmp_path / "clean.####.png")
    assert run(["apply", scan, "-o", again, "--ledger", str(ledger), "--progress", "none"]) == 0
    told = capsys.readouterr()
    assert "12 written" in told.out and told.err == ""
    for path in restored.glob("clean.*.png"):
        assert np.array_equal(read_codes(path), read_codes(tmp_path / path.name))


def test_verify_fails_when_one_code_is_changed(scan: str, restored: Path, tmp_path: Path, capsys: Captured) -> None:
    for path in restored.glob("clean.*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    codes = read_codes(tmp_path / "clean.1004.png").copy()
    codes[7, 9, 1] ^= 1
    write_image(tmp_path / "clean.1004.png", codes)
    ledger = str(next(restored.glob("*.ledger")))
    assert run(["verify", scan, str(tmp_path / "clean.####.png"), "--ledger", ledger, "--json"]) == 1
    told = capsys.readouterr()
    failures = json.loads(told.out)["failures"]
    assert [(f["frame"], f["kind"], f["x"], f["y"]) for f in failures if f["kind"] == "outside"] == [
        (1004, "outside", 9, 7)
    ]
    assert "Error: " in told.err


def test_restore_says_its_result_on_stdout_and_resumes(scan: str, restored: Path, capsys: Captured) -> None:
    line = ["restore", "--in", scan, "-o", str(restored / "clean.####.png"), "--colourspace", "srgb", "--json"]
    assert run(line) == 0
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert (result["frames"], result["restored"], result["skipped"], result["failed"]) == (12, 0, 12, {})
    assert "restore 12/12" in told.err


def test_a_dry_run_writes_nothing(scan: str, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    assert run(["restore", scan, "-o", str(out / "####.png"), "--colourspace", "srgb", "--dry-run"]) == 0
    assert "12 frames of" in capsys.readouterr().out
    assert not out.exists()


def test_a_frame_that_fails_is_named_and_the_exit_code_is_3(scan: str, tmp_path: Path, capsys: Captured) -> None:
    for path in Path(scan).parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damaged = tmp_path / "shot.1005.png"
    damaged.write_bytes(damaged.read_bytes()[:300])
    line = [
        "restore",
        str(tmp_path / "shot.####.png"),
        "-o",
        str(tmp_path / "out" / "####.png"),
        "--colourspace",
        "srgb",
    ]
    assert run([*line, "--on-error", "skip"]) == 3
    told = capsys.readouterr()
    assert "Error: " in told.err and "frame 1005: " in told.err
    assert "11 restored" in told.out
    assert run(line) == 4


def test_report_and_probe_write_their_files(scan: str, restored: Path, tmp_path: Path, capsys: Captured) -> None:
    page = tmp_path / "page.html"
    assert run(["report", scan, str(restored / "clean.####.png"), "-o", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text().lstrip().startswith("<!")
    reel = tmp_path / "reel.json"
    assert run(["probe", scan, "-F", "1002-1004", "-o", str(reel), "--colourspace", "srgb", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["analysis"] == str(reel)
    assert Analysis.load(reel).frames == tuple(range(1000, 1012))


def test_degrade_and_grain_run(scan: str, tmp_path: Path, capsys: Captured) -> None:
    colour = ["--colourspace", "srgb", "--json", "--progress", "none"]
    worn = str(tmp_path / "worn.####.png")
    assert run(["degrade", scan, "-F", "1000-1001", "-o", worn, "--preset", "light", "--seed", "4", *colour]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["made"] == 2
    recipe = json.loads(Path(made["recipe"]).read_text())["settings"]
    assert recipe["seed"] == 4 and recipe["dust"] == DEGRADE_PRESETS["light"].dust
    line = ["grain", scan, "-F", "1000", "-o", str(tmp_path / "grain.####.png"), "--mode", "reduce", "--amount", "0.5"]
    assert run([*line, *colour]) == 0
    assert json.loads(capsys.readouterr().out)["made"] == 1


def test_an_option_beats_the_settings_file_and_the_file_beats_the_preset(
    scan: str, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "mine.json"
    file.write_text('{"dust": 3.0, "dirt": 2.0}')
    line = ["degrade", scan, "-F", "1000", "-o", str(tmp_path / "####.png"), "--colourspace", "srgb", "--json"]
    assert run([*line, "--preset", "worn", "--settings", str(file), "--dirt", "1"]) == 0
    recipe = json.loads(Path(json.loads(capsys.readouterr().out)["recipe"]).read_text())["settings"]
    assert (recipe["dust"], recipe["dirt"], recipe["hair"]) == (3.0, 1.0, DEGRADE_PRESETS["worn"].hair)


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        (["restore", "x/####.png"], 2, "--out"),
        (["restore", "-o", "y/####.png"], 2, "give the frames once"),
        (["restore", "x", "--in", "x", "-o", "y"], 2, "give the frames once"),
        (["restore", "x", "-o", "y", "--strength", "2"], 2, "strength is 2"),
        (["restore", "x", "-o", "y", "--method", "magic"], 2, "magic"),
        (["restore", "x", "-o", "y", "--roi", "1,2,3"], 2, "x0,y0,x1,y1"),
        (["restore", "x", "-o", "y", "--roi", "9,9,3,12"], 2, "empty"),
        (["restore", "x", "-o", "y", "--settings", "nowhere.json"], 4, r"nowhere.json"),
        (["restore", "nowhere/####.dpx", "-o", "y/####.dpx"], 4, "nowhere"),
        (["report", "x"], 2, "RESULT or --ledger"),
        (["demo", "--film", "nowhere"], 4, "nowhere holds no frames"),
        (["paint"], 2, "paint"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(
    line: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(line) == code
    told = capsys.readouterr()
    assert message in told.err and told.out == ""


def test_a_settings_file_that_is_none_is_refused(tmp_path: Path, capsys: Captured) -> None:
    for text, message in (("{", "no JSON"), ("[1]", "expected an object"), ('{"strenth": 1}', "strenth")):
        file = tmp_path / "mine.json"
        file.write_text(text)
        assert run(["restore", "x", "-o", "y", "--settings", str(file)]) == 2
        assert message in capsys.readouterr().err


def test_an_unexpected_error_leaves_its_traceback_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def broken(*arguments: object, **keywords: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(filmrestore.cli.command, "main", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(["models"]) == 1
    told = capsys.readouterr().err
    assert "ZeroDivisionError: by nought" in told and "Traceback" not in told
    (log,) = tmp_path.glob("filmrestore-*.log")
    assert str(log) in told and "in broken" in log.read_text()


def test_memory_that_ran_out_is_exit_code_5(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def full(*arguments: object, **keywords: object) -> None:
        raise MemoryError

    monkeypatch.setattr(filmrestore.cli.command, "main", full)
    assert run(["models"]) == 5
    assert "memory ran out" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_run_with_130(number: signal.Signals, scan: str, tmp_path: Path) -> None:
    frames = sorted(Path(scan).parent.iterdir())
    for copy in range(300):
        os.link(frames[copy % len(frames)], tmp_path / f"long.{copy:04d}.png")
    out = tmp_path / "reel.json"
    line = ["probe", str(tmp_path / "long.####.png"), "-o", str(out), "--progress", "json", "--colourspace", "srgb"]
    with subprocess.Popen(
        [sys.executable, "-m", "filmrestore.cli", *line], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["stage"] == "analyse"
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "stopping after the frame in flight" in rest and "Error:" not in rest and "Traceback" not in rest
    assert not out.exists()


def test_the_demo_restores_checks_and_reports_real_frames(scan: str, tmp_path: Path, capsys: Captured) -> None:
    assert run(["demo", "--film", str(Path(scan).parent), "-o", str(tmp_path), "-F", "1003-1006"]) == 0
    told = capsys.readouterr().out
    page = tmp_path / Path(scan).parent.name / "report.html"
    assert told == f"Open {page.as_uri()}\n"
    assert page.exists()
    assert len(list((page.parent / "restored").iterdir())) == 4


def test_the_sample_shot_moves_and_uses_all_ten_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("skimage", reason="the sample shot is made of scikit-image's photographs")
    from filmrestore.cli import sample
    from filmrestore.media import open_shot

    monkeypatch.setattr(sample, "FRAMES", 2)
    pattern = sample.make_sample(tmp_path, lambda stage, done, total: None)
    with open_shot(pattern) as shot:
        assert (shot.format.bits, shot.format.width, shot.format.height, shot.rate) == (10, 960, 720, 24)
        first, second = (shot.read(number).codes for number in shot.frames)
    assert first.max() <= 1023 and np.unique(first & 3).size == 4
    assert np.abs(first.astype(int) - second).mean() > 5


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_forgets_the_frames_that_were_done_already() -> None:
    clock = Clock()
    rate = Rate(clock)
    rate.add(0)
    rate.add(500)
    for done in range(501, 700):
        clock.now += 2.0
        rate.add(done)
    assert rate.per_second() == pytest.approx(0.5)
    assert rate.seconds_left(699, 709) == pytest.approx(20.0)
    rate.add(0)
    clock.now += 4.0
    rate.add(1)
    assert rate.per_second() == pytest.approx(0.25)


def test_plain_lines_come_seconds_apart_and_at_the_end(capsys: Captured) -> None:
    clock = Clock()
    with Lines(clock) as shown:
        for done in range(1, 41):
            shown("restore", done, 40)
            clock.now += 0.5
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "restore 11/40  2.0 a second  0:14 left"
    assert lines[-1] == "restore 40/40  2.0 a second"
    assert len(lines) == 4


def test_json_and_open_job_lines_can_be_read_by_programs(capsys: Captured) -> None:
    clock = Clock()
    with JsonLines(clock) as shown:
        shown("restore", 0, 8)
        clock.now = 4.0
        shown("restore", 2, 8)
    last = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert last == {"stage": "restore", "done": 2, "total": 8, "per_second": 0.5, "seconds_left": 12.0}
    with pytest.raises(InputError), OpenJobLines(clock) as jobs:
        jobs("restore", 2, 8)
        raise InputError("frame 3\nis gone")
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "openjd_progress: 25.0",
        "openjd_status: restore 2/8",
        "openjd_fail: frame 3 is gone",
    ]
    assert told.err == ""


def test_durations_read_like_clocks() -> None:
    assert [duration(seconds) for seconds in (0, 61.4, 3599.6, 86400)] == ["0:00", "1:01", "1:00:00", "24:00:00"]


@pytest.mark.parametrize("verb", ["probe", "restore", "report"])
def test_a_page_or_an_analysis_is_never_written_over_a_picture(verb: str, tmp_path: Path, capsys: Captured) -> None:
    scan = write_shot(tmp_path / "scan", 1, height=16, width=16)
    frame = next((tmp_path / "scan").iterdir())
    was = frame.read_bytes()
    arguments = {
        "probe": ["probe", scan, "-o", str(frame)],
        "restore": ["restore", scan, "-o", str(tmp_path / "out.####.png"), "--report", str(frame)],
        "report": ["report", scan, "--ledger", str(tmp_path), "-o", str(frame)],
    }
    assert run(arguments[verb]) == 2
    assert "give it a name of its own" in capsys.readouterr().err
    assert frame.read_bytes() == was
    assert [path.name for path in tmp_path.iterdir()] == ["scan"]
