"""The nodes in a session: knobs, buttons, threads, undo, what is shown, and the script when it is opened elsewhere."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from film import SPECKS, read_codes, write_image, write_shot
from filmrestore.fixes import Ledger
from filmrestore.server.serve import Server
from filmrestore.settings import DEGRADE_PRESETS, RestoreSettings
from nuke_path import FRAMES, ROOT, nuke_t
from nuke_stand_in import pump
from nuke_stand_in.graph import picture_of
from nuke_stand_in.knobs import SESSION
from unit.server_house import GatedRestorer, running, until

Nuke = Any


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(np.ascontiguousarray(a).view(np.uint32), np.ascontiguousarray(b).view(np.uint32))


def read_of(nuke: Nuke, clip: str, **knobs: Any) -> Any:
    read = nuke.nodes.Read(file=clip)
    for name, value in {"first": 1000, "origfirst": 1000, "last": 1011, "origlast": 1011, **knobs}.items():
        read[name].setValue(value)
    return read


def node_on(nuke: Nuke, source: Any, folder: Path, title: str = "FilmRestore", **knobs: Any) -> Any:
    from filmrestore_nuke import group

    for other in nuke.selectedNodes():
        other.setSelected(False)
    source.setSelected(True)
    node = group.create(title)
    for name, value in {"folder": str(folder), **knobs}.items():
        node[name].setValue(value)
    return node


def settle() -> None:
    """Lets the main thread do its part until no thread of ours is at work."""
    from filmrestore_nuke import buttons

    def is_done() -> bool:
        pump()
        at_work = [thread for thread in threading.enumerate() if thread.name == "filmrestore node"]
        return not buttons._running and not at_work and not SESSION.waiting

    until(is_done)


def press(node: Any, name: str) -> None:
    node[name].execute()
    settle()


def shown(node: Any, frame: int, view: str = "main") -> np.ndarray:
    return picture_of(node, frame, view).rgba


@pytest.fixture
def restored(nuke: ModuleType, engine: Server, clip: str, tmp_path: Path) -> Iterator[Any]:
    """A node whose range 1002-1004 is done."""
    node = node_on(nuke, read_of(nuke, clip), tmp_path / "out", first=1002, last=1004)
    press(node, "restore_range")
    assert not SESSION.messages
    yield node


# Knobs


@pytest.mark.parametrize("title", ["FilmRestore", "FilmDegrade", "FilmGrain"])
def test_every_setting_is_a_knob_with_its_default_choices_and_help(nuke: ModuleType, title: str) -> None:
    from filmrestore_nuke import group
    from filmrestore_nuke.panel import NODES, REPLACED
    from filmrestore_nuke.work import settings_of

    node = group.create(title)
    panel = NODES[title]
    for entry in dataclasses.fields(panel.settings):
        if entry.name in REPLACED:
            continue
        knob, facts = node[entry.name], entry.metadata["facts"]
        assert knob.value() == entry.default and type(knob.value()) is type(entry.default)
        assert knob.label == facts.label and facts.help in knob.tooltip
        assert not facts.choices or knob.items == list(facts.choices)
        if type(entry.default) is float:
            assert knob.span == (facts.soft_low, facts.soft_high)
    assert panel.settings.from_dict(settings_of(node, panel)) == panel.settings()
    assert len({knob.name() for knob in node._user}) == len(node._user)


def test_a_setting_out_of_range_is_told_and_nothing_is_begun(nuke: ModuleType, clip: str, tmp_path: Path) -> None:
    node = node_on(nuke, read_of(nuke, clip), tmp_path, strength=1.5)
    press(node, "restore_range")
    assert len(SESSION.messages) == 1 and "strength is 1.5" in SESSION.messages[0]
    assert list(tmp_path.iterdir()) == []


def test_a_preset_sets_every_knob_in_one_step_of_undo(nuke: ModuleType) -> None:
    from filmrestore_nuke import group
    from filmrestore_nuke.panel import NODES
    from filmrestore_nuke.work import settings_of

    node = group.create("FilmDegrade")
    node["preset"].setValue("silent-era")
    before = len(SESSION.undo)
    press(node, "use_preset")
    panel = NODES["FilmDegrade"]
    assert panel.settings.from_dict(settings_of(node, panel)) == DEGRADE_PRESETS["silent-era"]
    assert SESSION.undo[before:] == ["preset"]


def test_making_a_node_is_one_step_of_undo_and_connects_it(nuke: ModuleType, clip: str, tmp_path: Path) -> None:
    from filmrestore_nuke import group

    read = read_of(nuke, clip)
    read.setSelected(True)
    before = len(SESSION.undo)
    node = group.create("FilmRestore")
    assert SESSION.undo[before:] == ["FilmRestore"]
    assert node.input(0) is read and (node["first"].value(), node["last"].value()) == (1000, 1011)
    assert group.create("FilmRestore").name() == "FilmRestore2"


# Restoring


def test_restoring_shows_the_engines_frames_bit_for_bit_and_the_source_elsewhere(
    restored: Any, clip: str, tmp_path: Path
) -> None:
    assert restored["status"].value() == "1002-1004 done"
    result = tmp_path / "out" / "result.%04d.exr"
    for number in FRAMES:
        expected = read_codes(Path(str(result) % number)) if 1002 <= number <= 1004 else read_codes(Path(clip % number))
        assert same_bits(shown(restored, number), expected), number
    assert not same_bits(shown(restored, 1003), read_codes(Path(clip % 1003)))


def test_restoring_leaves_no_step_of_undo_and_no_node(
    nuke: ModuleType, engine: Server, clip: str, tmp_path: Path
) -> None:
    node = node_on(nuke, read_of(nuke, clip), tmp_path / "out", plate="rendered", first=1000, last=1005)
    nodes, steps = [n.name() for n in node._children], len(SESSION.undo)
    press(node, "restore_range")
    assert [n.name() for n in node._children] == nodes and len(SESSION.undo) == steps
    assert node["status"].value() == "1000-1005 done" and not SESSION.messages
    [task] = SESSION.tasks
    assert task.name == "FilmRestore1" and max(task.shares) == 100 and any("restore" in text for text in task.messages)


def test_every_view_of_the_switch_is_what_it_says(restored: Any, clip: str, tmp_path: Path) -> None:
    plate, result = read_codes(Path(clip % 1003)), read_codes(tmp_path / "out" / "result.1003.exr")
    matte = read_codes(tmp_path / "out" / "matte" / "matte.1003.png").astype(np.float32) / 65535
    assert matte.max() == 1.0
    expected = {
        "result": result,
        "source": plate,
        "difference": np.abs(result - plate),
        "matte": np.concatenate([matte[:, :, :1]] * 3, axis=2),
        "overlay": plate + 0.6 * matte[:, :, :1] * (np.array([1, 0, 0, 1], np.float32) - plate),
    }
    for name, pixels in expected.items():
        restored["output"].setValue(name)
        np.testing.assert_allclose(shown(restored, 1003)[:, :, : pixels.shape[2]], pixels, atol=1e-6, err_msg=name)


def test_restoring_one_frame_does_that_frame(nuke: ModuleType, engine: Server, clip: str, tmp_path: Path) -> None:
    node = node_on(nuke, read_of(nuke, clip), tmp_path / "out")
    nuke.frame(1008)
    press(node, "restore_frame")
    assert node["status"].value() == "1008 done"
    assert [path.name for path in (tmp_path / "out").glob("result*")] == ["result.1008.exr"]


def test_a_frame_that_is_not_done_fails_a_render_and_shows_the_source_on_request(restored: Any, clip: str) -> None:
    SESSION.gui = False
    assert shown(restored, 1003) is not None
    restored.node("result")["last"].setValue(2000)
    with pytest.raises(RuntimeError, match="No such file"):
        shown(restored, 1009)
    restored["not_done"].setValue("show the source")
    assert same_bits(shown(restored, 1009), read_codes(Path(clip % 1009)))


@contextmanager
def at_its_first_patch(nuke: Nuke, clip: str, folder: Path) -> Iterator[Any]:
    """A node at work on its range; its patch goes on, and nothing more may come, once the block has ended the work."""
    from filmrestore_nuke import engine as ours

    with running(folder / "run", "unit.server_house:load_gated"):
        node = node_on(nuke, read_of(nuke, clip), folder / "out")
        node["restore_range"].execute()
        assert GatedRestorer.reached.wait(60)
        yield node
        settle()  # the engine hears it although a patch is in work
        GatedRestorer.gate.set()
        assert not SESSION.messages and node["status"].value() == "no frame yet"
        ours._clients.pop("cpu").close()


def test_cancel_stops_between_patches_and_says_nothing(nuke: ModuleType, clip: str, tmp_path: Path) -> None:
    with at_its_first_patch(nuke, clip, tmp_path) as node:
        node["restore_range"].execute()
        assert "at work already" in SESSION.messages.pop()
        node["cancel"].execute()


def test_the_bar_of_progress_cancels_too(nuke: ModuleType, clip: str, tmp_path: Path) -> None:
    with at_its_first_patch(nuke, clip, tmp_path):
        SESSION.tasks[0].cancelled = True


def test_an_engine_that_cannot_start_is_told_with_its_log(
    nuke: ModuleType, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILMRESTORE_RUNTIME", str(tmp_path / "run"))
    false = tmp_path / "python"
    false.write_text("#!/bin/sh\necho no torch here\nexit 3\n")
    false.chmod(0o755)
    monkeypatch.setenv("FILMRESTORE_PYTHON", str(false))
    node = node_on(nuke, read_of(nuke, clip), tmp_path / "out")
    press(node, "restore_range")
    assert len(SESSION.messages) == 1 and "no torch here" in SESSION.messages[0]
    press(node, "check")
    assert "no torch here" in SESSION.messages[1] and "working space linear rec709" in SESSION.messages[1]


def test_check_says_that_the_engine_answers(nuke: ModuleType, engine: Server) -> None:
    from filmrestore_nuke import group

    press(group.create("FilmRestore"), "check")
    [told] = SESSION.messages
    assert "answers: filmrestore" in told and "frdm" in told and "OpenFX plug-in is not installed" in told


# Fixes


def test_a_rejected_fix_gives_the_scans_pixels_back_and_renders_nothing(
    restored: Any, engine: Server, clip: str, tmp_path: Path
) -> None:
    ids = [fix.id for fix in Ledger.open(tmp_path / "out" / "ledger").fixes(1003)]
    before = engine.status()["tiles_computed"]
    restored["reject"].setValue("\n".join([*ids, "# a remark", "1009-abcdef  # of a frame that is not done"]))
    press(restored, "reject_fixes")
    assert not SESSION.messages
    assert same_bits(shown(restored, 1003), read_codes(Path(clip % 1003)))
    restored["reject"].setValue("")
    press(restored, "reject_fixes")
    assert not same_bits(shown(restored, 1003), read_codes(Path(clip % 1003)))
    assert engine.status()["tiles_computed"] == before


def test_rejected_fixes_stay_rejected_when_the_range_is_restored_again(
    restored: Any, clip: str, tmp_path: Path
) -> None:
    ids = [fix.id for fix in Ledger.open(tmp_path / "out" / "ledger").fixes(1003)]
    restored["reject"].setValue("\n".join(ids))
    restored["last"].setValue(1005)
    press(restored, "restore_range")
    assert not SESSION.messages and restored["status"].value() == "1002-1005 done"
    assert same_bits(shown(restored, 1003), read_codes(Path(clip % 1003)))


def test_painting_over_a_fix_rejects_it(restored: Any, nuke: ModuleType, clip: str, tmp_path: Path) -> None:
    row, column = SPECKS[1003]
    alpha = np.zeros((60, 80, 4), np.float32)
    alpha[row : row + 2, column : column + 2, 3] = 1.0
    write_image(tmp_path / "paint.1003.exr", alpha)
    paint = read_of(nuke, str(tmp_path / "paint.%04d.exr"), first=1003, last=1003)
    restored.setInput(1, paint)
    restored["reject_painted"].setValue(True)
    press(restored, "reject_fixes")
    assert not SESSION.messages
    assert same_bits(shown(restored, 1003), read_codes(Path(clip % 1003)))


def test_the_report_is_built_and_opened(restored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("webbrowser.open", seen.append)
    press(restored, "open_report")
    page = tmp_path / "out" / "report.html"
    assert seen == [page.as_uri()] and "<html" in page.read_text() and not SESSION.messages


def test_protect_and_defect_inputs_reach_the_engine(
    nuke: ModuleType, engine: Server, clip: str, tmp_path: Path
) -> None:
    black, white = np.zeros((60, 80, 4), np.float32), np.zeros((60, 80, 4), np.float32)
    row, column = SPECKS[1003]
    white[:, :, 3] = 1.0
    spot = black.copy()
    spot[10:14, 50:54, 3] = 1.0
    for number in FRAMES:
        write_image(tmp_path / f"all.{number}.exr", white)
        write_image(tmp_path / f"spot.{number}.exr", spot)
    read = read_of(nuke, clip)
    node = node_on(nuke, read, tmp_path / "out", first=1003, last=1003)
    node.setInput(2, read_of(nuke, str(tmp_path / "spot.%04d.exr")))
    press(node, "restore_range")
    plate = read_codes(Path(clip % 1003))
    changed = (shown(node, 1003) != plate).any(axis=2)
    assert changed[10:14, 50:54].all() and changed[row : row + 4, column : column + 4].all()
    node.setInput(1, read_of(nuke, str(tmp_path / "all.%04d.exr")))
    press(node, "restore_range")
    assert same_bits(shown(node, 1003), plate) and not SESSION.messages


# Plates


def test_a_plain_dpx_read_is_restored_in_its_own_codes(nuke: ModuleType, engine: Server, tmp_path: Path) -> None:
    pattern = write_shot(tmp_path / "scan", height=60, width=80, extension="dpx").replace("####", "%04d")
    dot = nuke.nodes.Dot()
    dot.setInput(0, read_of(nuke, pattern))
    node = node_on(nuke, dot, tmp_path / "out", first=1003, last=1003)
    press(node, "restore_range")
    assert not SESSION.messages
    inner = node.node("result")
    assert inner["colorspace"].value() == "Cineon" and not inner["raw"].value()
    scan, result = (read_codes(Path(path % 1003)) for path in (pattern, str(tmp_path / "out" / "result.%04d.dpx")))
    changed = (scan != result).any(axis=2)
    assert scan.dtype == result.dtype == np.uint16 and 16 <= changed.sum() < 200
    assert not same_bits(shown(node, 1003), shown(dot, 1003))
    assert same_bits(shown(node, 1003)[~changed], shown(dot, 1003)[~changed])
    assert Ledger.open(tmp_path / "out" / "ledger").header.colour["colourspace"] == "Cineon"


@pytest.mark.parametrize(("mode", "frame"), [("start at", "1"), ("offset", "999")])
def test_frames_of_a_read_that_is_moved_in_time_keep_the_scans_numbers(
    nuke: ModuleType, engine: Server, clip: str, tmp_path: Path, mode: str, frame: str
) -> None:
    node = node_on(nuke, read_of(nuke, clip, frame_mode=mode, frame=frame), tmp_path / "out")
    assert (node["first"].value(), node["last"].value()) == (1, 12)
    node["first"].setValue(4)
    node["last"].setValue(4)
    press(node, "restore_range")
    assert node["status"].value() == "4 done" and not SESSION.messages
    assert same_bits(shown(node, 4), read_codes(tmp_path / "out" / "result.1003.exr"))
    assert same_bits(shown(node, 5), read_codes(Path(clip % 1004)))


def test_a_rendered_plate_is_numbered_by_the_frame_offset(
    nuke: ModuleType, engine: Server, clip: str, tmp_path: Path
) -> None:
    read = read_of(nuke, clip, frame_mode="expression", frame="frame+999")
    node = node_on(nuke, read, tmp_path / "out", frame_offset=999, first=1, last=12)
    press(node, "restore_range")
    assert node["status"].value() == "1-12 done" and not SESSION.messages
    assert same_bits(shown(node, 4), read_codes(tmp_path / "out" / "result.1003.exr"))
    assert same_bits(read_codes(tmp_path / "out" / "plate" / "plate.1003.exr"), read_codes(Path(clip % 1003)))


@pytest.mark.parametrize("box", [(-10, -5, 90, 70), (7, 9, 61, 50)], ids=["larger", "smaller"])
def test_a_bounding_box_of_another_size_than_the_format_is_cut_or_filled(
    nuke: ModuleType, engine: Server, clip: str, tmp_path: Path, box: tuple[int, ...]
) -> None:
    crop = nuke.nodes.Crop()
    crop["box"].setValue(box)
    crop.setInput(0, read_of(nuke, clip))
    node = node_on(nuke, crop, tmp_path / "out", first=1003, last=1003)
    press(node, "restore_range")
    assert not SESSION.messages
    plate = picture_of(crop, 1003, "main").within((0, 0, 80, 60))
    assert same_bits(read_codes(tmp_path / "out" / "plate" / "plate.1003.exr"), plate)


def test_which_reads_the_engine_reads_by_itself(nuke: ModuleType, clip: str) -> None:
    from filmrestore_nuke.colour import of_script
    from filmrestore_nuke.inputs import files_of

    def pattern(file: str, **knobs: Any) -> str | None:
        found = files_of(read_of(nuke, file, **knobs), of_script())
        return found.pattern if found else None

    nuke.root()["project_directory"].setValue("/show")
    assert pattern("[getenv SHOT]/a.####.dpx") == "/show/shot/a.####.dpx"
    assert pattern("/c/a.%04d.exr") == "/c/a.%04d.exr"
    for file in ("/a/a.mov", "/a/a.exr", "/a/a.%04d.jpg", "[bad]/a.%04d.exr", "/%04d/a.%04d.exr"):
        assert pattern(file) is None, file
    assert pattern("/a.%04d.exr", frame_mode="expression", frame="frame*2") is None
    assert pattern("/a.%04d.exr", frame_mode="start at", frame="5", first=1001) is None
    assert pattern("/a.%04d.exr", disable=True) is None


def test_each_view_is_restored_from_its_own_files(nuke: ModuleType, engine: Server, clip: str, tmp_path: Path) -> None:
    nuke.root()["views"].setValue("left right")
    for number in FRAMES:
        codes = read_codes(Path(clip % number))
        for view, gain in (("left", 1.0), ("right", 0.5)):
            (tmp_path / view).mkdir(exist_ok=True)
            write_image(tmp_path / view / f"a.{number}.exr", codes * np.float32(gain))
    node = node_on(nuke, read_of(nuke, str(tmp_path / "%V" / "a.%04d.exr")), tmp_path / "out", first=1003, last=1003)
    press(node, "restore_range")
    assert not SESSION.messages and node["status"].value() == "1003 done"
    for view in ("left", "right"):
        result = read_codes(tmp_path / "out" / view / "result.1003.exr")
        assert same_bits(shown(node, 1003, view), result)
        assert not same_bits(result, read_codes(tmp_path / view / "a.1003.exr"))


def test_a_proxy_is_not_what_the_engine_sees(nuke: ModuleType, engine: Server, clip: str, tmp_path: Path) -> None:
    nuke.root()["proxy"].setValue(True)
    seen: list[bool] = []
    execute = nuke.execute
    nuke.execute = lambda *values: (seen.append(nuke.root()["proxy"].value()), execute(*values))  # type: ignore[attr-defined]
    node = node_on(nuke, read_of(nuke, clip), tmp_path / "out", plate="rendered", first=1003, last=1003)
    press(node, "restore_range")
    assert seen == [False] and nuke.root()["proxy"].value() is True and not SESSION.messages


def test_what_changes_upstream_is_seen_and_the_whole_plate_rendered_anew(
    nuke: ModuleType, engine: Server, clip: str, tmp_path: Path
) -> None:
    gain = nuke.nodes.Multiply()
    gain.setInput(0, read_of(nuke, clip))
    node = node_on(nuke, gain, tmp_path / "out", first=1000, last=1011)
    press(node, "restore_range")
    plate, analysis = tmp_path / "out" / "plate" / "plate.1011.exr", tmp_path / "out" / "plate.analysis.json"
    first, was = plate.stat().st_mtime_ns, analysis.read_bytes()
    node["last"].setValue(1001)
    press(node, "restore_range")
    assert plate.stat().st_mtime_ns == first and analysis.read_bytes() == was
    node["last"].setValue(1011)
    gain["value"].setValue(0.5)
    nuke.frame(1002)
    press(node, "restore_frame")
    assert plate.stat().st_mtime_ns != first and analysis.read_bytes() != was and not SESSION.messages
    assert not list((tmp_path / "out" / "plate").glob("incoming*"))


@pytest.mark.parametrize("title", ["FilmDegrade", "FilmGrain"])
@pytest.mark.parametrize("plate", ["automatic", "rendered"])
def test_the_other_nodes_write_and_show_their_frames(
    nuke: ModuleType, engine: Server, clip: str, tmp_path: Path, title: str, plate: str
) -> None:
    read = read_of(nuke, clip)
    knobs = {"dust": 2000.0} if title == "FilmDegrade" else {"mode": "add", "amount": 1.0}
    node = node_on(nuke, read, tmp_path / "out", title, first=1000, last=1001, plate=plate, **knobs)
    if title == "FilmGrain":
        node.setInput(1, read)
    press(node, "restore_range")
    assert not SESSION.messages and node["status"].value() == "1000-1001 done"
    assert not same_bits(shown(node, 1001), shown(read, 1001))
    node["output"].setValue("source")
    assert same_bits(shown(node, 1001), shown(read, 1001))


# Elsewhere


def test_without_a_folder_files_lie_beside_the_script_and_stay_the_nodes_own(
    nuke: ModuleType, engine: Server, clip: str, tmp_path: Path
) -> None:
    from filmrestore_nuke.places import folder_of

    node = node_on(nuke, read_of(nuke, clip), Path())
    node["folder"].setValue("")
    press(node, "restore_frame")
    assert "save the script, or choose a folder" in SESSION.messages.pop()
    nuke.scriptSaveAs(str(tmp_path / "comp.nk"), 1)
    nuke.frame(1003)
    press(node, "restore_frame")
    place = tmp_path / "filmrestore" / "FilmRestore1"
    assert (place / "result.1003.exr").exists() and not SESSION.messages
    (tmp_path / "job").mkdir()
    nuke.scriptSaveAs(str(tmp_path / "job" / "copy.nk"), 1)
    assert folder_of(node) == str(place)
    node.setName("FilmRestore7")
    assert folder_of(node) == str(tmp_path / "job" / "filmrestore" / "FilmRestore7")


def test_a_failure_of_nukes_own_leaves_the_node_free(nuke: ModuleType, clip: str, tmp_path: Path) -> None:
    node = node_on(nuke, read_of(nuke, clip), tmp_path)
    nuke.views = lambda: int("invalid command")  # type: ignore[attr-defined]
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid command"):
            node["restore_range"].execute()
    assert not SESSION.messages


def test_the_script_opens_and_renders_where_neither_plug_in_nor_engine_is(
    restored: Any, nuke: ModuleType, tmp_path: Path
) -> None:
    write = nuke.nodes.Write(file=str(tmp_path / "final.%04d.exr"))
    write["file_type"].setValue("exr")
    write["datatype"].setValue("32 bit float")
    write["raw"].setValue(True)
    write.setInput(0, restored)
    nuke.scriptSaveAs(str(tmp_path / "comp.nk"), 1)
    (tmp_path / "render.py").write_text(
        "import nuke, sys\nnuke.scriptOpen(sys.argv[1])\n"
        "nuke.execute(nuke.toNode('Write1'), 1002, 1004, 1)\n"
        "nuke.toNode('FilmRestore1')['restore_range'].execute()\n"
        "assert 'filmrestore' not in sys.modules and 'filmrestore_nuke' not in sys.modules\n"
    )
    nuke_t(tmp_path / "render.py", tmp_path / "comp.nk", environment={"NUKE_PATH": ""})
    for number in (1002, 1003, 1004):
        made = read_codes(tmp_path / f"final.{number}.exr")
        assert same_bits(made, read_codes(tmp_path / "out" / f"result.{number}.exr"))


def test_frames_that_a_farm_wrote_are_found(restored: Any, nuke: ModuleType, clip: str, tmp_path: Path) -> None:
    again = node_on(nuke, restored.input(0), tmp_path / "out")
    assert again["status"].value() == "no frame yet"
    press(again, "look_again")
    assert again["status"].value() == "1002-1004 done" and not SESSION.messages
    assert same_bits(shown(again, 1003), shown(restored, 1003))


def test_live_mode_puts_the_openfx_plug_in_inside_and_takes_it_out_again(
    nuke: ModuleType, clip: str, tmp_path: Path
) -> None:
    node = node_on(nuke, read_of(nuke, clip), tmp_path / "out", strength=0.5)
    press(node, "live")
    assert "filmrestore install ofx" in SESSION.messages.pop()
    values = {**RestoreSettings().to_dict(), "colourspace": "scene_linear", "config": "", "frame_offset": 0}
    facts = RestoreSettings.facts()
    SESSION.ofx["OFXorg.filmrestore.filmrestore_v1"] = {
        name: facts[name].choices if name in facts and facts[name].choices else value for name, value in values.items()
    }
    inside = len(node._children)
    press(node, "live")
    made = node.node("live_ofx")
    assert made.Class() == "OFXorg.filmrestore.filmrestore_v1" and made["strength"].value() == 0.5
    assert made["colourspace"].value() == "linear rec709" and made.input(0) is node.node("plate")
    assert node.node("live")["which"].value() == 1 and node.node("live").input(1) is made
    press(node, "live")
    assert len(node._children) == inside and node.node("live")["which"].value() == 0 and not SESSION.messages


def test_the_menu_makes_the_nodes_and_init_shows_nothing(nuke: ModuleType) -> None:
    for name in ("init.py", "menu.py"):
        path = ROOT / "nuke_plugin" / name
        exec(compile(path.read_text(), str(path), "exec"), {"__file__": str(path), "__name__": name})
    assert str(ROOT / "nuke_plugin") in nuke.pluginPath()
    commands = nuke.menu("Nodes").entries["FilmRestore"].entries
    for title, command in commands.items():
        exec(command, {})
        assert nuke.toNode(f"{title}1") is not None
    assert list(commands) == ["FilmRestore", "FilmDegrade", "FilmGrain"]
