"""What people do to nodes: odd names and ranges, two nodes on one folder, disks that fill, engines that die."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from film import read_codes
from filmrestore.client import find_server
from filmrestore.server.serve import Server
from nuke_path import FRAMES, RENDER, build_script, command, variables
from nuke_stand_in.knobs import SESSION
from test_nuke_nodes import node_on, press, read_of
from unit.server_house import until

ROOT_ONLY = "mounting a small disk wants root and Linux"


@pytest.mark.parametrize("name", ["with space", "quo\"te's", "ü ü", "{brace}", "$(echo x) ; $HOME", "back`tick`"])
def test_a_folder_of_any_plain_name_holds_the_result(
    nuke: ModuleType, engine: Server, clip: str, tmp_path: Path, name: str
) -> None:
    node = node_on(nuke, read_of(nuke, clip), tmp_path / name)
    nuke.frame(1003)
    press(node, "restore_frame")
    assert not SESSION.messages
    assert (tmp_path / name / "result.1003.exr").is_file()
    saved = tmp_path / "saved.nk"
    nuke.scriptSaveAs(str(saved), 1)
    nuke.scriptOpen(str(saved))
    assert nuke.toNode(node.name()).node("result")["file"].value() == str(tmp_path / name / "result.%04d.exr")


@pytest.mark.parametrize("name", ["[python {open('/x')}]", "reel #12", "100%d", "a\nb"])
def test_a_folder_whose_name_means_something_to_a_file_knob_is_refused(
    nuke: ModuleType, clip: str, tmp_path: Path, name: str
) -> None:
    node = node_on(nuke, read_of(nuke, clip), tmp_path / name)
    press(node, "restore_range")
    [told] = SESSION.messages
    assert "choose another folder" in told
    assert list(tmp_path.iterdir()) == []


def test_relative_paths_begin_at_the_project_or_beside_the_script(
    nuke: ModuleType, engine: Server, clip: str, tmp_path: Path
) -> None:
    from filmrestore_nuke.work import plan

    node = node_on(nuke, read_of(nuke, clip), Path("out"), analysis="a.json", reject="@list.txt\ncause:dirt")
    press(node, "restore_frame")
    assert "'out' is relative" in SESSION.messages.pop()
    nuke.scriptSaveAs(str(tmp_path / "comp.nk"), 1)
    [work] = plan(node, [1003])
    assert work.folder == f"{tmp_path}/out" and work.job["analysis"] == f"{tmp_path}/a.json"
    assert work.without == [f"@{tmp_path}/list.txt", "cause:dirt"]
    nuke.root()["project_directory"].setValue("/the show")
    assert plan(node, [1003])[0].folder == "/the show/out"


def test_a_range_that_no_shot_has_is_told_at_once(nuke: ModuleType, clip: str, tmp_path: Path) -> None:
    from filmrestore_nuke.terminal import main

    node = node_on(nuke, read_of(nuke, clip), tmp_path / "out", first=-2_000_000_000, last=2_000_000_000)
    press(node, "restore_range")
    assert "at most 1000000" in SESSION.messages.pop()
    node["plate"].setValue("rendered")
    press(node, "restore_frame")
    assert "at most 1000000" in SESSION.messages.pop()
    node["last"].setValue(node["first"].value() - 1)
    press(node, "restore_range")
    assert "set the range" in SESSION.messages.pop()
    nuke.scriptSaveAs(str(tmp_path / "comp.nk"), 1)
    assert main([str(tmp_path / "comp.nk"), "--node", "FilmRestore1", "--frames=1-4000000000x2"]) == 2


def test_two_nodes_never_write_into_one_folder(nuke: ModuleType, engine: Server, clip: str, tmp_path: Path) -> None:
    read = read_of(nuke, clip)
    first = node_on(nuke, read, tmp_path / "out")
    second = node_on(nuke, read, Path(f"{tmp_path}/./out/"), strength=0.5)
    press(first, "restore_range")
    assert "FilmRestore2 keeps its files" in SESSION.messages.pop()
    assert not (tmp_path / "out").exists()
    second["folder"].setValue(str(tmp_path / "other"))
    nuke.frame(1003)
    press(first, "restore_frame")
    assert not SESSION.messages and (tmp_path / "out" / "result.1003.exr").is_file()


def small_disk(folder: Path, size: str) -> None:
    """A tmpfs; skips where it cannot be had."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip(ROOT_ONLY)
    folder.mkdir()
    if ctypes.CDLL(None).mount(b"none", os.fsencode(folder), b"tmpfs", 0, f"size={size}".encode()) != 0:
        pytest.skip(ROOT_ONLY)


