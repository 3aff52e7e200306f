"""Clips of the timeline on a strict fake of Resolve: from the files to the take, and nothing lost on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from filmrestore_resolve import main
from filmrestore_resolve.renders import PRESET

from filmrestore.errors import InputError

from .conftest import ScriptedEngine, put
from .fake import START, TimelineItem, World


def run(world: World, engine: ScriptedEngine, settings_file: Path, capsys: Any, **choices: Any) -> str:
    """Runs the script without a dialog; what it says."""
    settings_file.parent.mkdir(exist_ok=True)
    settings_file.write_text(json.dumps({"timeline": {"run": {"clips": "playhead", **choices}}}))
    main.run("timeline", {"resolve": world.resolve(), "fusion": object()}, lambda device: engine)
    return str(capsys.readouterr().out)


def test_a_clip_gets_its_result_as_a_take_with_handles_at_the_same_frames(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    item = put(world, scan)
    said = run(world, engine, settings_file, capsys)
    node, job, settings = engine.asked[0]
    assert (node, job["source"], job["span"]) == ("restore", str(scan / "reel.####.dpx"), "1009-1042")
    assert job["output"].endswith("reel_restore.####.dpx") and not job["lossy"] and settings["strength"] == 1.0
    assert [item.take, len(item.takes)] == [2, 2]
    assert (item.at, item.left, item.duration) == (START + 100, 12, 10)
    assert item.media.facts["File Path"].endswith("reel_restore.[1009-1042].dpx")
    assert len(world.timeline.tracks) == 1 and "a take on the clip" in said
    assert [folder.name for folder in world.root.folders] == ["FilmRestore"] and world.project.bin is world.root


@pytest.mark.parametrize("name", ["reel #12", 'it\'s "his" ü', "a;b $(c) {d}"])
def test_a_scan_in_a_folder_of_an_odd_name_gets_its_result_beside_it(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any, name: str
) -> None:
    odd = scan.rename(scan.with_name(name))
    item = put(world, odd)
    said = run(world, engine, settings_file, capsys)
    assert "a take on the clip" in said, said
    assert item.take == 2 and Path(engine.asked[0][1]["output"]).is_relative_to(odd / "FilmRestore")
    assert len(engine.asked) == 1


def test_a_result_is_not_restored_again_and_can_be_given_grain(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    put(world, scan)
    run(world, engine, settings_file, capsys)
    assert "is a result of restore already" in run(world, engine, settings_file, capsys)
    assert "a take on the clip" in run(world, engine, settings_file, capsys, node="grain")
    assert [node for node, _, _ in engine.asked] == ["restore", "grain"]


def test_a_timeline_of_five_thousand_clips_is_looked_through_in_time(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    item = put(world, scan)
    for number in range(5000):
        world.clip(item.media, at=START + 1000 + 10 * number, left=20, duration=10)
    item.colour = "Orange"
    began = perf_counter()
    said = run(world, engine, settings_file, capsys, clips="clip colour")
    assert "a take on the clip" in said and len(engine.asked) == 1
    assert perf_counter() - began < 20  # a second on a quiet machine


@pytest.mark.parametrize("counts_from", ["zero", "file"])
@pytest.mark.parametrize("includes_end", [True, False])
@pytest.mark.parametrize("takes", [True, False])
def test_the_result_shows_the_same_frames_however_resolve_counts(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any,
    counts_from: str, includes_end: bool, takes: bool,
) -> None:  # fmt: skip
    world.counts_from, world.includes_end, world.takes = counts_from, includes_end, takes
    item = put(world, scan)
    run(world, engine, settings_file, capsys)
    shown = item if takes else world.timeline.tracks[1].items[0]
    assert (shown.at, shown.left, shown.duration) == (START + 100, 12, 10)
    assert shown.media.facts["Start"] == "1009"
    assert len(item.takes) == (2 if takes else 0)


def test_where_takes_fail_the_result_is_on_a_new_track_with_the_clips_grade_and_transforms(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    item = put(world, scan)
    item.properties, item.markers = {"ZoomX": 2.0, "Pan": 5.0}, {3: {"color": "Blue", "name": "look"}}
    item.grade, world.takes = "warm", False
    said = run(world, engine, settings_file, capsys)
    assert item.takes == [] and "took no take" in said
    new = world.timeline.tracks[1].items[0]
    assert (new.properties, new.grade, new.markers[3]["name"]) == ({"ZoomX": 2.0, "Pan": 5.0}, "warm", "look")
    assert world.timeline.tracks[1].name == "FilmRestore"


def test_the_result_is_read_as_its_source_is(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    world.project.settings["colorScienceMode"] = "davinciYRGBColorManagedv2"
    facts = {"Input Color Space": "Cineon Film Log", "Data Level": "Full", "Start TC": "01:00:41;17", "FPS": 24.0}
    item = put(world, scan, **facts)
    item.media.markers = {25: {"color": "Red", "name": "hair", "note": "n", "duration": 1, "customData": ""}}
    item.media.markers[2] = {**item.media.markers[25], "name": "before the handles"}
    item.media.flags = ["Green"]
    said = run(world, engine, settings_file, capsys)
    new = item.media
    assert new.facts["Input Color Space"] == "Cineon Film Log" and new.facts["Data Level"] == "Full"
    assert new.facts["Start TC"] == "01:00:42;01"  # eight frames later, at 24
    assert list(new.markers) == [17] and new.markers[17]["name"] == "hair" and new.flags == ["Green"]
    assert "Please look at" not in said


def test_what_cannot_be_set_is_told_with_its_value(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    item = put(world, scan, **{"Data Level": "Full"})
    world.refuse["MediaPoolItem.SetClipProperty"] = False
    said = run(world, engine, settings_file, capsys)
    assert "set it by hand: Data Level 'Full'" in said and item.take == 2


def test_the_colour_space_is_left_alone_where_the_project_does_not_manage_colour(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    put(world, scan, **{"Input Color Space": "Cineon Film Log"})
    assert "Input Color Space" not in run(world, engine, settings_file, capsys)


def test_running_again_restores_nothing_twice_and_other_settings_take_another_folder(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    for expected in (1, 1):
        item = put(world, scan)
        run(world, engine, settings_file, capsys)
        assert len(world.root.folders[0].clips) == expected and item.take == 2
        world.timeline.tracks[0].items.remove(item)
    put(world, scan)
    run(world, engine, settings_file, capsys, colourspace="ACEScg")
    outputs = [Path(job["output"]).parent.name for _, job, _ in engine.asked]
    assert outputs == ["reel_restore_v001", "reel_restore_v001", "reel_restore_v002"]
    assert len({job["analysis"] for _, job, _ in engine.asked}) == 2  # one for each colourspace


RETIMED = {
    "speed": {"frames": 25},
    "reversed": {"source": (29, 20)},
    "freeze": {"source": (20, 20)},
}


@pytest.mark.parametrize("how", RETIMED)
def test_retimed_clips_are_rendered_or_refused(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any, how: str
) -> None:
    item = put(world, scan)
    for name, value in RETIMED[how].items():
        setattr(item, name, value)
    before = world.snapshot()
    assert "retimed" in run(world, engine, settings_file, capsys, picture="source media")
    assert engine.asked == [] and world.snapshot() == before
    said = run(world, engine, settings_file, capsys)
    assert "is rendered: it is retimed" in said and "on the video track 2" in said
    assert item.takes == [] and world.timeline.tracks[1].items[0].at == item.at
    assert engine.asked[0][1]["span"] == f"{START + 100}-{START + 109}"


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"File Path": ""}, "its source is no file"),
        ({"FPS": 25.0}, "25 frames a second, the timeline 24"),
        ({"Start": "1010"}, "subclip"),
        ({"FPS": "?"}, "expected a number"),
    ],
)
def test_clips_that_show_no_plain_files_are_refused_or_rendered(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any,
    tmp_path: Path, facts: dict[str, Any], why: str,
) -> None:  # fmt: skip
    put(world, scan, **facts)
    assert why in run(world, engine, settings_file, capsys, picture="source media")
    assert "on the video track 2" in run(world, engine, settings_file, capsys, folder=str(tmp_path / "out"))


def test_a_title_is_rendered_too_and_wants_a_folder(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any, tmp_path: Path
) -> None:
    world.timeline.playhead = world.clip(None, at=START)
    assert "choose an absolute Folder" in run(world, engine, settings_file, capsys)
    assert "on the video track 2" in run(world, engine, settings_file, capsys, folder=str(tmp_path / "out"))


def test_a_render_is_of_the_clip_alone_and_leaves_the_deliver_page_as_it_was(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    world.add_track()
    world.project.settings["colorScienceMode"] = "davinciYRGBColorManagedv2"
    item = put(world, scan)
    world.timeline.marks = {"video": {"in": 7, "out": 9}}
    before = world.snapshot()
    run(world, engine, settings_file, capsys, picture="render")
    assert world.rendered["tracks"] == [True, False]
    assert (world.rendered["MarkIn"], world.rendered["MarkOut"]) == (START + 100, START + 109)
    after = world.snapshot()
    assert after[1:10] == before[1:10] and after[10][:2] == before[10]
    new = world.timeline.tracks[2].items[0]
    assert (new.at, new.left, new.duration, new.grade) == (item.at, 0, 10, "mine")
    assert new.media.facts["Input Color Space"] == "Rec.709 Gamma 2.4" and new.properties == {"ZoomX": 1.0}


def test_a_render_that_is_not_whole_is_told(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    put(world, scan)
    world.render = lambda path, number: path.write_bytes(b"exr") if number % 2 else None
    before = world.snapshot()
    assert "expected 10 EXR files" in run(world, engine, settings_file, capsys, picture="render")
    assert world.snapshot() == before and engine.asked == []


def test_a_render_that_fails_says_how_it_ended(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    put(world, scan)
    world.render_ends = "Failed"
    assert "the render ended as 'Failed'" in run(world, engine, settings_file, capsys, picture="render")


def test_another_render_in_progress_is_left_alone(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    put(world, scan)
    world.project.polls = 5
    assert "rendering something else" in run(world, engine, settings_file, capsys, picture="render")
    assert PRESET not in world.project.presets


# Calls of a whole run, found by running it; each of them is then refused in turn.
def _calls(tmp: Path, **choices: Any) -> list[str]:
    world, folder = World(), tmp / "learn"
    folder.mkdir()
    for number in range(1001, 1051):
        (folder / f"reel.{number}.dpx").write_bytes(b"scan")
    world.takes = choices.pop("takes", True)
    put(world, folder).media.markers = {25: {"color": "Red"}}
    from filmrestore_resolve.bootstrap import Host
    from filmrestore_resolve.choices import wanted_of
    from filmrestore_resolve.timeline import restore_clips
    from filmrestore_resolve.work import Watch

    wanted = wanted_of("timeline", {"run": {"clips": "playhead", **choices}})
    outcome = restore_clips(Host(world.resolve()), ScriptedEngine(), wanted, Watch(lambda text: None))
    assert outcome.done and not outcome.failed
    return list(dict.fromkeys(world.log))


@pytest.mark.parametrize("way", ["take", "track", "render"])
@pytest.mark.parametrize("answer", [None, False, RuntimeError("inside")], ids=["None", "False", "raises"])
def test_whatever_call_fails_the_project_is_as_before_or_the_clip_is_done(
    tmp_path: Path, scan: Path, settings_file: Path, capsys: Any, way: str, answer: Any
) -> None:
    choices: dict[str, Any] = {"take": {}, "track": {"takes": False}, "render": {"picture": "render"}}[way]
    seen_failing = 0
    for number, name in enumerate(_calls(tmp_path, **choices)):
        world, engine = World(), ScriptedEngine()
        world.takes = choices.get("takes", True)
        put(world, scan).media.markers = {25: {"color": "Red"}}
        before = world.snapshot()
        world.refuse[name] = answer
        own = {key: value for key, value in choices.items() if key != "takes"}
        said = run(world, engine, settings_file, capsys, folder=str(tmp_path / f"out{number}"), **own)
        assert world.violations == [], name
        assert "should not happen" not in said, said
        if "Done" in said:
            continue
        seen_failing += 1
        assert "FilmRestore could not do it" in said or "Not done" in said, (name, said)
        if world.snapshot() != before:
            words = re.search(r"could not be (taken|put) back|turn these video tracks on|render job .* is left", said)
            assert words or "take selector" in said, (name, said)
    assert seen_failing >= 10


def test_nothing_stays_in_the_project_when_the_engine_fails(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    put(world, scan)
    before = world.snapshot()
    engine.error = InputError("reel.1020.dpx: cut short")
    assert "cut short" in run(world, engine, settings_file, capsys)
    assert world.snapshot() == before


def test_one_clip_that_fails_does_not_keep_the_others_from_being_done(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    good = put(world, scan)
    bad = world.clip(world.media(str(scan / "gone.[1-9].dpx"), 9, 1), at=START, duration=9)
    world.timeline.marks = {"video": {"in": 0, "out": 500}}
    said = run(world, engine, settings_file, capsys, clips="in to out")
    assert good.take == 2 and bad.takes == []
    assert "gone.1.dpx is not there" in said and said.index("Done") < said.index("Not done")


def test_a_clip_that_was_trimmed_meanwhile_is_left_alone(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    item = put(world, scan)

    def trim() -> None:
        item.left, item.duration = 21, 9

    engine.meanwhile = trim
    assert "moved or trimmed meanwhile" in run(world, engine, settings_file, capsys)
    assert item.takes == [] and world.root.folders == []


def test_another_timeline_opened_meanwhile_gets_nothing(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    from types import SimpleNamespace

    other = SimpleNamespace(id="other", tracks=[], marks={}, playhead=None)
    put(world, scan)

    def switch() -> None:
        world.project.timeline = other

    engine.meanwhile = switch
    run(world, engine, settings_file, capsys, place="new track")
    assert world.project.timeline is world.timeline and len(world.timeline.tracks) == 2


def test_what_cannot_be_taken_back_is_listed(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    put(world, scan)
    world.refuse = {"MediaPool.AppendToTimeline": [], "MediaPool.DeleteClips": False, "MediaPool.DeleteFolders": False}
    said = run(world, engine, settings_file, capsys, place="new track")
    assert "these could not be taken back" in said and "reel_restore.####.dpx in the bin FilmRestore" in said
    assert len(world.timeline.tracks) == 1


def test_a_clip_with_takes_keeps_them(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    item = put(world, scan)
    proxy = TimelineItem(world, item)
    other = world.media("/other.mov", 50, 0)
    from .fake import MediaPoolItem

    assert proxy.AddTake(MediaPoolItem(world, other), 20, 29)
    run(world, engine, settings_file, capsys)
    assert [len(item.takes), item.take] == [3, 3] and item.takes[1].media is other


@pytest.mark.parametrize("clips", ["selected", "playhead", "in to out", "clip colour", "media pool"])
def test_clips_are_found_by(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any, clips: str
) -> None:
    item = put(world, scan)
    other = world.clip(world.media("/elsewhere.mov", 10, 0), at=START + 400)
    item.colour, world.project.selected = "Teal", [item.media]
    world.timeline.marks = {"video": {"in": START + 100, "out": START + 105}}
    world.timeline.playhead = item if clips == "playhead" else other
    world.offers_selection, world.selection = True, [item]
    run(world, engine, settings_file, capsys, clips=clips, colour="Teal")
    assert item.take == 2 and other.takes == []


def test_where_resolve_tells_no_selection_the_clip_under_the_playhead_is_meant(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    item = put(world, scan)
    run(world, engine, settings_file, capsys, clips="selected")
    assert item.take == 2


@pytest.mark.parametrize(
    ("clips", "words"),
    [("playhead", "no clip is meant"), ("in to out", "no in and out marks"), ("media pool", "no clip")],
)
def test_no_clip_says_what_to_do(
    world: World, engine: ScriptedEngine, settings_file: Path, capsys: Any, clips: str, words: str
) -> None:
    assert words in run(world, engine, settings_file, capsys, clips=clips)


@pytest.mark.parametrize(
    ("node", "choices", "settings"),
    [
        ("degrade", {"preset": "heavy"}, {"dust": 900, "repeated": 4}),
        ("grain", {"reference": "/plates/b.####.exr"}, {"mode": "keep"}),
    ],
)
def test_clips_can_be_degraded_and_regrained(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any,
    node: str, choices: dict[str, Any], settings: dict[str, Any],
) -> None:  # fmt: skip
    item = put(world, scan)
    run(world, engine, settings_file, capsys, node=node, **choices)
    asked, job, given = engine.asked[0]
    assert asked == node and item.take == 2 and {name: given[name] for name in settings} == settings
    assert "analysis" not in job and job.get("reference", "") == choices.get("reference", "")


def test_prores_comes_back_as_a_movie_counted_from_0(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    item = put(world, scan)
    world.count_movie = lambda path: 34
    run(world, engine, settings_file, capsys, form="prores")
    assert engine.asked[0][1]["lossy"] and engine.asked[0][1]["output"].endswith(".mov")
    assert (item.media.facts["Start"], item.left, item.duration) == ("0", 12, 10)


def test_a_cancel_file_ends_the_work_and_leaves_the_project_alone(
    world: World, engine: ScriptedEngine, scan: Path, settings_file: Path, capsys: Any
) -> None:
    put(world, scan)
    before = world.snapshot()
    engine.waits_for_cancel = True
    folder = scan / "FilmRestore" / "reel_restore_v001"

    def touch() -> None:
        while not folder.exists():
            pass
        (folder / "cancel").touch()

    import threading

    thread = threading.Thread(target=touch)
    thread.start()
    said = run(world, engine, settings_file, capsys)
    thread.join()
    assert said.rstrip().endswith("stopped") and world.snapshot() == before
