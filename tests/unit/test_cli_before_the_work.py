"""The command line on what would cost work or frames: told before it starts, and in the form that was asked for."""

from __future__ import annotations

import json
import shutil
import threading
import warnings
from pathlib import Path

import pytest

from film import write_shot
from filmrestore.analysis import Analysis
from filmrestore.cli import run
from filmrestore.cli.progress import display
from filmrestore.media import open_shot
from filmrestore.nodes import job as node_job
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore

pytestmark = pytest.mark.usefixtures("median_restorer")
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shot(tmp_path_factory.mktemp("scan"), 6, height=48, width=48)


def restored(scan: str, out: str, *words: str) -> int:
    return run(["restore", scan, "-o", out, "--colourspace", "srgb", "--no-cache", "--progress", "none", *words])


def test_a_span_never_replaces_a_longer_movie(scan: str, tmp_path: Path, capsys: Captured) -> None:
    movie = tmp_path / "whole.mkv"
    assert restored(scan, str(movie), "--lossy") == 0
    before = movie.read_bytes()
    capsys.readouterr()
    assert restored(scan, str(movie), "--lossy", "-F", "1001-1002") == 2
    told = capsys.readouterr().err
    assert "6 frames, and this run writes 2" in told and "delete it first" in told
    assert movie.read_bytes() == before
    assert restored(scan, str(movie), "--lossy", "--strength", "0.5") == 0, "as long a one is replaced"


def test_warnings_are_json_events_where_progress_is(capsys: Captured) -> None:
    import logging

    before = logging.root.handlers
    shown = warnings.showwarning
    with display("json") as progress:
        progress("restore", 1, 2)
        warnings.showwarning("the reel has no grain", UserWarning, "here.py", 1)
        logging.getLogger("filmrestore").warning("a frame is %s", "short")
    assert logging.root.handlers is before and warnings.showwarning is shown
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event.get("warning") for event in events] == [None, "the reel has no grain", "a frame is short"]


@pytest.mark.parametrize(
    "line",
    [
        ["probe", "SCAN", "-o", "FILE/a.json", "--colourspace", "srgb"],
        ["restore", "SCAN", "-o", "OUT/c.####.png", "--report", "FILE/page.html", "--colourspace", "srgb"],
        ["restore", "SCAN", "-o", "OUT/c.####.png", "--analysis", "FILE/a.json", "--colourspace", "srgb"],
        ["report", "SCAN", "SCAN", "--ledger", "none.ledger", "-o", "FILE/page.html"],
    ],
    ids=["probe", "report", "analysis", "page"],
)
def test_a_target_that_cannot_be_written_is_told_before_the_work(
    line: list[str], scan: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def works(*arguments: object, **more: object) -> None:
        raise AssertionError("there was work before the target was looked at")

    monkeypatch.setattr("filmrestore.analysis.analyse", works)
    monkeypatch.setattr(node_job, "analyse", works)
    (tmp_path / "file").write_text("in the way")
    places = {"SCAN": scan, "OUT": str(tmp_path / "out"), "FILE": str(tmp_path / "file")}
    words = line
    for name, place in places.items():
        words = [word.replace(name, place) for word in words]
    assert run(words) == 1
    assert "something else has that name" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/c.*"))


def test_of_two_processes_one_makes_the_analysis(scan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Analysis] = []
    both = threading.Barrier(2, timeout=60)
    analyse, load_device = node_job.analyse, node_job.load_device

    def counted(*arguments: object, **more: object) -> Analysis:
        made.append(analyse(*arguments, **more))
        return made[-1]

    def met(job: RestoreJob) -> object:
        both.wait()
        return load_device(job)

    monkeypatch.setattr(node_job, "analyse", counted)
    monkeypatch.setattr("filmrestore.nodes.restore.load_device", met)
    jobs = [RestoreJob(source=scan, output=str(tmp_path / f"{n}.####.png"), colourspace="srgb", threads=1,
                       ledger=str(tmp_path / f"{n}.ledger")) for n in "ab"]  # fmt: skip
    threads = [threading.Thread(target=restore, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(made) == 1
    assert len(list(tmp_path.glob("?.*.png"))) == 12
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_ledger_that_was_cut_short_is_told_and_ends_with_3(scan: str, tmp_path: Path, capsys: Captured) -> None:
    assert restored(scan, str(tmp_path / "c.####.png")) == 0
    ledger = next(tmp_path.glob("*.ledger"))
    lines = (ledger / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["frame"] <= 1003]
    assert 0 < len(kept) < len(lines)
    (ledger / "ledger.jsonl").write_bytes(b"".join(kept))
    line = ["apply", scan, "-o", str(tmp_path / "again" / "c.####.png"), "--ledger", str(ledger), "--progress", "none"]
    capsys.readouterr()
    assert run(line) == 3
    told = capsys.readouterr()
    assert "lacks 2 frames of the scan (1004-1005)" in told.err and "4 written" in told.out
    assert run([*line, "-F", "1000-1003"]) == 0


def test_a_ledger_edited_by_a_program_that_marks_utf_8_is_read(scan: str, tmp_path: Path) -> None:
    assert restored(scan, str(tmp_path / "c.####.png")) == 0
    ledger = next(tmp_path.glob("*.ledger"))
    for name in ("ledger.jsonl", "header.json"):
        (ledger / name).write_bytes(b"\xef\xbb\xbf" + (ledger / name).read_bytes())
    again = tmp_path / "again"
    assert run(["apply", scan, "-o", str(again / "c.####.png"), "--ledger", str(ledger), "--progress", "none"]) == 0
    with open_shot(str(again / "c.####.png")) as shot:
        assert len(shot.frames) == 6
    shutil.rmtree(again)
