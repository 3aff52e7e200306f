"""Previews look at a smaller picture where a frame is large."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from restoring import SETTINGS, bytes_of, job

from fakes import MedianRestorer
from film import read_codes, write_image, write_shot
from filmrestore.frame import Box
from filmrestore.nodes.proxy import Proxy, grid_of
from filmrestore.nodes.restore import restore
from filmrestore.restorers.base import Restored
from filmrestore.restorers.frdm.restorer import FACTS
from filmrestore.settings import RestoreSettings

PREVIEW = RestoreSettings(quality="preview")


@pytest.mark.parametrize(
    ("width", "step"), [(640, 1), (1440, 1), (1920, 2), (2048, 2), (3840, 4), (4096, 4), (8192, 8)]
)
def test_a_preview_of_a_large_frame_looks_at_about_as_many_columns_as_of_a_small_one(width: int, step: int) -> None:
    assert FACTS.step(width, PREVIEW) == step
    assert FACTS.step(width, RestoreSettings()) == 1
    assert replace(FACTS, proxy=0).step(width, PREVIEW) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
def test_every_square_is_its_mean_and_edges_that_are_left_over_count(dtype: type) -> None:
    codes = np.arange(7 * 9 * 3).reshape(7, 9, 3).astype(dtype)
    small = Proxy(2).picture(codes)
    assert small.shape == (4, 5, 3) == (*Proxy(2).size((7, 9)), 3)
    even = Proxy(2).picture(np.ascontiguousarray(codes[:6, :8])).astype(np.float64)
    wanted = codes[:6, :8].astype(np.float64).reshape(3, 2, 4, 2, 3).mean(axis=(1, 3))
    assert np.abs(even - wanted).max() <= (0.5 if np.issubdtype(dtype, np.integer) else 0.1)


def test_a_code_that_is_not_finite_spoils_no_square() -> None:
    codes = np.full((8, 8, 3), 0.5, np.float32)
    codes[3, 3], codes[6:, 6:] = np.nan, np.inf
    small = Proxy(2).picture(codes)
    assert (small[:3] == 0.5).all() and (small[3, 3] == 0).all()


def test_a_known_defect_of_one_pixel_is_not_averaged_away() -> None:
    plane = np.zeros((9, 12), np.float32)
    plane[5, 7], plane[8, 11] = 1.0, 0.25
    small = Proxy(4).map(plane)
    assert small.shape == (3, 3)
    assert small[1, 1] == 1.0 and small[2, 2] == 0.25 and np.count_nonzero(small) == 2


def test_what_is_found_comes_back_at_its_place_and_size() -> None:
    matte, origin = torch.zeros(3, 1, 16, 20), torch.zeros(3, 1, 16, 20, dtype=torch.uint8)
    matte[:, :, 4:8, 10:14], origin[:, :, 4:8, 10:14] = 1.0, 2
    large = Proxy(2).enlarged(Restored(picture=torch.rand(3, 3, 16, 20), matte=matte, origin=origin), (31, 40))
    assert large.picture.shape == (3, 3, 31, 40) and large.origin.dtype == torch.uint8
    there = large.matte[0, 0] > 0.5
    assert there[9:15, 21:27].all() and not there[:, :19].any() and not there[18:].any()
    assert (large.origin[0, 0][there] == 2).all()


def test_a_patch_lies_in_the_proxy_where_it_lies_in_the_frame() -> None:
    assert Proxy(4).box(Box(x0=960, y0=0, x1=1984, y1=1023)) == Box(x0=240, y0=0, x1=496, y1=256)


def test_a_plan_counts_the_patches_of_the_proxy() -> None:
    preview, final = (grid_of(FACTS, settings, (1556, 2048)) for settings in (PREVIEW, RestoreSettings()))
    assert (len(preview), len(final)) == (20, 63)
    assert max(box.x1 for box in preview) == 2048 and max(box.y1 for box in preview) == 1556


def test_a_frame_that_is_small_enough_is_looked_at_as_it_is() -> None:
    codes, plane = np.zeros((5, 7, 3), np.uint16), np.zeros((5, 7), np.float32)
    restored = Restored(picture=torch.zeros(1), matte=torch.zeros(1), origin=torch.zeros(1))  # type: ignore[arg-type]
    same = Proxy(1)
    assert same.picture(codes) is codes and same.map(plane) is plane and same.enlarged(restored, (5, 7)) is restored


@pytest.fixture
def _proxies(monkeypatch: pytest.MonkeyPatch, median_restorer: None) -> None:
    """The tests' restorer, with previews of a third of their frames."""
    monkeypatch.setattr(MedianRestorer, "facts", replace(MedianRestorer.facts, proxy=44))


def frame_codes(pattern: str | Path, number: int) -> np.ndarray:
    return read_codes(Path(str(pattern).replace("####", str(number))))


@pytest.mark.usefixtures("_proxies")
def test_a_preview_mends_in_the_frames_own_codes_and_is_kept_like_any_other(tmp_path: Path) -> None:
    scan, mattes = write_shot(tmp_path / "scan"), str(tmp_path / "matte" / "m.####.png")
    asked = job(scan, tmp_path / "out", settings=replace(SETTINGS, quality="preview"), matte_out=mattes)
    asked = replace(asked, cache=str(tmp_path / "cache"))
    first = restore(asked)
    assert first.tiles_computed and first.fixes
    for number in range(1000, 1012):
        before, after = frame_codes(scan, number), frame_codes(asked.output, number)
        outside = frame_codes(mattes, number)[..., 0] == 0
        assert outside.any() and np.array_equal(after[outside], before[outside])
    kept = bytes_of(tmp_path / "out")
    again = restore(replace(asked, overwrite="always"))
    assert again.tiles_computed == 0 and bytes_of(tmp_path / "out") == kept
    assert restore(job(scan, tmp_path / "final")).tiles_computed > first.tiles_computed


@pytest.mark.usefixtures("_proxies")
def test_a_defect_of_one_pixel_that_is_told_is_mended_in_a_preview(tmp_path: Path) -> None:
    scan, mattes = write_shot(tmp_path / "scan"), str(tmp_path / "matte" / "m.####.png")
    mask = np.zeros((*frame_codes(scan, 1003).shape[:2], 3), np.uint16)
    mask[31, 41] = 65535
    write_image(tmp_path / "map.png", mask)
    preview = replace(SETTINGS, quality="preview")
    told = job(scan, tmp_path / "out", settings=preview, span="1003-1005", defect_map=str(tmp_path / "map.png"))
    restore(replace(told, matte_out=mattes))
    assert frame_codes(mattes, 1003)[31, 41].max() > 0
