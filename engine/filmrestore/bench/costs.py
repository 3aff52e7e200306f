"""What a method costs on this machine: seconds a frame and memory, measured in a process of its own, and kept."""

from __future__ import annotations

import dataclasses
import json
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CorruptFile
from ..media.atomic import atomic_bytes
from ..nodes.job import RestoreJob, open_job, reel_analysis
from ..restorers.base import facts_of, load_restorer
from ..settings import RestoreSettings
from .child import measured, write_job
from .shots import make_shot

EDGE = 512
"""Of the frames that are restored, pixels."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a method took.

    Attributes:
        weights: Hash of those that it ran with.
        device, machine: Where.
        seconds: A frame of `EDGE` x `EDGE` with the damage of worn film, on one thread, nothing cached: of the
            processor, whatever else it does, or by the clock on another device.
        peak_mib: Largest memory of the process on the processor's side.
    """

    weights: str
    device: str
    machine: str
    seconds: float
    peak_mib: float


def measure(method: str, device: str = "cpu") -> Cost:
    """Restores the frames that one window of the method keeps.

    Raises:
        FilmRestoreError: its weights or the device cannot be used.
    """
    facts, weights = facts_of(method), load_restorer(method, device).weights_hash
    settings = RestoreSettings(method=method)
    if "operator" in facts.needs:
        settings = dataclasses.replace(settings, operator="uniform-7")
    with tempfile.TemporaryDirectory(prefix="filmrestore-") as folder:
        work = Path(folder)
        edge = (facts.window - facts.keep) // 2
        first = 2 * facts.keep  # as windows keep them; none of the window lies before the shot
        job = RestoreJob(
            source=make_shot(work / "scan", EDGE, EDGE, first + facts.keep + edge),
            output=str(work / "result" / "####.dpx"),
            span=f"{first}-{first + facts.keep - 1}",
            settings=settings,
            analysis=str(work / "analysis.json"),
            colourspace="srgb",
            device=device,
            threads=1,
        )
        shot, colour = open_job(job)
        with shot:
            reel_analysis(job, shot, colour, lambda *_: None, lambda: False)  # not the method's own time
        write_job(work / "job.json", job)
        took = measured(work / "job.json")
    return Cost(
        weights=weights,
        device=device,
        machine=platform.processor() or platform.machine(),
        seconds=round((took.cpu_s if device == "cpu" else took.work_s) / facts.keep, 2),
        peak_mib=round(took.peak_mib),
    )


def keep(path: Path, method: str, cost: Cost) -> None:
    """Adds what was measured to the file.

    Raises:
        OutputError: it cannot be written.
    """
    stored = _stored(path)
    stored[f"{method} {cost.device}"] = dataclasses.asdict(cost)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_bytes(path, json.dumps(stored, indent=1, sort_keys=True).encode())


def kept(path: Path, method: str, weights: str | None, device: str = "cpu") -> Cost | None:
    """What was measured of the method with these weights; None where nothing was.

    Raises:
        CorruptFile: the file is not what `keep` wrote.
    """
    found = _stored(path).get(f"{method} {device}")
    return Cost(**found) if found and found["weights"] == weights else None


def _stored(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except ValueError as error:
        raise CorruptFile(f"{path} is damaged ({error}): delete it and run `filmrestore models --measure`") from error
