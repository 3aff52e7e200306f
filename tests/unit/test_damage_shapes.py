"""Shapes: own outlines, and masks from a folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from filmrestore.damage import Damage, MaskFolder
from filmrestore.damage.shapes import FAMILIES, own_shape, stamp
from filmrestore.errors import CorruptFile, InputError
from filmrestore.settings import DegradeSettings


def write_masks(folder: Path, group: str, count: int = 6) -> None:
    (folder / group).mkdir(parents=True)
    for number in range(count):
        picture = np.zeros((60, 80), np.uint8)
        cv2.rectangle(picture, (10, 10), (20 + number, 49), 255, -1)
        cv2.imwrite(str(folder / group / f"{number:04d}.png"), picture)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("area", [9.0, 120.0, 3000.0])
def test_a_stamp_has_the_area_and_the_place_asked_for(family: str, area: float):
    for index in range(4):
        alpha, top, left = stamp(own_shape(family, index), area, 101.3, 57.8, turn=0.7 * index, squeeze=1.3)
        rows, columns = np.mgrid[: alpha.shape[0], : alpha.shape[1]]
        assert abs(alpha.sum() / area - 1.0) < 0.15
        assert alpha.min() >= 0.0 and alpha.max() <= 1.0
        assert abs((alpha * (columns + left + 0.5)).sum() / alpha.sum() - 101.3) < 0.35 * np.sqrt(area)
        assert abs((alpha * (rows + top + 0.5)).sum() / alpha.sum() - 57.8) < 0.35 * np.sqrt(area)
        assert not alpha[0].any() and not alpha[-1].any() and not alpha[:, 0].any() and not alpha[:, -1].any()


def test_a_stamp_moves_by_fractions_of_a_pixel():
    def middle(x: float) -> float:
        alpha, _, left = stamp(own_shape("dust", 3), 12.0, x, 20.0, turn=0.4)
        return float((alpha.sum(axis=0) * (np.arange(alpha.shape[1]) + left)).sum() / alpha.sum())

    moved = [middle(30.0 + step / 8) - middle(30.0) for step in range(9)]
    assert np.abs(np.array(moved) - np.arange(9) / 8).max() < 0.05


def test_no_two_shapes_of_a_family_are_alike():
    for family in FAMILIES:
        shapes = [own_shape(family, index).levels[-2].ravel() for index in range(8)]
        assert len({shape.tobytes() for shape in shapes}) == 8


def test_marks_are_drawn_from_the_folder_in_the_share_asked_for(tmp_path: Path):
    write_masks(tmp_path, "dots")
    plate = np.zeros((300, 300, 3), np.float32)
    own = Damage(DegradeSettings(dust=2000.0, polarity="light"), 300, 300, frame_width=2048.0)
    masks = {}
    for share in (0.0, 1.0):
        settings = DegradeSettings(dust=2000.0, polarity="light", folder_share=share)
        masks[share] = (
            Damage(settings, 300, 300, shapes=MaskFolder(tmp_path), frame_width=2048.0).apply(plate, 1).mask("dust")
        )
    assert np.array_equal(masks[0.0], own.apply(plate, 1).mask("dust"))
    assert masks[1.0].any() and not np.array_equal(masks[0.0], masks[1.0])


def test_masks_with_the_left_out_numbers_are_never_drawn(tmp_path: Path):
    write_masks(tmp_path, "dots", 11)
    kept = [file.name for file in MaskFolder(tmp_path, exclude_every=5).groups["dots"]]
    assert kept == ["0001.png", "0002.png", "0003.png", "0004.png", "0006.png", "0007.png", "0008.png", "0009.png"]
    assert len(MaskFolder(tmp_path).groups["dots"]) == 11


def test_a_folder_without_masks_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no folder of masks"):
        MaskFolder(tmp_path / "none")
    (tmp_path / "dots").mkdir()
    with pytest.raises(InputError, match="gray PNG"):
        MaskFolder(tmp_path)


def test_a_broken_mask_is_named(tmp_path: Path):
    (tmp_path / "dots").mkdir()
    (tmp_path / "dots" / "0001.png").write_bytes(b"no picture")
    with pytest.raises(CorruptFile, match=r"0001\.png"):
        MaskFolder(tmp_path).pick("dots", np.random.default_rng(1))
