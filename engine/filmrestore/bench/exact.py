"""`filmrestore bench exact`: untouched means untouched, and the same answer however the work was cut or broken off."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import FilmRestoreError, UsageError
from ..media.atomic import atomic_bytes
from ..nodes.job import RestoreJob
from ..settings import RestoreSettings
from . import BenchOptions
from .child import READY, measured, start, write_job
from .shots import make_shot
from .tables import table

Progress = Callable[[str, int, int], None]

WIDTH, HEIGHT, FRAMES = 232, 180, 10
"""Of the shot; no multiple of anything, and more than one patch."""

NAME_AND_DATE = range(36, 160)
"""Header bytes that may differ: file name and creation date.

Source: SMPTE ST 268-1:2014, table 1.
"""

KILLS = 10


def run(options: BenchOptions, progress: Progress | None = None) -> dict[str, Any]:
    """Check the cases; write exact.md and exact.json.

    Cases: "dpx" (every bit outside the mattes, the header, verify), "chunks" (three random cuts into spans),
    "order" (patches that end in random order, one to three workers, cold and warm cache), "resume"
    (interrupted once) and "kill" (kill -9 at ten random moments).

    Returns:
        Figures by case; each has `"ok"`.

    Raises:
        UsageError: an unknown case.
        FilmRestoreError: a case does not hold; the figures are written all the same.
    """
    unknown = [name for name in options.clips if name not in CASES]
    if unknown:
        raise UsageError(f"no case {unknown[0]!r}: choose from {', '.join(CASES)}")
    bench = _Bench(options)
    wanted = options.clips or tuple(CASES)
    figures: dict[str, Any] = {}
    for done, name in enumerate(wanted):
        figures[name] = CASES[name](bench)
        atomic_bytes(options.out_dir / "exact.json", json.dumps(figures, indent=1).encode())
        atomic_bytes(options.out_dir / "exact.md", _markdown(figures).encode())
        if progress:
            progress("cases", done + 1, len(wanted))
    shutil.rmtree(bench.work)
    failed = [name for name, found in figures.items() if not found["ok"]]
    if failed:
        raise FilmRestoreError(f"not exact: {', '.join(failed)}; {options.out_dir / 'exact.md'} says what was found")
    return figures


class _Bench:
    """The shot, and the run that all others must equal."""

    def __init__(self, options: BenchOptions) -> None:
        self.random = random.Random(options.seed)
        self.device = options.device
        self.work = options.out_dir / "work" / "exact"
        shutil.rmtree(self.work, ignore_errors=True)
        self.frames = options.frames or FRAMES
        self.source = make_shot(
            self.work / "scan", WIDTH, HEIGHT, self.frames, bits=10, seed=options.seed, unique=self.frames
        )
        self.reference = self.work / "reference"
        self.run(self.job(self.reference))
        self.wanted = fingerprint(self.reference)

    def job(self, folder: Path, **changes: Any) -> RestoreJob:
        """A job into `folder`; the analysis is shared by all, as chunks of one reel share it."""
        return dataclasses.replace(
            RestoreJob(
                source=self.source,
                output=str(folder / "result" / "####.dpx"),
                matte_out=str(folder / "matte" / "####.png"),
                ledger=str(folder / "ledger"),
                analysis=str(self.work / "analysis.json"),
                settings=RestoreSettings(),
                colourspace="srgb",
                device=self.device,
                threads=2,
            ),
            **changes,
        )

    def run(self, job: RestoreJob, *, shuffled: bool = False) -> dict[str, Any]:
        """The job in a process of its own; its report."""
        write_job(self.work / "job.json", job, shuffled=shuffled)
        return measured(self.work / "job.json").report

    def same(self, folder: Path) -> bool:
        """Whether the folder holds the reference's bytes, and nothing else; then it is deleted."""
        same = fingerprint(folder) == self.wanted
        shutil.rmtree(folder)
        return same


def fingerprint(folder: Path) -> dict[str, bytes]:
    """Every result and matte by name, whole."""
    files = [path for part in ("result", "matte") for path in sorted((folder / part).iterdir()) if path.is_file()]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}


