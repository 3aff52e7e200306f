"""A farm's Nuke job, really run: the bundle that `submit` writes, by openjd, with the shipped weights."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from film import picture, read_codes, write_image
from filmrestore.cli import run
from filmrestore.client import find_server
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore
from nuke_path import RENDER, build_script, command, variables

FRAMES = range(1002, 1008)


@pytest.mark.slow
def test_the_chunks_of_a_bundle_start_the_engine_and_give_the_bytes_of_a_whole_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openjd = Path(sys.executable).parent / "openjd"
    if not openjd.exists():
        pytest.skip("openjd is not installed: pip install 'filmrestore[farm]'")
    monkeypatch.setenv("FILMRESTORE_RUNTIME", str(tmp_path / "run"))
    for number in FRAMES:
        codes = np.ones((48, 64, 4), np.float32)
        codes[:, :, :3] = picture(number, 48, 64)
        write_image(tmp_path / f"a.{number}.exr", codes)
    clip = str(tmp_path / "a.####.exr")
    script = build_script(tmp_path / "job", clip, FRAMES, knobs={"plate": "rendered"})
    program = tmp_path / "nuke"
    exported = {name: value for name, value in variables().items() if name in ("PYTHONPATH", "NUKE_PATH")}
    exported["FILMRESTORE_PYTHON"] = sys.executable
    words = [f"{name}={shlex.quote(value)}" for name, value in exported.items()]
    # "-t" is the farm's own word.
    program.write_text(f'#!/bin/sh\n{" ".join(words)} exec {shlex.join(command()[:-1])} "$@"\n')
    program.chmod(0o755)
    bundle = tmp_path / "bundle"
    told = f"--nuke --node FilmRestore1 --write Write1 -F 1002-1007 --chunk 3 --threads 1 --bundle {bundle}".split()
    assert run(["submit", str(script), *told, "--program", str(program), "--render-script", str(RENDER)]) == 0
    job = [openjd, "run", bundle / "template.yaml", "-p", f"file://{bundle / 'parameters.yaml'}", "--step", "Restore"]
    job.append("--run-dependencies")
    try:
        done = subprocess.run(job, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("analyse 6 of 6") == 1
    finally:
        engine = find_server()
        if engine is not None:
            engine.stop_server()
    whole = str(tmp_path / "whole" / "c.####.exr")
    restore(RestoreJob(source=clip, output=whole, colourspace="scene_linear", threads=1))
    changed = 0
    for number in FRAMES:
        expected = read_codes(tmp_path / "whole" / f"c.{number}.exr")
        made = read_codes(tmp_path / "job" / f"written.{number}.exr")
        assert np.array_equal(made.view(np.uint32), expected.view(np.uint32)), number
        changed += not np.array_equal(expected, read_codes(tmp_path / f"a.{number}.exr"))
    assert changed >= 1
