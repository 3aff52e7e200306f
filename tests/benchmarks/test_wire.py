"""What the wire costs: `pytest tests/benchmarks/test_wire.py --benchmark-only`, a million fuzzed messages included."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from filmrestore.client import Image, ensure_server

ROOT = Path(__file__).parents[2]
HEIGHT, WIDTH = 2160, 4096
SERVE = (
    f"import sys; sys.path[:0] = [{str(ROOT / 'engine')!r}, {str(ROOT / 'tests')!r}]\n"
    "from filmrestore.restorers.base import REGISTRY; REGISTRY['frdm'] = 'fakes:load'\n"
    "from filmrestore.cli import main; main()"
)


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    """4096 x 2160 RGBA float32: 141.6 MB."""
    return np.random.default_rng(0).random((HEIGHT, WIDTH, 4), np.float32)


@pytest.fixture(scope="module")
def memcpy_s(frame: np.ndarray) -> float:
    """Seconds of a copy of the frame into memory that is there, the best of seven."""
    into = np.zeros_like(frame)
    times = []
    for _ in range(7):
        began = time.perf_counter()
        np.copyto(into, frame)
        times.append(time.perf_counter() - began)
    return min(times)


@pytest.fixture(scope="module", params=["slots", "inline"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A server in a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FILMRESTORE_RUNTIME", str(tmp_path_factory.mktemp("run")))
        start = [sys.executable, "-c", SERVE, "serve", "--threads", "1", "--no-cache"]
        client = ensure_server(command=start)
        if request.param == "inline":
            client._open_line()._inline = True
        yield client
        client.stop_server()


@pytest.mark.parametrize("whole", [False, True], ids=["what-changed", "whole"])
@pytest.mark.parametrize("hashed", [False, True], ids=["counter", "hashed"])
def test_round_trip_of_a_4k_frame_with_nothing_to_do(benchmark, engine, frame, memcpy_s, whole, hashed):
    into = np.zeros_like(frame)
    image = Image(HEIGHT, WIDTH, "RGBA", frame)
    turn = iter(range(10_000))

    def trip():
        # A new change each time: the frame is sent each time.
        changes = {1: hashlib.sha1(image.view()).hexdigest() * hashed + str(next(turn))}
        engine.restore_frame("bench", 1, {1: image}, {"strength": 0.0}, changes=changes, whole=whole, into=into)

    benchmark.pedantic(trip, rounds=7, warmup_rounds=2)
    assert np.array_equal(into.view(np.uint32), frame.view(np.uint32))
    benchmark.extra_info["times_memcpy"] = round(benchmark.stats.stats.min / memcpy_s, 2)


@pytest.mark.slow
def test_a_million_fuzzed_messages(benchmark):
    """The unit test at full length, in a process of its own."""
    test = ROOT / "tests" / "unit" / "test_server.py"
    command = [sys.executable, "-m", "pytest", "-q", "--show-capture=no", "-k", "fuzzed", str(test)]
    environment = {**os.environ, "FUZZ": "1000000"}
    told = benchmark.pedantic(
        lambda: subprocess.run(command, env=environment, capture_output=True, text=True, check=False), rounds=1
    )
    assert told.returncode == 0, told.stdout[-4000:]
