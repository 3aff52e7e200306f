"""Fixes: how changed pixels become connected marks, and what each mark is called."""

import cv2
import numpy as np
import pytest

from filmrestore.fixes import find_fixes, persistence
from filmrestore.fixes.classify import Stays, cause_of, measure_shape
from filmrestore.fixes.model import ORIGINS
from filmrestore.frame import Format

cv2.setNumThreads(1)


def ten_bit(width: int, height: int) -> Format:
    return Format(
        width=width, height=height, channels=("R", "G", "B"), dtype="uint16", bits=10, container="dpx", lossless=True
    )


def found(scan, new, *, matte=None, origin=None, confidence=None, **more):
    height, width = scan.shape[:2]
    changed = np.any(scan != new, axis=2)
    return find_fixes(
        scan,
        new,
        changed.astype(np.float32) if matte is None else matte,
        np.where(changed, 1, 0).astype(np.uint8) if origin is None else origin,
        np.full((height, width), 0.75, np.float32) if confidence is None else confidence,
        frame=1001,
        model="frdm@0123456789ab",
        settings="feedfacefeedface",
        format=ten_bit(width, height),
        **more,
    )


def grey(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(7)
    return rng.integers(300, 400, (height, width, 3), dtype=np.uint16)


def test_a_fix_is_as_certain_as_its_most_certain_pixel() -> None:
    scan = grey(20, 20)
    new, confidence = scan.copy(), np.zeros((20, 20), np.float32)
    new[4:11, 4:11] += 90
    confidence[6:9, 6:9], confidence[7, 7], confidence[15, 15] = 0.6, 0.875, 1.0
    [(fix, _)] = found(scan, new, confidence=confidence)
    assert fix.confidence == 0.875


def test_laying_the_pixels_of_all_fixes_over_the_scan_gives_the_new_codes_exactly() -> None:
    scan = grey(97, 131)
    new = scan.copy()
    touched = np.random.default_rng(1).random((97, 131)) < 0.02
    new[touched] += 90
    fixes = found(scan, new)
    rebuilt, seen = scan.copy(), np.zeros((97, 131), int)
    for fix, pixels in fixes:
        rebuilt[fix.where.slices][pixels.mask] = pixels.after
        seen[fix.where.slices] += pixels.mask
        assert fix.area == pixels.mask.sum() == len(pixels.before)
        assert np.array_equal(scan[fix.where.slices][pixels.mask], pixels.before)
        assert pixels.mask.any(axis=1).all() or fix.area > 1
        assert pixels.mask[[0, -1]].any(axis=1).all() and pixels.mask[:, [0, -1]].any(axis=0).all()
    assert np.array_equal(rebuilt, new)
    assert np.array_equal(seen, touched)


def test_marks_one_pixel_apart_are_one_fix_and_two_pixels_apart_are_two() -> None:
    scan = grey(20, 20)
    near, far = scan.copy(), scan.copy()
    near[5, [4, 6]] = 900
    far[5, [4, 7]] = 900
    assert [fix.box for fix, _ in found(scan, near)] == [(4, 5, 7, 6)]
    assert [fix.box for fix, _ in found(scan, far)] == [(4, 5, 5, 6), (7, 5, 8, 6)]


def test_an_unchanged_frame_has_no_fix() -> None:
    scan = grey(8, 9)
    assert found(scan, scan.copy()) == []


def test_a_changed_nan_bit_or_sign_of_zero_is_a_fix() -> None:
    scan = np.zeros((4, 6, 3), np.float32)
    scan[1, 1] = np.nan
    new = scan.copy()
    new.view(np.uint32)[1, 1, 0] ^= 1
    new[2, 4, 1] = -0.0
    fixes = found(scan, new, origin=np.ones((4, 6), np.uint8), matte=np.ones((4, 6), np.float32))
    assert [(fix.box, fix.area) for fix, _ in fixes] == [((1, 1, 2, 2), 1), ((4, 2, 5, 3), 1)]
    assert fixes[0].fix.change == -1.0
    assert np.array_equal(fixes[0].pixels.after.view(np.uint32)[0], new.view(np.uint32)[1, 1])


def test_an_id_names_the_frame_and_changes_with_a_single_code() -> None:
    scan = grey(9, 9)
    first, second = scan.copy(), scan.copy()
    first[3:5, 3:5] = 900
    second[3:5, 3:5] = 900
    second[4, 4, 2] = 901
    one, two = found(scan, first)[0].fix.id, found(scan, second)[0].fix.id
    assert one.startswith("1001-") and len(one) == len("1001-") + 10
    assert one != two
    assert one == found(scan, first)[0].fix.id


def test_origin_shares_sum_to_one_and_the_largest_names_the_fix() -> None:
    scan = grey(9, 9)
    new = scan.copy()
    new[2, 1:9] += 50
    origin = np.zeros((9, 9), np.uint8)
    origin[2, 1:4], origin[2, 4:8] = 1, 3
    ((fix, pixels),) = found(scan, new, origin=origin)
    assert fix.shares == (0.375, 0.125, 0.5)
    assert fix.origin == "generated"
    assert pixels.origin.tolist() == [1, 1, 1, 3, 3, 3, 3, 2]


def test_origin_words_are_those_of_the_restorers() -> None:
    from filmrestore.restorers import base

    assert tuple(origin.name.lower() for origin in base.Origin) == ORIGINS


def test_polarity_and_change_are_measured_against_the_new_codes() -> None:
    scan = np.full((12, 30, 3), 400, np.uint16)
    new = scan.copy()
    scan[5, 3:6], scan[5, 13:16] = 100, 900
    scan[5, 23:25], scan[5, 25:27] = 100, 900
    fixes = [fix for fix, _ in found(scan, new)]
    assert [fix.polarity for fix in fixes] == ["dark", "light", "mixed"]
    assert fixes[0].change == round(300 / 1023, 5)


def test_a_weak_matte_keeps_a_byte_above_zero() -> None:
    scan = grey(4, 4)
    new = scan.copy()
    new[1, 1] += 1
    ((_, pixels),) = found(scan, new, matte=np.full((4, 4), 1e-6, np.float32))
    assert pixels.matte.tolist() == [1]


def shape_of(mask: np.ndarray, *, at: tuple[int, int] = (600, 500), full=(1556, 2048), stays=None):
    return measure_shape(mask, at, full, None if stays is None else Stays(stays))


def disc(diameter: int) -> np.ndarray:
    y, x = np.mgrid[:diameter, :diameter] - (diameter - 1) / 2
    return x * x + y * y <= (diameter / 2) ** 2


def curl(radius: int, thickness: int) -> np.ndarray:
    canvas = np.zeros((2 * radius + 8, 2 * radius + 8), np.uint8)
    centre = (radius + 4, radius + 4)
    cv2.ellipse(canvas, centre, (radius, radius), 0, 0, 270, 1, thickness)
    rows, columns = np.nonzero(canvas)
    return canvas[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(bool)


@pytest.mark.parametrize(
    ("mask", "cause"),
    [
        (disc(1), "dust"),
        (disc(3), "dust"),
        (disc(5), "dust"),
        (disc(9), "dirt"),
        (disc(20), "dirt"),
        (disc(60), "blotch"),
        (np.ones((300, 2), bool), "scratch"),
        (np.ones((1556, 4), bool), "scratch"),
        (np.ones((3, 40), bool), "hair"),
        (np.ones((12, 3), bool), "hair"),
        (curl(30, 3), "hair"),
    ],
)
def test_a_shape_has_the_cause_that_its_size_and_form_say(mask: np.ndarray, cause: str) -> None:
    assert cause_of(shape_of(mask), "dark") == cause


def test_the_same_mark_at_four_times_the_width_has_the_same_cause() -> None:
    for mask in (disc(4), disc(12), np.ones((300, 3), bool), curl(24, 3)):
        large = np.kron(mask, np.ones((4, 4), bool))
        expected = cause_of(shape_of(mask), "dark")
        assert cause_of(shape_of(large, at=(2400, 2000), full=(6224, 8192)), "dark") == expected


def test_a_hair_that_hangs_into_the_gate_and_stays_is_a_gate_hair() -> None:
    mask = curl(30, 3)
    stays = np.ones((1556, 2048), np.float32)
    assert cause_of(shape_of(mask, at=(900, 0), stays=stays), "dark") == "gate_hair"
    assert cause_of(shape_of(mask, at=(900, 700)), "dark") == "hair"


def test_a_short_piece_of_a_line_that_neighbours_show_is_a_scratch() -> None:
    piece = np.ones((40, 2), bool)
    line = np.zeros((1556, 2048), np.float32)
    line[:, 600:602] = 1
    line[480:560, 600:602] = 0
    assert cause_of(shape_of(piece, stays=line), "light") == "scratch"
    assert cause_of(shape_of(piece), "light") == "hair"


def test_a_level_line_across_the_frame_is_a_splice() -> None:
    assert cause_of(shape_of(np.ones((12, 2048), bool), at=(0, 0)), "light") == "splice"


def test_a_hole_of_light_is_a_burn_and_a_dark_one_a_blotch() -> None:
    mask = disc(500)
    assert cause_of(shape_of(mask), "light") == "burn"
    assert cause_of(shape_of(mask), "dark") == "blotch"


def test_what_a_person_or_the_infrared_marked_is_called_so() -> None:
    scan = grey(30, 40)
    new = scan.copy()
    new[5:8, 5:8] += 80
    new[20:23, 20:23] += 80
    infrared = np.zeros((30, 40), bool)
    infrared[4:9, 4:9] = True
    causes = [fix.cause for fix, _ in found(scan, new, given={"infrared": infrared})]
    assert causes[0] == "infrared" and causes[1] != "infrared"


def test_persistence_forgives_three_pixels_of_weave_and_counts_neighbours() -> None:
    one, two = np.zeros((20, 20), np.float32), np.zeros((20, 20), np.float32)
    one[10, 10] = 1
    stays = persistence([one, two])
    assert stays[10, 13] == 0.5 and stays[10, 14] == 0
    assert persistence([one, one])[7, 7] == 1