@pytest.mark.parametrize("plate", ["automatic", "rendered"])
def test_a_disk_that_fills_is_told_and_leaves_no_half_frame(
    nuke: ModuleType, engine: Server, clip: str, tmp_path: Path, plate: str
) -> None:
    small_disk(tmp_path / "small", "500k")
    try:
        node = node_on(nuke, read_of(nuke, clip), tmp_path / "small" / "out", plate=plate)
        press(node, "restore_range")
        [told] = SESSION.messages
        assert "No space left" in told or "cannot render" in told, told
        done = sorted((tmp_path / "small" / "out").glob("result.*"))
        assert len(done) < len(FRAMES)
        for path in done:
            read_codes(path)  # whole
        node["folder"].setValue(str(tmp_path / "roomy"))
        press(node, "restore_range")
        assert len(SESSION.messages) == 1 and len(list((tmp_path / "roomy").glob("result.*"))) == len(FRAMES)
    finally:
        assert ctypes.CDLL(None).umount2(os.fsencode(tmp_path / "small"), 2) == 0


def test_an_engine_killed_in_mid_shot_is_told_and_the_next_run_goes_on(clip: str, tmp_path: Path) -> None:
    runtime = {"FILMRESTORE_RUNTIME": str(tmp_path / "run")}
    script = build_script(tmp_path / "job", clip, FRAMES)
    words = command(RENDER, script, "--node", "FilmRestore1", "--frames=1000-1005")
    engine = tmp_path / "engine.py"
    engine.write_text(SLOW_ENGINE.format(root=str(Path(__file__).parents[1]), mark=str(tmp_path / "patch")))
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} {engine} "$@"\n')
    python.chmod(0o755)
    environment = {**variables(), **runtime, "FILMRESTORE_PYTHON": str(python)}
    task = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    until((tmp_path / "patch").exists)
    os.kill(int((tmp_path / "patch").read_text()), signal.SIGKILL)
    _, errors = task.communicate(timeout=60)
    assert task.returncode == 1 and errors.startswith("Error: the engine broke off"), errors
    again = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    try:
        assert again.returncode == 0, again.stderr
    finally:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FILMRESTORE_RUNTIME", runtime["FILMRESTORE_RUNTIME"])
            found = find_server()
            assert found is not None
            found.stop_server()
    results = tmp_path / "job" / "filmrestore" / "FilmRestore1"
    assert len(list(results.glob("result.*"))) == 6


SLOW_ENGINE = """
import os, sys, time
sys.path[:0] = [{root!r}, {root!r} + "/unit"]
import fakes
from filmrestore.cli import run
from filmrestore.restorers.base import REGISTRY

mark = {mark!r}


class Stuck(fakes.MedianRestorer):
    def __call__(self, window, context):
        if not os.path.exists(mark):
            with open(mark + ".new", "w") as file:
                file.write(str(os.getpid()))
            os.replace(mark + ".new", mark)
            time.sleep(600)
        return super().__call__(window, context)


sys.modules["stuck"] = sys.modules["__main__"]
load = Stuck
REGISTRY["frdm"] = "stuck:load"
sys.exit(run(sys.argv[1:]))
"""


def test_an_engine_of_other_settings_is_told_with_what_to_do(
    nuke: ModuleType, clip: str, tmp_path: Path, engine: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filmrestore import line

    monkeypatch.setattr(line, "settings_digest", lambda: "0123456789abcdef")
    node: Any = node_on(nuke, read_of(nuke, clip), tmp_path / "out")
    press(node, "restore_range")
    [told] = SESSION.messages
    assert "filmrestore install" in told
