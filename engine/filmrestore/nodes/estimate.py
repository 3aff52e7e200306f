"""What a restore job will take: frames, memory, disk and time, said before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch

from ..colour import Colour
from ..frame import Box
from ..media import Shot
from ..media.patterns import parse_pattern
from ..patches import OVERVIEW
from ..restorers.base import Context, Restorer
from .choosing import settled_by
from .far import FarPlan
from .job import RestoreJob, known_analysis, ledger_path, load_device, open_job, units_of
from .proxy import Proxy, grid_of
from .restore import SIDE_BY_SIDE
from .windows import most_read

_MIB = 2.0**20
_PROCESS_MIB = 700.0  # interpreter, libraries and weights of a run on 64 x 64 frames (`filmrestore bench speed`)
_PATCH_MIB = 220.0  # working memory of one 256 x 256 patch in the network (`filmrestore bench speed`)
_FAR_COPIES = 5  # both frames in net encoding, both with their holes filled, and one brought onto the other
_TILE_SHARE = 0.05  # of the picture's net pixels; what tiles of worn film hold


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the job will take.

    Attributes:
        frames: Frames asked for.
        done: Of them, written by an earlier run (not checked for changed inputs).
        memory_mib: Peak of the process.
        disk_mib: Of pictures, mattes, ledger and new tiles.
        seconds: Network time at the measured speed of one patch; warm tiles and done frames cost less.
        text: Lines for a person.
    """

    frames: int
    done: int
    memory_mib: float
    disk_mib: float
    seconds: float
    text: tuple[str, ...]


def plan(job: RestoreJob) -> Plan:
    """Estimates the job; reads one frame, runs one patch, writes nothing.

    Raises:
        FilmRestoreError: what the job itself would raise at its start.
    """
    shot, colour = open_job(job)
    try:
        known = known_analysis(job, shot, colour)
        job = settled_by(job, known)
        restorer = load_device(job)
        done = _done(job, shot)
        # Repeats cost no network, and far frames want memory.
        repeats, far = ((), None) if known is None else (known.repeats, FarPlan(known, known.cuts, job.settings))
        units = units_of(job, shot, (), restorer, repeats, far=far)
        height, width = shot.format.height, shot.format.width
        grid = grid_of(restorer.facts, job.settings, (height, width))
        boxes = [box for box in grid if job.roi is None or box.meets(job.roi)]
        left = (len(shot.frames) - done) / max(len(shot.frames), 1)
        seconds = _patch_seconds(job, shot, colour, restorer, grid[len(grid) // 2])
        seconds *= len(boxes) * len(units) * left / job.threads
        memory = _memory_mib(job, shot, restorer, most_read(units) + 1, far=any(unit.far for unit in units))
        disk = _disk_mib(job, shot) * (len(shot.frames) - done)
    finally:
        shot.close()
    lines = (
        f"{shot.name}: {len(shot.frames)} frames of {width}x{height}, {shot.format.bits} bits, "
        f"{shot.format.container}; {done} there already",
        f"colour: {colour.describe()['colourspace']} ({colour.describe()['chosen_by']})",
        f"method: {job.settings.method}{f', for {job.why}' if job.why else ''}",
        f"memory: {memory / 1024:.1f} GiB   disk: {disk / 1024:.2f} GiB",
        f"time: {_clock(seconds)} of network on {job.threads} threads",
        f"ledger: {ledger_path(job, shot)}",
    )
    return Plan(frames=len(shot.frames), done=done, memory_mib=memory, disk_mib=disk, seconds=seconds, text=lines)


def _done(job: RestoreJob, shot: Shot) -> int:
    pattern = parse_pattern(job.output)
    if pattern is None or job.overwrite == "always":
        return 0
    return len(set(pattern.numbers()) & set(shot.frames)) if pattern.folder.is_dir() else 0


def _patch_seconds(job: RestoreJob, shot: Shot, colour: Colour, restorer: Restorer, box: Box) -> float:
    """Wall seconds of one patch on one thread, the second of two runs."""
    frame = shot.read(shot.frames[0])
    proxy = Proxy(restorer.facts.step(frame.format.width, job.settings))
    net = torch.from_numpy(colour.to_net(proxy.picture(frame.picture(box))).transpose(2, 0, 1).copy())
    count = restorer.facts.window
    context = Context(
        frames=tuple(range(count)),
        present=(True,) * count,
        box=proxy.box(box),
        full=proxy.size((frame.format.height, frame.format.width)),
        overview=torch.zeros(3, OVERVIEW, OVERVIEW),
        settings=job.settings,
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(2):
            started = perf_counter()
            restorer(net.expand(count, -1, -1, -1).contiguous(), context)
        return perf_counter() - started
    finally:
        torch.set_num_threads(threads)


def _memory_mib(job: RestoreJob, shot: Shot, restorer: Restorer, read: int, *, far: bool) -> float:
    """Of the process, which holds `read` frames as they were scanned and, with `far`, compares some with far ones."""
    pixels = shot.format.height * shot.format.width
    facts = restorer.facts
    codes = pixels * len(shot.format.channels) * np.dtype(shot.format.dtype).itemsize
    held = read * codes
    blending = pixels * 4 * facts.keep * (2 + 4) + pixels * facts.keep
    compared = pixels * 4 * 3 * _FAR_COPIES if far else 0
    finishing = min(job.threads, facts.keep) * (4 * codes + pixels * 4 * 8 + compared)
    if pixels <= SIDE_BY_SIDE:  # beside it lies the window that is finished meanwhile
        finishing += pixels * (facts.keep * 17 + facts.window * 4) + facts.window * codes
    return _PROCESS_MIB + job.threads * _PATCH_MIB + (held + blending + finishing) / _MIB


def _disk_mib(job: RestoreJob, shot: Shot) -> float:
    """Of one frame."""
    pixels = shot.format.height * shot.format.width
    picture = (
        pixels * len(shot.format.channels) * np.dtype(shot.format.dtype).itemsize
        if shot.is_movie
        else shot.path_of(shot.frames[0]).stat().st_size
    )
    tiles = pixels * 12 * _TILE_SHARE if job.cache else 0
    return float(picture * 1.05 + (pixels / 8 if job.matte_out else 0) + tiles) / _MIB


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