def _dpx(bench: _Bench) -> dict[str, Any]:
    """Bits outside the mattes, header bytes, and whether verify tells right from wrong."""
    changed_outside = header = touched = 0
    for number in range(1, bench.frames + 1):
        scan, result = (
            (f / f"{number:04d}.dpx").read_bytes() for f in (bench.work / "scan", bench.reference / "result")
        )
        matte = _matte(bench, number)
        changed_outside += int(((unpacked(scan) != unpacked(result)).any(axis=2) & (matte == 0)).sum())
        touched += int((matte > 0).sum())
        head = zip(scan[: _image_start(scan)], result[: _image_start(scan)], strict=True)
        header += sum(a != b for at, (a, b) in enumerate(head) if at not in NAME_AND_DATE)
    passes = _verify(bench)
    fails = _fails_after_one_code(bench)
    return {
        "ok": not changed_outside and not header and passes and fails,
        "frames": bench.frames,
        "pixels": bench.frames * WIDTH * HEIGHT,
        "pixels inside mattes": touched,
        "pixels changed outside": changed_outside,
        "header bytes changed": header,
        "verify passes": passes,
        "verify fails after one code of one pixel": fails,
    }


def unpacked(data: bytes) -> NDArray[np.uint32]:
    """Codes of a 10-bit RGB DPX file, filled to 32 bits by method A, (h, w, 3); an own reading, for the check.

    Source: SMPTE ST 268-1:2014, section 8 and annex C.
    """
    order = _order(data)
    width, height = (int.from_bytes(data[at : at + 4], order) for at in (772, 776))
    words = np.frombuffer(data, "<u4" if order == "little" else ">u4", width * height, _image_start(data))
    return (
        np.stack([words >> shift & 1023 for shift in (22, 12, 2)], axis=1).astype(np.uint32).reshape(height, width, 3)
    )


def _order(data: bytes) -> Literal["big", "little"]:
    return "big" if data[:4] == b"SDPX" else "little"


def _image_start(data: bytes) -> int:
    return int.from_bytes(data[4:8], _order(data))


