"""The plug-in's render, driven by the test host against a fake engine."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .fake_engine import Answer, FakeEngine, Planes, Refused
from .host import FAILED, OK, Clip, Host
from .images import F32, Layout


def frame(number: float, height: int = 12, width: int = 16, channels: int = 4) -> F32:
    """A frame unlike any other, with light above 1, below 0, and not a number."""
    chance = np.random.default_rng(int(number * 7 + 1000))
    pixels = chance.normal(0.5, 1.0, (height, width, channels)).astype(np.float32)
    pixels[0, 0, 0], pixels[1, 1, -1] = np.nan, np.inf
    return pixels


def clip_of(first: int, last: int | None = None, *, channels: int = 4, layout: Layout | None = None) -> Clip:
    numbers = range(first, (last or first) + 1)
    return Clip({float(n): frame(n, channels=channels) for n in numbers}, layout or Layout())


def same(one: F32, other: F32) -> bool:
    """Bit for bit."""
    return one.tobytes() == other.tobytes() and one.shape == other.shape


def doubled(source: F32) -> F32:
    """What the fake engine makes of a frame: colour doubled, alpha as it is."""
    return np.concatenate([source[..., :3] * np.float32(2), source[..., 3:]], axis=2)


LAYOUTS = [
    Layout(),
    Layout(x1=-5, y1=9, padding=3),
    Layout(x1=4, y1=-30, is_negative=True),
    Layout(padding=8, is_negative=True),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [3, 4])
def test_pixels_arrive_whatever_the_layout(host: Host, engine: FakeEngine, layout: Layout, channels: int) -> None:
    clip = clip_of(1000, 1004, channels=channels, layout=layout)
    node = host.plugin("FilmRestore").create(Source=clip)
    other = Layout(layout.x1, layout.y1, padding=5, is_negative=not layout.is_negative)
    status, made = node.render(1001, layout=other, channels=channels)
    assert status == OK
    assert same(made, doubled(clip.frames[1001.0]))
    node.destroy()


def test_only_the_render_window_is_written(host: Host, engine: FakeEngine) -> None:
    clip = clip_of(1, layout=Layout(x1=10, y1=20))
    node = host.plugin("FilmRestore").create(Source=clip)
    _, made = node.render(1, window=(12, 21, 20, 30))
    inside = np.zeros(made.shape[:2], np.bool_)
    inside[2:11, 2:10] = True  # rows count from the top, the window from below
    assert same(made[inside], doubled(clip.frames[1.0])[inside])
    assert np.isnan(made[~inside]).all()
    node.destroy()


def test_a_result_that_is_a_box_is_laid_over_the_source(host: Host, engine: FakeEngine) -> None:
    def corner(request: dict[str, Any], planes: Planes) -> Answer:
        return (3, 1, 6, 3), np.full((2, 3, 3), 7, np.float32)

    engine.answer = corner
    clip = clip_of(1)
    node = host.plugin("FilmRestore").create(Source=clip)
    wanted = clip.frames[1.0].copy()
    wanted[1:3, 3:6, :3] = 7
    assert same(node.render(1)[1], wanted)
    engine.answer = lambda request, planes: ((0, 0, 0, 0), np.zeros((0, 0, 3), np.float32))
    assert same(node.render(1)[1], clip.frames[1.0])
    node.destroy()


def test_windows_are_anchored_to_the_scans_frame_numbers(host: Host, engine: FakeEngine) -> None:
    clip = clip_of(0, 40)
    node = host.plugin("FilmRestore").create(Source=clip)
    for offset, now, wanted in [(1000, 1, range(997, 1004)), (0, 5, range(1, 8)), (-20, 19, range(-5, 2))]:
        node.set(frame_offset=offset)
        assert node.frames_needed(now)["Source"] == [wanted[0] - offset, wanted[-1] - offset]
        clip.fetched.clear()
        status, _ = node.render(now)
        numbers = [number for plane, number, _ in engine.requests[-1]["offers"] if plane == "source"]
        assert status == OK
        assert numbers == [n for n in wanted if n - offset >= 0], "frames beyond the clip are not offered"
        assert engine.requests[-1]["frame"] == now + offset
    node.set(temporal_radius=0)
    assert node.frames_needed(30.0)["Source"] == [30.0, 30.0]
    node.destroy()


def test_playing_in_order_sends_every_frame_once(host: Host, engine: FakeEngine) -> None:
    clip = clip_of(1, 48)
    node = host.plugin("FilmRestore").create(Source=clip)
    for number in range(1, 49):
        status, made = node.render(number)
        assert status == OK and same(made, doubled(clip.frames[float(number)]))
    assert sorted(engine.puts) == [("source", number) for number in range(1, 49)]
    assert len(engine.hellos) == 1
    clip.frames[20.0] = clip.frames[20.0] * np.float32(0.5)  # the host's user has changed one frame
    assert same(node.render(20)[1], doubled(clip.frames[20.0]))
    assert engine.puts[48:] == [("source", 20)]
    node.destroy()


def test_the_hosts_names_stand_for_pixels_only_where_the_user_vouches_for_them(
    host: Host, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = clip_of(1)
    clip.names = {1.0: "plate v1"}
    node = host.plugin("FilmRestore").create(Source=clip)
    clip_changes = []
    for is_trusted, name, gain in [(0, "v1", 1), (0, "v1", 2), (1, "v1", 1), (1, "v1", 3), (1, "v2", 3), (1, "", 3)]:
        monkeypatch.setenv("FILMRESTORE_TRUST_IMAGE_NAMES", str(is_trusted))
        clip.frames[1.0] = frame(1) * np.float32(gain)
        clip.names[1.0] = name
        assert node.render(1)[0] == OK
        clip_changes.append(engine.requests[-1]["offers"][0][2])
    by_content = [clip_changes[index] for index in (0, 1, 5)]
    assert len(set(by_content)) == 3
    assert clip_changes[2] == clip_changes[3] != clip_changes[4]
    assert len(engine.puts) == 5
    node.destroy()


def test_a_host_that_makes_an_instance_a_frame_sends_every_frame_once(host: Host, engine: FakeEngine) -> None:
    clip = clip_of(1, 6)
    plugin = host.plugin("FilmRestore")
    for number in range(1, 7):
        node = plugin.create(Source=clip)
        assert node.render(number)[0] == OK
        node.destroy()
    assert sorted(engine.puts) == [("source", number) for number in range(1, 7)]


def test_masks_reach_the_engine(host: Host, engine: FakeEngine) -> None:
    seen: dict[tuple[str, int], F32] = {}

    def keep(request: dict[str, Any], planes: Planes) -> Answer:
        seen.update(planes)
        return (0, 0, 0, 0), np.zeros((0, 0, 3), np.float32)

    engine.answer = keep
    source = clip_of(3, 6)
    protect = clip_of(3, 6, channels=1, layout=Layout(padding=2))
    defects = Clip({n: frame(n + 100) for n in source.frames}, Layout(is_negative=True))
    node = host.plugin("FilmRestore").create(Source=source, Protect=protect, Defects=defects)
    node.render(4)
    assert same(seen["protect", 4], protect.frames[4.0])
    assert {key for key in seen if key[0] == "protect"} == {("protect", 4)}
    for number in (3, 4, 5, 6):
        assert same(seen["defect_map", number], defects.frames[float(number)][..., 3:])
    seen.clear()
    node = host.plugin("FilmRestore").create(Source=source)
    node.set(defect_alpha=1)
    node.render(4)
    assert same(seen["defect_map", 5], source.frames[5.0][..., 3:])
    node.destroy()


def test_the_reference_of_the_grain_node_is_the_same_for_every_frame(host: Host, engine: FakeEngine) -> None:
    reference = Clip({float(n): frame(n, 20, 24) for n in range(500, 510)})
    node = host.plugin("FilmGrain").create(Source=clip_of(1, 5), Reference=reference)
    node.set(mode="match")
    for number in (1, 4):
        node.render(number)
        offers = [offer[:2] for offer in engine.requests[-1]["offers"]]
        assert offers[-3:] == [["reference", 0], ["reference", 1], ["reference", 2]]
    assert engine.puts.count(("reference", 0)) == 1
    assert engine.requests[-1]["settings"]["mode"] == "match"
    node.destroy()


def test_settings_arrive_as_they_are_set(host: Host, engine: FakeEngine) -> None:
    from filmrestore.settings import RestoreSettings

    node = host.plugin("FilmRestore").create(Source=clip_of(1))
    node.render(1)
    assert RestoreSettings.from_dict(engine.requests[-1]["settings"]) == RestoreSettings()
    wanted = RestoreSettings(strength=0.1, smallest=3.0, output="overlay", seed=77, defect_map_invert=True)
    node.set(strength=0.1, smallest=3.0, output="overlay", seed=77, defect_map_invert=1, colourspace="ACEScg")
    node.render(1)
    assert RestoreSettings.from_dict(engine.requests[-1]["settings"]) == wanted
    assert engine.requests[-1]["colourspace"] == "ACEScg"
    node.render(1, scale=0.5)
    assert engine.requests[-1]["settings"]["smallest"] == 1.5, "lengths are those of the full resolution"
    node.destroy()


def test_the_colourspace_is_never_guessed(host: Host, engine: FakeEngine) -> None:
    clip = clip_of(1)
    node = host.plugin("FilmRestore").create(Source=clip)
    node.set(colourspace="host")
    status, made = node.render(1)
    assert status == FAILED and same(made, clip.frames[1.0])
    assert "does not say what its clips are in" in host.messages[-1][1]
    host.handles[node.connections["Source"].properties_handle].values["OfxImageClipPropColourspace"] = ["lin_ap0"]
    assert node.render(1)[0] == OK
    assert engine.requests[-1]["colourspace"] == "lin_ap0"
    node.destroy()


def test_without_slots_pixels_go_inline(host: Host, engine: FakeEngine) -> None:
    engine.has_slots = False
    clip = clip_of(1, 4)
    node = host.plugin("FilmRestore").create(Source=clip)
    for number in (1, 2, 4):
        assert same(node.render(number)[1], doubled(clip.frames[float(number)]))
    node.destroy()


def test_an_error_shows_once_with_the_source_in_the_output(host: Host, engine: FakeEngine) -> None:
    def refuse(request: dict[str, Any], planes: Planes) -> Answer:
        raise Refused("resource", 'memory ran out at "100%s"')

    engine.answer = refuse
    clip = clip_of(1, 3)
    node = host.plugin("FilmRestore").create(Source=clip)
    for number in (1, 2, 3):
        status, made = node.render(number)
        assert status == FAILED and same(made, clip.frames[float(number)])
    assert host.messages == [("OfxMessageError", 'FilmRestore: memory ran out at "100%s"')]
    node.set(on_failure="source")
    assert node.render(1)[0] == OK
    engine.answer = lambda request, planes: ((0, 0, 0, 0), np.zeros((0, 0, 3), np.float32))
    assert node.render(1)[0] == OK
    assert host.messages[1:] == [("clear", "")]
    node.destroy()


def test_a_busy_engine_is_asked_again(host: Host, engine: FakeEngine) -> None:
    times = []

    def busy_at_first(request: dict[str, Any], planes: Planes) -> Answer:
        times.append(request["id"])
        if len(times) < 3:
            raise Refused("busy", "the queue is full")
        return (0, 0, 0, 0), np.zeros((0, 0, 3), np.float32)

    engine.answer = busy_at_first
    node = host.plugin("FilmRestore").create(Source=clip_of(1))
    assert node.render(1)[0] == OK and len(times) == 3
    node.destroy()


def test_an_abort_cancels_the_request_at_once(host: Host, engine: FakeEngine) -> None:
    asked = threading.Event()

    def work(request: dict[str, Any], planes: Planes) -> Answer:
        asked.set()
        assert engine.is_cancelled.wait(20)
        raise Refused("cancelled", "stopped")

    engine.answer = work
    aborted_at: list[float] = []

    never = host.aborts

    def abort() -> bool:
        if asked.is_set():
            aborted_at.append(time.monotonic())
        return asked.is_set()

    host.aborts = abort
    clip = clip_of(1, 3)
    node = host.plugin("FilmRestore").create(Source=clip)
    status, made = node.render(2)
    assert status == OK and same(made, clip.frames[2.0])
    assert time.monotonic() - aborted_at[0] < 2.0
    assert engine.is_cancelled.wait(10)
    assert host.messages == []
    assert host.progress in ([], ["start", 0.5, "end"])
    host.aborts = never
    engine.answer = lambda request, planes: ((0, 0, 16, 12), planes["source", request["frame"]] * np.float32(2))
    assert same(node.render(2)[1], doubled(clip.frames[2.0]))
    node.destroy()


def test_progress_begins_and_ends(host: Host, engine: FakeEngine) -> None:
    node = host.plugin("FilmRestore").create(Source=clip_of(1))
    node.render(1)
    assert host.progress == ["start", 0.5, "end"]
    node.destroy()


def test_a_host_without_messages_and_progress_gets_its_pixels(binary: Path, engine: FakeEngine) -> None:
    host = Host(binary)
    host.missing_suites = {(f"Ofx{name}Suite", version) for name in ("Message", "Progress") for version in (1, 2)}
    clip = clip_of(1)
    node = host.plugin("FilmRestore").create(Source=clip)
    assert same(node.render(1)[1], doubled(clip.frames[1.0]))
    engine.close()
    assert node.render(1)[0] == FAILED
    node.destroy()
    host.close()


def test_a_host_that_gives_no_neighbours_is_warned_once(binary: Path, engine: FakeEngine) -> None:
    host = Host(binary, gives_neighbours=False)
    clip = clip_of(1, 6)
    node = host.plugin("FilmRestore").create(Source=clip)
    for number in (2, 3):
        status, made = node.render(number)
        assert status == OK and same(made, doubled(clip.frames[float(number)]))
        assert [offer[1] for offer in engine.requests[-1]["offers"]] == [number]
    assert [kind for kind, _ in host.messages] == ["OfxMessageWarning"]
    assert "gives no neighbour frames" in host.messages[0][1]
    node.destroy()
    host.close()


def test_thumbnails_pass_through(host: Host, engine: FakeEngine) -> None:
    clip = clip_of(1)
    node = host.plugin("FilmRestore").create(Source=clip)
    status, made = node.render(1, thumbnail="true")
    assert status == OK and same(made, clip.frames[1.0])
    assert engine.requests == []
    node.destroy()


def test_a_missing_source_leaves_black_and_says_so(host: Host, engine: FakeEngine) -> None:
    node = host.plugin("FilmRestore").create(Source=clip_of(1))
    status, made = node.render(5, is_strict=False)
    assert status == FAILED and same(made, np.zeros((8, 8, 4), np.float32))
    assert "no source" in host.messages[-1][1]
    node.destroy()


def test_two_instances_on_two_threads_do_not_mix(host: Host, engine: FakeEngine) -> None:
    plugin = host.plugin("FilmRestore")
    clips = [Clip({float(n): frame(n + 50 * k) for n in range(1, 13)}) for k in range(2)]
    nodes = [plugin.create(Source=clip) for clip in clips]
    wrong: list[str] = []

    def play(index: int) -> None:
        for number in range(1, 13):
            status, made = nodes[index].render(number)
            if status != OK or not same(made, doubled(clips[index].frames[float(number)])):
                wrong.append(f"instance {index}, frame {number}: status {status}")

    threads = [threading.Thread(target=play, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(engine.hellos) == 1 and len(engine.puts) == 24
    for node in nodes:
        node.destroy()


def test_an_engine_that_was_replaced_is_found_again(host: Host, runtime: Path) -> None:
    clip = clip_of(1, 3)
    node = host.plugin("FilmRestore").create(Source=clip)
    for _ in range(2):
        engine = FakeEngine(runtime)
        made = node.render(2)[1]
        assert host.messages == []
        assert same(made, doubled(clip.frames[2.0]))
        assert len(engine.hellos) == 1
        engine.close()
    node.destroy()


def test_an_engine_that_dies_at_its_start_is_shown_with_its_last_words(
    host: Host, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = runtime / "python"
    program.write_text(
        '#!/bin/sh\necho "$@"\nenv | grep -c "^PYTHON\\|^LD_PRELOAD\\|^CONDA"\n'
        'echo "no module named torch" >&2\nexit 3\n'
    )
    program.chmod(0o700)
    monkeypatch.setenv("FILMRESTORE_PYTHON", str(program))
    monkeypatch.setenv("PYTHONPATH", "/of/the/host")
    monkeypatch.setenv("CONDA_PREFIX", "/of/the/host")
    clip = clip_of(1, 3)
    node = host.plugin("FilmRestore").create(Source=clip)
    assert not (runtime / "server-cpu.log").exists(), "no process starts before the first render"
    started = time.monotonic()
    for number in (1, 2, 3):
        status, made = node.render(number)
        assert status == FAILED and same(made, clip.frames[float(number)])
    assert time.monotonic() - started < 5.0
    ((kind, text),) = host.messages
    assert kind == "OfxMessageError"
    assert text == (
        "FilmRestore: the engine ended with code 3: -m filmrestore.cli serve --device cpu\n0\nno module named torch"
    )
    node.destroy()


@pytest.mark.parametrize(
    ("python", "words"), [("/no/such/python", "/no/such/python cannot be run"), ("", "run `filmrestore install ofx`")]
)
def test_an_engine_that_is_not_there_is_named(
    host: Host, runtime: Path, monkeypatch: pytest.MonkeyPatch, python: str, words: str
) -> None:
    monkeypatch.setenv("FILMRESTORE_PYTHON", python)
    monkeypatch.setenv("PATH", "/nowhere")
    clip = clip_of(1)
    node = host.plugin("FilmRestore").create(Source=clip)
    node.ask("OfxImageEffectActionBeginSequenceRender")
    status, made = node.render(1)
    assert status == FAILED and same(made, clip.frames[1.0])
    assert words in host.messages[0][1]
    node.destroy()


def test_an_engine_of_other_settings_is_refused_in_words(host: Host, engine: FakeEngine) -> None:
    engine.refuses_hello = ("settings", "the plug-in is of another version: run `filmrestore install ofx`")
    node = host.plugin("FilmRestore").create(Source=clip_of(1))
    assert node.render(1)[0] == FAILED
    assert "the plug-in is of another version" in host.messages[0][1]
    node.destroy()


def test_a_runtime_folder_that_is_open_to_others_is_refused(host: Host, runtime: Path) -> None:
    runtime.chmod(0o755)
    node = host.plugin("FilmRestore").create(Source=clip_of(1))
    assert node.render(1)[0] == FAILED
    assert "must be a folder of your own with the mode 0700" in host.messages[0][1]
    node.destroy()


def test_a_refusal_to_hear_more_of_progress_aborts(host: Host, engine: FakeEngine) -> None:
    def work(request: dict[str, Any], planes: Planes) -> Answer:
        assert engine.is_cancelled.wait(20)
        raise Refused("cancelled", "stopped")

    engine.answer = work
    host.progress_answer = 13  # reply no
    clip = clip_of(1)
    node = host.plugin("FilmRestore").create(Source=clip)
    status, made = node.render(1)
    assert status == OK and same(made, clip.frames[1.0])
    assert engine.is_cancelled.wait(10)
    node.destroy()
