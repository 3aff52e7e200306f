"""Motion evidence: what it finds, what it leaves alone, and that it always gives the same bits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from filmrestore import motion
from filmrestore.motion import (
    AGREEMENT,
    ALL_CHANNELS,
    CHANNELS,
    NEXT,
    PREVIOUS,
    SECOND,
    SECOND_VALID,
    VALID,
    compensate,
    evidence,
    flow,
    luma8,
    neighbours,
)


def texture(height: int = 128, width: int = 160, seed: int = 0) -> np.ndarray:
    """A smooth random picture, (h, w, 3), about 0.1 to 0.8."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3.0)
    return (0.45 + 0.12 * smooth / smooth.std()).astype(np.float32)


def moving(count: int = 3, step: tuple[int, int] = (3, 2), size: tuple[int, int] = (96, 112)) -> np.ndarray:
    """A window (t, 3, h, w) whose picture moves left and up by `step` (x, y) pixels a frame."""
    large = texture(size[0] + step[1] * count + 8, size[1] + step[0] * count + 8)
    views = [large[step[1] * i : step[1] * i + size[0], step[0] * i : step[0] * i + size[1]] for i in range(count)]
    return np.ascontiguousarray(np.stack(views).transpose(0, 3, 1, 2))


def test_flow_finds_a_shift_to_a_tenth_of_a_pixel():
    window = moving(2).transpose(0, 2, 3, 1)
    field = flow(luma8(window[0]), luma8(window[1]))
    assert np.abs(field[16:-16, 16:-16] - np.float32([-3, -2])).max() < 0.1


def test_neighbours_lie_on_the_frame():
    window = moving()
    seen = evidence(window, (True,) * 3)
    inner = (slice(None), slice(16, -16), slice(16, -16))
    assert np.abs(seen[1, PREVIOUS][inner] - window[1][inner]).max() < 0.02
    assert np.abs(seen[1, NEXT][inner] - window[1][inner]).max() < 0.02
    assert seen[1, VALID][inner].min() == 1
    assert seen[1, AGREEMENT][inner].min() > 0.95


@pytest.mark.parametrize("level", [0.02, 0.9])
def test_a_speck_does_not_bend_what_the_neighbours_show_under_it(level):
    window = moving()
    clean = window[1].copy()
    cv2.circle(canvas := np.zeros(window.shape[-2:], np.uint8), (50, 48), 5, 1, -1)
    speck = canvas > 0
    window[1][:, speck] = level
    seen = evidence(window, (True,) * 3)
    assert np.abs(seen[1, PREVIOUS] - clean)[:, speck].mean() < 0.01
    assert np.abs(seen[1, NEXT] - clean)[:, speck].mean() < 0.01


def test_where_the_picture_left_the_patch_nothing_is_claimed():
    seen = evidence(moving(step=(12, 0)), (True,) * 3)
    assert seen[1, VALID][1, :, -8:].min() == 1  # the next frame still holds it
    assert seen[1, VALID][0, :, -8:].max() == 0  # the previous one did not have it yet
    assert not seen[1, PREVIOUS][:, :, -8:].any()


def test_where_no_frame_can_speak_for_a_neighbour_it_is_zeros():
    window = moving(4)
    seen = evidence(window, (False, True, True, False))
    assert seen.shape == (4, CHANNELS, 96, 112)
    assert not seen[0].any() and not seen[3].any()
    assert not seen[1, PREVIOUS].any() and not seen[1, VALID][0].any() and not seen[1, AGREEMENT][0].any()
    assert seen[1, VALID][1].any() and seen[2, VALID][0].any()
    assert not seen[2, NEXT].any()


