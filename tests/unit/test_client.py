"""The client against a real server: the same frames as from files, bit for bit, and each sent once."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from server_house import HEIGHT, WIDTH, array, client, image, running

from fakes import MedianRestorer
from film import SPECKS, read_codes, write_image
from filmrestore import client as wire
from filmrestore import finding
from filmrestore.client import Client, Image, ensure_server, runtime_folder
from filmrestore.errors import Cancelled, EngineError, UsageError
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore
from filmrestore.patches import patch_grid
from filmrestore.restorers.base import REGISTRY
from filmrestore.server.serve import Server
from filmrestore.settings import DegradeSettings, GrainSettings, RestoreSettings

FRAMES = range(1000, 1012)
ROOT = Path(__file__).parents[2]
PATCHES = len(patch_grid(HEIGHT, WIDTH, MedianRestorer.facts.patch, MedianRestorer.facts.overlap))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("run")) as server:
        yield server


@pytest.fixture
def engine(server: Server) -> Iterator[Client]:
    with client() as engine:
        yield engine


@pytest.fixture(scope="module")
def plate() -> dict[int, Image]:
    return {number: image(number) for number in FRAMES}


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory, plate: dict[int, Image]) -> str:
    folder = tmp_path_factory.mktemp("scan")
    for number, frame in plate.items():
        write_image(folder / f"shot.{number}.exr", frame.pixels)
    return str(folder / "shot.####.exr")


@pytest.fixture(scope="module")
def by_command(scan: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the files node makes of the scan, analysis and cuts found by itself."""
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(REGISTRY, "frdm", "fakes:load")
        restore(RestoreJob(source=scan, output=str(out / "c.####.exr"), colourspace="scene_linear", threads=1))
    return out


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(np.ascontiguousarray(a).view(np.uint32), np.ascontiguousarray(b).view(np.uint32))


def test_frames_come_out_as_the_command_writes_them_bit_for_bit(
    engine: Client, plate: dict[int, Image], by_command: Path
) -> None:
    changed = 0
    for number in FRAMES:
        result = engine.restore_frame("a", number, plate, analysis=str(by_command / "shot.analysis.json"))
        expected = read_codes(by_command / f"c.{number}.exr")
        assert same_bits(array(result), expected), number
        changed += not same_bits(array(result), plate[number].pixels)
    assert changed >= len(SPECKS)


@pytest.mark.parametrize("output", ["matte", "difference", "overlay", "removed"])
def test_every_output_is_the_commands(
    engine: Client, plate: dict[int, Image], scan: str, by_command: Path, tmp_path: Path, output: str
) -> None:
    analysis = str(by_command / "shot.analysis.json")
    settings = RestoreSettings(output=output)
    restore(
        RestoreJob(
            source=scan,
            output=str(tmp_path / "c.####.exr"),
            span="1003",
            settings=settings,
            analysis=analysis,
            colourspace="scene_linear",
            threads=1,
        )
    )
    result = engine.restore_frame("a", 1003, plate, {"output": output}, analysis=analysis)
    assert same_bits(array(result), read_codes(tmp_path / "c.1003.exr"))


