"""What neighbours show of a hole: moved with the picture, never damaged, and nothing where they show nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from filmrestore import recovery
from filmrestore.motion import flow
from filmrestore.recovery import recover

SIZE = 96
HOLE = (slice(40, 50), slice(42, 54))


def moving(speed: tuple[int, int] = (0, 0), frames: int = 5) -> np.ndarray:
    """A soft texture, moved by whole pixels a frame; net values."""
    rng = np.random.default_rng(3)
    wide = cv2.GaussianBlur(rng.random((SIZE + 80, SIZE + 80, 3)).astype(np.float32), (0, 0), 2.0)
    wide = 0.45 + (wide - wide.mean()) * 1.5
    return np.stack(
        [wide[40 + n * speed[1] :, 40 + n * speed[0] :][:SIZE, :SIZE] for n in range(-(frames // 2), frames // 2 + 1)]
    )


def damaged(frames: np.ndarray, where: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The frames with the hole burnt white in some, and the holes."""
    scan, holes = frames.copy(), np.zeros(frames.shape[:3], bool)
    for index in where:
        scan[(index, *HOLE)] = 1.0
        holes[(index, *HOLE)] = True
    return scan, holes


def centre(scan: np.ndarray, holes: np.ndarray, present: tuple[bool, ...] = (True,) * 5):
    fills = np.full_like(scan, 0.45)
    (found,) = recover(scan, fills, holes, present, [2])
    return found


@pytest.mark.parametrize("speed", [(0, 0), (3, 1), (-6, 2)])
def test_a_hole_shows_what_neighbours_show_along_the_motion(speed):
    truth = moving(speed)
    found = centre(*damaged(truth, [2]))
    miss = np.abs(found.picture - truth[2])[HOLE]
    assert float(miss.max()) < 0.03
    assert float(np.abs(0.45 - truth[2])[HOLE].max()) > 0.15  # what the fill would have missed
    assert float(found.trust[HOLE].min()) > 0.9


@pytest.mark.parametrize("speed", [(0, 0), (3, 1), (-6, 2)])
def test_a_neighbours_own_damage_is_not_copied(speed):
    truth = moving(speed)
    scan, holes = damaged(truth, [1, 2, 3])
    found = centre(scan, holes)  # only the frames two away are whole there
    assert float(np.abs(found.picture - truth[2])[HOLE].max()) < 0.03


def test_motion_to_second_neighbours_takes_no_search_of_its_own(monkeypatch):
    searched = []
    monkeypatch.setattr(recovery, "flow", lambda a, b: searched.append(0) or flow(a, b))
    scan, holes = damaged(moving((3, 1)), [1, 2, 3])
    list(recover(scan, np.full_like(scan, 0.45), holes, (True,) * 5, [1, 2, 3]))
    assert len(searched) == 6


@pytest.mark.parametrize("lost", [(1, 3), (1,)])
def test_a_lost_frame_is_no_way_to_the_one_beyond(lost):
    truth = moving((3, 1))
    scan, holes = damaged(truth, [2])
    scan[list(lost)] = np.random.default_rng(0).random(scan[0].shape, np.float32)
    found = centre(scan, holes, tuple(n not in lost for n in range(5)))
    assert float(np.abs(found.picture - truth[2])[HOLE].max()) < 0.03


@pytest.mark.parametrize("asked", [[1], [2], [1, 3]])
def test_a_frame_is_recovered_the_same_whatever_else_is_asked_for(asked):
    scan, holes = damaged(moving((3, 1)), [1, 2, 3])
    fills = np.full_like(scan, 0.45)
    whole = dict(zip([1, 2, 3], recover(scan, fills, holes, (True,) * 5, [1, 2, 3]), strict=True))
    for index, found in zip(asked, recover(scan, fills, holes, (True,) * 5, asked), strict=True):
        assert np.array_equal(found.picture, whole[index].picture)


def test_what_lasts_is_left_to_the_fill():
    scan, holes = damaged(moving(), [0, 1, 2, 3, 4])
    found = centre(scan, holes)
    assert float(found.trust[44:46, 46:50].max()) < 1e-6
    assert float(np.abs(found.picture[44:46, 46:50] - 0.45).max()) < 1e-5


def test_frames_that_are_not_there_give_nothing():
    scan, holes = damaged(moving(), [2])
    found = centre(scan, holes, (False, False, True, False, False))
    assert float(found.trust.max()) < 1e-6
    assert float(np.abs(found.picture - 0.45).max()) < 1e-6


def test_light_above_one_is_recovered():
    truth = moving() + np.float32(1.2)
    found = centre(*damaged(truth, [2]))
    assert float(np.abs(found.picture - truth[2])[HOLE].max()) < 0.05
    assert float(found.picture[HOLE].min()) > 1.2


def test_flicker_of_a_neighbour_is_not_brought_in():
    truth = moving()
    truth += np.array([0.04, -0.03, 0.0, 0.05, -0.04], np.float32)[:, None, None, None]
    found = centre(*damaged(truth, [2]))
    assert float(np.abs(found.picture - truth[2])[HOLE].mean()) < 0.015


def test_another_scene_is_not_brought_in():
    truth = moving()
    truth[[1, 3]] = 1.1 - truth[[1, 3], ::-1]
    scan, holes = damaged(truth, [2])
    found, alone = centre(scan, holes), centre(scan, holes, (False, False, True, False, False))
    miss, missed_alone = (np.abs(answer.picture - truth[2])[HOLE].mean() for answer in (found, alone))
    assert float(miss) < 0.05 and miss < missed_alone / 2