@pytest.mark.parametrize(
    ("present", "of_it"),
    [
        ("11111", [{1: 1}, {0: 0, 1: 2}, {0: 1, 1: 3}, {0: 2, 1: 4}, {0: 3}]),
        ("00111", [{}, {}, {1: 3, 0: 4}, {0: 2, 1: 4}, {0: 3}]),  # a shot begins
        ("01111", [{}, {1: 2, 0: 3}, {0: 1, 1: 3}, {0: 2, 1: 4}, {0: 3}]),
        ("11100", [{1: 1}, {0: 0, 1: 2}, {0: 1, 1: 0}, {}, {}]),
        ("11011", [{1: 1}, {0: 0, 1: 3}, {}, {0: 1, 1: 4}, {0: 3}]),  # one is missing inside
        ("01010", [{}, {1: 3}, {}, {0: 1}, {}]),  # nothing speaks twice
        ("011", [{}, {1: 2}, {0: 1}]),
        ("1", [{}]),
    ],
)
def test_where_a_neighbour_is_not_there_the_next_frame_speaks_for_it(present: str, of_it: list[dict[int, int]]) -> None:
    there = [flag == "1" for flag in present]
    assert [neighbours(centre, there) for centre in range(len(there))] == of_it


@pytest.mark.parametrize("present", [(False, False, True, True, True), (True, True, True, False, False)])
def test_at_an_end_of_a_shot_both_sides_show_what_is_there(present: tuple[bool, ...]) -> None:
    window = moving(5)
    seen = evidence(window, present)[2]
    middle = np.s_[:, 16:-16, 16:-16]
    assert seen[VALID][middle].min() == 1
    for side in (PREVIOUS, NEXT):
        assert np.abs(seen[side] - window[2])[middle].mean() < 0.01


def test_second_neighbours_lie_on_the_frame_and_change_nothing_of_the_first():
    window = moving(5)
    seen = evidence(window, (True,) * 5, seconds=True)
    assert seen.shape[1] == ALL_CHANNELS
    assert np.array_equal(seen[:, :CHANNELS], evidence(window, (True,) * 5))
    inner = np.s_[16:-16, 20:-20]
    for frame, sides in ((1, (1,)), (2, (0, 1)), (3, (0,))):
        own = window[frame].mean(axis=0)
        for side in sides:
            assert seen[frame, SECOND_VALID][side][inner].min() == 1
            assert np.abs(seen[frame, SECOND][side] - own)[inner].max() < 0.03


@pytest.mark.parametrize(
    ("present", "shown"),
    [
        ("11111", ["", "1", "01", "0", ""]),
        ("01111", ["", "", "1", "0", ""]),  # the first of the shot is held against two of one side
        ("00111", ["", "", "", "", ""]),
        ("11011", ["", "", "", "", ""]),
        ("11110", ["", "1", "0", "", ""]),
        ("111", ["", "", ""]),
    ],
)
def test_second_neighbours_are_shown_where_both_nearest_are_there(present: str, shown: list[str]) -> None:
    there = tuple(flag == "1" for flag in present)
    seen = evidence(moving(len(there)), there, seconds=True)
    for frame, sides in enumerate(shown):
        valid = seen[frame, SECOND_VALID].any(axis=(1, 2))
        assert "".join(str(side) for side in (0, 1) if valid[side]) == sides
        assert not seen[frame, SECOND][~valid].any()


def test_backwards_in_time_the_sides_change_places():
    window, there = moving(5), (True,) * 5
    seen, back = (evidence(frames, there, seconds=True) for frames in (window, window[::-1]))
    swapped = [3, 4, 5, 0, 1, 2, 7, 6, 9, 8, 11, 10, 13, 12]
    assert np.array_equal(seen, back[::-1, swapped])


def test_a_single_frame_has_no_evidence():
    assert not evidence(moving(1), (True,)).any()


def test_flicker_is_not_a_difference():
    window = moving()
    window[0] += 0.04
    window[2] -= 0.03
    seen = evidence(window, (True,) * 3)
    inner = (slice(None), slice(16, -16), slice(16, -16))
    assert np.abs(seen[1, PREVIOUS][inner] - window[1][inner]).mean() < 0.008
    assert np.abs(seen[1, NEXT][inner] - window[1][inner]).mean() < 0.008


