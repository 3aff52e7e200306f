"""What shows through a mark is kept: faint marks are taken off, opaque ones replaced, false ones left."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filmrestore.grain import GrainModel, hidden, show_through, stock, synthesise

Pixels = NDArray[np.float32]
SHAPE = (72, 96)
MIDDLE = np.s_[26:46, 38:58]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    cv2.setNumThreads(1)


@pytest.fixture(scope="module")
def model() -> GrainModel:
    return stock()


@pytest.fixture(scope="module")
def plate() -> Pixels:
    """A picture without grain."""
    ramp = np.linspace(0.4, 0.5, SHAPE[1], dtype=np.float32)
    return np.repeat(np.tile(ramp, (SHAPE[0], 1))[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def truth(plate: Pixels, model: GrainModel) -> Pixels:
    return plate + synthesise(model, plate, 1, 1)


@pytest.fixture(scope="module")
def clean(plate: Pixels, model: GrainModel) -> Pixels:
    """What neighbours show: other grain, half as strong."""
    return plate + 0.5 * synthesise(model, plate, 1, 2)


@pytest.fixture(scope="module")
def matte() -> Pixels:
    matte = np.zeros(SHAPE, np.float32)
    matte[MIDDLE] = 1
    return matte


def everywhere() -> NDArray[np.bool_]:
    return np.ones(SHAPE, bool)


def blotch(strength: float) -> Pixels:
    mark = np.zeros((*SHAPE, 3), np.float32)
    mark[30:42, 42:54] = strength
    return np.asarray(cv2.GaussianBlur(mark, (0, 0), 1.5), np.float32)


def error(picture: Pixels, truth: Pixels) -> float:
    return float(np.sqrt(np.square(picture - truth)[MIDDLE].mean()))


def test_a_faint_blotch_goes_and_the_grain_under_it_stays(
    truth: Pixels, clean: Pixels, matte: Pixels, plate: Pixels, model: GrainModel
) -> None:
    scan = truth - blotch(0.04)
    mended = show_through(scan, clean, matte, everywhere(), model)
    assert error(mended, truth) < 0.7 * error(clean, truth)
    assert error(mended, truth) < 0.5 * error(scan, truth)
    kept = np.corrcoef((mended - plate)[MIDDLE].ravel(), (truth - plate)[MIDDLE].ravel())[0, 1]
    assert kept > 0.75


def test_an_opaque_mark_is_replaced(truth: Pixels, clean: Pixels, matte: Pixels, model: GrainModel) -> None:
    scan = truth.copy()
    scan[30:42, 42:54] = 0.05
    mended = show_through(scan, clean, matte, everywhere(), model)
    assert np.abs(mended - clean)[30:42, 42:54].max() < 0.03


def test_a_false_mark_changes_little(truth: Pixels, clean: Pixels, matte: Pixels, model: GrainModel) -> None:
    mended = show_through(truth, clean, matte, everywhere(), model)
    assert error(mended, truth) < 0.7 * error(clean, truth)


def test_where_the_clean_picture_is_wrong_all_around_a_mark_the_scan_is_believed(
    truth: Pixels, matte: Pixels, model: GrainModel
) -> None:
    wrong = truth + 0.1 * np.random.default_rng(0).standard_normal(truth.shape, np.float32)
    mended = show_through(truth, wrong, matte, everywhere(), model)
    assert error(mended, truth) < 0.6 * error(wrong, truth)


def test_without_a_model_and_with_sound_surroundings_the_mark_is_replaced(plate: Pixels, matte: Pixels) -> None:
    mended = show_through(plate - blotch(0.04), plate, matte, everywhere(), None)
    np.testing.assert_allclose(mended, plate, atol=1e-6)


def test_outside_the_matte_every_bit_is_the_clean_pictures(
    truth: Pixels, clean: Pixels, matte: Pixels, model: GrainModel
) -> None:
    mended = show_through(truth, clean, matte, everywhere(), model)
    np.testing.assert_array_equal(mended[matte == 0], clean[matte == 0])
    nothing = show_through(truth, clean, np.zeros_like(matte), everywhere(), model)
    np.testing.assert_array_equal(nothing, clean)


def test_what_is_far_away_changes_no_bit(truth: Pixels, clean: Pixels, matte: Pixels, model: GrainModel) -> None:
    near = np.asarray(cv2.dilate(matte, np.ones((33, 33), np.uint8)), bool)
    scan = truth - blotch(0.04)
    other = np.where(near[..., None], scan, np.float32(0.9))
    one, two = (show_through(picture, clean, matte, everywhere(), model) for picture in (scan, other))
    np.testing.assert_array_equal(one, two)


def test_a_pixel_that_is_no_number_spoils_no_other(
    truth: Pixels, clean: Pixels, matte: Pixels, model: GrainModel
) -> None:
    scan = truth.copy()
    scan[35, 45] = np.nan
    scan[20, 40] = np.inf
    mended = show_through(scan, clean, matte, everywhere(), model)
    assert np.isfinite(mended).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (33, 7)])
def test_the_smallest_frames_are_mended(shape: tuple[int, int], model: GrainModel) -> None:
    scan, clean = np.full((*shape, 3), 0.2, np.float32), np.full((*shape, 3), 0.5, np.float32)
    whole = np.ones(shape, np.float32)
    mended = show_through(scan, clean, whole, whole > 0, model)
    np.testing.assert_allclose(mended, clean, atol=0.02)


def test_only_strong_marks_hide_grain(truth: Pixels, matte: Pixels, model: GrainModel) -> None:
    deviation = model.deviation_at(truth).max(axis=2, keepdims=True)
    faint, strong = (hidden(truth - factor * deviation, truth, matte, model) for factor in (2.0, 9.0))
    assert faint.max() == 0
    assert strong[MIDDLE].min() == 1
    assert strong[matte == 0].max() == 0
