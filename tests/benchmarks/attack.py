"""The server under attack and load: `python tests/benchmarks/attack.py [--messages 1000000] [CASE ...]`, a table.

The server is a process of its own, with the tests' quick restorer. Before and after each case it is looked at from
outside: memory, descriptors, threads, slots; after each it must still answer with the frames that it gave before.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "engine"), str(ROOT / "tests"), str(ROOT / "tests" / "unit")]

from server_house import RawClient, array, image  # noqa: E402

from filmrestore import protocol  # noqa: E402
from filmrestore.client import ensure_server, find_server  # noqa: E402
from filmrestore.errors import Cancelled, EngineError  # noqa: E402

SERVE = (
    f"import sys; sys.path[:0] = [{str(ROOT / 'engine')!r}, {str(ROOT / 'tests')!r}]\n"
    "from filmrestore.restorers.base import REGISTRY; REGISTRY['frdm'] = 'fakes:load'\n"
    "from filmrestore.cli import main; main()"
)
START = [sys.executable, "-c", SERVE, "serve", "--threads", "1", "--no-cache"]
FILM = {number: image(number, height=40, width=46) for number in range(1000, 1006)}
BATCH = 200
"""Messages of a connection, before one that breaks it."""
GOLDEN = [
    path.read_bytes()
    for path in sorted((ROOT / "tests" / "golden" / "wire").glob("*.bin"))
    # What they ask for would be done: the end of the server, files written.
    if not path.name.startswith(("stop", "slot", "bad_")) and "_span" not in path.name
]
GOLDEN.append(protocol.pack({"type": "slot", "id": 3, "bytes": 9999}))  # one for 4K takes a while to clear
ODD = [None, True, -1, 2**53, 1.5, "", "x" * 50, [], {}, [1, 2, 3], [["source", 1003, "1"]], [0, 0, 9, 9], 7, "clip"]


class Attack:
    """A server, and what is known of it."""

    def __init__(self, folder: Path, messages: int) -> None:
        self.folder, self.messages, self.chance = folder, messages, random.Random(1)
        self.engine = ensure_server(command=START)
        self.expected = self.frames()

    def frames(self) -> dict[int, np.ndarray]:
        """Every frame of the film, worked out anew."""
        self.engine.forget("film")
        return {n: array(self.engine.restore_frame("film", n, FILM)).copy() for n in FILM}

    def check(self) -> None:
        for number, found in self.frames().items():
            assert np.array_equal(found, self.expected[number], equal_nan=True), f"a wrong frame {number}"

    def look(self) -> dict[str, int]:
        """The server from outside, at rest: no client, nothing held."""
        self.engine.forget("film")
        end = time.monotonic() + 60
        while (facts := self.engine.status())["connections"] > 1 or facts["frame_bytes"]:
            assert time.monotonic() < end, facts
            time.sleep(0.05)
        self.engine.close()  # with its slots
        time.sleep(0.3)
        server = psutil.Process(facts["pid"])
        found = {
            "MiB": server.memory_info().rss >> 20,
            "descriptors": server.num_fds(),
            "threads": server.num_threads(),
            "slots": len(list(Path("/dev/shm").glob("filmrestore-*")) + list(self.folder.glob("filmrestore-*"))),
        }
        self.engine.status()
        return found

    def framed(self) -> bytes:
        """A packet whose lengths are right and whose header is wrong, or right by accident."""
        chance = self.chance
        data = bytearray(chance.choice(GOLDEN))
        kind = chance.randrange(4)
        if kind == 0:
            return bytes(data)
        if kind == 1 and len(data) > 17:  # flipped anywhere after the lengths
            for _ in range(chance.randrange(1, 4)):
                data[chance.randrange(16, len(data))] = chance.randrange(256)
            return bytes(data)
        if kind == 2:
            text = chance.randbytes(chance.randrange(1, 80))
            return protocol.PREFIX.pack(b"FRW", 1, len(text), 0) + text
        name = chance.choice([name for name in protocol.FIELDS if name != "stop"])
        fields = {field.rstrip("?"): chance.choice(ODD) for field in protocol.FIELDS[name]}
        text = json.dumps({"type": name, "id": chance.randrange(9), **fields}).encode()
        body = chance.randbytes(chance.choice([0, 0, 100]))
        return protocol.PREFIX.pack(b"FRW", 1, len(text), len(body)) + text + body

    def breaking(self) -> bytes:
        """What makes all that follows unreadable, or ends in the middle."""
        data = bytearray(self.chance.choice(GOLDEN))
        if self.chance.randrange(2):
            data[self.chance.randrange(16)] ^= 1 << self.chance.randrange(8)
            return bytes(data)
        return self.chance.choice([bytes(data[: self.chance.randrange(len(data))]), self.chance.randbytes(100)])

    # Cases: each gives what it did, in words.

    def fuzz(self) -> str:
        """Bytes of every kind; a `status` after each batch proves that all of it was read and answered."""
        sent, answers = 0, Counter[str]()
        while sent < self.messages:
            raw = RawClient(self.folder)
            batch = [message for message in (self.framed() for _ in range(BATCH)) if b'"stop"' not in message]
            raw.socket.sendall(b"".join(batch) + protocol.pack({"type": "status", "id": 77_777}))
            while True:
                heard = raw.hear()
                answers[heard["type"]] += 1
                if heard["id"] == 77_777:
                    break
            with suppress(OSError):
                raw.socket.sendall(self.breaking())
            raw.close()
            sent += len(batch) + 1
        return f"{sent} messages; answers: " + ", ".join(f"{name} {n}" for name, n in answers.most_common())

    def slow(self) -> str:
        """Clients that trickle, while others die in the middle of a frame and one works."""
        packet = protocol.pack({"type": "status", "id": 1})
        trickling = [RawClient(self.folder) for _ in range(8)]
        stop = threading.Event()

        def trickle() -> None:
            at = 0
            while not stop.is_set():
                for raw in trickling:
                    with suppress(OSError):
                        raw.socket.sendall(packet[at % len(packet) :][:1])
                at += 1
                time.sleep(0.05)

        thread = threading.Thread(target=trickle)
        thread.start()
        pixels = FILM[1003].view().tobytes()
        image_of = {"shape": [40, 46, 4], "dtype": "float32", "colourspace": "scene_linear"}
        ask = {"type": "restore_frame", "id": 1, "clip": "c", "frame": 1003, "channels": "RGBA", "settings": {}}
        ask |= {"working_space": "scene_linear", "offers": [["source", 1003, "1"]], **image_of}
        put = {"type": "put", "id": 1, "plane": "source", "frame": 1003, "change": "1", **image_of}
        whole = protocol.pack({"type": "slot", "id": 2, "bytes": 9999}) + protocol.pack(ask)
        whole += protocol.pack(put, len(pixels)) + pixels
        for turn in range(500):
            raw = RawClient(self.folder)
            raw.socket.sendall(whole[: self.chance.randrange(len(whole) + 1)])
            raw.close()
            if turn % 50 == 0:
                self.check()
        stop.set()
        thread.join()
        for raw in trickling:
            raw.close()
        return "500 clients died anywhere in a frame, 8 sent a byte every 50 ms, one worked"

    def many(self) -> str:
        """Sixteen clients at once, all with the same clip name and different films."""
        films = [{k: image(k + 7 * n, height=40, width=46) for k in range(1000, 1006)} for n in range(4)]
        for film in films:
            for frame in film.values():
                frame.pixels = np.ascontiguousarray(frame.pixels + np.float32(0.1))
        expected = [
            {number: array(self.engine.restore_frame(f"e{n}", number, film)).copy() for number in film}
            for n, film in enumerate(films)
        ]
        wrong, done = Counter[int](), Counter[int]()

        def one(index: int) -> None:
            film = films[index % 4]
            client = find_server(name=f"client {index}")
            assert client is not None
            with client:
                for turn in range(30):
                    number = 1000 + turn % 6
                    changes = dict.fromkeys(film, str(turn // 6))
                    found = array(client.restore_frame("same", number, film, changes=changes))
                    wrong[index] += not np.array_equal(found, expected[index % 4][number], equal_nan=True)
                    done[index] += 1

        threads = [threading.Thread(target=one, args=(index,)) for index in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for n in range(4):
            self.engine.forget(f"e{n}")
        assert sum(done.values()) == 480 and not sum(wrong.values())
        return "16 clients, 480 frames, none wrong"

    def storm(self) -> str:
        """One thread cancels without pause what four others ask for."""
        stop, outcomes, cancels = threading.Event(), Counter[str](), Counter[str]()

        def ask(index: int) -> None:
            for turn in range(200):
                number = 1000 + (turn + index) % 6
                try:
                    found = array(self.engine.restore_frame(f"storm{index}.{turn}", number, FILM))
                except Cancelled:
                    outcomes["cancelled"] += 1
                    continue
                outcomes["right" if np.array_equal(found, self.expected[number], equal_nan=True) else "wrong"] += 1

        def cancel() -> None:
            while not stop.is_set():
                self.engine.cancel()
                cancels["calls"] += 1
                time.sleep(0.001)

        threads = [threading.Thread(target=ask, args=(index,)) for index in range(4)]
        storm = threading.Thread(target=cancel)
        for thread in (*threads, storm):
            thread.start()
        for thread in threads:
            thread.join()
        stop.set()
        storm.join()
        for index in range(4):
            for turn in range(200):
                self.engine.forget(f"storm{index}.{turn}")
        assert not outcomes["wrong"] and outcomes["cancelled"]
        return f"{cancels['calls']} calls of cancel; 800 frames: " + ", ".join(f"{k} {n}" for k, n in outcomes.items())

    def killed(self) -> str:
        """kill -9 in the middle of a frame, ten times: the next call starts another, which sweeps."""
        for turn in range(10):
            victim = self.engine.welcome["pid"]
            timer = threading.Timer(0.02 * turn, os.kill, (victim, 9))
            timer.start()
            with suppress(EngineError):
                while True:
                    self.engine.forget("film")
                    self.engine.restore_frame("film", 1003, FILM)
            timer.join()
            self.check()
            assert self.engine.welcome["pid"] != victim
        mine = f"filmrestore-{os.getuid()}-{self.engine.welcome['pid']}-"
        left = [path.name for path in Path("/dev/shm").glob("filmrestore-*") if not path.name.startswith(mine)]
        assert not left, left
        return "10 kills; the call in flight says so, the next one is right; no slot of the dead is left"

    def others(self) -> str:
        """Another user of this machine, with the folder shut, and with it open."""
        code = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(30)\n"
            "print(s.recv(4096)[16:].decode())"
        )
        path = str(self.folder / "server-cpu.sock")
        command = ["/usr/bin/python3", "-I", "-S", "-c", code, path]
        shut = subprocess.run(command, capture_output=True, text=True, user=65534, check=False)
        assert "PermissionError" in shut.stderr
        modes = {name: Path(name).stat().st_mode & 0o777 for name in (path, str(self.folder))}
        self.check()  # makes slots
        slots = {p.stat().st_mode & 0o777 for p in Path("/dev/shm").glob("filmrestore-*")}
        assert slots == {0o600}, slots
        try:
            Path(path).chmod(0o777)
            self.folder.chmod(0o755)
            opened = subprocess.run(command, capture_output=True, text=True, user=65534, check=False)
        finally:
            for name, mode in modes.items():
                Path(name).chmod(mode)
        assert "another user" in opened.stdout, opened.stderr
        return "nobody: shut out by mode; refused by name where the folder is open; slots are 0600"

    def full(self) -> str:
        """/dev/shm and the runtime folder full: frames go inline."""
        assert self.engine.status()["slot_bytes"] == 0, "there was room after all"
        return f"6 frames by bodies; {self.engine.status()['slot_bytes']} bytes of slots"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--runtime", type=Path)
    options = parser.parse_args()
    cases = options.cases or ["fuzz", "slow", "many", "storm", "others", "killed"]
    folder = options.runtime or Path(tempfile.mkdtemp(prefix="fr-"))
    folder.chmod(0o700)
    os.environ["FILMRESTORE_RUNTIME"] = str(folder)
    if "full" in cases:  # in a mount namespace of our own: see `full`
        fill(Path("/dev/shm"), folder)
    attack = Attack(folder, options.messages)
    print("| case | what | before | after |\n| :-- | :-- | :-- | :-- |", flush=True)
    for name in cases:
        case: Callable[[], str] = getattr(attack, name)
        before = attack.look()
        said = case()
        attack.check()
        gc.collect()
        after = attack.look()
        words = [", ".join(f"{n} {what}" for what, n in found.items()) for found in (before, after)]
        print(f"| {name} | {said} | {words[0]} | {words[1]} |", flush=True)
    attack.engine.stop_server()


def fill(*folders: Path) -> None:
    """Small file systems in the folders, and a file in each that leaves 16 KiB."""
    for folder in folders:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)], check=True)
        (folder / "filler").write_bytes(bytes((1 << 20) - (1 << 14)))


if __name__ == "__main__":
    main()
