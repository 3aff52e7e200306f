"""The composite: thresholds by polarity, sizes, the wider rim, and codes in every depth."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from filmrestore.colour import Colour, open_colour
from filmrestore.frame import Format, Frame
from filmrestore.nodes.composite import RIM, Repair, net_luma, repair, threshold, view
from filmrestore.nodes.lines import Lines
from filmrestore.nodes.meter import Meter
from filmrestore.nodes.tiles import Blended
from filmrestore.restorers.base import Origin
from filmrestore.settings import RestoreSettings

PLAIN = RestoreSettings(grain=0.0, guard=0.0)


def a_frame(dtype: str = "uint16", bits: int = 16, channels: tuple[str, ...] = ("R", "G", "B")) -> Frame:
    form = Format(
        width=60, height=50, channels=channels, dtype=dtype, bits=bits, container="exr", lossless=True, colourspace=None
    )
    codes = np.full((50, 60, len(channels)), 0.5 * form.white, dtype)
    codes[10:14, 20:24] = 0.1 * form.white  # dark dirt
    codes[30:34, 40:44] = 0.9 * form.white  # light dirt
    return Frame(
        number=7, codes=codes, format=form, data_window=(0, 0, 60, 50), display_window=(0, 0, 60, 50), metadata={}
    )


def colour_of(frame: Frame) -> Colour:
    return open_colour(frame.format, colourspace="srgb")


def proposal(frame: Frame, confidence: float = 0.9) -> Blended:
    colour = colour_of(frame)
    clean = np.full_like(frame.picture(), 0.5 * frame.format.white)
    matte = np.zeros((50, 60), np.float32)
    matte[10:14, 20:24] = matte[30:34, 40:44] = confidence
    return Blended(
        confidence=matte,
        picture=colour.to_net(clean),
        origin=np.full((50, 60), int(Origin.RECOVERED), np.uint8),
        others=(),
    )


def run(frame: Frame, settings: RestoreSettings = PLAIN, confidence: float = 0.9, **inputs: object) -> Repair:
    colour = colour_of(frame)
    return repair(
        frame,
        proposal(frame, confidence),
        lambda: {0: net_luma(frame, colour)},
        colour,
        settings,
        grain=None,
        meter=Meter(),
        **inputs,  # type: ignore[arg-type]
    )


DARK, LIGHT = np.s_[10:14, 20:24], np.s_[30:34, 40:44]


@pytest.mark.parametrize(
    ("dtype", "bits"), [("uint8", 8), ("uint16", 10), ("uint16", 12), ("uint16", 16), ("float16", 16), ("float32", 32)]
)
def test_marks_go_in_every_depth_and_the_rest_keeps_its_bits(dtype: str, bits: int) -> None:
    frame = a_frame(dtype, bits)
    done = run(frame)
    clean = 0.5 * frame.format.white
    for mark in (DARK, LIGHT):
        assert np.abs(done.codes[mark].astype(float) - clean).max() <= max(1.0, 1e-3 * clean)
    outside = done.matte == 0
    assert np.array_equal(done.codes[outside], frame.picture()[outside])
    assert done.codes.dtype == frame.codes.dtype


def test_a_repair_has_a_rim_of_one_pixel_that_it_changes_in_part() -> None:
    frame = a_frame()
    marks = np.zeros((2, 50, 60), np.float32)
    marks[0][DARK] = marks[1][LIGHT] = 1
    rims = [(cv2.dilate(mark, np.ones((3, 3))) > 0) & (mark == 0) for mark in marks]
    for rim, level in zip(rims, (0.4, 0.6), strict=True):
        frame.codes[rim] = level * frame.format.white
    done = run(frame)
    assert (done.matte[marks.any(axis=0)] == 1).all() and not done.matte[~(marks.any(axis=0) | rims[0] | rims[1])].any()
    for rim in rims:
        assert np.allclose(done.matte[rim], RIM)
        assert np.allclose(np.abs(done.codes[rim] / frame.format.white - 0.5), 0.1 * (1 - RIM), atol=1e-3)


@pytest.mark.parametrize("sensitivity", [0.0, 0.2])
def test_dark_and_light_marks_have_their_own_sensitivity(sensitivity: float) -> None:
    frame = a_frame()
    done = run(frame, RestoreSettings(grain=0.0, guard=0.0, sensitivity_light=sensitivity), confidence=0.6)
    assert (done.codes[DARK] != frame.picture()[DARK]).all()
    assert np.array_equal(done.codes[LIGHT], frame.picture()[LIGHT])


def test_thresholds_fall_as_sensitivity_rises() -> None:
    values = [threshold(s) for s in (0.0, 0.1, 0.5, 0.9, 1.0)]
    assert values[0] == float("inf") and threshold(0.5) == 0.5
    assert values == sorted(values, reverse=True) and values[-1] > 0.05


def test_a_defect_ends_near_what_begins_it() -> None:
    frame = a_frame()
    frame.codes[40, 5:55] = 0.1 * frame.format.white
    tiles = proposal(frame)
    tiles.confidence[40, 5:55] = 0.3
    tiles.confidence[40, 5:8] = 0.9
    done = repair(
        frame, tiles, lambda: {0: net_luma(frame, colour_of(frame))}, colour_of(frame), PLAIN, grain=None, meter=Meter()
    )
    assert (done.matte[40, 5:15] == 1).all() and not done.matte[40, 18:].any()


@pytest.mark.parametrize(
    ("settings", "fixed"), [({"smallest": 6.0}, False), ({"largest": 3.0}, False), ({"largest": 9.0}, True)]
)
def test_size_limits_leave_marks_out(settings: dict[str, float], fixed: bool) -> None:
    frame = a_frame()
    done = run(frame, RestoreSettings(grain=0.0, guard=0.0, **settings))  # type: ignore[arg-type]
    assert (done.matte.max() > 0) == fixed


def test_half_strength_goes_half_way_in_codes() -> None:
    frame = a_frame()
    done = run(frame, RestoreSettings(grain=0.0, guard=0.0, strength=0.5))
    assert np.abs(done.codes[DARK].astype(float) - 0.3 * 65535).max() <= 1.0


def test_protected_pixels_and_pixels_outside_the_region_stay() -> None:
    frame = a_frame()
    protect = np.zeros((50, 60), np.float32)
    protect[:20] = 1.0
    done = run(frame, protect=protect)
    assert np.array_equal(done.codes[:20], frame.picture()[:20])
    assert (done.codes[LIGHT] != frame.picture()[LIGHT]).all()


def test_the_luma_of_a_pixel_does_not_depend_on_the_pixels_around_it() -> None:
    codes = np.random.default_rng(0).integers(0, 65536, (3, 4099, 3), np.uint16)
    form = Format(
        width=4099, height=3, channels=("R", "G", "B"), dtype="uint16", bits=16, container="dpx", lossless=True
    )
    windows = {"data_window": (0, 0, 4099, 3), "display_window": (0, 0, 4099, 3)}
    whole = Frame(number=1, codes=codes, format=form, **windows)  # type: ignore[arg-type]
    part = Frame(number=1, codes=codes[1:, 2:9], format=form, **windows)  # type: ignore[arg-type]
    colour = colour_of(whole)
    assert np.array_equal(net_luma(part, colour), net_luma(whole, colour)[1:, 2:9])


def test_a_defect_map_needs_no_confidence() -> None:
    frame = a_frame()
    known = np.zeros((50, 60), np.float32)
    known[LIGHT] = 1.0
    done = run(frame, confidence=0.0, defect_map=known)
    assert (done.codes[LIGHT] != frame.picture()[LIGHT]).all()
    assert np.array_equal(done.codes[DARK], frame.picture()[DARK])


def test_a_neutral_scan_gets_no_colour() -> None:
    frame = a_frame()
    colour = colour_of(frame)
    tinted = proposal(frame)
    tinted.picture[..., 0] += 0.05
    done = repair(frame, tinted, lambda: {0: net_luma(frame, colour)}, colour, PLAIN, grain=None, meter=Meter())
    assert (done.codes == done.codes[:, :, :1]).all()


def test_every_changed_pixel_has_an_origin_and_a_matte() -> None:
    frame = a_frame()
    done = run(frame)
    changed = (done.codes != frame.picture()).any(axis=2)
    assert (done.origin[changed] == Origin.RECOVERED).all() and (done.matte[changed] > 0).all()
    assert (done.origin[done.matte == 0] == Origin.UNTOUCHED).all()


def test_views_show_the_matte_the_difference_and_what_was_removed() -> None:
    frame = a_frame()
    done = run(frame)
    assert view("matte", frame, done, 1.0)[DARK].min() == 65535
    assert view("difference", frame, done, 1.0)[DARK].min() > 20000
    assert np.array_equal(view("removed", frame, done, 1.0)[DARK], frame.picture()[DARK])
    assert view("overlay", frame, done, 1.0)[DARK][..., 0].min() > view("overlay", frame, done, 1.0)[DARK][..., 1].max()
    assert np.array_equal(view("matte", frame, done, 0.0), frame.picture())


def worn(line: int = 60) -> tuple[Frame, Blended, Lines]:
    """Hairlines beside a scratch, of which the tiles mark one: beside it the next one goes on."""
    form = Format(
        width=120,
        height=100,
        channels=("R", "G", "B"),
        dtype="float32",
        bits=32,
        container="exr",
        lossless=True,
        colourspace=None,
    )
    clean = np.random.default_rng(3).uniform(0.3, 0.34, (100, 120, 3)).astype(np.float32)
    codes = clean.copy()
    codes[:, line - 1 : line + 2] = codes[20:80, line + 2 : line + 10] = 0.8
    frame = Frame(
        number=7, codes=codes, format=form, data_window=(0, 0, 120, 100), display_window=(0, 0, 120, 100), metadata={}
    )
    confidence = np.zeros((100, 120), np.float32)
    confidence[20:80, line + 2 : line + 6] = 0.9
    plane, origin = np.zeros((100, 120), np.float32), np.full((100, 120), int(Origin.GENERATED), np.uint8)
    plane[:, line - 1 : line + 2] = 1
    tiles = Blended(confidence=confidence, picture=colour_of(frame).to_net(clean), origin=origin, others=())
    return frame, tiles, Lines(plane, plane > 0)


HAIRLINE = np.s_[20:80, 62:66]


def mended(frame: Frame, tiles: Blended, lines: Lines | None, **inputs: object) -> Repair:
    colour = colour_of(frame)
    lumas = {0: net_luma(frame, colour)}
    given = {"settings": RestoreSettings(grain=0.0), "grain": None, "meter": Meter(), **inputs}
    return repair(frame, tiles, lambda: lumas, colour, lines=lines, **given)  # type: ignore[arg-type]


def test_what_the_tiles_mark_along_a_scratch_is_mended_and_stays_what_they_painted() -> None:
    frame, tiles, lines = worn()
    done = mended(frame, tiles, lines)
    assert done.taken_back == 0
    assert done.hairlines is not None and done.hairlines[HAIRLINE].all() and done.hairlines.sum() == 60 * 4
    assert (done.origin[HAIRLINE] == Origin.GENERATED).all()
    unguarded = mended(frame, tiles, None, settings=RestoreSettings(grain=0.0, guard=0.0))
    assert np.array_equal(done.codes[HAIRLINE], unguarded.codes[HAIRLINE])


def test_what_the_tiles_mark_along_a_hair_or_along_nothing_is_asked_whether_its_repair_makes_an_edge() -> None:
    frame, tiles, lines = worn()
    for other in (replace(lines, scratches=np.zeros_like(lines.scratches)), None):
        done = mended(frame, tiles, other)
        assert done.taken_back == 1 and done.hairlines is None
        assert (done.codes == frame.codes)[HAIRLINE].all()


def test_far_frames_are_asked_for_hairlines_too_and_what_they_do_not_show_stays_painted() -> None:
    frame, tiles, lines = worn()
    asked = []

    def far(sound: np.ndarray, holes: np.ndarray) -> np.ndarray:
        asked.append(holes.copy())
        by = np.zeros(holes.shape, np.uint8)
        by[:50] = np.where(holes[:50], 2, 0)
        sound[by > 0] = 0.25
        return by

    done = mended(frame, tiles, lines, far=far)
    (holes,) = asked
    assert holes[HAIRLINE].all() and holes.sum() == 60 * 4 + 100 * 3
    assert done.far is not None and (done.far[HAIRLINE][:30] == 2).all() and not done.far[HAIRLINE][30:].any()
    assert (done.origin[HAIRLINE][:30] == Origin.RECOVERED).all()
    assert (done.origin[HAIRLINE][30:] == Origin.GENERATED).all()


def test_where_the_picture_itself_is_mended_a_scratch_has_no_bundle() -> None:
    frame, tiles, lines = worn()
    done = mended(frame, tiles, lines, marks=False)
    assert done.hairlines is None and (done.origin[HAIRLINE] == Origin.GENERATED).all()


def test_what_is_not_finite_beside_a_line_is_none_of_its_sides() -> None:
    frame, tiles, lines = worn()
    frame.codes[90, 62] = -np.inf
    frame.codes[10, 58] = np.nan
    done = mended(frame, tiles, lines)
    known = np.isfinite(frame.codes)
    assert np.array_equal(done.codes[~known], frame.codes[~known], equal_nan=True)
    line = np.s_[:, 59:62]
    assert done.codes[line].min() > 0.2 and done.codes[line].max() < 0.5
