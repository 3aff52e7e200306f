"""The server under attack and load: it never crashes, never leaks, never answers with a wrong frame."""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import psutil
import pytest
from server_house import GatedRestorer, RawClient, array, client, image, running, until

from filmrestore import protocol
from filmrestore.cache import TileCache
from filmrestore.client import Client, Image, find_server
from filmrestore.errors import Cancelled, EngineError, FilmRestoreError, ProtocolError, ResourceError
from filmrestore.frame import Frame
from filmrestore.nodes import live_restore
from filmrestore.patches import patch_grid
from filmrestore.server import requests, serve
from filmrestore.server.session import Limits
from filmrestore.server.slots import SHARED_MEMORY
from filmrestore.settings import RestoreSettings

GOLDEN = Path(__file__).parents[1] / "golden" / "wire"
SMALL = {"height": 40, "width": 46}
FILM = {number: image(number, **SMALL) for number in range(1000, 1006)}
ASK = {
    "type": "restore_frame",
    "clip": "raw",
    "frame": 1003,
    "shape": [40, 46, 4],
    "dtype": "float32",
    "channels": "RGBA",
    "colourspace": "scene_linear",
    "working_space": "scene_linear",
    "settings": {},
    "offers": [["source", 1003, "1"]],
}
PUT = {
    "type": "put",
    "plane": "source",
    "frame": 1003,
    "change": "1",
    "shape": [40, 46, 4],
    "dtype": "float32",
    "colourspace": "scene_linear",
}
PIXELS = FILM[1003].view().tobytes()


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def server(runtime: Path) -> Iterator[serve.Server]:
    with running(runtime, limits=Limits(patience_s=2.0)) as server:
        yield server
    assert slot_files() == []


def slot_files() -> list[str]:
    return [path.name for path in SHARED_MEMORY.glob(f"filmrestore-{os.getuid()}-{os.getpid()}-*")]


def alone(server: serve.Server) -> bool:
    status = server.status()
    return not (status["connections"] or status["slot_bytes"] or status["frame_bytes"] or status["kept_bytes"])


def expected_frames(engine: Client) -> dict[int, np.ndarray]:
    return {number: array(engine.restore_frame("expected", number, FILM)) for number in FILM}


def junk(chance: random.Random, golden: list[bytes]) -> bytes:
    """A packet that is wrong in one of many ways, or right by accident."""
    kind = chance.randrange(5)
    if kind == 0:
        return chance.randbytes(chance.randrange(1, 200))
    data = bytearray(chance.choice(golden))
    if kind == 1:
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        return bytes(data)
    if kind == 2:
        return bytes(data[: chance.randrange(len(data))])
    if kind == 3:
        return bytes(data)
    name = chance.choice(sorted(protocol.FIELDS))
    odd = [None, True, -1, 2**53, 1.5, "", "x" * 50, [], {}, [1, 2, 3], [["source", 1003, "1"]], [0, 0, 9, 9], 7]
    fields = {field.rstrip("?"): chance.choice(odd) for field in protocol.FIELDS[name]}
    text = json.dumps({"type": name, "id": chance.randrange(9), **fields}).encode()
    body = chance.randbytes(chance.choice([0, 0, 100]))
    return protocol.PREFIX.pack(b"FRW", 1, len(text), len(body)) + text + body


def test_thousands_of_fuzzed_messages_crash_nothing_and_leave_nothing(server: serve.Server, runtime: Path) -> None:
    # `stop` would be obeyed, and `*_span` would write files: both are what they say.
    golden = [
        path.read_bytes()
        for path in sorted(GOLDEN.glob("*.bin"))
        if path.name not in ("stop.bin", "slot_file.bin", "bad_body_length.bin")
    ]
    chance = random.Random(1)
    with client() as engine:
        expected = expected_frames(engine)
    gc.collect()
    before = psutil.Process().memory_info().rss
    sent = 0
    while sent < int(os.environ.get("FUZZ", "2000")):
        raw = RawClient(runtime)
        try:
            for _ in range(40):
                sent += 1
                message = junk(chance, golden)
                if b'"stop"' not in message:
                    raw.socket.sendall(message)
        except OSError:  # the server had enough of this one
            continue
        finally:
            raw.close()
    until(lambda: alone(server))
    gc.collect()
    assert psutil.Process().memory_info().rss - before < 64 * 2**20
    with client() as engine:
        for number, frame in expected_frames(engine).items():
            assert np.array_equal(frame, expected[number], equal_nan=True)