def test_frames_of_different_scenes_do_not_agree():
    window = np.stack([texture(96, 112, seed).transpose(2, 0, 1) for seed in (1, 2, 3)])
    assert evidence(window, (True,) * 3)[1, AGREEMENT].mean() < 0.7


def test_light_above_one_comes_through():
    window = moving()
    window[:, :, 40:60, 40:60] += 1.0
    seen = evidence(window, (True,) * 3)
    assert seen[1, PREVIOUS][:, 44:56, 44:56].min() > 1.1


def test_gives_the_same_bits_whatever_the_thread_count_was():
    window = moving()
    cv2.setNumThreads(1)
    once = evidence(window, (True,) * 3)
    cv2.setNumThreads(4)
    again = evidence(window, (True,) * 3)
    assert np.array_equal(once, again)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (33, 2), (31, 47)])
def test_any_size_works(size):
    seen = evidence(np.full((3, 3, *size), 0.4, np.float32), (True,) * 3)
    assert seen.shape == (3, CHANNELS, *size)
    assert np.abs(seen[1, PREVIOUS] - 0.4).max() < 1e-6
    longer = evidence(np.full((5, 3, *size), 0.4, np.float32), (True,) * 5, seconds=True)
    assert np.abs(longer[2, SECOND] - 0.4).max() < 1e-6


def test_outside_of_the_neighbour_is_marked():
    picture = texture(40, 40)
    _, inside = compensate(picture, np.full((40, 40, 2), (5.0, 0.0), np.float32))
    assert inside[:, :34].min() == 1
    assert inside[:, 35:].max() == 0


def test_blacks_that_are_lifted_in_a_neighbour_alone_are_no_difference():
    window = moving(3, (0, 0))
    window[:, :, 30:60, 30:60] *= np.float32(0.2)  # a dark coat, smaller than what level matching sees
    window[[0, 2]] += np.float32(0.25) * np.clip(np.float32(0.3) - window[[0, 2]], 0, None)
    seen = evidence(window, (True,) * 3)[1]
    coat = (slice(None), slice(34, 56), slice(34, 56))
    assert float((window[0] - window[1])[coat].mean()) > 0.04
    for neighbour in (PREVIOUS, NEXT):
        assert float(np.abs((seen[neighbour] - window[1])[coat]).mean()) < 0.02


def test_a_defect_is_not_matched_away():
    window = moving(3, (0, 0))
    window[1, :, 40:46, 50:56] = 0.95
    seen = evidence(window, (True,) * 3)[1]
    for neighbour in (PREVIOUS, NEXT):
        assert float(np.abs((seen[neighbour] - window[0])[:, 40:46, 50:56]).mean()) < 0.02


@pytest.mark.parametrize("count", [1, 2, 513, 4096])
def test_means_quantiles_and_medians_are_numpys_own_to_the_bit(count):
    rng = np.random.default_rng(count)
    picture = rng.normal(0.4, 0.3, (count, 7, 3)).astype(np.float32)
    assert motion.channel_mean(picture).tobytes() == picture.mean(axis=2).tobytes()
    for values in (picture[:, 0, 0].copy(), np.round(picture[:, 1, 1], 1)):  # the second with many that are equal
        wanted = np.quantile(values, np.linspace(0, 1, 9))
        assert np.array_equal(motion._quantiles(values, 8), wanted)
        assert motion._median(values) == np.median(values)


def test_flow_remembers_nothing_of_the_call_before():
    window = [luma8(frame) for frame in moving(2, size=(96, 112)).transpose(0, 2, 3, 1)]
    other = [luma8(frame) for frame in moving(2, step=(7, 1), size=(64, 200)).transpose(0, 2, 3, 1)]
    first = flow(*window)
    flow(*other)
    flow(window[1], window[0])
    assert flow(*window).tobytes() == first.tobytes()
