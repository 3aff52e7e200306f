"""One row on one part of a sequence, in a process of its own, with what it took."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import msgspec
import numpy as np

from ...errors import FilmRestoreError
from ...nodes.job import RestoreJob
from ...settings import RestoreSettings
from ..child import Measured, measured, write_job
from ..figures import Answer, Figures, measure
from ..rows import read_frames, write_frames
from .parts import Part
from .rows import MethodRow


class Cost(msgspec.Struct, frozen=True):
    """What a row took.

    Attributes:
        peak_mib: Largest resident memory of its process.
        parameters: Numbers that its networks learned.
    """

    peak_mib: float = 0.0
    parameters: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(max(self.peak_mib, other.peak_mib), max(self.parameters, other.parameters))


class Cell(msgspec.Struct, frozen=True):
    """Figures and cost of a row on a part; they add up over parts."""

    figures: Figures = Figures()
    cost: Cost = Cost()

    def __add__(self, other: Cell) -> Cell:
        return Cell(self.figures + other.figures, self.cost + other.cost)


def run_row(part: Part, row: MethodRow, folder: Path, *, device: str, vapoursynth: str | None) -> Cell:
    """Runs a row in an empty folder and measures its answer.

    Raises:
        FilmRestoreError: its process failed, or frames did.
    """
    if row.name == "input":
        clear = np.zeros(part.measured.scan.shape[:3], np.float32)
        return Cell(measure(part.measured, Answer(result=part.measured.scan, matte=clear, seconds=0.0)))
    if row.method:
        answer, done = restored(part, row, folder, device)
    else:
        answer, done = _peer(part, row, folder, vapoursynth)
    return Cell(measure(part.measured, answer), Cost(done.peak_mib, done.parameters))


def restored(part: Part, row: MethodRow, folder: Path, device: str) -> tuple[Answer, Measured]:
    """A method's answer for a part, files to files as a user would, on one core.

    Raises:
        FilmRestoreError: its process failed, or frames did.
    """
    write_frames(folder / "scan", part.whole.scan)
    if row.told:
        (folder / "told").mkdir()
        for number, mask in enumerate(part.matte, 1):
            cv2.imwrite(str(folder / "told" / f"{number:04d}.png"), mask.astype(np.uint8) * 255)
    job = RestoreJob(
        source=str(folder / "scan" / "####.png"),
        output=str(folder / "result" / "####.png"),
        span=f"{part.first + 1}-{part.first + part.count}",
        matte_out=str(folder / "matte" / "####.png"),
        defect_map=str(folder / "told" / "####.png") if row.told else None,
        settings=RestoreSettings.from_dict({"method": row.method, **row.settings}),
        colourspace="srgb",
        device=device,
        threads=1,
        overwrite="always",
    )
    write_job(folder / "job.json", job, cores=1)
    done = measured(folder / "job.json")
    if done.report["failed"]:
        number, reason = next(iter(done.report["failed"].items()))
        raise FilmRestoreError(f"{row.name} failed on {len(done.report['failed'])} frames, first {number}: {reason}")
    matte = read_frames(folder / "matte")
    return Answer(
        result=read_frames(folder / "result"),
        matte=(matte / np.iinfo(matte.dtype).max).astype(np.float32),
        seconds=done.cpu_s,
    ), done


def _peer(part: Part, row: MethodRow, folder: Path, vapoursynth: str | None) -> tuple[Answer, Measured]:
    """Peers answer all frames that they are handed: their seconds are those of the measured share."""
    write_frames(folder / "scan", part.whole.scan)
    write_frames(folder / "truth", part.whole.truth)
    told = {"row": row.name, "vapoursynth": vapoursynth, "plan": part.whole.plan.name}
    (folder / "job.json").write_text(json.dumps(told))
    done = measured(folder / "job.json", "filmrestore.bench.methods.peer")
    matte = folder / "matte.npy"
    return Answer(
        result=np.load(folder / "result.npy")[part.frames],
        matte=np.load(matte)[part.frames] if matte.exists() else None,
        seconds=done.cpu_s * part.count / part.whole.frames,
    ), done