@pytest.mark.parametrize("name", ["bad_magic", "bad_version", "bad_header_length", "bad_empty_header"])
def test_an_unreadable_prefix_is_answered_and_ends_the_connection(
    server: serve.Server, runtime: Path, name: str
) -> None:
    [code] = [
        case["refused"] for case in json.loads((GOLDEN / "cases.json").read_text()) if case["file"] == f"{name}.bin"
    ]
    raw = RawClient(runtime)
    raw.socket.sendall((GOLDEN / f"{name}.bin").read_bytes())
    assert raw.hear()["code"] == code
    assert raw.is_closed()
    raw.close()


def test_a_wrong_message_costs_an_error_and_the_connection_goes_on(server: serve.Server, runtime: Path) -> None:
    raw = RawClient(runtime)
    raw.say({"type": "explode", "id": 5}, b"x" * 1000)
    answer = raw.hear()
    assert (answer["type"], answer["id"], answer["code"]) == ("error", 5, "message")
    raw.say({"type": "welcome", **dict.fromkeys((), 1), "id": 6, **welcome()})
    assert raw.hear()["code"] == "message"
    raw.say({"type": "status", "id": 7})
    assert raw.hear()["type"] == "status_is"
    raw.close()


def welcome() -> dict[str, object]:
    packet = (GOLDEN / "welcome.bin").read_bytes()
    header = protocol.unpack_header(packet[16:])
    return {name: value for name, value in header.items() if name not in ("type", "id")}


def test_without_hello_nothing_is_answered(server: serve.Server, runtime: Path) -> None:
    raw = RawClient(runtime, hello=False)
    raw.say({"type": "status", "id": 1})
    assert raw.hear()["code"] == "refused"
    assert raw.is_closed()
    raw.close()


def test_an_adapter_of_other_settings_is_told_to_install_again(server: serve.Server, runtime: Path) -> None:
    raw = RawClient(runtime, hello=False)
    raw.say({"type": "hello", "id": 1, "client": "old plug-in", "settings": "0" * 16})
    answer = raw.hear()
    assert answer["code"] == "settings" and "filmrestore install" in answer["text"]
    assert raw.is_closed()
    raw.close()


def test_clients_that_are_silent_or_trickle_are_dropped_and_hinder_nobody(runtime: Path) -> None:
    with running(runtime, limits=Limits(hello_s=0.5, patience_s=0.5)) as server, client() as engine:
        silent = RawClient(runtime, hello=False)
        trickling = RawClient(runtime)
        trickling.socket.sendall(protocol.pack({"type": "status", "id": 1})[:9])
        half = RawClient(runtime)
        half.say({**ASK, "id": 1})
        assert half.hear()["type"] == "need"
        half.socket.sendall(protocol.pack({**PUT, "id": 1}, len(PIXELS)) + PIXELS[:5000])
        assert array(engine.restore_frame("a", 1003, FILM)).shape == (40, 46, 4)
        for raw in (silent, trickling, half):
            assert raw.is_closed()
            raw.close()
        until(lambda: server.status()["connections"] == 1)
        engine.forget("a")
        until(lambda: server.status()["frame_bytes"] == 0)


def test_clients_that_die_anywhere_leave_nothing(server: serve.Server, runtime: Path) -> None:
    stages: list[Callable[[RawClient], object]] = [
        lambda raw: None,
        lambda raw: raw.say({"type": "slot", "id": 1, "bytes": len(PIXELS)}),
        lambda raw: raw.say({**ASK, "id": 1}),
        lambda raw: (raw.say({**ASK, "id": 1}), raw.socket.sendall(protocol.pack({**PUT, "id": 1}, len(PIXELS)))),
        lambda raw: (raw.say({**ASK, "id": 1}), raw.say({**PUT, "id": 1}, PIXELS)),
    ]
    for stage in stages:
        raw = RawClient(runtime)
        stage(raw)
        raw.close()
    until(lambda: alone(server))


