"""`filmrestore bench speed`: seconds a frame by stage, cold and warm, what edits render anew, and memory."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import UsageError
from ..media.atomic import atomic_bytes
from ..nodes.job import RestoreJob
from ..settings import RestoreSettings
from . import BenchOptions
from .child import Measured, measured, write_job
from .classical import temporal_median
from .rows import code_digest, weights_hash
from .shots import make_shot, read_codes, write_codes
from .tables import table

Progress = Callable[[str, int, int], None]

SIZES = {"640x480": 12, "1024x778": 6, "2048x1556": 6, "4096x3112": 3}
"""Size -> frames, whole windows of the default method; the second is the third as hosts give it at half scale."""
FIRST, BEYOND = 3, 2
"""Number of the first measured frame, and how many follow the last: a reel is windows from its middle, and few ends."""

NETWORK = ("motion", "guidance", "denoise")
"""Stages that a warm cache must leave out."""

THREADS = 2


def run(options: BenchOptions, progress: Progress | None = None) -> dict[str, Any]:
    """Measure the cases; write speed.md and speed.json.

    Cases: the four sizes, "edits" (what a change renders anew) and, in the long form or by name, "memory"
    (6 and 24 frames of 4096x3112) and "growth" (100 and 1,000 small frames).

    Returns:
        Figures by case.

    Raises:
        UsageError: an unknown case.
    """
    cases: dict[str, Callable[[], dict[str, Any]]] = {size: partial(_size, size, options) for size in SIZES}
    cases |= {name: partial(case, options) for name, case in _CASES.items()}
    unknown = [name for name in options.clips if name not in cases]
    if unknown:
        raise UsageError(f"no case {unknown[0]!r}: choose from {', '.join(cases)}")
    wanted = options.clips or (tuple(cases) if options.full else (*SIZES, "edits"))
    path = options.out_dir / "speed.json"
    figures = _stored(path)
    for done, name in enumerate(wanted):
        figures[name] = cases[name]() | {"load": os.getloadavg()[0]}
        atomic_bytes(path, json.dumps(figures, indent=1).encode())
        atomic_bytes(options.out_dir / "speed.md", _markdown(figures).encode())
        if progress:
            progress("cases", done + 1, len(wanted))
    return figures


def _stored(path: Path) -> dict[str, Any]:
    """Figures of cases measured before, unless the code or the weights are others now."""
    key = f"{code_digest()} {weights_hash()}"
    try:
        stored: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {"measured with": key}
    return stored if stored.get("measured with") == key else {"measured with": key}


def _job(work: Path, source: str, *, device: str, settings: RestoreSettings | None = None) -> RestoreJob:
    return RestoreJob(
        source=source,
        output=str(work / "result" / ("####" + Path(source).suffix)),
        matte_out=str(work / "matte" / "####.png"),
        ledger=str(work / "ledger"),
        cache=str(work / "cache"),
        analysis=str(work / "analysis.json"),
        settings=settings or RestoreSettings(),
        colourspace="srgb",
        device=device,
        threads=THREADS,
    )


def _clear(work: Path, *names: str) -> None:
    for name in names:
        shutil.rmtree(work / name, ignore_errors=True)


def _run(work: Path, job: RestoreJob) -> Measured:
    work.mkdir(parents=True, exist_ok=True)
    write_job(work / "job.json", job)
    return measured(work / "job.json")


def _size(size: str, options: BenchOptions) -> dict[str, Any]:
    """From the middle of a shot: cold, warm (results deleted, tiles kept), preview, and the classical peer."""
    width, height = map(int, size.split("x"))
    frames = options.frames or SIZES[size]
    work = options.out_dir / "work" / size
    _clear(work.parent, work.name)
    last = FIRST + frames - 1
    source = make_shot(work / "scan", width, height, last + BEYOND, seed=options.seed, unique=last + BEYOND)
    job = dataclasses.replace(_job(work, source, device=options.device), span=f"{FIRST}-{last}")
    _run(work, dataclasses.replace(job, span=str(FIRST)))  # makes the analysis, which later runs only read
    _clear(work, "result", "matte", "ledger", "cache")
    cold = _run(work, job)
    _clear(work, "result", "matte", "ledger")
    warm = _run(work, job)
    _clear(work, "result", "matte", "ledger", "cache")
    preview = _run(work, dataclasses.replace(job, settings=RestoreSettings(quality="preview")))
    peer = _peer(work / "scan", range(FIRST, FIRST + min(frames, 3)))
    _clear(work.parent, work.name)
    stages = cold.report["seconds_by_stage"]
    rest = sum(seconds for stage, seconds in warm.report["seconds_by_stage"].items() if stage not in NETWORK)
    return {
        "frames": frames,
        "cold_s": cold.work_s / frames,
        "warm_s": warm.work_s / frames,
        "cold_cpu_s": cold.cpu_s / frames,
        "warm_cpu_s": warm.cpu_s / frames,
        "preview_s": preview.work_s / frames,
        "preview_cpu_s": preview.cpu_s / frames,
        "start_up_s": cold.start_up_s,
        "stages_s": {stage: seconds / frames for stage, seconds in stages.items()},
        "warm_stages_s": {stage: s / frames for stage, s in warm.report["seconds_by_stage"].items()},
        "warm_share": warm.work_s / rest,
        "tiles": cold.report["tiles_computed"],
        "warm_tiles_computed": warm.report["tiles_computed"],
        "peer_cpu_s": peer,
        "peak_mib": cold.peak_mib,
        "fixes": cold.report["fixes"],
    }


def _peer(scan: Path, numbers: range) -> float:
    """Processor seconds a frame of the motion-compensated median on the same frames, files read beforehand."""
    cv2.setNumThreads(1)
    codes = np.stack([read_codes(scan / f"{number:04d}.dpx") for number in numbers])
    began = time.process_time()
    temporal_median(codes, motion=True)
    return (time.process_time() - began) / len(codes)


def _edits(options: BenchOptions) -> dict[str, Any]:
    """Tiles that each change renders anew, of a finished 640x480 shot."""
    work = options.out_dir / "work" / "edits"
    _clear(work, "result", "matte", "ledger", "cache", "scan")
    source = make_shot(work / "scan", 640, 480, 9, seed=options.seed, unique=9)
    job = _job(work, source, device=options.device)
    whole = _run(work, job).report
    (work / "protect").mkdir(exist_ok=True)
    mask = np.zeros((480, 640), np.uint8)
    mask[100:200, 100:300] = 255
    for number in range(1, 10):
        cv2.imwrite(str(work / "protect" / f"{number:04d}.png"), mask)
    plain = RestoreSettings()
    changes: dict[str, RestoreJob] = {
        "nothing": job,
        "strength 0.5": dataclasses.replace(job, settings=dataclasses.replace(plain, strength=0.5)),
        "sensitivity 0.8": dataclasses.replace(
            job, settings=dataclasses.replace(plain, sensitivity_dark=0.8, sensitivity_light=0.8)
        ),
        "mix 0.7": dataclasses.replace(job, settings=dataclasses.replace(plain, mix=0.7)),
        "protect mask": dataclasses.replace(job, protect=str(work / "protect" / "####.png")),
    }
    counts = {name: _retiled(work, change) for name, change in changes.items()}
    _speck(work / "scan" / "0005.dpx")
    counts["one speck in frame 5"] = _retiled(work, job)
    _clear(work.parent, work.name)
    return {"tiles": whole["tiles_computed"] + whole["tiles_cached"], "computed_anew": counts}


def _retiled(work: Path, job: RestoreJob) -> int:
    _clear(work, "result", "matte", "ledger")
    return int(_run(work, job).report["tiles_computed"])


def _speck(path: Path) -> None:
    """Blackens 4 x 4 pixels in the middle of a patch-sized area at the top left, in a copy (the file may be a link)."""
    codes = read_codes(path)
    codes[60:64, 60:64] = 0
    path.unlink()
    write_codes(path, codes, 16)


def _memory(options: BenchOptions) -> dict[str, Any]:
    """Peak memory of 6 and 24 frames of 4096x3112, 16 bit."""
    work = options.out_dir / "work" / "memory"
    source = make_shot(work / "scan", 4096, 3112, 24, seed=options.seed)
    peaks = {}
    for frames in (6, 24):
        _clear(work, "result", "matte", "ledger", "cache")
        job = dataclasses.replace(_job(work, source, device=options.device), span=f"1-{frames}", matte_out=None)
        peaks[str(frames)] = _run(work, job).peak_mib
    _clear(work.parent, work.name)
    return {"peak_mib": peaks, "ratio": peaks["24"] / peaks["6"]}


def _growth(options: BenchOptions) -> dict[str, Any]:
    """Memory of 100 and of 1,000 frames of 64x48."""
    work = options.out_dir / "work" / "growth"
    source = make_shot(work / "scan", 64, 48, 1000, seed=options.seed)
    peaks = {}
    for frames in (100, 1000):
        _clear(work, "result", "matte", "ledger", "cache")
        job = dataclasses.replace(_job(work, source, device=options.device), span=f"1-{frames}")
        peaks[str(frames)] = _run(work, job).peak_mib
    _clear(work.parent, work.name)
    return {"peak_mib": peaks, "growth_mib": peaks["1000"] - peaks["100"]}


_CASES: dict[str, Callable[[BenchOptions], dict[str, Any]]] = {
    "edits": _edits,
    "memory": _memory,
    "growth": _growth,
}


HEAD = (
    "size",
    "cold, wall s",
    "cold, CPU s",
    "warm, wall s",
    "warm, CPU s",
    "preview, wall s",
    "preview, CPU s",
    "warm / rest",
    "tiles (warm)",
    "mc-median, CPU s",
    "ratio",
    "peak, MiB",
    "start-up, s",
    "load",
)


def _markdown(figures: dict[str, Any]) -> str:
    sizes = {name: figures[name] for name in SIZES if name in figures}
    blocks = []
    if sizes:
        stages = list(dict.fromkeys(stage for f in sizes.values() for stage in f["stages_s"]))
        lines = [
            [
                name,
                f"{f['cold_s']:.2f}",
                f"{f['cold_cpu_s']:.2f}",
                f"{f['warm_s']:.2f}",
                f"{f['warm_cpu_s']:.2f}",
                f"{f['preview_s']:.2f}",
                f"{f['preview_cpu_s']:.2f}",
                f"{f['warm_share']:.2f}",
                f"{f['tiles']} ({f['warm_tiles_computed']})",
                f"{f['peer_cpu_s']:.2f}",
                f"{f['cold_cpu_s'] / f['peer_cpu_s']:.1f}",
                f"{f['peak_mib']:.0f}",
                f"{f['start_up_s']:.1f}",
                f"{f['load']:.1f}",
            ]
            for name, f in sizes.items()
        ]
        by_stage = [[name, *(f"{f['stages_s'].get(s, 0):.3f}" for s in stages)] for name, f in sizes.items()]
        blocks += [
            'Seconds a frame, start-up apart; "warm / rest" is the warm wall time against the stages other than the '
            "network's; the ratio is of the cold run's CPU seconds to the motion-compensated median's; load is the "
            "machine's average at the end:",
            table(HEAD, lines),
        ]
        blocks += [f"By stage, seconds a frame added up over {THREADS} threads:", table(["size", *stages], by_stage)]
    if "edits" in figures:
        edits = figures["edits"]
        blocks.append(f"Tiles rendered anew, of {edits['tiles']}:")
        blocks.append(table(["change", "tiles"], [[k, str(v)] for k, v in edits["computed_anew"].items()]))
    for name, words in (("memory", "frames of 4096x3112, 16 bit"), ("growth", "frames of 64x48")):
        if name in figures:
            peaks = figures[name]["peak_mib"]
            blocks.append(table([words, "peak MiB"], [[k, f"{v:.0f}"] for k, v in peaks.items()]))
    return "\n".join(block.rstrip("\n") + "\n" for block in blocks)
