"""The same float32 scene-linear EXRs with alpha through every host: each writes the bits that the command writes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import filmrestore
from film import picture, read_codes, write_image
from filmrestore.analysis import Analysis
from filmrestore.cli import run
from filmrestore.client import Image, find_server
from filmrestore.nodes.job import RestoreJob
from filmrestore.restorers.base import REGISTRY
from filmrestore.settings import RestoreSettings
from nuke_path import restored_by_nuke
from ofx.host import OK, Clip, Host
from ofx.images import Layout
from unit.server_house import running

F32 = NDArray[np.float32]
TESTS = Path(__file__).parents[1]
FRAMES = range(1002, 1011)
REPEATS = (1004, 1007, 1008)
"""Frames that show the picture of the one before them: windows then reach beyond those of file numbers."""
HEIGHT, WIDTH = 72, 101
SETTINGS = {"strength": 0.9, "grow": 1.0}


@dataclass(frozen=True)
class Film:
    """A clip on disk, and what the command made of it."""

    pattern: str
    frames: dict[int, F32]
    folder: Path
    restored: dict[int, F32]

    @property
    def analysis(self) -> str:
        return str(self.folder / "shot.analysis.json")


@pytest.fixture(scope="module", autouse=True)
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A server that all hosts find, and the quick restorer for what runs in this process."""
    with running(tmp_path_factory.mktemp("run")):
        yield


@pytest.fixture(scope="module")
def film(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Film:
    folder, out = tmp_path_factory.mktemp("scan"), tmp_path_factory.mktemp("command")
    alpha = np.linspace(-1, 2, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH, 1)
    frames = {
        n: np.concatenate([picture(shown, HEIGHT, WIDTH) * 2 - 0.1, alpha], axis=2).astype(np.float32)
        for n in FRAMES
        for shown in [n - sum(repeat <= n for repeat in REPEATS)]
    }
    for number, codes in frames.items():
        write_image(folder / f"shot.{number}.exr", codes)
    pattern = str(folder / "shot.####.exr")
    words = [f"--{name}={value}" for name, value in SETTINGS.items()]
    line = ["restore", pattern, "-o", str(out / "c.####.exr"), "--colourspace", "scene_linear", "--no-cache", *words]
    assert run([*line, "--threads", "1", "--progress", "none"]) == 0
    assert Analysis.load(out / "shot.analysis.json").repeats == REPEATS
    restored = written(out, "c")
    assert sum(not same_bits(restored[n], frames[n]) for n in FRAMES) > 2, "there was nothing to restore"
    return Film(pattern, frames, out, restored)


def written(folder: Path, name: str) -> dict[int, F32]:
    return {number: read_codes(folder / f"{name}.{number}.exr").astype(np.float32, copy=False) for number in FRAMES}


def same_bits(one: F32, other: F32) -> bool:
    bits = [np.ascontiguousarray(pixels).view(np.uint32) for pixels in (one, other)]
    return one.dtype == other.dtype == np.float32 and one.shape == other.shape and np.array_equal(*bits)


def by_client(film: Film, tmp_path: Path, request: pytest.FixtureRequest) -> dict[int, F32]:
    """Frame by frame through the wire."""
    plate = {number: Image(HEIGHT, WIDTH, "RGBA", codes) for number, codes in film.frames.items()}
    client = find_server()
    assert client is not None
    with client:
        made = {n: client.restore_frame("clip", n, plate, SETTINGS, analysis=film.analysis) for n in FRAMES}
    return {n: np.frombuffer(one.pixels, np.float32).reshape(one.shape) for n, one in made.items()}


def by_client_span(film: Film, tmp_path: Path, request: pytest.FixtureRequest) -> dict[int, F32]:
    """Files to files, by the server."""
    client = find_server()
    assert client is not None
    job = {"source": film.pattern, "output": str(tmp_path / "s.####.exr"), "colourspace": "scene_linear"}
    with client:
        client.restore_span(job, SETTINGS)
    return written(tmp_path, "s")


def by_openfx(film: Film, tmp_path: Path, request: pytest.FixtureRequest) -> dict[int, F32]:
    """The compiled plug-in in the test host, rows upside down and bounds elsewhere."""
    host = Host(request.getfixturevalue("binary"))
    clip = Clip({float(n): codes for n, codes in film.frames.items()}, Layout(x1=-7, y1=4, padding=3, is_negative=True))
    try:
        node = host.plugin("FilmRestore").create(Source=clip)
        node.set(analysis=film.analysis, **SETTINGS)
        made = {}
        for number in FRAMES:
            status, made[number] = node.render(number)
            assert (status, host.messages) == (OK, [])
        node.destroy()
    finally:
        host.close()
    return made


def by_nuke(film: Film, tmp_path: Path, request: pytest.FixtureRequest) -> dict[int, F32]:
    """The terminal script on the stand-in, from Read to Write."""
    files = restored_by_nuke(film.pattern, tmp_path, FRAMES, settings=SETTINGS)
    return {number: read_codes(path).astype(np.float32, copy=False) for number, path in files.items()}


def by_openjd(film: Film, tmp_path: Path, request: pytest.FixtureRequest) -> dict[int, F32]:
    """A job bundle of two chunks."""
    openjd = Path(sys.executable).parent / "openjd"
    if not openjd.exists():
        pytest.skip("openjd is not installed: pip install 'filmrestore[farm]'")
    code = (
        "from filmrestore.restorers.base import REGISTRY; REGISTRY['frdm'] = 'fakes:load'\n"
        "from filmrestore.cli import main; main()"
    )
    path = f"{Path(filmrestore.__file__).parents[1]}:{TESTS}"
    program = tmp_path / "filmrestore"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(path)} exec {shlex.join([sys.executable, "-c", code])} "$@"\n'
    )
    program.chmod(0o755)
    bundle = tmp_path / "bundle"
    line = ["submit", film.pattern, "-o", str(tmp_path / "c.####.exr"), "--colourspace", "scene_linear", "--no-cache"]
    line += ["--bundle", str(bundle), "--chunk", "3", "--threads", "1", "--memory", "1024", "--program", str(program)]
    assert run([*line, *(f"--{name}={value}" for name, value in SETTINGS.items())]) == 0
    values = f"file://{bundle / 'parameters.yaml'}"
    command = [openjd, "run", bundle / "template.yaml", "-p", values, "--step", "Restore", "--run-dependencies"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout
    return written(tmp_path, "c")


def by_dask(film: Film, tmp_path: Path, request: pytest.FixtureRequest) -> dict[int, F32]:
    """Two workers of a cluster, a window's frames a task."""
    distributed = pytest.importorskip("distributed", reason="dask comes with filmrestore[farm]")
    from filmrestore.farm.cluster import restore_on_cluster

    job = RestoreJob(
        source=film.pattern,
        output=str(tmp_path / "c.####.exr"),
        colourspace="scene_linear",
        settings=RestoreSettings(**SETTINGS),
    )
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
    ) as cluster:
        restore_on_cluster(job, cluster.scheduler_address, size=3, threads=1)
    return written(tmp_path, "c")


@pytest.mark.parametrize("host", [by_client, by_client_span, by_openfx, by_nuke, by_openjd, by_dask])
def test_the_bits_are_those_of_the_command(
    host: Callable[[Film, Path, pytest.FixtureRequest], dict[int, F32]],
    film: Film,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    assert REGISTRY["frdm"] == "fakes:load"
    made = host(film, tmp_path, request)
    assert sorted(made) == list(FRAMES)
    for number in FRAMES:
        assert same_bits(made[number], film.restored[number]), number
