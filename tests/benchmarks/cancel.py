"""How soon a cancel is heard: `python tests/benchmarks/cancel.py FilmRestore.ofx`, a table.

Frames of 480 x 270, each cancelled at a random moment: by the client's `cancel`, until its call has raised; until the
device is free for others (the patch in work ends first); and by the host's abort, until the plug-in's render has
returned. A patch waits a tenth of a second in place of working, so that other work on the machine does not show; with
`--network` it is the shipped network's.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "engine"), str(ROOT / "tests"), str(ROOT / "tests" / "unit")]

from server_house import image  # noqa: E402

from filmrestore.client import Client, ensure_server  # noqa: E402
from filmrestore.errors import Cancelled  # noqa: E402
from ofx.host import Clip, Host  # noqa: E402

CANCELS = 30
SERVE = (
    f"import sys; sys.path[:0] = [{str(ROOT / 'engine')!r}, {str(ROOT / 'tests')!r}]\n"
    "if '--network' in sys.argv: sys.argv.remove('--network')\n"
    "else: from filmrestore.restorers.base import REGISTRY; REGISTRY['frdm'] = 'benchmarks.waiting:load'\n"
    "from filmrestore.cli import main; main()"
)
# The host has the processor when it needs it, as where there are several: here there is one for both.
START = ["nice", "-n", "20", sys.executable, "-c", SERVE, "serve", "--threads", "1", "--no-cache", *sys.argv[2:]]
FILM = {number: image(number, height=270, width=480) for number in range(1000, 1006)}


def by_client(engine: Client, asker: Client, delay: float) -> tuple[float, float]:
    """Seconds until the call has raised, and until the device is free."""
    ended: list[float] = []

    def ask() -> None:
        try:
            engine.restore_frame("cancel", 1003, FILM)
        except Cancelled:
            ended.append(time.perf_counter())

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(delay)
    asked = time.perf_counter()
    engine.cancel()
    thread.join()
    while asker.status()["running"]:
        time.sleep(0.001)
    free = time.perf_counter() - asked
    engine.forget("cancel")
    assert ended, "the frame was done before it was cancelled"
    return ended[0] - asked, free


def by_host(host: Host, delay: float) -> float:
    """Seconds from the host's wish until its render has returned."""
    frames = {float(n): np.asarray(one.pixels) for n, one in FILM.items()}
    node = host.plugin("FilmRestore").create(Source=Clip(frames))
    over = time.perf_counter() + delay
    host.aborts = lambda: time.perf_counter() > over
    node.render(1003)
    seconds = time.perf_counter() - over
    node.destroy()
    return seconds


def late() -> float:
    """Seconds by which the machine wakes a sleeper too late: what no program can be quicker than."""
    began = time.perf_counter()
    time.sleep(0.05)
    return time.perf_counter() - began - 0.05


def row(name: str, seconds: list[float]) -> str:
    found = 1000 * np.array(seconds)
    marks = [f"{value:.0f}" for value in (*np.percentile(found, (50, 90, 99)), found.max())]
    return f"| {name} | {len(found)} | {' | '.join(marks)} | {np.mean(found <= 100):.0%} |"


def main() -> None:
    os.environ["FILMRESTORE_RUNTIME"] = tempfile.mkdtemp(prefix="fr-")
    engine = ensure_server(command=START)
    asker = ensure_server(command=START)
    host = Host(Path(sys.argv[1]))
    chance = random.Random(0)
    try:
        engine.restore_frame("warm", 1003, {1003: FILM[1003]}, {"temporal_radius": 0})
        both = [by_client(engine, asker, chance.uniform(0.05, 1.5)) for _ in range(CANCELS)]
        aborts, waits = [], []
        for _ in range(CANCELS):
            aborts.append(by_host(host, chance.uniform(0.05, 1.5)))
            waits += [late() for _ in range(4)]
            while asker.status()["running"]:
                time.sleep(0.01)
    finally:
        host.close()
        engine.stop_server()
        asker.close()
    print("| from cancel until | times | median, ms | 90 % | 99 % | longest | within 100 ms |")
    print("| :-- | --: | --: | --: | --: | --: | --: |")
    print(row("the client's call has raised", [answered for answered, _ in both]))
    print(row("the device is free (the patch in work ends)", [free for _, free in both]))
    print(row("the plug-in's render has returned", aborts))
    print(row("(a sleeper is woken, too late by)", waits))
    print(f"\nload {os.getloadavg()[0]:.1f}, cores {sorted(os.sched_getaffinity(0))}")


if __name__ == "__main__":
    main()