def test_a_client_that_dies_while_its_last_patch_is_at_work_leaves_nothing(runtime: Path) -> None:
    with running(runtime, "server_house:load_gated") as server:
        raw = RawClient(runtime)
        raw.say({**ASK, "id": 1})
        raw.say({**PUT, "id": 1}, PIXELS)
        assert GatedRestorer.reached.wait(60)
        raw.close()
        until(lambda: server.status()["connections"] == 0)
        GatedRestorer.gate.set()
        until(lambda: server.status()["running"] == 0)
        assert server.house.engine.restorer(RestoreSettings()).calls == 1
        until(lambda: alone(server))


def test_a_client_that_does_not_read_hinders_nobody_and_gets_all_its_answers(runtime: Path) -> None:
    with running(runtime):  # with the usual patience: a busy machine needs longer than the tests' short one
        raw = RawClient(runtime)
        asking = threading.Thread(target=lambda: [raw.say({"type": "settings", "id": n}) for n in range(1, 301)])
        asking.start()
        with client() as engine:
            assert array(engine.restore_frame("a", 1003, FILM)).shape == (40, 46, 4)
        assert [raw.hear()["id"] for _ in range(300)] == list(range(1, 301))
        asking.join()
        raw.close()


def test_sixteen_clients_at_once_get_their_own_frames(server: serve.Server) -> None:
    films = {n: {k: Image(40, 46, "RGBA", v.pixels + np.float32(0.02 * n)) for k, v in FILM.items()} for n in range(4)}
    with client() as engine:
        expected = {n: array(engine.restore_frame(f"e{n}", 1003, film)) for n, film in films.items()}
    wrong: list[int] = []

    def one(index: int) -> None:
        with client() as engine:
            for _ in range(3):  # the same clip name in every client
                result = array(engine.restore_frame("same", 1003, films[index % 4], changes=dict.fromkeys(FILM, "1")))
                if not np.array_equal(result, expected[index % 4]):
                    wrong.append(index)

    threads = [threading.Thread(target=one, args=(index,)) for index in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not wrong and not any(thread.is_alive() for thread in threads)
    until(lambda: alone(server))


def test_one_client_of_many_threads_gets_the_right_frames(server: serve.Server) -> None:
    with client() as engine:
        expected = expected_frames(engine)
        results: dict[int, np.ndarray] = {}

        def one(number: int) -> None:
            results[number] = array(engine.restore_frame("shared", number, FILM))

        threads = [threading.Thread(target=one, args=(number,)) for number in FILM]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert all(np.array_equal(results[number], expected[number]) for number in FILM)


def test_cancel_is_answered_at_once_and_the_next_frame_is_right(runtime: Path) -> None:
    with running(runtime, "server_house:load_gated") as server, client() as engine:
        outcome: list[BaseException | float] = []

        def ask() -> None:
            try:
                engine.restore_frame("gated", 1003, FILM)
            except Cancelled as error:
                outcome.extend([error, monotonic()])

        thread = threading.Thread(target=ask)
        thread.start()
        assert GatedRestorer.reached.wait(60)
        asked = monotonic()
        engine.cancel()
        thread.join(60)
        # A tenth of a second on a quiet machine; a patch in flight would hold it for a minute.
        assert isinstance(outcome[0], Cancelled) and outcome[1] - asked < 5
        GatedRestorer.gate.set()
        assert array(engine.restore_frame("gated", 1003, FILM)).shape == (40, 46, 4)
        engine.forget("gated")
        until(lambda: server.status()["frame_bytes"] == 0)


def test_no_patch_begins_after_a_cancel_and_the_one_at_work_is_not_lost(runtime: Path, tmp_path: Path) -> None:
    large = {1003: image(1003, height=120, width=120)}
    cache = TileCache(tmp_path / "tiles", 8)
    with running(runtime, "server_house:load_gated", cache=cache) as server, client() as engine:
        restorer = server.house.engine.restorer(RestoreSettings())
        with pytest.raises(Cancelled):
            engine.restore_frame("gated", 1003, large, cancelled=GatedRestorer.reached.is_set)
        threading.Event().wait(0.5)  # the worker hears of it while the first patch is at work
        GatedRestorer.gate.set()
        until(lambda: server.status()["running"] == 0)
        assert restorer.calls == 1
        engine.restore_frame("gated", 1003, large)
        assert restorer.calls == len(patch_grid(120, 120, restorer.facts.patch, restorer.facts.overlap)) > 1


def test_no_repair_begins_after_a_cancel_and_the_patches_are_kept(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    repair = live_restore.repair

    def counted(frame: Frame, *values: Any, **named: Any) -> Any:
        begun.append(frame.number)
        return repair(frame, *values, **named)

    monkeypatch.setattr(live_restore, "repair", counted)
    with running(runtime, "server_house:load_gated") as server, client() as engine:
        restorer = server.house.engine.restorer(RestoreSettings())
        with pytest.raises(Cancelled):
            engine.restore_frame("gated", 1003, FILM, cancelled=GatedRestorer.reached.is_set)
        GatedRestorer.gate.set()
        until(lambda: server.status()["running"] == 0)
        assert begun == []
        before = restorer.calls
        engine.restore_frame("gated", 1003, FILM)
        assert begun == [1003] and restorer.calls == before


def test_a_caller_that_has_had_enough_is_let_go(runtime: Path) -> None:
    with running(runtime, "server_house:load_gated"), client() as engine:
        with pytest.raises(Cancelled):
            engine.restore_frame("gated", 1003, FILM, cancelled=GatedRestorer.reached.is_set)
        GatedRestorer.gate.set()


def test_an_answer_that_cannot_be_sent_is_an_error_and_the_worker_goes_on(
    server: serve.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(slot: object, pixels: np.ndarray) -> None:
        raise MemoryError("no page is left")

    with client() as engine:
        expected = array(engine.restore_frame("a", 1003, FILM)).copy()
        with monkeypatch.context() as patch:
            patch.setattr(requests, "write", full)
            with pytest.raises(ResourceError, match="no page is left"):
                engine.restore_frame("a", 1003, FILM)
        assert np.array_equal(array(engine.restore_frame("a", 1003, FILM)), expected)


def test_cancel_storms_leave_nothing_and_break_nothing(server: serve.Server) -> None:
    chance = random.Random(2)
    with client() as engine:
        expected = expected_frames(engine)
        stop = threading.Event()

        def storm() -> None:
            while not stop.is_set():
                engine.cancel()

        thread = threading.Thread(target=storm)
        thread.start()
        cancelled = 0
        for turn in range(60):
            number = chance.choice(sorted(FILM))
            try:
                result = engine.restore_frame(f"storm{turn}", number, FILM)
            except Cancelled:
                cancelled += 1
                continue
            assert np.array_equal(array(result), expected[number])
        stop.set()
        thread.join()
        assert cancelled > 0
        assert np.array_equal(array(engine.restore_frame("calm", 1003, FILM)), expected[1003])
    until(lambda: alone(server))


def test_frames_go_before_a_span_that_is_at_work(runtime: Path, tmp_path: Path) -> None:
    from film import write_shot

    scan = write_shot(tmp_path / "scan", 6, height=48, width=48)
    with running(runtime) as server, client() as engine:
        order: list[str] = []
        frame = threading.Thread(target=lambda: (engine.restore_frame("a", 1003, FILM), order.append("frame")))

        def progress(stage: str, done: int, total: int) -> None:
            if stage == "restore" and frame.ident is None:
                frame.start()

        job = {"source": scan, "output": str(tmp_path / "out" / "c.####.png"), "colourspace": "srgb"}
        engine.restore_span(job, progress=progress)
        order.append("span")
        frame.join(60)
        assert order == ["frame", "span"]
        assert server.status()["running"] == 0


@pytest.mark.parametrize("trick", ["stale", "cut", "head", "offset", "large", "foreign"])
def test_a_slot_that_is_not_what_the_message_says_is_an_error(server: serve.Server, runtime: Path, trick: str) -> None:
    raw = RawClient(runtime)
    raw.say({"type": "slot", "id": 1, "bytes": len(PIXELS)})
    slot = raw.hear()
    path = Path(slot["path"])
    assert path.stat().st_mode & 0o777 == 0o600 and path.stat().st_size == 4096 + len(PIXELS)
    head = protocol.SLOT_HEAD.pack(protocol.SLOT_MAGIC, slot["slot"], slot["generation"], len(PIXELS))
    with path.open("r+b") as file:
        file.write(head if trick != "head" else head[::-1])
        file.seek(4096)
        file.write(PIXELS)
        if trick == "cut":
            file.truncate(5000)
    place = {"slot": slot["slot"], "generation": slot["generation"], "offset": 4096}
    place.update({"stale": {"generation": 9}, "offset": {"offset": 0}, "foreign": {"slot": 999}}.get(trick, {}))
    shape = [400, 46, 4] if trick == "large" else ASK["shape"]
    raw.say({**ASK, "shape": shape, "id": 2})
    assert raw.hear()["type"] == "need"
    raw.say({**PUT, "shape": shape, "id": 2, **place})
    answer = raw.hear()
    assert (answer["type"], answer["id"], answer["code"]) == ("error", 2, "slot")
    raw.say({"type": "drop_slot", "id": 3, "slot": slot["slot"]})
    assert raw.hear()["type"] == "ok" and not path.exists()
    raw.close()


def test_a_frame_in_a_slot_comes_back_in_another_under_the_next_generation(server: serve.Server, runtime: Path) -> None:
    raw = RawClient(runtime)
    slots = []
    for number in (1, 2):
        raw.say({"type": "slot", "id": number, "bytes": len(PIXELS)})
        slots.append(raw.hear())
    raw.say({**ASK, "id": 3, "whole": True, "slot": slots[1]["slot"], "generation": 1})
    assert raw.hear()["offers"] == ASK["offers"]
    raw.say({"type": "drop_slot", "id": 4, "slot": slots[1]["slot"]})
    assert raw.hear()["code"] == "slot"
    head = protocol.SLOT_HEAD.pack(protocol.SLOT_MAGIC, slots[0]["slot"], 1, len(PIXELS))
    Path(slots[0]["path"]).write_bytes(head.ljust(4096, b"\0") + PIXELS)
    raw.say({**PUT, "id": 3, "slot": slots[0]["slot"], "generation": 1, "offset": 4096})
    taken = raw.hear()
    assert (taken["type"], taken["slot"], taken["generation"]) == ("taken", slots[0]["slot"], 2)
    result = raw.hear()
    while result["type"] == "progress":
        result = raw.hear()
    assert (result["slot"], result["generation"], result["box"]) == (slots[1]["slot"], 2, [0, 0, 46, 40])
    data = Path(slots[1]["path"]).read_bytes()
    assert protocol.SLOT_HEAD.unpack_from(data) == (protocol.SLOT_MAGIC, slots[1]["slot"], 2, len(PIXELS))
    alpha = np.frombuffer(data[4096:], np.float32).reshape(40, 46, 4)[:, :, 3]
    assert np.array_equal(alpha, FILM[1003].pixels[:, :, 3])
    raw.close()


def test_more_than_the_limits_is_refused_with_words(runtime: Path) -> None:
    limits = Limits(connections=3, requests=2, queue=1, slots=1, slot_bytes=1 << 16, frame_bytes=100_000)
    with running(runtime, "server_house:load_gated", limits=limits) as server:
        raw = RawClient(runtime)
        raw.say({"type": "slot", "id": 1, "bytes": 1 << 16})
        assert raw.hear()["code"] == "slot"
        raw.say({"type": "slot", "id": 2, "bytes": 1000})
        assert raw.hear()["type"] == "slot_ready"
        raw.say({"type": "slot", "id": 3, "bytes": 1000})
        assert raw.hear()["code"] == "slot"
        raw.say({"type": "slot", "id": 4, "bytes": 2**40})
        assert raw.hear()["code"] == "limit"
        for number in (5, 6):
            raw.say({**ASK, "id": number})
            assert raw.hear()["type"] == "need"
        raw.say({**ASK, "id": 7})
        assert raw.hear()["code"] == "limit"
        large = [*ASK["shape"][:1], 1000, 4]
        other = RawClient(runtime)
        other.say({**ASK, "id": 1, "shape": large})
        assert other.hear()["type"] == "need"
        other.say({**PUT, "id": 1, "shape": large}, bytes(protocol.byte_count(large)))
        answer = other.hear()
        assert answer["code"] == "limit" and "memory" in answer["text"]
        third = RawClient(runtime)
        fourth = RawClient(runtime, hello=False)
        assert fourth.hear()["code"] == "limit" and fourth.is_closed()
        for number in (5, 6):  # one at work, one in the queue
            raw.say({**PUT, "id": number}, PIXELS)
            while raw.hear()["type"] != "taken":
                continue
            until(lambda: server.status()["running"] == 1)
        third.say({**ASK, "id": 1})
        assert third.hear()["type"] == "need"
        third.say({**PUT, "id": 1}, PIXELS)
        assert third.hear()["type"] == "taken"
        assert third.hear()["code"] == "busy"
        GatedRestorer.gate.set()
        for one in (raw, other, third, fourth):
            one.close()
        until(lambda: alone(server))


def test_many_rounds_leave_no_memory_no_descriptor_and_no_thread(server: serve.Server) -> None:
    def round_of(name: str) -> None:
        with client() as engine:
            engine.restore_frame(name, 1003, FILM)

    for _ in range(3):
        round_of("warm")
    until(lambda: alone(server))
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss, process.num_fds(), threading.active_count()
    for _ in range(12):
        round_of("again")
    until(lambda: alone(server))
    gc.collect()
    until(lambda: threading.active_count() <= before[2])
    assert process.num_fds() <= before[1]
    assert process.memory_info().rss - before[0] < 16 * 2**20


def test_a_second_server_of_the_device_is_refused(server: serve.Server) -> None:
    with pytest.raises(serve.AlreadyServed, match="server already"):
        serve.Server("cpu")


def test_an_idle_server_ends_and_leaves_no_file(runtime: Path) -> None:
    with running(runtime, idle_s=0.3):
        until((runtime / "server-cpu.json").exists)
        until(lambda: not (runtime / "server-cpu.json").exists())
        until(lambda: not (runtime / "server-cpu.sock").exists())


def test_another_user_is_refused(server: serve.Server, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_peer", lambda sock: os.getuid() + 1)
    raw = RawClient(runtime, hello=False)
    assert raw.hear()["code"] == "refused"
    assert raw.is_closed()
    raw.close()
    with pytest.raises(EngineError, match="another user"):
        find_server()


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0 or not Path("/usr/bin/python3").exists(),
    reason="only root can be another user, and only a Python that all may run",
)
def test_a_real_other_user_is_refused_even_where_the_folder_is_open(server: serve.Server, runtime: Path) -> None:
    code = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(30)\n"
        "print(b'another user' in s.recv(4096))"
    )
    command = ["/usr/bin/python3", "-I", "-S", "-c", code, "server-cpu.sock"]
    shut = subprocess.run(command, capture_output=True, text=True, user=65534, cwd=runtime, check=False)
    assert "PermissionError" in shut.stderr
    (runtime / "server-cpu.sock").chmod(0o777)
    runtime.chmod(0o755)
    opened = subprocess.run(command, capture_output=True, text=True, user=65534, cwd=runtime, check=False)
    assert opened.stdout.strip() == "True", opened.stderr


def test_what_a_killed_server_left_is_swept_by_the_next(runtime: Path, tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    shared = tmp_path / "shm"
    shared.mkdir()
    left = shared / f"filmrestore-{os.getuid()}-{gone.pid}-{'0' * 32}"
    mine = shared / f"filmrestore-{os.getuid()}-{os.getpid()}-{'0' * 32}"
    other = shared / f"filmrestore-{os.getuid()}-{gone.pid}-notes"
    for path in (left, mine, other):
        path.write_bytes(b"")
    with running(runtime, slot_folders=(shared,)), client() as engine:
        assert not left.exists() and mine.exists() and other.exists()
        engine.restore_frame("a", 1003, FILM)
        assert len(list(shared.iterdir())) > 2
    assert sorted(shared.iterdir()) == sorted([mine, other])


def test_errors_of_the_server_are_of_our_tree() -> None:
    for code in protocol.CODES:
        assert isinstance(protocol.error_of(code, "words"), FilmRestoreError)
    assert isinstance(protocol.error_of("busy", ""), ResourceError)
    assert isinstance(protocol.error_of("version", ""), ProtocolError)
