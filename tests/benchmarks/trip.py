"""What the wire costs: `python tests/benchmarks/trip.py FilmRestore.ofx` prints a table.

A 4096 x 2160 RGBA float32 frame (141.6 MB), new each time, goes from a host through the compiled plug-in to a server
whose engine does nothing, and its answer into the host's output; the same by the Python client; and a plain copy of the
same bytes, in turn with them.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "engine"), str(ROOT / "tests")]

from filmrestore.client import Client, Image, ensure_server  # noqa: E402
from ofx.host import OK, Clip, Host  # noqa: E402
from ofx.images import HostImage, Layout  # noqa: E402
from ofx.property_sets import PropertySet  # noqa: E402

HEIGHT, WIDTH, ROUNDS = 2160, 4096, 11
SERVE = (
    f"import sys; sys.path[:0] = [{str(ROOT / 'engine')!r}, {str(ROOT / 'tests')!r}]\n"
    "from filmrestore.restorers.base import REGISTRY; REGISTRY['frdm'] = 'fakes:load'\n"
    "import benchmarks.idle; from filmrestore.cli import main; main()"
)
turns = count(1)
children: list[int] = []


Cost = tuple[float, float]
"""Seconds on the wall, and of both processes' processor."""


def by_plugin(host: Host, pixels: np.ndarray, *, everything: bool, hashed: bool) -> Callable[[], Cost]:
    """One render, ready to be timed: source and output lie in memory as Nuke has them, rows from below."""
    node = host.plugin("FilmRestore").create(Source=Clip({1.0: pixels}))
    if everything:
        node.set(output="matte")
    source, output = HostImage(pixels, Layout()), HostImage(np.zeros_like(pixels), Layout())
    node.connections["Source"].image = lambda time: source
    node.connections["Output"].output = output
    given = PropertySet(
        {
            "OfxPropTime": [1.0],
            "OfxImageEffectPropRenderWindow": list(output.bounds),
            "OfxImageEffectPropRenderScale": [1.0, 1.0],
        }
    )

    def work() -> None:
        os.environ["FILMRESTORE_TRUST_IMAGE_NAMES"] = str(int(not hashed))
        status = node.plugin.act("OfxImageEffectActionRender", node.handle, given)
        assert (status, host.messages) == (OK, []), (status, host.messages)

    def trip() -> Cost:
        turn = next(turns)
        source.name = str(turn)
        source._memory[1, 0] = output._memory[HEIGHT, 5] = turn
        cost = cost_of(work)
        assert np.array_equal(output._memory, source._memory)
        return cost

    return trip


def by_client(engine: Client, pixels: np.ndarray, *, everything: bool, hashed: bool) -> Callable[[], Cost]:
    """The same by the Python client; its hash is SHA-1."""
    image, into = Image(HEIGHT, WIDTH, "RGBA", pixels), np.zeros_like(pixels)

    def work() -> None:
        change = hashlib.sha1(image.view()).hexdigest() if hashed else str(next(turns))
        engine.restore_frame("bench", 1, {1: image}, changes={1: change}, whole=everything, into=into)

    def trip() -> Cost:
        pixels[0, 0, 0] = next(turns)
        cost = cost_of(work)
        assert np.array_equal(into, pixels)
        return cost

    return trip


def processor_s() -> float:
    """Of this process and of its child, the server, thread by thread as the kernel counts."""
    tasks = [task for pid in (os.getpid(), *children) for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def cost_of(work: Callable[[], object]) -> Cost:
    """Of one piece of work, once the other side is at rest."""
    time.sleep(0.02)
    busy, began = processor_s(), time.perf_counter()
    work()
    wall = time.perf_counter() - began
    time.sleep(0.02)
    return wall, processor_s() - busy


def main() -> None:
    os.environ["FILMRESTORE_RUNTIME"] = tempfile.mkdtemp(prefix="fr-")
    engine = ensure_server(command=[sys.executable, "-c", SERVE, "serve", "--threads", "1", "--no-cache"])
    children.append(engine.welcome["pid"])
    host = Host(Path(sys.argv[1]))
    host.aborts = lambda: False
    pixels = np.random.default_rng(0).random((HEIGHT, WIDTH, 4), np.float32)
    into = np.zeros_like(pixels)
    try:
        ways = {
            f"{name}, {'all of the frame comes back' if everything else 'nothing changed'}, "
            f"{'hashed' if hashed else 'not hashed'}": make(where, pixels, everything=everything, hashed=hashed)
            for name, make, where in (("plug-in", by_plugin, host), ("Python client", by_client, engine))
            for everything in (False, True)
            for hashed in (False, True)
        }
        costs: dict[str, list[Cost]] = {name: [] for name in ("plain copy", *ways)}
        for turn in range(ROUNDS + 2):
            for name, trip in (("plain copy", lambda: cost_of(lambda: np.copyto(into, pixels))), *ways.items()):
                cost = trip()
                if turn > 1:  # slots and buffers are made in the first ones
                    costs[name].append(cost)
    finally:
        engine.stop_server()
        host.close()
    head = (
        "way",
        "wall, ms: least, median",
        "processor, ms: the same",
        "times a copy, wall",
        "times a copy, processor",
    )
    print(f"| {' | '.join(head)} |")
    print("| :-- | --: | --: | --: | --: |")
    copy = [min(side) for side in zip(*costs["plain copy"], strict=True)]
    for name, found in costs.items():
        wall, busy = zip(*found, strict=True)
        cells = [f"{1000 * min(side):.0f}, {1000 * statistics.median(side):.0f}" for side in (wall, busy)]
        print(f"| {name} | {' | '.join(cells)} | {min(wall) / copy[0]:.2f} | {min(busy) / copy[1]:.2f} |")
    print(f"\nload {os.getloadavg()[0]:.1f}, cores {sorted(os.sched_getaffinity(0))}")


if __name__ == "__main__":
    main()
