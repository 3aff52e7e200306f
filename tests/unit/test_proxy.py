"""Previews look at a smaller picture where a frame is large."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from filmrestore.frame import Box
from filmrestore.nodes.proxy import Proxy
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
    codes[3, 3] = np.nan
    assert np.isfinite(Proxy(2).picture(codes)).all()


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


def test_a_frame_that_is_small_enough_is_looked_at_as_it_is() -> None:
    codes, plane = np.zeros((5, 7, 3), np.uint16), np.zeros((5, 7), np.float32)
    restored = Restored(picture=torch.zeros(1), matte=torch.zeros(1), origin=torch.zeros(1))  # type: ignore[arg-type]
    same = Proxy(1)
    assert same.picture(codes) is codes and same.map(plane) is plane and same.enlarged(restored, (5, 7)) is restored
