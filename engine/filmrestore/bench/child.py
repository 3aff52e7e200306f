"""One run of the restore node in a process of its own, with its time and memory measured from outside.

Usage (by `measured` and `start`): python -m filmrestore.bench.child JOB.json
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from ..errors import FilmRestoreError
from ..nodes.job import RestoreJob, load_device
from ..settings import RestoreSettings

READY = "ready"
"""What the child says once it has loaded everything and is about to start on the job."""

_POLL_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a finished child did and took.

    Attributes:
        report: The node's own report.
        start_up_s: From the start of the process until it was ready.
        work_s: From then on.
        cpu_s: Processor time from then on, all threads added up.
        peak_mib: Largest resident memory of the process and all of its children together.
        trace_mib: That memory over time, one sample in 50 ms.
        parameters: Numbers that the networks learned which it had loaded when it was ready.
    """

    report: dict[str, Any]
    start_up_s: float
    work_s: float
    cpu_s: float
    peak_mib: float
    trace_mib: list[float]
    parameters: int = 0


def write_job(path: Path, job: RestoreJob, *, shuffled: bool = False, cores: int = 0) -> None:
    """Store a job for the child.

    Args:
        path: Where.
        job: What it does.
        shuffled: Delays each patch at random so that patches end in another order.
        cores: That one patch may use; 0 leaves it to torch.
    """
    values = dataclasses.asdict(job) | {"settings": job.settings.to_dict(), "roi": None}
    path.write_text(json.dumps({"job": values, "shuffled": shuffled, "cores": cores}))


def start(job_file: Path, module: str = "filmrestore.bench.child") -> subprocess.Popen[str]:
    """Start a child; its standard output says `READY`, then gives the report as one line of JSON."""
    command = [sys.executable, "-m", module, str(job_file)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def measured(job_file: Path, module: str = "filmrestore.bench.child") -> Measured:
    """Run a child to its end.

    Args:
        job_file: Read by the child.
        module: What it runs; its report has "cpu_s" and may have "parameters".

    Raises:
        FilmRestoreError: it failed; its last words are in the message.
    """
    began = time.perf_counter()
    child = start(job_file, module)
    trace: list[float] = []
    watcher = threading.Thread(target=_watch, args=(child.pid, trace), daemon=True)
    watcher.start()
    errors: list[str] = []
    drain = threading.Thread(target=lambda: errors.extend(child.stderr or ()), daemon=True)
    drain.start()
    assert child.stdout is not None
    first = child.stdout.readline().strip()
    ready = time.perf_counter()
    answer = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    ended = time.perf_counter()
    watcher.join()
    drain.join()
    for pipe in (child.stdout, child.stderr):
        assert pipe is not None
        pipe.close()
    if child.returncode or first != READY:
        raise FilmRestoreError(f"the measured process ended with {child.returncode}: {''.join(errors)[-600:]}")
    report = json.loads(answer)
    return Measured(
        report=report,
        start_up_s=ready - began,
        work_s=ended - ready,
        cpu_s=report.pop("cpu_s"),
        peak_mib=max(usage.ru_maxrss / 1024, *trace, 0.0),
        trace_mib=trace,
        parameters=report.pop("parameters", 0),
    )


def _watch(pid: int, trace: list[float]) -> None:
    """Adds up the resident memory of a process and its children until it is gone."""
    try:
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            family = [process, *process.children(recursive=True)]
            trace.append(sum(member.memory_info().rss for member in family) / 2**20)
            time.sleep(_POLL_S)
    except psutil.NoSuchProcess:
        return


class _Shuffled:
    """A restorer whose answers come late by a random time, in front of another restorer."""

    def __init__(self, restorer: Any) -> None:
        self._restorer = restorer
        self._random = random.Random()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._restorer, name)

    def __call__(self, *arguments: Any) -> Any:
        time.sleep(self._random.uniform(0, 0.08))
        return self._restorer(*arguments)


def main(job_file: str) -> int:
    """The child: load, say ready, restore, report."""
    from ..nodes import restore as node

    # Shells start what runs in the background deaf to Ctrl-C; this process must hear it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stored = json.loads(Path(job_file).read_text())
    job = RestoreJob(**stored["job"] | {"settings": RestoreSettings.from_dict(stored["job"]["settings"])})
    if stored["shuffled"]:
        vars(node)["load_device"] = lambda job: _Shuffled(load_device(job))
    if stored["cores"]:
        torch.set_num_threads(stored["cores"])
    restorer = load_device(job)  # what is loaded once counts as start-up
    learned = _parameters()
    del restorer
    print(READY, flush=True)
    began = time.process_time()
    report = node.restore(job)
    cpu_s = time.process_time() - began
    print(json.dumps(dataclasses.asdict(report) | {"cpu_s": cpu_s, "parameters": learned}))
    return 0


def _parameters() -> int:
    """Of all networks in this process: restorers keep theirs in many ways, and load nothing else."""
    found = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.nn.Parameter)]
    return sum(parameter.numel() for parameter in found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
