"""Frame-wide fixes: flicker, fading and weave of known size undone, and nothing of the picture with them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filmrestore.frame import Format
from filmrestore.settings import RestoreSettings
from filmrestore.wide.lay import lay
from filmrestore.wide.record import Flicker, Weave, named
from filmrestore.wide.trend import trend
from wide_shots import HEIGHT, WIDTH, coded, corrected, moving, plate, write

F64 = NDArray[np.float64]
FIRST = 1001
COUNT = 72
CUT = 1033
FADE = 1059


@pytest.fixture(autouse=True)
def one_thread() -> None:
    cv2.setNumThreads(1)


def levels(frames: dict[int, F64]) -> F64:
    return np.array([frames[number].mean() for number in sorted(frames)])


def unrest(found: F64, true: F64) -> float:
    """Root mean square of how the error changes from frame to frame, relative to the light."""
    return float(np.sqrt(np.mean(np.diff(np.log(found / true)) ** 2)))


class Film:
    """A cut at 1033, a fade to near black from 1059 on, a ball and a pan throughout; and the same with flicker."""

    def __init__(self, folder: Path) -> None:
        scenes = plate(1), plate(2)
        draws = np.random.default_rng(0).normal(0, 0.06, COUNT)
        self.flicker = np.exp(draws - draws.mean())
        clean = [moving(k % 32, scenes[k >= 32]) * (1 - 0.9 * max(0, k - 57) / 14) for k in range(COUNT)]
        self.clean = {FIRST + k: coded(light) for k, light in enumerate(clean)}
        self.flickering = {FIRST + k: coded(light * self.flicker[k]) for k, light in enumerate(clean)}
        self.pattern = write(folder / "flicker", [light * self.flicker[k] for k, light in enumerate(clean)])
        self.steady = write(folder / "steady", clean)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return Film(tmp_path_factory.mktemp("film"))


def test_undoes_four_fifths_of_the_flicker_of_a_moving_picture(film: Film) -> None:
    _, _, done = corrected(film.pattern, RestoreSettings(deflicker=1.0), cuts=(CUT,))
    true, before, after = levels(film.clean), levels(film.flickering), levels(done)
    for first, last in ((0, 32), (32, 56)):
        part = slice(first, last)
        assert unrest(after[part], true[part]) < 0.2 * unrest(before[part], true[part])


def test_a_fade_and_a_cut_survive(film: Film) -> None:
    _, _, done = corrected(film.steady, RestoreSettings(deflicker=1.0), cuts=(CUT,))
    change = np.abs(np.log(levels(done) / levels(film.clean)))
    assert change.max() < 0.01


def test_a_lamp_that_is_switched_on_and_a_lightning_survive(tmp_path: Path) -> None:
    scene = plate(3)
    light = [1.0 if k < 12 else 1.6 for k in range(24)]
    light[18] = 2.2
    clean = [np.clip(moving(k, scene) * 0.4 * light[k], 0, 1) for k in range(24)]
    _, _, done = corrected(write(tmp_path, clean), RestoreSettings(deflicker=1.0))
    true = np.array([coded(frame).mean() for frame in clean])
    assert np.abs(np.log(levels(done) / true)).max() < 0.01


def test_undoes_light_that_is_uneven_over_the_frame(tmp_path: Path) -> None:
    scene, rng = plate(4), np.random.default_rng(1)
    clean = [moving(k, scene) for k in range(40)]
    fields = [cv2.resize(rng.normal(0, 0.05, (3, 4)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) for _ in clean]
    pattern = write(tmp_path, [light * np.exp(field)[..., None] for light, field in zip(clean, fields, strict=True)])
    left = []
    for settings in (RestoreSettings(), RestoreSettings(deflicker=1.0, deflicker_uneven=1.0)):
        _, _, done = corrected(pattern, settings)
        cells = [
            cv2.resize(
                np.log(done[FIRST + k] + 0.02) - np.log(coded(clean[k]) + 0.02), (4, 3), interpolation=cv2.INTER_AREA
            )
            for k in range(40)
        ]
        left.append(float(np.diff(np.array(cells), axis=0).std()))
    assert left[1] < 0.5 * left[0]


def test_half_the_amount_undoes_half(film: Film) -> None:
    _, _, whole = corrected(film.pattern, RestoreSettings(deflicker=1.0), cuts=(CUT,))
    _, _, half = corrected(film.pattern, RestoreSettings(deflicker=0.5), cuts=(CUT,))
    before, part, full = (np.log(levels(frames)[4:28]) for frames in (film.flickering, half, whole))
    assert np.abs((part - before) - 0.5 * (full - before)).max() < 0.003


def test_white_and_black_that_the_scanner_clipped_stay() -> None:
    format = Format(width=3, height=1, channels=("Y",), dtype="uint16", bits=10, container="dpx", lossless=True)
    codes = np.array([[[0], [512], [1023]]], np.uint16)
    fix = Flicker(frame=1, settings="", gain=(0.9,), offset=(0.02,), ends=0.3)
    done = lay(codes, [fix], format)
    assert done[0, 0, 0] == 0 and done[0, 2, 0] == 1023 and done[0, 1, 0] == round(512 * 0.9 + 0.02 * 1023)


@pytest.mark.parametrize("gain", [0.7, 1.3])
def test_never_turns_the_order_of_codes_round(gain: float) -> None:
    format = Format(width=1024, height=1, channels=("Y",), dtype="uint16", bits=10, container="dpx", lossless=True)
    ramp = np.arange(1024, dtype=np.uint16)[None, :, None]
    fix = Flicker(frame=1, settings="", gain=(gain,), offset=(0.0,), ends=2 * abs(gain - 1))
    assert np.diff(lay(ramp, [fix], format)[0, :, 0].astype(int)).min() >= 0


def test_codes_that_are_not_finite_keep_their_bits() -> None:
    format = Format(width=4, height=1, channels=("Y",), dtype="float32", bits=32, container="exr", lossless=True)
    codes = np.array([0x7FC01234, 0x7F800000, 0xFF800000, 0x3F000000], np.uint32).view(np.float32)[None, :, None]
    done = lay(codes, [Flicker(frame=1, settings="", gain=(0.5,), offset=(0.0,))], format)
    assert done.view(np.uint32)[0, :3, 0].tolist() == [0x7FC01234, 0x7F800000, 0xFF800000]
    assert done[0, 3, 0] == 0.25


def test_light_above_one_is_not_clipped() -> None:
    format = Format(width=1, height=1, channels=("Y",), dtype="float32", bits=32, container="exr", lossless=True)
    done = lay(
        np.full((1, 1, 1), 40.0, np.float32), [Flicker(frame=1, settings="", gain=(1.1,), offset=(0.0,))], format
    )
    assert done[0, 0, 0] == np.float32(44.0)


def test_the_trend_of_a_straight_line_is_the_line() -> None:
    line = np.linspace(0.0, 3.0, 40)
    assert np.abs(trend(line[:, None], line, 1e-3)[:, 0] - line).max() < 1e-9


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_shot_of_a_few_frames_has_a_trend(count: int) -> None:
    curve = np.arange(count, dtype=np.float64)
    assert np.abs(trend(curve[:, None], curve, 1e-3)[:, 0] - curve).max() < 1e-9


def test_a_weave_of_nothing_moves_nothing() -> None:
    format = Format(width=5, height=4, channels=("Y",), dtype="uint16", bits=16, container="png", lossless=True)
    codes = np.random.default_rng(0).integers(0, 65536, (4, 5, 1)).astype(np.uint16)
    fix = named(Weave(frame=1, settings="", matrix=(1, 0, 0, 0, 1, 0)))
    assert np.array_equal(lay(codes, [fix], format), codes)
