"""What grain would hide anyway stays as it was scanned: faint marks, and rims that hold nothing of their mark."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filmrestore.grain import GrainModel, stock, synthesise, worthwhile
from filmrestore.nodes.composite import RIM

Pixels = NDArray[np.float32]
SHAPE = (64, 80)


@dataclass
class Scene:
    """A grainy picture with one mark, and a repair that takes exactly that mark off."""

    net: Pixels
    clean: Pixels
    mended: Pixels
    matte: Pixels
    confidence: Pixels
    wanted: NDArray[np.bool_]
    model: GrainModel | None

    def kept(self) -> Pixels:
        return worthwhile(**vars(self))


@pytest.fixture(scope="module")
def model() -> GrainModel:
    return stock()


@pytest.fixture(scope="module")
def deviation(model: GrainModel) -> float:
    return float(model.deviation_at(np.full((1, 3), 0.45, np.float32)).mean())


def _scene(model: GrainModel, strength: float, size: int = 3, blur: float = 0.0) -> Scene:
    """A square mark whose light differs by `strength`, in the middle of a grey plate with the model's grain."""
    plate = np.full((*SHAPE, 3), 0.45, np.float32)
    truth = plate + synthesise(model, plate, 1, 1)
    mark = np.zeros(SHAPE, np.float32)
    part = np.s_[30 : 30 + size, 40 : 40 + size]
    mark[part] = 1
    light = cv2.GaussianBlur(mark, (0, 0), blur) if blur else mark
    rim = cv2.dilate(mark, np.ones((3, 3)))
    net = truth + np.float32(strength) * light[..., None]
    matte = mark + (rim - mark) * np.float32(RIM)
    return Scene(net, plate, truth, matte, rim, np.zeros(SHAPE, bool), model)


def test_a_mark_that_can_be_seen_stays_and_one_that_grain_hides_does_not(model: GrainModel, deviation: float) -> None:
    assert (_scene(model, 8 * deviation).kept() >= 1).sum() == 9
    assert _scene(model, 1.5 * deviation).kept().max() == 0
    assert _scene(model, -1.5 * deviation).kept().max() == 0


def test_of_a_large_mark_a_fainter_change_is_worth_it(model: GrainModel, deviation: float) -> None:
    assert (_scene(model, 1.2 * deviation, size=20).kept() >= 1).sum() == 400


def test_what_the_method_doubts_has_to_be_stronger(model: GrainModel, deviation: float) -> None:
    certain = _scene(model, 2.5 * deviation)
    assert certain.kept().max() == 1
    assert replace(certain, confidence=0.5 * certain.confidence).kept().max() == 0


def test_a_rim_is_repaired_where_the_mark_was_spread_and_nowhere_else(model: GrainModel, deviation: float) -> None:
    sharp, soft = _scene(model, 20 * deviation), _scene(model, 40 * deviation, blur=0.7)
    assert (sharp.kept() > 0).sum() <= 9 + 1  # grain alone passes three deviations once in seven hundred pixels
    assert (soft.kept() > 0).sum() >= 9 + 12  # of 16 on the rim


def test_a_rim_of_another_colour_is_no_part_of_the_mark(model: GrainModel, deviation: float) -> None:
    scene = _scene(model, 20 * deviation)
    rim = (scene.matte > 0) & (scene.matte < 1)
    scene.net[rim] -= np.float32(10 * deviation)  # a light mark, dark around it: an edge of the picture
    assert not scene.kept()[rim].any()
    scene.net[rim] += np.float32(20 * deviation)
    assert scene.kept()[rim].all()


def test_what_is_asked_for_stays_however_faint(model: GrainModel, deviation: float) -> None:
    scene = _scene(model, 0.5 * deviation)
    scene.wanted[31, 41] = True
    assert (scene.kept() >= 1).sum() == 9


def test_without_a_model_nothing_is_faint(model: GrainModel, deviation: float) -> None:
    scene = replace(_scene(model, 0.1 * deviation), model=None)
    assert (scene.kept() >= 1).sum() == 9


def test_one_mark_does_not_speak_for_another(model: GrainModel, deviation: float) -> None:
    scene, other = _scene(model, 8 * deviation), _scene(model, 1.0 * deviation)
    for name in ("net", "clean", "mended", "matte", "confidence"):
        both = getattr(scene, name)
        both[:, :20] = getattr(other, name)[:, 30:50]  # the faint mark, 30 columns to the left
    kept = scene.kept()
    assert (kept[:, :20] == 0).all()
    assert (kept[:, 20:] >= 1).sum() == 9


def test_pixels_without_a_value_and_frames_without_a_mark_do_no_harm(model: GrainModel, deviation: float) -> None:
    scene = _scene(model, 8 * deviation)
    scene.net[31, 41] = np.nan
    assert np.isfinite(scene.kept()).all()
    empty = replace(scene, matte=np.zeros(SHAPE, np.float32))
    assert empty.kept().max() == 0


def test_the_matte_that_was_given_is_left_alone(model: GrainModel, deviation: float) -> None:
    scene = _scene(model, deviation)
    before = scene.matte.copy()
    scene.kept()
    assert np.array_equal(scene.matte, before)
