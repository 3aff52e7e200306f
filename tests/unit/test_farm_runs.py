"""Farm jobs that really run: through openjd and over a dask cluster, with the bytes of one whole run."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import filmrestore
from film import picture, write_image, write_shot
from filmrestore.cli import run
from filmrestore.errors import Cancelled, InputError, ResourceError, UsageError
from filmrestore.fixes import Ledger
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore
from filmrestore.restorers.base import REGISTRY
from filmrestore.settings import RestoreSettings

TESTS = Path(__file__).parents[1]
LONG_S = 600  # a process of a few seconds, on a machine that does much else

PROGRAM = """\
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import fakes
from filmrestore.cli import main
from filmrestore.restorers.base import REGISTRY

REGISTRY["frdm"] = "__main__:load"

class Dies(fakes.MedianRestorer):
    def __call__(self, window, context):
        deadline = time.monotonic() + {long_s}
        while context.frames[0] >= 1004 and time.monotonic() < deadline:
            if list(Path({out!r}).glob("clean.*.exr")):
                os.kill(os.getpid(), {signal})
                break
            time.sleep(0.02)
        return super().__call__(window, context)

def load(device):
    return Dies(device)

main()
"""


def executable(path: Path, *words: str) -> Path:
    """A command that runs these words of this Python with our package, whatever else is installed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    package = shlex.quote(str(Path(filmrestore.__file__).parents[1]))
    path.write_text(f'#!/bin/sh\nPYTHONPATH={package} exec {shlex.join([sys.executable, *words])} "$@"\n')
    path.chmod(0o755)
    return path


