"""Small marks that frdm's network takes for grain, and that stand against every neighbour."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from filmrestore.motion import AGREEMENT, ALL_CHANNELS, NEXT, PREVIOUS, SECOND, SECOND_VALID, VALID
from filmrestore.restorers.frdm.singles import CROWD, LARGEST, lone_marks

torch.set_num_threads(1)

MARK = (slice(30, 33), slice(40, 43))
CALM = torch.full((5, 1, 64, 96), 0.05)
ALL_ASKED = torch.tensor([False, True, True, True, False])


def scan(amount: float = 0.12, mark: tuple[slice, slice] = MARK, noise: float = 0.01) -> torch.Tensor:
    """A window of a still grey picture in grain, with a mark in its middle frame; net values, (5, 3, 64, 96)."""
    window = 0.4 + noise * torch.randn(5, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    window[2, :, *mark] += amount
    return window


def at_rest(window: torch.Tensor) -> torch.Tensor:
    """Evidence of a window in which nothing moves."""
    seen = torch.zeros(5, ALL_CHANNELS, 64, 96)
    for index in (1, 2, 3):
        seen[index, PREVIOUS], seen[index, NEXT] = window[index - 1], window[index + 1]
        seen[index, VALID] = seen[index, AGREEMENT] = 1.0
        for side, far in enumerate((index - 2, index + 2)):
            if 0 <= far < 5:
                seen[index, SECOND][side], seen[index, SECOND_VALID][side] = window[far].mean(0), 1.0
    return seen


def told(window: torch.Tensor, network: float = 0.05, asked: torch.Tensor = ALL_ASKED) -> torch.Tensor:
    said = torch.full((5, 1, 64, 96), network)
    return lone_marks(said, said, window, at_rest(window), asked)[:, 0]


@pytest.mark.parametrize("amount", [0.12, -0.12])
def test_a_small_mark_is_told_of_and_nothing_else(amount: float):
    found = told(scan(amount))
    near = torch.zeros(5, 64, 96, dtype=torch.bool)
    near[2, MARK[0].start - 2 : MARK[0].stop + 2, MARK[1].start - 2 : MARK[1].stop + 2] = True
    assert found[2, *MARK].all() and not found[~near].any()


def test_the_rim_that_the_scanner_blurs_is_of_the_mark():
    window = scan()
    window[2, :, MARK[0].start - 1, MARK[1]] += 0.010
    assert told(window)[2, MARK[0].start - 1, MARK[1]].any()


def test_what_the_network_found_is_no_lone_mark():
    assert not told(scan(), network=0.9).any()


def test_what_the_network_is_certain_of_stays_picture():
    assert not told(scan(), network=0.001).any()


def test_frames_with_witnesses_on_one_side_alone_are_not_asked():
    assert not told(scan(), asked=torch.tensor([False, True, False, True, False])).any()


def test_what_a_neighbour_shows_too_is_picture():
    window = scan()
    window[1, :, *MARK] += 0.12
    window[3, :, *MARK] += 0.12
    assert not told(window).any()


def test_large_marks_are_left_to_the_network():
    side = int(np.ceil(LARGEST**0.5)) + 1
    assert not told(scan(0.12, (slice(20, 20 + side), slice(30, 30 + side)))).any()


def test_in_a_crowd_they_are_picture():
    window = scan()
    for place in range(CROWD + 4):
        window[2, :, 10 + 14 * (place % 4), 6 + 12 * (place // 4)] += 0.12
    assert not told(window).any()


def test_a_mark_begins_nothing_where_the_network_is_unsure_of_more():
    confidence = torch.full((5, 1, 64, 96), 0.05)
    confidence[2, 0, 20:45, 30:60] = 0.3
    window = scan()
    assert not lone_marks(confidence, confidence, window, at_rest(window), ALL_ASKED).any()


def test_a_mark_begins_nothing_where_motion_was_not_found():
    window = scan()
    seen = at_rest(window)
    seen[2, AGREEMENT][1] = 0.5
    assert not lone_marks(CALM, CALM, window, seen, ALL_ASKED).any()


def test_what_hangs_together_with_what_the_network_found_is_left_as_it_is():
    confidence = torch.full((5, 1, 64, 96), 0.05)
    confidence[2, 0, 30:33, 44:60] = 0.9  # a pixel away from the mark
    window = scan()
    assert not lone_marks(confidence, confidence, window, at_rest(window), ALL_ASKED).any()


def test_what_the_network_gives_a_half_and_nobody_would_mend_may_be_a_lone_mark():
    window, half = scan(), CALM.clone()
    half[2, 0, *MARK] = 0.55
    assert lone_marks(half, 0.6 * half, window, at_rest(window), ALL_ASKED)[2, 0, *MARK].all()


def test_a_corner_is_as_crowded_as_the_middle():
    window = 0.4 + 0.01 * torch.randn(5, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    seen = torch.zeros(5, ALL_CHANNELS, 160, 160)
    seen[2, PREVIOUS], seen[2, NEXT] = window[1], window[3]
    seen[2, SECOND], seen[2, SECOND_VALID] = window[[0, 4]].mean(1), 1.0
    seen[2, VALID] = seen[2, AGREEMENT] = 1.0
    for place in range(CROWD // 2):
        window[2, :, 3 + 9 * place : 6 + 9 * place, 3:6] += 0.12
    calm = torch.full((5, 1, 160, 160), 0.05)
    assert lone_marks(calm, calm, window, seen, ALL_ASKED)[2, 0, 4, 4]
    window[2, :, 3:6, 21:51:9] += 0.12
    window[2, :, 12:15, 21:51:9] += 0.12
    assert not lone_marks(calm, calm, window, seen, ALL_ASKED)[2, 0, 4, 4]
