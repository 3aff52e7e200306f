"""The tile cache: what goes in comes out, anything odd is a miss, the folder stays in bounds."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from filmrestore.cache import Tile, TileCache
from filmrestore.media.atomic import temporary_name


def a_tile(seed: int = 0, size: tuple[int, int] = (33, 41)) -> Tile:
    rng = np.random.default_rng(seed)
    matte = rng.integers(0, 256, (3, *size), np.uint8)
    support = rng.random((3, *size)) < 0.1
    count = int(support.sum())
    return Tile(
        matte=matte,
        support=support,
        picture=rng.normal(0, 100, (count, 3)).astype(np.float32),
        origin=rng.integers(1, 4, count, np.uint8),
    )


def same(a: Tile, b: Tile) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("matte", "support", "picture", "origin"))


def test_a_tile_comes_back_bit_for_bit(tmp_path: Path) -> None:
    cache = TileCache(tmp_path, 16)
    tile = a_tile()
    cache.put("ab" * 16, tile)
    read = cache.get("ab" * 16)
    assert read is not None and same(read, tile)
    assert cache.get("cd" * 16) is None


def test_an_empty_tile_is_small(tmp_path: Path) -> None:
    shape = (3, 256, 256)
    tile = Tile(
        matte=np.zeros(shape, np.uint8),
        support=np.zeros(shape, bool),
        picture=np.zeros((0, 3), np.float32),
        origin=np.zeros(0, np.uint8),
    )
    assert len(tile.to_bytes()) < 2000
    read = Tile.from_bytes(tile.to_bytes())
    assert read is not None and same(read, tile)


@pytest.mark.parametrize("seed", range(8))
def test_a_flipped_bit_anywhere_is_a_miss(tmp_path: Path, seed: int) -> None:
    cache = TileCache(tmp_path, 16)
    cache.put("ab" * 16, a_tile())
    [path] = tmp_path.glob("??/*.tile")
    data = bytearray(path.read_bytes())
    place = int(np.random.default_rng(seed).integers(len(data)))
    data[place] ^= 1 << (seed % 8)
    path.write_bytes(data)
    assert cache.get("ab" * 16) is None
    assert not path.exists()


@pytest.mark.parametrize("length", [0, 3, 20, 29, 30, 200])
def test_a_cut_off_tile_is_a_miss(tmp_path: Path, length: int) -> None:
    cache = TileCache(tmp_path, 16)
    cache.put("ab" * 16, a_tile())
    [path] = tmp_path.glob("??/*.tile")
    path.write_bytes(path.read_bytes()[:length])
    assert cache.get("ab" * 16) is None


def test_the_folder_stays_under_its_limit_and_keeps_the_newest(tmp_path: Path) -> None:
    cache = TileCache(tmp_path, 1)
    keys = [f"{n:032x}" for n in range(40)]
    for n, key in enumerate(keys):
        cache.put(key, a_tile(n, (100, 120)))
        assert sum(path.stat().st_size for path in tmp_path.glob("??/*.tile")) <= 2**20
    assert cache.get(keys[-1]) is not None
    assert cache.get(keys[0]) is None


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_tile(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = TileCache(tmp_path / "file", 16)
    cache.put("ab" * 16, a_tile())
    assert cache.get("ab" * 16) is None


def test_what_a_killed_run_left_half_written_is_swept_away(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = temporary_name(tmp_path / "ab" / "x.tile")
    left = left.with_name(left.name.replace(f".{os.getpid()}.", f".{ended.pid}."))
    left.parent.mkdir()
    left.write_bytes(b"half")
    TileCache(tmp_path, 16).put("cd" * 16, a_tile())
    assert not left.exists()
