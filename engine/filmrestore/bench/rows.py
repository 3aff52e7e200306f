"""The rows of the restoration table: each takes a sequence and gives what its user would get."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import xxhash
from numpy.typing import NDArray

from .. import metrics
from ..errors import FilmRestoreError, UsageError
from ..restorers.frdm.ablations import modules
from ..settings import RestoreSettings
from . import BenchOptions
from .classical import inpaint, temporal_median
from .clips import Clip
from .figures import Answer, Claim
from .light import Codes16
from .vapour import find_vapoursynth, run_script

Method = Callable[[Clip, Path], Answer]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row that can run.

    Attributes:
        name: In the table.
        version: Changes when its results may: a stored figure of another version is measured anew.
        run: Takes the sequence and an empty folder to work in.
    """

    name: str
    version: str
    run: Method


NAMES = (
    "input",
    "median",
    "mc-median",
    "telea-true-mask",
    "spotless",
    "spotless-descratch",
    "frdm-preview",
    "frdm-final",
)

ABLATED = {f"frdm-without-{one.name}": one.settings for one in modules("shipped")}
"""Rows that are only measured when they are asked for: "frdm-final" with one module off."""
ASIDE = {**ABLATED, "frdm-m": {"prior": "frdm-m"}}
"""All of those, the larger network among them: settings that differ from "frdm-final"."""


def choose_rows(options: BenchOptions) -> tuple[list[Row], list[str]]:
    """The rows asked for that can run here, and a sentence on each that cannot.

    Raises:
        UsageError: an unknown row.
    """
    for name in options.rows:
        if name not in (*NAMES, *ASIDE):
            raise UsageError(f"no row {name!r}: choose from {', '.join((*NAMES, *ASIDE))}")
    wanted = options.rows or NAMES
    rows: list[Row] = []
    missing: list[str] = []
    python = find_vapoursynth(options.vapoursynth) if any(name.startswith("spotless") for name in wanted) else None
    for name in wanted:
        if name.startswith("spotless") and python is None:
            missing.append(
                f"{name} is left out: no Python with vapoursynth, vapoursynth-mvtools and vapoursynth-descratch was "
                "found; name one with --vapoursynth (Python 3.12 or newer, an environment of its own)"
            )
        elif name.startswith("frdm") and not (weights := weights_hash()):
            missing.append(f"{name} is left out: no weights are installed in filmrestore/weights")
        elif name.startswith("frdm"):
            rows.append(Row(name=name, version=f"{code_digest()} {weights}", run=_frdm(name, options)))
        elif name.startswith("spotless"):
            assert python is not None
            rows.append(Row(name=name, version="1", run=_vapoursynth(python, name)))
        else:
            rows.append(Row(name=name, version="1", run=_CLASSICAL[name]))
    return rows, missing


def _timed(work: Callable[[], tuple[Codes16, NDArray[np.float32] | None]]) -> Answer:
    before = _cpu_s()
    result, matte = work()
    return Answer(result=result, matte=matte, seconds=_cpu_s() - before)


def _cpu_s() -> float:
    """Processor time of this process and of the children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _input(clip: Clip, folder: Path) -> Answer:
    del folder
    return Answer(result=clip.scan, matte=np.zeros(clip.scan.shape[:3], np.float32), seconds=0.0)


def _median(clip: Clip, folder: Path) -> Answer:
    del folder
    return _timed(lambda: temporal_median(clip.scan, motion=False))


def _compensated_median(clip: Clip, folder: Path) -> Answer:
    del folder
    return _timed(lambda: temporal_median(clip.scan, motion=True))


def _inpainting(clip: Clip, folder: Path) -> Answer:
    del folder
    return _timed(
        lambda: inpaint(clip.scan, np.stack([metrics.dilate(clip.damaged(t), 1) for t in range(clip.frames)]))
    )


_CLASSICAL: dict[str, Method] = {
    "input": _input,
    "median": _median,
    "mc-median": _compensated_median,
    "telea-true-mask": _inpainting,
}


def _vapoursynth(python: str, script: str) -> Method:
    def run(clip: Clip, folder: Path) -> Answer:
        return _timed(lambda: (run_script(python, script, clip.scan, folder), None))

    return run


@cache
def code_digest(*parts: str) -> str:
    """Of the engine's source, or of these folders and modules of it only."""
    root = Path(__file__).parents[1]
    found = [path for part in parts or (".",) for path in ((root / part).rglob("*.py"), [root / f"{part}.py"])]
    digest = xxhash.xxh3_64()
    for path in sorted({path for paths in found for path in paths if path.is_file()}):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def weights_hash() -> str:
    """Of everything in filmrestore/weights; "" where there is nothing."""
    digest = xxhash.xxh3_64()
    files = sorted((Path(__file__).parents[1] / "weights").rglob("*.safetensors"))
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest() if files else ""


def _frdm(row: str, options: BenchOptions) -> Method:
    changes = ASIDE.get(row, {"quality": row.split("-")[1]})

    def run(clip: Clip, folder: Path) -> Answer:
        return restore_as_user(clip.scan, folder, RestoreSettings.from_dict(dict(changes)), options.device)

    return run


def restore_as_user(scan: Codes16, folder: Path, settings: RestoreSettings, device: str) -> Answer:
    """Frames to files, the restore node on the files, files to frames: what a user gets.

    Raises:
        FilmRestoreError: frames failed.
    """
    from ..nodes.job import RestoreJob
    from ..nodes.restore import restore

    write_frames(folder / "scan", scan)
    job = RestoreJob(
        source=str(folder / "scan" / "####.png"),
        output=str(folder / "result" / "####.png"),
        matte_out=str(folder / "matte" / "####.png"),
        ledger=str(folder / "ledger"),
        cache=str(folder / "cache"),
        settings=settings,
        colourspace="srgb",
        device=device,
        threads=1,
        overwrite="always",
    )
    before = _cpu_s()
    report = restore(job)
    seconds = _cpu_s() - before
    if report.failed:
        number, reason = next(iter(report.failed.items()))
        raise FilmRestoreError(f"restore failed on {len(report.failed)} frames, first {number}: {reason}")
    matte = read_frames(folder / "matte")
    return Answer(
        result=read_frames(folder / "result"),
        matte=(matte / np.iinfo(matte.dtype).max).astype(np.float32),
        claims=tuple(_claims(folder / "ledger", len(scan))),
        seconds=seconds,
    )


def _claims(folder: Path, count: int) -> Iterator[Claim]:
    """The fixes of a ledger whose frames count from 1."""
    from ..fixes import Ledger

    ledger = Ledger.open(folder)
    for number in range(1, count + 1):
        for fix, pixels in ledger.recorded(number):
            yield Claim(frame=number - 1, confidence=fix.confidence, box=fix.where, pixels=pixels.mask)


def write_frames(folder: Path, frames: Codes16) -> None:
    """16-bit PNG, numbered from 1."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, 1):
        path = folder / f"{number:04d}.png"
        if not cv2.imwrite(str(path), frame[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1]):
            raise FilmRestoreError(f"cannot write {path}")


def read_frames(folder: Path) -> NDArray[np.unsignedinteger]:
    """All PNG of a folder in order, as they are stored: (t, h, w, 3) or (t, h, w)."""
    frames = []
    for path in sorted(folder.glob("*.png")):
        frame = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if frame is None:
            raise FilmRestoreError(f"cannot read {path}")
        frames.append(frame[..., ::-1] if frame.ndim == 3 else frame)
    if not frames:
        raise FilmRestoreError(f"{folder} has no frames: the run wrote nothing")
    return np.stack(frames)
