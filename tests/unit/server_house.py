"""A real server in this process for tests, with its own runtime folder and the tests' quick restorer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fakes import MedianRestorer
from film import picture
from filmrestore import protocol
from filmrestore.client import Client, Image, find_server
from filmrestore.restorers.base import REGISTRY, Context, Restored
from filmrestore.server.serve import Server
from wire import receive, send

HEIGHT, WIDTH = 90, 133


def until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    """Waits for what other threads do."""
    end = monotonic() + seconds
    while not is_so():
        assert monotonic() < end, "waited in vain"
        threading.Event().wait(0.01)


@contextmanager
def running(runtime: Path, restorer: str = "fakes:load", **values: Any) -> Iterator[Server]:
    """A server that has ended, and left nothing, when the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(REGISTRY, "frdm", restorer)
        patch.setenv("FILMRESTORE_RUNTIME", str(runtime))
        server = Server("cpu", **values)
        thread = threading.Thread(target=server.serve)
        thread.start()
        until((runtime / "server-cpu.json").exists)
        try:
            yield server
        finally:
            server.stop()
            thread.join(60)
            assert not thread.is_alive()


def client() -> Client:
    """A client of the server that runs."""
    found = find_server(name="test")
    assert found is not None
    return found


def image(number: int, *, channels: str = "RGBA", height: int = HEIGHT, width: int = WIDTH) -> Image:
    """A frame of the tests' film; the alpha is a ramp that nothing may touch."""
    codes = np.empty((height, width, 4), np.float32)
    codes[:, :, :3] = picture(number, height, width)
    codes[:, :, 3] = np.linspace(-1, 2, width, dtype=np.float32)
    return Image(height, width, channels, np.ascontiguousarray(codes[:, :, : len(channels)]))


def array(result: Image) -> np.ndarray:
    """The pixels, shape (h, w, c)."""
    return np.frombuffer(result.pixels, np.float32).reshape(result.shape)


class GatedRestorer(MedianRestorer):
    """Waits at every patch until the gate is open; `reached` says that it has begun to."""

    gate = threading.Event()
    reached = threading.Event()

    def __call__(self, window: Tensor, context: Context) -> Restored:
        self.reached.set()
        assert self.gate.wait(60)
        return super().__call__(window, context)


def load_gated(device: torch.device) -> GatedRestorer:
    """As the registry calls it; the gate is shut."""
    GatedRestorer.gate.clear()
    GatedRestorer.reached.clear()
    return GatedRestorer(device)


class RawClient:
    """A client that says what it likes."""

    def __init__(self, runtime: Path, *, hello: bool = True) -> None:
        facts = json.loads((runtime / "server-cpu.json").read_text())
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(facts["socket"])
        if hello:
            self.say({"type": "hello", "id": 0, "client": "raw", "settings": protocol.settings_digest()})
            assert self.hear()["type"] == "welcome"

    def say(self, header: protocol.Header, body: bytes = b"") -> None:
        send(self.socket, header, body)

    def hear(self) -> protocol.Header:
        """The next header; its body is read too."""
        header, header["body"] = receive(self.socket)
        return header

    def is_closed(self) -> bool:
        """Whether the server has ended the connection; reads what is left."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except ConnectionResetError:
            return True
        return True

    def close(self) -> None:
        self.socket.close()
