"""Tools of a Fusion composition on a strict fake of Fusion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filmrestore_resolve import main

from .conftest import ScriptedEngine
from .fake_fusion import Comp, Desk, Fusion


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    assert desk.violations == []


def loader(desk: Desk, scan: Path, **attributes: Any) -> Any:
    """A Loader of the scan that begins at 5, feeding a Merge."""
    facts = {
        "TOOLST_Clip_Name": {1: str(scan / "reel.1001.dpx")}, "TOOLIT_Clip_Length": {1: 50},
        "TOOLNT_Clip_Start": {1: 5.0},
        "TOOLIT_Clip_TrimIn": {1: 0}, "TOOLIT_Clip_TrimOut": {1: 49}, "TOOLBT_Clip_Reverse": {1: False},
        "TOOLBT_Clip_Loop": {1: False},
    }  # fmt: skip
    desk.active = desk.add("Loader", "Plate", **{**facts, **attributes})
    desk.add("Merge", "Merge1", desk.active)
    return desk.active


def run(desk: Desk, engine: ScriptedEngine, settings_file: Path, capsys: Any, **choices: Any) -> str:
    settings_file.parent.mkdir(exist_ok=True)
    settings_file.write_text(json.dumps({"comp": {"run": choices}}))
    main.run("comp", {"fusion": Fusion(desk), "comp": Comp(desk)}, lambda device: engine)
    return str(capsys.readouterr().out)


def test_a_loaders_files_come_back_as_a_loader_wired_in_at_the_same_time(
    desk: Desk, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    loader(desk, scan)
    said = run(desk, engine, settings_file, capsys)
    assert engine.asked[0][1]["span"] == "1001-1005"  # the render range ends at 9
    new = desk.tools[-1]
    assert new.name == "FilmRestore_Plate" and new.inputs["Clip"].endswith("Plate_restore.1001.dpx"), said
    assert (new.inputs["GlobalIn"], new.inputs["GlobalOut"], new.inputs["ClipTimeStart"]) == (5, 9, 0)
    assert desk.tools[1].input.source is new.output and desk.undo == ["FilmRestore", "end"]


def test_connect_off_leaves_the_wires_alone(
    desk: Desk, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    plate = loader(desk, scan)
    run(desk, engine, settings_file, capsys, connect=False)
    assert desk.tools[1].input.source is plate.output and len(desk.tools) == 3


@pytest.mark.parametrize("change", [{"TOOLBT_Clip_Reverse": {1: True}}, {"TOOLIT_Clip_TrimIn": {1: 3}}, "other tool"])
def test_other_tools_and_changed_loaders_are_rendered_through_a_saver_that_is_gone_afterwards(
    desk: Desk, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any, change: Any
) -> None:
    if change == "other tool":
        desk.active = desk.add("MediaIn", "Plate")
    else:
        loader(desk, scan, **change)
    said = run(desk, engine, settings_file, capsys)
    assert "rendered through a Saver, frames 0 to 9" in said
    assert engine.asked[0][1]["span"] == "0-9" and engine.asked[0][1]["source"].endswith("render.####.exr")
    assert [tool.attributes["TOOLS_RegID"] for tool in desk.tools].count("Saver") == 0
    assert desk.tools[-1].inputs["GlobalIn"] == 0


@pytest.mark.parametrize("way", ["automatic", "saver"])
@pytest.mark.parametrize("answer", [None, RuntimeError("inside")], ids=["None", "raises"])
def test_whatever_call_fails_the_composition_is_as_before_or_the_tool_is_done(
    tmp_path: Path, scan: Path, settings_file: Path, capsys: Any, way: str, answer: Any
) -> None:
    learn = Desk(tmp_path)
    loader(learn, scan)
    run(learn, ScriptedEngine(), settings_file, capsys, picture=way, folder=str(tmp_path / "learn"))
    for number, name in enumerate(dict.fromkeys(learn.log)):
        desk = Desk(tmp_path)
        loader(desk, scan)
        before = desk.snapshot()
        desk.refuse[name] = answer
        said = run(desk, ScriptedEngine(), settings_file, capsys, picture=way, folder=str(tmp_path / f"o{number}"))
        assert "should not happen" not in said, (name, said)
        if "Done" not in said and name not in ("Tool.Delete", "Comp.Unlock", "Input.ConnectTo"):
            assert desk.snapshot() == before, (name, said)


def test_no_tool_says_what_to_select(desk: Desk, engine: ScriptedEngine, settings_file: Path, capsys: Any) -> None:
    assert "no tool is selected" in run(desk, engine, settings_file, capsys)