def openjd(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the openjd command of this Python."""
    command = Path(sys.executable).parent / "openjd"
    if not command.exists():
        pytest.skip("openjd is not installed: pip install 'filmrestore[farm]'")
    return subprocess.run([command, *words], capture_output=True, text=True, timeout=LONG_S, check=False)


def run_bundle(bundle: Path, step: str, *words: str) -> subprocess.CompletedProcess[str]:
    values = f"file://{bundle / 'parameters.yaml'}"
    return openjd("run", bundle / "template.yaml", "-p", values, "--step", step, *words)


def same_bytes(one: Path, other: Path, count: int) -> None:
    """Every picture and matte of one folder, and every fix, are those of the other."""
    names = pictures(one)
    assert len(names) == count and names == pictures(other)
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert fixes_of(one) == fixes_of(other) != []


def pictures(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.suffix in (".exr", ".png"))


def fixes_of(folder: Path) -> list[Any]:
    ledger = Ledger.open(next(folder.glob("*.ledger")))
    return [(fix, *(part.tobytes() for part in ledger.pixels(fix))) for fix in ledger.all_fixes()]


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Scene-linear float32 RGBA, from below 0 to above 1, in a folder with quotes in its name."""
    folder = tmp_path_factory.mktemp("scan") / 'the "scan"'
    folder.mkdir()
    alpha = np.linspace(-0.5, 1.5, 72 * 96, dtype=np.float32).reshape(72, 96, 1)
    for number in range(1002, 1008):
        light = picture(number, 72, 96) * 1.8 - 0.1
        write_image(folder / f"shot.{number}.exr", np.concatenate([light, alpha], axis=2).astype(np.float32))
    return str(folder / "shot.####.exr")


@pytest.fixture(scope="module")
def whole(scan: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of one whole run with the shipped weights, mattes with it."""
    out = tmp_path_factory.mktemp("whole")
    line = ["restore", scan, "-o", str(out / "clean.####.exr"), "--matte-out", str(out / "matte.####.png")]
    assert run([*line, "--no-cache", "--colourspace", "ACEScg", "--progress", "none"]) == 0
    return out


def test_a_bundle_run_by_openjd_gives_the_bytes_of_one_whole_run(scan: str, whole: Path, tmp_path: Path) -> None:
    program = executable(tmp_path / "our bin" / "film restore", "-m", "filmrestore.cli")
    out, bundle = tmp_path / "it's out", tmp_path / "the bundle"
    line = ["submit", scan, "-o", str(out / "clean.####.exr"), "--matte-out", str(out / "matte.####.png")]
    line += ["--bundle", str(bundle), "--chunk", "3", "--threads", "1", "--memory", "1024", "--no-cache"]
    assert run([*line, "--colourspace", "ACEScg", "--program", str(program)]) == 0
    checked = openjd("check", bundle / "template.yaml")
    assert checked.returncode == 0, checked.stdout
    done = run_bundle(bundle, "Report", "--run-dependencies")
    assert done.returncode == 0, done.stdout
    assert "Frames(STRING) = 1002-1004" in done.stdout and "Frames(STRING) = 1005-1007" in done.stdout
    assert "openjd_progress: 100.0" in done.stdout and "Error:" not in done.stdout
    assert "verified: 6 frames" in done.stdout
    same_bytes(whole, out, 12)
    ledger = next(out.glob("*.ledger"))
    assert (ledger / "ledger.jsonl").exists() and not (ledger / "locks").exists()
    assert "<html" in (out / "report.html").read_text()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGISTRY, "frdm", "fakes:load")


@pytest.mark.parametrize("killed_by", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_chunk_goes_on_where_it_stopped(
    killed_by: signal.Signals, scan: str, quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, bundle = tmp_path / "out", tmp_path / "bundle"
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(tests=str(TESTS), out=str(out), signal=int(killed_by), long_s=LONG_S))
    program = executable(tmp_path / "program", str(script))
    what = [scan, "-o", str(out / "clean.####.exr"), "--threads", "1", "--no-cache"]
    assert run(["submit", *what, "--bundle", str(bundle), "--memory", "1024", "--program", str(program)]) == 0
    first = run_bundle(bundle, "Restore", "--task-param", "Frames=1002-1007")
    code = 130 if killed_by == signal.SIGTERM else -signal.SIGKILL
    assert first.returncode != 0 and f"exited with code: {code} " in first.stdout, first.stdout
    assert "Error:" not in first.stdout
    before = {file: file.stat() for file in out.glob("clean.*.exr")}
    assert 0 < len(before) < 6
    capsys.readouterr()
    assert run(["restore", *what, "--frames=1002-1007", "--progress", "none"]) == 0
    assert f"{6 - len(before)} restored, {len(before)} were done, 0 failed" in capsys.readouterr().out
    for file, stat in before.items():
        assert (file.stat().st_ino, file.stat().st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)
    whole = tmp_path / "whole"
    restore(RestoreJob(source=scan, output=str(whole / "clean.####.exr"), threads=1))
    same_bytes(whole, out, 6)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a dask cluster in this process, of two workers."""
    distributed = pytest.importorskip("distributed", reason="dask comes with filmrestore[farm]")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


def test_a_dask_cluster_gives_the_bytes_of_one_whole_run(
    scan: str, whole: Path, scheduler: str, tmp_path: Path
) -> None:
    from filmrestore.farm.cluster import restore_on_cluster

    job = RestoreJob(
        source=scan,
        output=str(tmp_path / "clean.####.exr"),
        matte_out=str(tmp_path / "matte.####.png"),
        colourspace="ACEScg",
    )
    told: list[tuple[str, int, int]] = []
    report = restore_on_cluster(job, scheduler, size=3, threads=1, progress=lambda *step: told.append(step))
    assert (report.frames, report.restored, report.failed) == (6, 6, {})
    assert report.fixes == len(fixes_of(whole)) and report.tiles_computed == 2
    assert [step for step in told if step[0] == "restore"] == [("restore", done, 6) for done in (0, 3, 6)]
    same_bytes(whole, tmp_path, 12)
    again = restore_on_cluster(job, scheduler, size=3, threads=1)
    assert (again.restored, again.skipped) == (0, 6)


def test_the_command_runs_on_the_cluster(
    scan: str,
    scheduler: str,
    quick: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    line = [
        "restore",
        scan,
        "-o",
        "out/clean.####.exr",
        "--no-cache",
        "--colourspace",
        "ACEScg",
        "--progress",
        "openjd",
    ]
    assert run([*line, "--engine", "dask", "--scheduler", scheduler]) == 0
    told = capsys.readouterr()
    assert "openjd_progress: 100.0" in told.out and "frames  6: 6 restored" in told.out and told.err == ""
    assert run(["verify", scan, "out/clean.####.exr", "--progress", "none"]) == 0
    assert run([*line, "--engine", "dask"]) == 2
    assert "--engine dask and --scheduler" in capsys.readouterr().err


def test_the_first_failure_on_the_cluster_is_the_runs(scan: str, scheduler: str, quick: None, tmp_path: Path) -> None:
    from filmrestore.farm.cluster import restore_on_cluster

    folder = tmp_path / "scan"
    write_shot(folder, 12, height=24, width=24)  # no other window looks at 1006
    job = RestoreJob(source=str(folder / "shot.####.png"), output=str(tmp_path / "out" / "c.####.png"))
    restore(RestoreJob(source=job.source, output=job.output, span="1000-1002"))
    (folder / "shot.1006.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"shot\.1006\.png"):
        restore_on_cluster(job, scheduler, size=3)
    (folder / "shot.1006.png").unlink()
    skipped = RestoreJob(source=job.source, output=job.output, on_error="skip")
    report = restore_on_cluster(skipped, scheduler, size=3)
    assert report.frames == 12 and list(report.failed) == [1006] and report.restored + report.skipped == 11


def test_a_stopped_run_stops_the_cluster_and_goes_on_later(
    scan: str, scheduler: str, quick: None, tmp_path: Path
) -> None:
    from filmrestore.farm.cluster import restore_on_cluster

    job = RestoreJob(source=scan, output=str(tmp_path / "c.####.exr"))
    restore(RestoreJob(source=scan, output=job.output, span="1002-1003"))
    with pytest.raises(Cancelled):
        restore_on_cluster(job, scheduler, size=3, cancelled=lambda: True)
    report = restore_on_cluster(job, scheduler, size=3)
    assert report.restored + report.skipped == 6 and report.skipped >= 2


def test_what_a_cluster_cannot_do_is_refused(scan: str, scheduler: str, quick: None, tmp_path: Path) -> None:
    from filmrestore.farm.cluster import restore_on_cluster

    with pytest.raises(UsageError, match="is a movie"):
        restore_on_cluster(RestoreJob(source=scan, output=str(tmp_path / "c.mkv")), scheduler)
    short = RestoreJob(source=scan, output=str(tmp_path / "c.####.exr"), settings=RestoreSettings(handles=0))
    with pytest.raises(UsageError, match="handles is 0"):
        restore_on_cluster(short, scheduler)
    with pytest.raises(ResourceError, match="no dask scheduler answers at nonsense"):
        restore_on_cluster(short, "nonsense://nowhere")
    assert not list(tmp_path.iterdir())
