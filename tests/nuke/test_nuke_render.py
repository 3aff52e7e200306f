"""The terminal script, from plate to written EXR, on the stand-in with the real server and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from film import read_codes
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.restore import restore
from filmrestore.server.serve import Server
from nuke_path import FRAMES, restored_by_nuke

pytestmark = pytest.mark.usefixtures("engine")


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.array_equal(
        np.ascontiguousarray(a).view(np.uint32), np.ascontiguousarray(b).view(np.uint32)
    )


@pytest.fixture(scope="module")
def by_command(engine: Server, clip: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("command")
    restore(RestoreJob(source=clip, output=str(out / "c.####.exr"), colourspace="scene_linear", threads=1))
    return out


@pytest.mark.parametrize("rendered", [False, True], ids=["files", "rendered"])
def test_nuke_writes_what_the_command_writes_bit_for_bit(
    clip: str, by_command: Path, tmp_path: Path, rendered: bool
) -> None:
    written = restored_by_nuke(clip, tmp_path, FRAMES, rendered=rendered)
    changed = 0
    for number, path in written.items():
        expected = read_codes(by_command / f"c.{number}.exr")
        assert same_bits(read_codes(path), expected), number
        changed += not same_bits(expected, read_codes(Path(clip % number)))
    assert changed == 2
