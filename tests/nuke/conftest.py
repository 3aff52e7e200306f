"""A real server with the quick restorer, and a clip, for the tests of the Nuke plug-in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from film import picture, write_image
from filmrestore.server.serve import Server
from nuke_path import FRAMES
from nuke_stand_in import installed
from unit.server_house import running

HEIGHT, WIDTH = 60, 80
sys.path.insert(0, str(Path(__file__).parents[2] / "nuke_plugin"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that Nukes of this test find."""
    with running(tmp_path_factory.mktemp("run")) as server:
        yield server


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twelve float32 scene-linear EXRs with alpha and specks."""
    folder = tmp_path_factory.mktemp("clip")
    for number in FRAMES:
        codes = np.empty((HEIGHT, WIDTH, 4), np.float32)
        codes[:, :, :3] = picture(number, HEIGHT, WIDTH) * 2
        codes[:, :, 3] = np.linspace(-1, 2, WIDTH, dtype=np.float32)
        write_image(folder / f"shot.{number:04d}.exr", codes)
    return str(folder / "shot.%04d.exr")


def _forget() -> None:
    held = sys.modules.get("filmrestore_nuke.engine")
    for client in held._clients.values() if held is not None else ():
        client.close()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("nuke", "filmrestore_nuke")]:
        del sys.modules[name]


@pytest.fixture
def nuke() -> Iterator[ModuleType]:
    """Nuke with a user interface, in this process."""
    _forget()
    yield installed(gui=True)
    _forget()


@pytest.fixture
def terminal() -> Iterator[ModuleType]:
    """Nuke without one."""
    _forget()
    yield installed()
    _forget()