def test_playing_48_frames_in_order_costs_one_pass_of_patches_and_sends_each_frame_once(engine: Client) -> None:
    film = {number: image(number, channels="RGB", height=60, width=70) for number in range(1000, 1048)}
    sent: list[int] = []

    class Counted(dict):  # type: ignore[type-arg]
        def __getitem__(self, number: int) -> Image:
            sent.append(number)
            return film[number]

    changes = dict.fromkeys(film, "1")
    before = engine_calls(engine)
    for number in film:
        engine.restore_frame("play", number, Counted(film), changes=changes, whole=True)
    strides = len({number // 3 for number in film})
    assert engine_calls(engine) - before == strides * len(patch_grid(60, 70, 48, 16))
    # Once to learn its shape, once to send it.
    assert sorted(sent) == sorted([*film, *film])


def engine_calls(engine: Client) -> int:
    return int(engine.status()["tiles_computed"])


def test_a_changed_frame_is_sent_again_and_its_window_worked_out_anew(engine: Client, plate: dict[int, Image]) -> None:
    changes = dict.fromkeys(plate, "1")
    first = engine.restore_frame("edit", 1004, plate, changes=changes)
    edited = dict(plate)
    codes = plate[1004].pixels.copy()
    codes[50:54, 60:64, :3] = 0.01
    edited[1004] = Image(HEIGHT, WIDTH, "RGBA", codes)
    before = engine_calls(engine)
    second = engine.restore_frame("edit", 1004, edited, changes={**changes, 1004: "2"})
    assert engine_calls(engine) - before == PATCHES
    assert array(second)[50:54, 60:64, :3].min() > 0.1
    assert not same_bits(array(first), codes)


def test_what_acts_after_the_network_computes_no_patch_anew(engine: Client, plate: dict[int, Image]) -> None:
    engine.restore_frame("tune", 1003, plate)
    before = engine_calls(engine)
    soft = engine.restore_frame("tune", 1003, plate, {"strength": 0.5})
    none = engine.restore_frame("tune", 1003, plate, {"strength": 0.0})
    engine.restore_frame("tune", 1003, plate, {"output": "matte"})
    assert engine_calls(engine) == before
    assert same_bits(array(none), plate[1003].pixels) and not same_bits(array(soft), plate[1003].pixels)


def test_alpha_and_light_above_white_and_nan_survive(engine: Client, plate: dict[int, Image]) -> None:
    odd = {number: Image(HEIGHT, WIDTH, "RGBA", frame.pixels.copy()) for number, frame in plate.items()}
    for frame in odd.values():
        frame.pixels[:10, :, :3] *= 400
        frame.pixels[40, 50] = np.nan
        frame.pixels[41, 50, 0] = np.inf
        frame.pixels[42, 50, 3] = np.nan
    result = array(engine.restore_frame("odd", 1003, odd))
    source = odd[1003].pixels
    assert same_bits(result[:, :, 3], source[:, :, 3])
    assert same_bits(result[40:42, 50], source[40:42, 50])
    assert same_bits(result[:8], source[:8])
    row, column = SPECKS[1003]
    assert (result[row : row + 4, column : column + 4, :3] > 0.1).all()


def test_a_protect_mask_keeps_and_a_defect_map_repairs(engine: Client, plate: dict[int, Image]) -> None:
    row, column = SPECKS[1003]
    mask = np.zeros((HEIGHT, WIDTH, 1), np.float32)
    mask[row - 5 : row + 9, column - 5 : column + 9] = 1
    kept = engine.restore_frame("masks", 1003, plate, protect=Image(HEIGHT, WIDTH, "Y", mask))
    covered = mask[:, :, 0] > 0
    assert same_bits(array(kept)[covered], plate[1003].pixels[covered])
    empty = Image(HEIGHT, WIDTH, "Y", np.zeros((HEIGHT, WIDTH, 1), np.float32))
    known = np.zeros((HEIGHT, WIDTH, 1), np.float32)
    known[70:74, 100:104] = 1
    maps = {**dict.fromkeys(range(1001, 1006), empty), 1004: Image(HEIGHT, WIDTH, "Y", known)}
    fixed = array(engine.restore_frame("masks", 1004, plate, defect_map=maps))
    assert (fixed != plate[1004].pixels).any(axis=2)[70:74, 100:104].mean() > 0.9


def test_cuts_of_the_message_keep_windows_apart(engine: Client, plate: dict[int, Image]) -> None:
    asked: list[int] = []

    class Counted(dict):  # type: ignore[type-arg]
        def __getitem__(self, number: int) -> Image:
            asked.append(number)
            return plate[number]

    engine.restore_frame("cut", 1004, Counted(plate), changes=dict.fromkeys(plate, "1"), cuts=[1004])
    assert set(asked) == {1004, 1005, 1006}


def test_a_clip_of_one_frame_works(engine: Client, plate: dict[int, Image]) -> None:
    result = engine.restore_frame("one", 1003, {1003: plate[1003]})
    assert array(result).shape == (HEIGHT, WIDTH, 4)


def test_a_result_goes_where_the_caller_wants_it(engine: Client, plate: dict[int, Image]) -> None:
    into = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    result = engine.restore_frame("into", 1003, plate, into=into)
    assert result.pixels is into
    assert same_bits(into, array(engine.restore_frame("into", 1003, plate)))


def test_damage_by_wire_is_the_damage_of_the_node(engine: Client, plate: dict[int, Image]) -> None:
    from filmrestore.damage import Damage

    settings = {"dust": 400.0, "seed": 7}
    result = array(engine.degrade_frame("d", 1003, {1003: plate[1003]}, settings))
    light = np.ascontiguousarray(plate[1003].pixels[:, :, :3])
    expected = Damage(DegradeSettings(**settings), HEIGHT, WIDTH).apply(light, 1003).scan
    assert np.abs(result[:, :, :3] - expected).max() < 1e-5 and not same_bits(result, plate[1003].pixels)
    assert same_bits(result[:, :, 3], plate[1003].pixels[:, :, 3])
    clean = engine.degrade_frame("d", 1003, {1003: plate[1003]}, {})
    assert same_bits(array(clean), plate[1003].pixels)


def test_grain_by_wire_is_the_grain_of_the_node(engine: Client, plate: dict[int, Image]) -> None:
    from filmrestore.colour import open_colour
    from filmrestore.grain import measure
    from filmrestore.nodes.grain import apply_grain
    from filmrestore.nodes.live import Plate

    near = {number: plate[number] for number in range(1002, 1005)}
    result = array(engine.grain_frame("g", 1003, near, {"mode": "add", "amount": 2.0}))
    colour = open_colour(Plate(height=HEIGHT, width=WIDTH, channels="RGBA").format, colourspace="scene_linear")
    pictures = [np.ascontiguousarray(frame.pixels[:, :, :3]) for frame in near.values()]
    own = measure(colour.to_net(frame) for frame in pictures)
    expected = apply_grain(pictures[1], colour, GrainSettings(mode="add", amount=2.0), frame=1003, own=own)
    assert same_bits(result[:, :, :3], expected)
    assert same_bits(array(engine.grain_frame("g", 1003, near)), near[1003].pixels)
    with pytest.raises(UsageError, match="reference"):
        engine.grain_frame("g", 1003, near, {"mode": "match"})


def test_a_span_of_files_is_restored_and_reported(engine: Client, scan: str, tmp_path: Path, by_command: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    job = {
        "source": scan,
        "output": str(tmp_path / "c.####.exr"),
        "span": "1003-1005",
        "colourspace": "scene_linear",
        "analysis": str(by_command / "shot.analysis.json"),
    }
    report = engine.restore_span(job, {}, progress=lambda *told: seen.append(told))
    assert report["restored"] == 3 and seen
    for number in range(1003, 1006):
        assert same_bits(read_codes(tmp_path / f"c.{number}.exr"), read_codes(by_command / f"c.{number}.exr"))


def test_relative_paths_of_a_span_are_the_callers_own(
    engine: Client, scan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(scan).parent)
    job = {"source": Path(scan).name, "output": "../out/c.####.exr", "span": "1003", "colourspace": "scene_linear"}
    report = engine.restore_span(job)
    assert report["restored"] == 1 and (Path(scan).parent.parent / "out" / "c.1003.exr").is_file()
    monkeypatch.chdir(tmp_path)
    ledger = Path(report["ledger"])
    (tmp_path / "out.txt").write_text("cause:dirt\n")
    done = {"source": scan, "ledger": ledger, "output": "plain/", "without": ["@out.txt"]}
    assert engine.apply(done)["frames"] == 1
    assert len(list((tmp_path / "plain").glob("*.exr"))) == 1
    monkeypatch.setattr("filmrestore.client.with_whole_paths", dict)
    with pytest.raises(UsageError, match="give whole paths"):
        engine.restore_span({**job, "output": str(tmp_path / "c.####.exr")})
    with pytest.raises(UsageError, match="give whole paths"):
        engine.apply({**done, "ledger": str(ledger), "output": str(tmp_path / "plain"), "without": ["@out.txt"]})


def test_damage_and_grain_of_spans_are_reported(engine: Client, scan: str, tmp_path: Path) -> None:
    job = {"source": scan, "span": "1003-1004", "colourspace": "scene_linear"}
    done = engine.degrade({**job, "output": str(tmp_path / "d.####.exr")}, {"dust": 100.0})
    assert done["made"] == 2
    grained = engine.grain({**job, "output": str(tmp_path / "g.####.exr")}, {"mode": "add"})
    assert grained["made"] == 2 and grained["own"]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({}, "source and output"),
        ({"source": "x", "output": "y", "rm": "-rf"}, "no 'rm'"),
        ({"source": "x", "output": "y", "threads": "2"}, "threads"),
        ({"source": "x", "output": "y", "device": "cuda"}, "no 'device'"),
    ],
)
def test_a_job_that_cannot_be_meant_is_refused_with_words(engine: Client, job: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        engine.restore_span(job)


def test_errors_are_those_of_the_engine(engine: Client, plate: dict[int, Image]) -> None:
    with pytest.raises(UsageError, match="strength"):
        engine.restore_frame("e", 1003, plate, {"strength": 7.0})
    with pytest.raises(UsageError, match="unknown setting"):
        engine.restore_frame("e", 1003, plate, {"strenght": 1.0})
    with pytest.raises(UsageError, match="colourspace"):
        engine.restore_frame("e", 1003, plate, colourspace="nonsense")
    with pytest.raises(UsageError, match="not among"):
        engine.restore_frame("e", 5, plate)
    assert array(engine.restore_frame("e", 1003, plate)).shape == (HEIGHT, WIDTH, 4)


def test_settings_of_the_server_are_those_of_this_version(engine: Client) -> None:
    assert [entry["name"] for entry in engine.settings()["restore"]] == list(RestoreSettings.facts())


def test_a_full_shared_memory_sends_the_same_frames_inline(
    tmp_path: Path, plate: dict[int, Image], by_command: Path
) -> None:
    with running(tmp_path / "run", slot_folders=()), client() as engine:
        analysis = str(by_command / "shot.analysis.json")
        result = engine.restore_frame("a", 1003, plate, analysis=analysis)
        assert same_bits(array(result), read_codes(by_command / "c.1003.exr"))
        assert engine.status()["slot_bytes"] == 0


def test_loopback_tcp_with_its_token_serves_the_same_frames(
    tmp_path: Path, plate: dict[int, Image], by_command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "run", tcp=True):
        with client() as engine:
            result = engine.restore_frame("a", 1003, plate, analysis=str(by_command / "shot.analysis.json"))
        assert same_bits(array(result), read_codes(by_command / "c.1003.exr"))
        file = tmp_path / "run" / "server-cpu.json"
        file.write_text(file.read_text().replace('"token": "', '"token": "x'))
        with pytest.raises(EngineError, match="token"):
            client()


SERVE = (
    f"import sys; sys.path[:0] = [{str(ROOT / 'engine')!r}, {str(ROOT / 'tests')!r}]\n"
    "from filmrestore.restorers.base import REGISTRY; REGISTRY['frdm'] = 'fakes:load'\n"
    "from filmrestore.cli import main; main()"
)
START = [sys.executable, "-c", SERVE, "serve", "--threads", "1", "--no-cache", "--idle", "120"]


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FILMRESTORE_RUNTIME", str(tmp_path / "run"))
    return tmp_path / "run"


def test_a_server_is_started_once_found_again_and_replaced_when_it_is_killed(
    runtime: Path, plate: dict[int, Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    made: list[Client] = []
    threads = [threading.Thread(target=lambda: made.append(ensure_server(command=START))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    first, second = made
    try:
        assert first.welcome["pid"] == second.welcome["pid"] != os.getpid()
        expected = array(first.restore_frame("a", 1003, plate))
        os.kill(first.welcome["pid"], 9)
        with pytest.raises(EngineError, match="broke off"):
            for _ in range(1000):  # until the death is noticed
                first.restore_frame("a", 1003, plate, {"output": "matte"})
                time.sleep(0.01)
        assert np.array_equal(array(first.restore_frame("a", 1003, plate)), expected)
        assert second.status()["pid"] == first.welcome["pid"]
    finally:
        second.close()
        first.stop_server()
    for _ in range(600):
        left = [path.name for path in runtime.iterdir() if path.suffix in (".json", ".sock")]
        if not left:
            break
        time.sleep(0.05)
    assert left == []


def test_a_server_that_cannot_start_says_why_at_once(runtime: Path) -> None:
    began = time.monotonic()
    dies = [sys.executable, "-S", "-c", "import sys; print('no weights in sight', file=sys.stderr); sys.exit(3)"]
    with pytest.raises(EngineError, match=r"code 3[\s\S]*no weights in sight"):
        ensure_server(command=dies)
    with pytest.raises(EngineError, match="cannot be run"):
        ensure_server(command=["/nowhere/python"])
    assert time.monotonic() - began < 5


def test_a_server_that_never_answers_is_given_up(runtime: Path) -> None:
    hangs = [sys.executable, "-S", "-c", "import time; print('thinking', flush=True); time.sleep(20)"]
    with pytest.raises(EngineError, match=r"within 1 s[\s\S]*"):
        ensure_server(command=hangs, start_s=1.0)


def test_a_server_that_takes_calls_and_is_silent_is_given_up(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_ANSWER_S", 0.3)
    path = finding.server_path("cpu", "sock")
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(str(path))
        stopped.listen()
        finding.server_path("cpu", "json").write_text(json.dumps({"version": 1, "socket": str(path)}))
        with pytest.raises(EngineError, match=r"has not answered for 0\.3 s"):
            ensure_server()


def test_a_runtime_folder_that_others_may_use_is_refused(runtime: Path) -> None:
    runtime.mkdir(mode=0o755)
    runtime.chmod(0o755)
    with pytest.raises(EngineError, match="0755"):
        runtime_folder()
    runtime.rmdir()
    runtime.symlink_to(runtime.parent)
    with pytest.raises(EngineError, match="link"):
        runtime_folder()
    runtime.unlink()
    assert runtime_folder().stat().st_mode & 0o777 == 0o700


def test_the_interpreter_is_the_one_that_install_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FILMRESTORE_PYTHON", "FILMRESTORE_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    assert finding.interpreter() == sys.executable and finding.recorded_engine() == (None, "cpu")
    (tmp_path / "engine.json").write_text('{"python": "/opt/engine/bin/python", "device": "cuda:1"}')
    monkeypatch.setattr(finding, "__file__", str(tmp_path / "vendor" / "filmrestore" / "finding.py"))
    assert finding.interpreter() == "/opt/engine/bin/python"
    assert finding.recorded_engine() == ("/opt/engine/bin/python", "cuda:1")
    monkeypatch.setenv("FILMRESTORE_PYTHON", "/mine/python")
    monkeypatch.setenv("FILMRESTORE_DEVICE", "mps")
    assert finding.recorded_engine() == ("/mine/python", "mps")
    (tmp_path / "engine.json").write_text("[")
    with pytest.raises(EngineError, match="run `filmrestore install` again"):
        finding.recorded_engine()


def test_pixels_that_are_not_of_their_shape_are_refused() -> None:
    with pytest.raises(EngineError, match="bytes of pixels"):
        Image(2, 2, "RGBA", bytes(63))


def test_the_verb_says_what_the_server_does_and_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from filmrestore.cli import run

    with running(tmp_path / "run") as server:
        assert run(["serve", "--status"]) == 0
        assert '"running": 0' in capsys.readouterr().out
        assert run(["serve"]) == 0 and "server already" in capsys.readouterr().err
        assert run(["serve", "--stop"]) == 0
        assert server._stop.wait(60)
    monkeypatch.setenv("FILMRESTORE_RUNTIME", str(tmp_path / "none"))
    assert run(["serve", "--stop"]) == 1
    assert "no server runs" in capsys.readouterr().err


def test_fixes_are_rejected_and_the_report_built_through_the_engine(
    engine: Client, scan: str, by_command: Path, tmp_path: Path
) -> None:
    ledger = str(by_command / "shot.ledger")
    row, column = SPECKS[1003]
    job = {"source": scan, "ledger": ledger, "output": str(tmp_path / "a.####.exr"), "span": "1003"}
    done = engine.apply({**job, "without": [f"box:{column},{row},{column + 4},{row + 4}"]})
    assert done["written"] == 1 and done["left_out"] >= 1
    result = read_codes(tmp_path / "a.1003.exr")
    assert same_bits(
        result[row : row + 4, column : column + 4],
        read_codes(Path(scan.replace("####", "1003")))[row : row + 4, column : column + 4],
    )
    page = tmp_path / "report.html"
    told = engine.report(
        {"source": scan, "result": str(by_command / "c.####.exr"), "ledger": ledger, "output": str(page)}
    )
    assert told == {"page": str(page)} and "<html" in page.read_text()
    for wrong in ({"without": "1003"}, {"without": [3]}, {"settings": {}}):
        with pytest.raises(UsageError):
            engine.apply({**job, **wrong})
    with pytest.raises(Cancelled):
        engine.apply({**job, "span": None}, cancelled=lambda: True)  # twelve frames: none too quick to be stopped
