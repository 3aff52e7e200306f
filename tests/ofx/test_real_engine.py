"""The plug-in against the real server, as a host starts it: the pixels of the command, one window's work a stride."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fakes import MedianRestorer
from film import picture, read_codes, write_image
from filmrestore.client import find_server
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore
from filmrestore.patches import patch_grid
from filmrestore.restorers.base import REGISTRY
from filmrestore.server.serve import Server

from .host import OK, Clip, Host
from .images import F32, Layout
from .test_render import same

FIRST, LAST = 1000, 1047
HEIGHT, WIDTH = 61, 75


def plate() -> dict[int, F32]:
    """Frames with a speck each, anywhere, RGBA; the alpha is a ramp that nothing may touch."""
    alpha = np.broadcast_to(np.linspace(-1, 2, WIDTH, dtype=np.float32)[None, :, None], (HEIGHT, WIDTH, 1))
    numbers = range(FIRST, LAST + 1)
    frames = {n: np.concatenate([picture(n, HEIGHT, WIDTH).astype(np.float32), alpha], axis=2) for n in numbers}
    for number, pixels in frames.items():
        y, x = np.random.default_rng(number).integers(8, (HEIGHT - 8, WIDTH - 8))
        pixels[y : y + 3, x : x + 3, :3] = 4.0
    return frames


@pytest.fixture()
def served(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real server in this process, with the tests' quick restorer."""
    monkeypatch.setitem(REGISTRY, "frdm", "fakes:load")
    server = Server("cpu", threads=1)
    thread = threading.Thread(target=server.serve)
    thread.start()
    end = time.monotonic() + 60
    while not (runtime / "server-cpu.json").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    yield runtime
    server.stop()
    thread.join(60)
    assert not thread.is_alive()


def test_48_frames_are_those_of_the_command_for_one_pass_of_patches(host: Host, served: Path, tmp_path: Path) -> None:
    frames = plate()
    for number, pixels in frames.items():
        write_image(tmp_path / f"scan.{number}.exr", pixels)
    out = tmp_path / "out"
    job = RestoreJob(
        source=str(tmp_path / "scan.####.exr"),
        output=str(out / "c.####.exr"),
        colourspace="scene_linear",
        threads=1,
    )
    report = restore(job)
    clip = Clip({float(number): pixels for number, pixels in frames.items()}, Layout(x1=3, y1=-2, is_negative=True))
    node = host.plugin("FilmRestore").create(Source=clip)
    node.set(analysis=str(out / "scan.analysis.json"))
    before = find_server("cpu")
    assert before is not None
    with before:
        started = before.status()["tiles_computed"]
        changed = 0
        for number in range(FIRST, LAST + 1):
            status, made = node.render(number)
            assert (status, host.messages) == (OK, [])
            expected = read_codes(out / f"c.{number}.exr")
            assert same(made, np.ascontiguousarray(expected)), number
            changed += not same(made, frames[number])
        computed = before.status()["tiles_computed"] - started
    assert changed > 40, "there was nothing to restore"
    windows = (LAST // 3) - (FIRST // 3) + 1
    patches = len(patch_grid(HEIGHT, WIDTH, MedianRestorer.facts.patch, MedianRestorer.facts.overlap))
    assert computed == windows * patches == report.tiles_computed
    node.destroy()


def test_the_plugin_starts_the_engine_by_itself(
    host: Host, runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).parents[2]
    python = tmp_path / "python"
    # The engine's own path, since the plug-in lets nothing of the host's Python through.
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{root / "engine"}" exec "{sys.executable}" "$@" --no-cache --idle 60\n')
    python.chmod(0o700)
    monkeypatch.setenv("FILMRESTORE_PYTHON", str(python))
    frame = plate()[FIRST]
    node = host.plugin("FilmDegrade").create(Source=Clip({1.0: frame}))
    node.set(dust=400.0)
    node.ask("OfxImageEffectActionBeginSequenceRender")
    status, made = node.render(1)
    assert (status, host.messages) == (OK, [])
    assert not same(made, frame) and same(made[..., 3:], frame[..., 3:])
    node.destroy()
    environment = {**os.environ, "PYTHONPATH": str(root / "engine")}
    stop = [sys.executable, "-m", "filmrestore.cli", "serve", "--stop"]
    assert subprocess.run(stop, env=environment, capture_output=True, check=False).returncode == 0
