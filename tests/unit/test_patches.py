"""Patches: the grid covers every pixel, blending gives back what was cut, and the overview ignores specks."""

import numpy as np
import pytest

from filmrestore.frame import Box
from filmrestore.patches import Blend, blend_weight, overview, overview_samples, patch_grid


@pytest.mark.parametrize("size", [(1, 1), (37, 501), (256, 256), (257, 255), (368, 480), (1556, 2048)])
def test_grid_covers_every_pixel_with_patches_of_one_size(size: tuple[int, int]) -> None:
    covered = np.zeros(size, int)
    grid = patch_grid(*size, patch=256, overlap=32)
    for box in grid:
        assert (box.height, box.width) == (min(256, size[0]), min(256, size[1]))
        covered[box.slices] += 1
    assert covered.min() >= 1
    assert len(set(grid)) == len(grid)


def test_blending_patches_of_one_picture_gives_the_picture() -> None:
    picture = np.random.default_rng(1).normal(size=(301, 517, 3)).astype(np.float32) * 40
    blend = Blend(picture.shape[:2], 3)
    for box in patch_grid(301, 517, patch=128, overlap=32):
        blend.add(box, picture[box.slices], blend_weight(box, (301, 517), 32))
    assert np.abs(blend.result() - picture).max() < 2e-5


def test_weights_fall_to_the_patch_edge_but_not_to_the_frame_edge() -> None:
    corner = blend_weight(Box(x0=0, y0=0, x1=64, y1=64), (100, 100), 16)
    assert corner[0, 0] == 1 and corner[40, 40] == 1
    assert 0 < corner[0, -1] < 0.05 and 0 < corner[-1, 0] < 0.05


def test_a_speck_and_a_blotch_leave_the_overview_as_it_is() -> None:
    rng = np.random.default_rng(2)
    ramp = np.linspace(0.1, 0.9, 2048, dtype=np.float32)[None, :, None] * np.ones((1556, 1, 3), np.float32)
    frames = [ramp + rng.normal(0, 0.01, ramp.shape).astype(np.float32) for _ in range(3)]
    rows, columns = overview_samples(1556, 2048)

    def small() -> np.ndarray:
        return overview([frame[rows[:, None], columns] for frame in frames])

    before = small()
    assert before.shape == (3, 64, 64)
    frames[1][700:712, 900:915] = 0
    frames[1][100:160, 1200:1290] = 1
    assert np.abs(small() - before).max() <= 1 / 16
    assert (small() != before).mean() < 0.002


def test_overview_of_a_frame_smaller_than_its_cells_is_its_picture() -> None:
    picture = np.full((5, 9, 3), 0.5, np.float32)
    rows, columns = overview_samples(5, 9)
    assert (overview([picture[rows[:, None], columns]]) == 0.5).all()
