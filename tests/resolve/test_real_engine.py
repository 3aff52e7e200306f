"""From a clip of the timeline to its take, with the real server and real files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filmrestore_resolve import main

from film import SPECKS, picture, read_codes, write_image, write_shot
from unit.server_house import client, running

from .fake import START, World

FRAMES = range(1000, 1012)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running(tmp_path_factory.mktemp("run")) as server:
        yield server


def run(world: World, settings_file: Path, capsys: Any, **choices: Any) -> str:
    settings_file.parent.mkdir(exist_ok=True)
    settings_file.write_text(json.dumps({"timeline": {"run": {"clips": "playhead", **choices}}}))
    main.run("timeline", {"resolve": world.resolve(), "fusion": object()}, lambda device: client())
    return str(capsys.readouterr().out)


def test_a_clips_files_come_back_as_a_take_with_its_specks_gone_and_all_else_bit_for_bit(
    server: Any, world: World, tmp_path: Path, settings_file: Path, capsys: Any
) -> None:
    write_shot(tmp_path / "scans", len(FRAMES), extension="dpx", height=70, width=100)
    media = world.media(str(tmp_path / "scans" / "shot.[1000-1011].dpx"), 12, 1000)
    item = world.timeline.playhead = world.clip(media, at=START + 5, left=3, duration=6)
    said = run(world, settings_file, capsys, keep=2, colourspace="sRGB - Texture")
    assert "a take on the clip" in said, said
    assert item.media.facts["File Path"].endswith("shot_restore.[1001-1010].dpx")
    assert (item.take, item.at, item.left, item.duration) == (2, START + 5, 2, 6)
    folder = Path(item.media.facts["File Path"]).parent
    for number in range(1001, 1011):
        before = read_codes(tmp_path / "scans" / f"shot.{number}.dpx")
        after = read_codes(folder / f"shot_restore.{number}.dpx")
        changed = np.argwhere((before != after).any(axis=-1))
        if number in SPECKS:
            row, column = SPECKS[number]
            inside = (abs(changed[:, 0] - row - 2) < 8) & (abs(changed[:, 1] - column - 2) < 8)
            assert len(changed) >= 16 and inside.all(), number
        else:
            assert len(changed) == 0, number


def test_a_retimed_clip_is_rendered_restored_and_laid_over_itself(
    server: Any, world: World, tmp_path: Path, settings_file: Path, capsys: Any
) -> None:
    media = world.media(str(tmp_path / "shot.mov"), 24, 0)
    item = world.timeline.playhead = world.clip(media, at=START, duration=12)  # at double speed
    item.frames = 12
    world.render = lambda path, number: write_image(path, picture(number - START + 1000, 70, 100))
    said = run(world, settings_file, capsys, folder=str(tmp_path / "out"), colourspace="sRGB - Texture")
    new = world.timeline.tracks[1].items[0]
    assert (new.at, new.left, new.duration) == (START, 0, 12) and item.takes == [], said
    pattern = new.media.facts["File Path"]
    name = pattern.replace(f"[{START:08d}-{START + 11:08d}]", f"{START + 3:08d}")
    row, column = SPECKS[1003]
    assert read_codes(Path(name))[row : row + 4, column : column + 4].min() > 0.2