def _verify(bench: _Bench) -> bool:
    """What the verb says, in a process of its own."""
    folder = bench.reference
    command = [sys.executable, "-m", "filmrestore.cli", "verify", bench.source, str(folder / "result" / "####.dpx")]
    command += ["--ledger", str(folder / "ledger")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _matte(bench: _Bench, number: int) -> NDArray[Any]:
    path = bench.reference / "matte" / f"{number:04d}.png"
    matte = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if matte is None:
        raise FilmRestoreError(f"{path} cannot be read")
    return np.asarray(matte)


def _fails_after_one_code(bench: _Bench) -> bool:
    """Whether verify fails once the lowest bit of one sample outside the last frame's matte is turned."""
    path = bench.reference / "result" / f"{bench.frames:04d}.dpx"
    whole = path.read_bytes()
    pixel = int(bench.random.choice(np.flatnonzero(_matte(bench, bench.frames).ravel() == 0)))
    order = _order(whole)
    at = _image_start(whole) + 4 * pixel
    word = int.from_bytes(whole[at : at + 4], order) ^ (1 << 12)
    path.write_bytes(whole[:at] + word.to_bytes(4, order) + whole[at + 4 :])
    fails = not _verify(bench)
    path.write_bytes(whole)
    return fails


def _chunks(bench: _Bench) -> dict[str, Any]:
    """Three random cuts into spans, each span a process of its own, in random order."""
    cuts: dict[str, bool] = {}
    for attempt in range(3):
        starts = [1, *sorted(bench.random.sample(range(2, bench.frames + 1), 1 + attempt))]
        ends = [*(start - 1 for start in starts[1:]), bench.frames]
        spans = [f"{first}-{last}" for first, last in zip(starts, ends, strict=True)]
        folder = bench.work / "chunks"
        for span in bench.random.sample(spans, len(spans)):
            bench.run(bench.job(folder, span=span))
        cuts[" + ".join(spans)] = bench.same(folder)
    return {"ok": all(cuts.values()), "same bytes": cuts}


def _order_of_work(bench: _Bench) -> dict[str, Any]:
    """Patches that end in random order, other counts of workers, cold and warm cache."""
    found: dict[str, bool] = {}
    folder, cache = bench.work / "order", str(bench.work / "cache")
    for threads in (1, 3):
        bench.run(bench.job(folder, threads=threads), shuffled=threads > 1)
        found[f"{threads} workers" + (", patches in random order" if threads > 1 else "")] = bench.same(folder)
    bench.run(bench.job(folder, cache=cache))
    found["cold cache"] = bench.same(folder)
    report = bench.run(bench.job(folder, cache=cache))
    found["warm cache"] = bench.same(folder)
    found["warm cache calls no network"] = report["tiles_computed"] == 0
    return {"ok": all(found.values()), "same bytes": found}


def _resume(bench: _Bench) -> dict[str, Any]:
    """Ctrl-C in the middle, then the same command again."""
    folder = bench.work / "resume"
    write_job(bench.work / "job.json", bench.job(folder))
    _broken_off(bench, folder, signal.SIGINT, wait_for=1)
    finished = len(_visible(folder))
    report = bench.run(bench.job(folder))
    same = bench.same(folder)
    return {
        "ok": same and 0 < finished < bench.frames and report["skipped"] >= finished,
        "finished before": finished,
        "skipped on resuming": report["skipped"],
        "same bytes": same,
    }


def _kill(bench: _Bench) -> dict[str, Any]:
    """Kill -9 at random moments of the work; the next run goes on, or starts anew where the last added nothing."""
    folder = bench.work / "kill"
    work_s = bench.run(bench.job(folder))["seconds"]
    shutil.rmtree(folder)
    write_job(bench.work / "job.json", bench.job(folder))
    broken = lost = 0
    seen: list[int] = []
    kept: dict[str, int] = {}
    before = -1
    for _ in range(KILLS):
        if len(kept) in (bench.frames, before):
            shutil.rmtree(folder, ignore_errors=True)
            kept = {}
        before = len(kept)
        _broken_off(bench, folder, signal.SIGKILL, after_s=bench.random.uniform(0, work_s))
        now = _visible(folder)
        broken += sum(bench.wanted.get(f"result/{name}") != (folder / "result" / name).read_bytes() for name in now)
        lost += sum(now.get(name) != stamp for name, stamp in kept.items())
        kept = now
        seen.append(len(now))
    report = bench.run(bench.job(folder))
    lost += sum(_visible(folder).get(name) != stamp for name, stamp in kept.items())
    same = bench.same(folder)
    return {
        "ok": same and not broken and not lost,
        "kills": KILLS,
        "frames finished after each": seen,
        "half-written files seen": broken,
        "finished frames lost or made again": lost,
        "restored by the last run": report["restored"],
        "same bytes": same,
    }


def _visible(folder: Path) -> dict[str, int]:
    """Files that a reader of the result's pattern would find, with their times."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "result").glob("[0-9]*.dpx")}


def _broken_off(bench: _Bench, folder: Path, how: signal.Signals, *, after_s: float = 0.0, wait_for: int = 0) -> None:
    """Starts the stored job and ends it by a signal, some time after it was ready or with some frames finished."""
    child = start(bench.work / "job.json")
    assert child.stdout is not None and child.stderr is not None
    if child.stdout.readline().strip() != READY:
        raise FilmRestoreError(f"the restore process did not start: {child.stderr.read()[-600:]}")
    time.sleep(after_s)
    while child.poll() is None and len(_visible(folder)) < wait_for:
        time.sleep(0.02)
    child.send_signal(how)
    child.communicate()


CASES: dict[str, Callable[[_Bench], dict[str, Any]]] = {
    "dpx": _dpx,
    "chunks": _chunks,
    "order": _order_of_work,
    "resume": _resume,
    "kill": _kill,
}


def _markdown(figures: dict[str, Any]) -> str:
    lines = []
    for case, found in figures.items():
        for name, value in found.items():
            if isinstance(value, dict):
                lines += [[case, f"{name}: {key}", str(answer)] for key, answer in value.items()]
            elif name != "ok":
                lines.append([case, name, str(value)])
    return table(["case", "what", "found"], lines)
