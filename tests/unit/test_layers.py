"""A mark is parted from the picture under it: all of it is known, and nothing of the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filmrestore.analysis.layers import whole_mark
from filmrestore.analysis.pieces import Glance
from filmrestore.analysis.relief import relief

Float32 = NDArray[np.float32]
HEIGHT, WIDTH, FRAMES, HERE = 90, 130, 12, 5
CLEAR = 2  # pixels: its blur


def ground(shift: tuple[float, float]) -> Float32:
    """A busy picture with bars as thin as a hair."""
    rng = np.random.default_rng(2)
    size = (HEIGHT + 20, WIDTH + 20)
    busy = cv2.GaussianBlur(rng.standard_normal(size).astype(np.float32), (0, 0), 1.5)
    picture = np.float32(0.5) + np.float32(0.08) * busy / busy.std()
    picture[:, 60:62] += np.float32(0.3)
    picture[40:42] += np.float32(0.3)
    turn = np.array([[1, 0, shift[0] - 10], [0, 1, shift[1] - 10]])
    return np.asarray(cv2.warpAffine(picture, turn, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC), np.float32)


def cover(shift: tuple[float, float], bend: float = 0.0) -> Float32:
    """A hair from left to right, 0..1; the bend moves its right end."""
    along = np.linspace(0, 1, 40)
    x, y = 25 + 80 * along + shift[0], 30 + 30 * np.sin(2 * along) + shift[1] + bend * np.maximum(along - 0.5, 0)
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.polylines(canvas, [np.round(np.stack([x, y], axis=1) * 16).astype(np.int32)], False, 255, 2, cv2.LINE_AA, 4)
    return np.asarray(canvas.astype(np.float32) / 255)


def shot(pictures: NDArray[np.float64], ways: NDArray[np.int_], bends: NDArray[np.float64]) -> list[Glance]:
    frames = []
    for n in range(FRAMES):
        frame = ground((pictures[n, 0], pictures[n, 1]))
        frame = frame - np.float32(0.2) * cover((float(ways[n, 0]), float(ways[n, 1])), float(bends[n]))
        frame += np.random.default_rng(n).normal(0, 0.01, frame.shape).astype(np.float32)
        frames.append(Glance.of(n, frame, *relief(frame)))
    return frames


def ways_of(seed: int) -> NDArray[np.int_]:
    ways = np.random.default_rng(seed).integers(-1, 2, (FRAMES, 2))
    ways[HERE] = 0
    return ways


def known() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The middle of its crest: what lies 20 pixels beyond is looked for."""
    rows, columns = np.nonzero(cover((0, 0)) > 0.8)
    middle = (columns > 42) & (columns < 88)
    return rows[middle], columns[middle]


STILL, BENT = np.zeros((FRAMES, 2)), np.zeros(FRAMES)


@pytest.mark.parametrize("is_panned", [False, True])
def test_more_of_a_hair_is_known_than_one_frame_shows_and_nothing_of_a_busy_picture(is_panned: bool) -> None:
    pictures = np.stack([np.arange(FRAMES) - HERE, np.zeros(FRAMES)], axis=1) * 0.7 if is_panned else STILL
    ways = np.zeros((FRAMES, 2), int) if is_panned else ways_of(3)
    frames = shot(pictures, ways, BENT)
    rows, columns = whole_mark(frames, ways, (STILL, pictures), HERE, -1, known())
    found = np.zeros((HEIGHT, WIDTH), np.bool_)
    found[rows, columns] = True
    hair = cover((0, 0))
    assert found[hair > 0.5].mean() > 0.55 and len(rows) > 1.3 * len(known()[0])
    near = cv2.dilate(hair, np.ones((2 * CLEAR + 1, 2 * CLEAR + 1), np.uint8)) > 0.1
    assert (found & ~near).sum() <= 0.05 * found.sum()


def test_a_hair_is_followed_to_its_end_however_long() -> None:
    ways = ways_of(3)
    frames = shot(STILL, ways, BENT)
    rows, columns = known()
    start = columns < 75
    rows, columns = whole_mark(frames, ways, (STILL,), HERE, -1, (rows[start], columns[start]))
    assert columns.max() > 100


@pytest.mark.parametrize(("gap", "is_bridged"), [(8, True), (24, False)])
def test_a_hair_goes_on_beyond_a_place_where_nothing_of_it_shows(gap: int, is_bridged: bool) -> None:
    ways = ways_of(3)
    bar = np.zeros((HEIGHT, WIDTH), np.bool_)
    bar[:, 70 : 70 + gap] = True
    frames = []
    for n in range(FRAMES):
        hair = np.where(bar, np.float32(0), cover((float(ways[n, 0]), float(ways[n, 1]))))
        frame = ground((0.0, 0.0)) - np.float32(0.2) * hair
        frame += np.random.default_rng(n).normal(0, 0.01, frame.shape).astype(np.float32)
        frames.append(Glance.of(n, frame, *relief(frame)))
    rows, columns = known()
    start = columns < 70
    rows, columns = whole_mark(frames, ways, (STILL,), HERE, -1, (rows[start], columns[start]))
    assert (columns >= 70 + gap).any() == is_bridged


def test_under_a_fast_pan_what_lies_at_the_border_of_the_look_is_not_taken_for_the_hair() -> None:
    pictures = np.stack([np.arange(FRAMES) - HERE, np.zeros(FRAMES)], axis=1) * 10.0
    frames = []
    wide = cv2.GaussianBlur(np.random.default_rng(4).standard_normal((260, 460)).astype(np.float32), (0, 0), 2.0)
    wide = np.float32(0.5) + np.float32(0.08) * wide / wide.std()
    hair = np.zeros((240, 300), np.float32)
    cv2.line(hair, (150, 20), (156, 220), 1.0, 2, cv2.LINE_AA)
    for n in range(FRAMES):
        frame = wide[10:250, 80 - int(pictures[n, 0]) :][:, :300] - np.float32(0.15) * hair
        frame = frame + np.random.default_rng(n).normal(0, 0.005, frame.shape).astype(np.float32)
        frames.append(Glance.of(n, frame, *relief(frame)))
    rows, columns = np.nonzero(hair > 0.8)
    start = (rows > 80) & (rows < 160)
    ways = np.zeros((FRAMES, 2), int)
    rows, columns = whole_mark(frames, ways, (STILL, pictures), HERE, -1, (rows[start], columns[start]))
    near = cv2.dilate(hair, np.ones((2 * CLEAR + 1, 2 * CLEAR + 1), np.uint8)) > 0.1
    assert rows.min() < 40 and rows.max() > 200
    assert (~near[rows, columns]).sum() <= 0.02 * len(rows)


def test_where_a_hair_bends_only_what_keeps_to_one_way_is_taken() -> None:
    ways = ways_of(3)
    frames = shot(STILL, ways, np.random.default_rng(5).normal(0, 12, FRAMES))
    rows, columns = whole_mark(frames, ways, (STILL,), HERE, -1, known())
    bent = columns > 92
    assert len(rows) > len(known()[0]) and bent.sum() <= 10


def test_where_neither_moves_no_more_than_the_crest_is_known() -> None:
    ways = np.zeros((FRAMES, 2), int)
    rows, columns = whole_mark(shot(STILL, ways, BENT), ways, (STILL,), HERE, -1, known())
    assert {*zip(rows.tolist(), columns.tolist(), strict=True)} == {*zip(*(at.tolist() for at in known()), strict=True)}
