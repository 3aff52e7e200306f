"""The dialog and the progress window on a strict UIManager; and the script where there is none."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from filmrestore_resolve import bootstrap, main
from filmrestore_resolve.choices import NODES, PAGES
from filmrestore_resolve.dialog import knobs_of

from .conftest import ROOT, ScriptedEngine, put
from .fake import World
from .fake_fusion import Desk, Fusion
from .fake_ui import UI, Bmd, Window


class User:
    """Sets knobs in the dialog, presses Start (or Cancel), and reads messages."""

    def __init__(self, press: str = "Start", **knobs: Any) -> None:
        self.press, self.knobs, self.said, self.dialogs = press, knobs, "", []
        self.cancels_work = False

    def __call__(self, window: Window) -> None:
        items = window.GetItems()
        if window.facts["ID"] == "FilmRestore":
            self.dialogs.append(items)
            for name, (attribute, value) in self.knobs.items():
                setattr(items[name], attribute, value)
            window.On[self.press].Clicked({})
        elif window.facts["ID"] == "FilmRestoreSays":
            self.said = items["Text"].PlainText
            window.On.Ok.Clicked({})
        elif self.cancels_work:
            window.On.Stop.Clicked({})


def run(world: World, engine: ScriptedEngine, user: User, tmp_path: Path, page: str = "timeline") -> None:
    desk = Desk(tmp_path)
    desk.ui = UI()
    given = {"resolve": world.resolve(), "fusion": Fusion(desk), "bmd": Bmd(user)}
    main.run(page, given, lambda device: engine)


def index(name: str, word: str) -> tuple[str, int]:
    return "CurrentIndex", next(knob for knob in knobs_of("timeline") if knob.id == name).facts.choices.index(word)


def test_every_setting_has_its_knob_and_start_restores_with_their_values(
    world: World, engine: ScriptedEngine, scan: Path, tmp_path: Path, settings_file: Path
) -> None:
    item = put(world, scan)
    user = User(restore_strength=("Value", 0.25), run_keep=("Value", 3), run_clips=index("run_clips", "playhead"))
    run(world, engine, user, tmp_path)
    items = user.dialogs[0]
    for part, kind in {"run": PAGES["timeline"], **NODES}.items():
        assert [name for name in kind.facts() if f"{part}_{name}" not in items] == []
        assert items[f"{part}_tabs"].entries == list(dict.fromkeys(facts.group for facts in kind.facts().values()))
        assert len(items[f"{part}_pages"].children) == len(items[f"{part}_tabs"].entries)
    assert engine.asked[0][1]["span"] == "1018-1033" and engine.asked[0][2]["strength"] == 0.25
    assert item.take == 2 and "a take on the clip" in user.said
    assert json.loads(settings_file.read_text())["timeline"]["restore"]["strength"] == 0.25


def test_untouched_knobs_give_the_default_settings_exactly(
    world: World, engine: ScriptedEngine, scan: Path, tmp_path: Path
) -> None:
    for node, kind in NODES.items():
        put(world, scan)
        run(world, engine, User(run_node=index("run_node", node)), tmp_path)
        assert engine.asked[-1][0] == node and engine.asked[-1][2] == kind().to_dict()


def test_cancel_in_the_dialog_does_nothing(
    world: World, engine: ScriptedEngine, scan: Path, tmp_path: Path, settings_file: Path
) -> None:
    put(world, scan)
    before, user = world.snapshot(), User("Cancel")
    run(world, engine, user, tmp_path)
    assert (world.snapshot(), engine.asked, user.said, settings_file.exists()) == (before, [], "", False)


def test_cancel_in_the_progress_window_ends_the_work(
    world: World, engine: ScriptedEngine, scan: Path, tmp_path: Path
) -> None:
    put(world, scan)
    before, user = world.snapshot(), User()
    engine.waits_for_cancel = user.cancels_work = True
    run(world, engine, user, tmp_path)
    assert user.said.startswith("Stopped") and world.snapshot() == before


def test_the_hosts_objects_are_touched_in_its_own_thread_only(
    world: World, engine: ScriptedEngine, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from . import fake

    threads = set()
    asked = fake._Call.__call__

    def noted(self: Any, *arguments: Any) -> Any:
        threads.add(threading.current_thread())
        return asked(self, *arguments)

    monkeypatch.setattr(fake._Call, "__call__", noted)
    put(world, scan)
    run(world, engine, User(), tmp_path)
    assert threads == {threading.main_thread()} and engine.asked


def test_without_a_host_the_three_reasons_are_told(
    capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESOLVE_SCRIPT_API", str(tmp_path))
    main.run("timeline", {})
    said = capsys.readouterr().out
    assert all(words in said for words in ("not running", "does not allow scripts", "does not like this Python"))


def test_from_outside_the_scripting_module_is_asked(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    import types

    module = types.ModuleType("DaVinciResolveScript")
    module.scriptapp = lambda name: world.resolve() if name == "Resolve" else None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "DaVinciResolveScript", module)
    host = bootstrap.find_host({})
    assert bootstrap.describe(host) == "DaVinci Resolve Studio 20.1.0" and host.bmd is module


@pytest.mark.parametrize("text", ["{", "[]", '{"timeline": {"restore": {"strength": 7}}}', '{"timeline": 3}'])
def test_a_settings_file_that_cannot_be_meant_says_so(
    world: World, engine: ScriptedEngine, settings_file: Path, capsys: Any, text: str
) -> None:
    settings_file.parent.mkdir()
    settings_file.write_text(text)
    main.run("timeline", {"resolve": world.resolve(), "fusion": object()}, lambda device: engine)
    assert f"{settings_file} cannot be used" in capsys.readouterr().out


def test_the_settings_file_of_the_page_is_taken(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    put(world, scan)
    world.timeline.marks = {"video": {"in": 100, "out": 101}}
    settings_file.parent.mkdir()
    page = (ROOT / "docs" / "hosts" / "resolve.md").read_text(encoding="utf-8")
    settings_file.write_text(page.split("```json")[1].split("```")[0])
    main.run("timeline", {"resolve": world.resolve(), "fusion": object()}, lambda device: engine)
    assert engine.asked[0][1]["span"] == "1001-1050" and engine.asked[0][2]["strength"] == 0.8


def test_the_picture_of_the_dialog_is_of_these_settings() -> None:
    sys.path.insert(0, str(ROOT / "resolve_script"))
    import draw_dialog

    message = "the picture is stale: run resolve_script/draw_dialog.py"
    assert draw_dialog.PICTURE.read_text(encoding="utf-8") == draw_dialog.drawing(), message
