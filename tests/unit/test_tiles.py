"""Tiles: the key holds everything that a tile saw."""

from pathlib import Path

import numpy as np
import torch

from fakes import MedianRestorer
from filmrestore.cache import TileCache
from filmrestore.colour import open_colour
from filmrestore.frame import Format, Frame
from filmrestore.nodes.meter import Meter
from filmrestore.nodes.tiles import TileMaker
from filmrestore.nodes.windows import plan_units
from filmrestore.restorers.base import numeric_class
from filmrestore.settings import RestoreSettings

SIZE = (40, 50)


def tiles(
    folder: Path, bits: int = 16, known: dict[int, np.ndarray] | None = None, first: int = 6
) -> tuple[int, np.ndarray]:
    """(tiles computed, confidence of the middle frame) of three frames with the same codes, whatever the depth."""
    height, width = SIZE
    form = Format(
        width=width, height=height, channels=("R", "G", "B"), dtype="uint16", bits=bits, container="dpx", lossless=True
    )
    window = (0, 0, width, height)
    frames = {}
    for number in range(first - 1, first + 4):
        codes = np.full((*SIZE, 3), 400, np.uint16)
        codes[10:14, 20:24] = 100 if number == first + 1 else 400
        frames[number] = Frame(number=number, codes=codes, format=form, data_window=window, display_window=window)
    restorer, meter = MedianRestorer(torch.device("cpu")), Meter()
    maker = TileMaker(
        restorer,
        open_colour(form, colourspace="srgb"),
        RestoreSettings(),
        numeric_class(restorer),
        cache=TileCache(folder, 16),
        threads=1,
        roi=None,
        meter=meter,
        cancelled=lambda: None,
    )
    [unit] = plan_units(range(first, first + 3), frames, (), window=5, keep=3)
    blended = maker.blend(unit, frames, known)
    maker.close()
    return meter.computed, blended[first + 1].confidence


def test_the_same_codes_in_another_depth_are_another_tile(tmp_path: Path) -> None:
    cold, deep = tiles(tmp_path)
    assert cold > 0
    assert tiles(tmp_path)[0] == 0
    again, shallow = tiles(tmp_path, bits=10)
    assert again == cold
    assert shallow.max() > deep.max()  # the same codes are far brighter, and so is their change


def test_a_defect_map_and_the_frame_that_it_belongs_to_are_in_the_key(tmp_path: Path) -> None:
    mark = np.zeros(SIZE, np.float32)
    mark[30:32, 5:9] = 1
    cold, _ = tiles(tmp_path)
    computed = [tiles(tmp_path, known={number: mark})[0] for number in (6, 7, 7)]
    assert computed == [cold, cold, 0]


def test_tiles_of_other_frames_of_the_same_codes_are_other_tiles(tmp_path: Path) -> None:
    cold, _ = tiles(tmp_path)
    assert tiles(tmp_path, first=9)[0] == cold
