"""The guard: what neighbours show again, moved, and pieces of larger things are spared; dirt and scratches are not."""

import cv2
import numpy as np
import pytest

from filmrestore.fixes.fragments import goes_on, is_of_bundle, makes_an_edge
from filmrestore.fixes.guard import is_large_thing_elsewhere, is_moving_picture, is_standing_picture
from filmrestore.frame import Box

SIZE = (160, 200)


def background(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = np.kron(rng.normal(0.5, 0.1, (20, 25)), np.ones((8, 8)))
    return smooth.astype(np.float32)


def with_disc(picture: np.ndarray, x: float, y: float, radius: float = 4.0, value: float = 0.95) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    alpha = np.clip(radius + 0.5 - np.hypot(rows - y, columns - x), 0, 1)
    return (picture * (1 - alpha) + value * alpha).astype(np.float32)


def grainy(picture: np.ndarray, seed: int) -> np.ndarray:
    return picture + np.random.default_rng(seed).normal(0, 0.01, picture.shape).astype(np.float32)


def judge(
    now: np.ndarray,
    clean: np.ndarray,
    neighbours: list[np.ndarray] | dict[int, np.ndarray],
    guard: float = 0.5,
    reach: int = 40,
) -> bool:
    mark = np.abs(now - clean) > 0.05
    rows, columns = np.nonzero(mark)
    box = Box(x0=int(columns.min()), y0=int(rows.min()), x1=int(columns.max()) + 1, y1=int(rows.max()) + 1)
    around = neighbours if isinstance(neighbours, dict) else dict(zip((-1, 1), neighbours, strict=True))
    return is_moving_picture(now, box, mark[box.slices], clean[box.slices], around, guard=guard, reach=reach)


@pytest.mark.parametrize("step", [(6, 0), (0, -9), (15, 11), (-30, 4)])
def test_a_thrown_ball_is_picture(step: tuple[int, int]) -> None:
    clean = background()
    frames = [grainy(with_disc(clean, 100 + k * step[0], 80 + k * step[1]), k + 5) for k in (-1, 0, 1)]
    assert judge(frames[1], clean, [frames[0], frames[2]])


def test_a_large_thing_that_turns_and_flies_fast_is_picture() -> None:
    clean = np.kron(background(3), np.ones((3, 3), np.float32))[:400, :600]
    frames = []
    for k in (-1, 0, 1):
        plate = np.zeros((400, 600), np.uint8)
        cv2.ellipse(plate, (300 + 95 * k, 200 + 12 * k), (34, 22), 25.0 * k, 0, 360, 255, -1)
        alpha = cv2.GaussianBlur(plate, (0, 0), 4).astype(np.float32) / 255 * 0.7
        frames.append((clean * (1 - alpha) + 0.95 * alpha).astype(np.float32))
    assert judge(frames[1], clean, [frames[0], frames[2]], reach=20)


def kicked(steps: tuple[int, ...], turns: tuple[float, ...]) -> list[np.ndarray]:
    """A light foot over a busy ground, in another place and turned otherwise in each frame; none where a step is 0."""
    clean = np.kron(background(3), np.ones((3, 3), np.float32))[:400, :600] * np.float32(0.6)
    frames = []
    for k, (step, turn) in enumerate(zip(steps, turns, strict=True)):
        plate = np.zeros((400, 600), np.uint8)
        if step:
            cv2.ellipse(plate, (step, 200 - 40 * (k == 1)), (44, 20), turn, 0, 360, 255, -1)
        alpha = cv2.GaussianBlur(plate, (0, 0), 3).astype(np.float32) / 255
        frames.append((clean * (1 - alpha) + 0.9 * alpha).astype(np.float32))
    return [*frames, clean]


def large_elsewhere(before: np.ndarray, now: np.ndarray, after: np.ndarray, clean: np.ndarray, guard: float) -> bool:
    mark = np.abs(now - clean) > 0.05
    rows, columns = np.nonzero(mark)
    box = Box(x0=int(columns.min()), y0=int(rows.min()), x1=int(columns.max()) + 1, y1=int(rows.max()) + 1)
    part = mark[box.slices], clean[box.slices]
    return is_large_thing_elsewhere(now, box, *part, [before, after], guard=guard, reach=48)


@pytest.mark.parametrize(
    ("steps", "is_picture"), [((240, 300, 390), True), ((0, 300, 390), False), ((0, 300, 0), False)]
)
def test_a_foot_that_kicks_and_turns_over_is_picture_and_a_blotch_in_one_frame_is_not(
    steps: tuple[int, ...], is_picture: bool
) -> None:
    frames = kicked(steps, (0.0, 80.0, 150.0))
    assert large_elsewhere(*frames, guard=0.5) == is_picture
    assert not large_elsewhere(*frames, guard=0.0)


def test_a_scratch_that_lasts_is_no_large_thing_elsewhere() -> None:
    clean = background()
    frames = [clean.copy() for _ in range(3)]
    for k, frame in enumerate(frames):
        frame[20:140, 80 + k : 88 + k] = 0.95
    assert not large_elsewhere(*frames, clean, guard=0.5)


def test_a_large_blotch_on_one_frame_is_not_picture() -> None:
    clean = np.kron(background(3), np.ones((3, 3), np.float32))[:400, :600]
    blotch = clean.copy()
    blotch[180:215, 280:330] = 0.95
    assert not judge(blotch, clean, [np.roll(clean, 3, axis=1), np.roll(clean, -3, axis=1)], reach=20)


def test_a_ball_that_a_cut_or_an_edge_hides_once_is_spared_by_the_one_neighbour_there_is() -> None:
    clean = background()
    frames = [grainy(with_disc(clean, 100 + k * 8, 80), k + 5) for k in (0, 1)]
    assert judge(frames[0], clean, {1: frames[1]})


@pytest.mark.parametrize("way", [1, -1])
def test_at_an_end_of_a_shot_two_frames_of_one_side_tell_what_moves(way: int) -> None:
    clean = background()
    now, near, far = (grainy(with_disc(clean, 70 + k * 30, 80), k + 5) for k in range(3))
    assert judge(now, clean, {way: near, 2 * way: far})
    assert not judge(now, clean, {way: near, 2 * way: grainy(with_disc(clean, 40, 80), 7)})
    assert not judge(now, clean, {way: near, 2 * way: grainy(clean, 7)})


def test_at_an_end_of_a_shot_a_large_thing_that_moves_a_little_and_turns_is_picture() -> None:
    clean = np.kron(background(3), np.ones((2, 2), np.float32))
    frames = []
    for k in range(3):
        shoe = np.zeros(clean.shape, np.uint8)
        cv2.ellipse(shoe, (120 + 9 * k, 100), (14, 26), 19.0 * k, 0, 360, 255, -1)
        frames.append(np.where(shoe > 0, np.float32(0.9), clean))
    assert judge(frames[0], clean, {1: frames[1], 2: frames[2]})
    assert not judge(frames[0], clean, {1: clean, 2: clean})


@pytest.mark.parametrize("value", [0.05, 0.95])
def test_dirt_on_one_frame_is_not_picture(value: float) -> None:
    clean = background()
    now = grainy(with_disc(clean, 100, 80, value=value), 1)
    assert not judge(now, clean, [grainy(clean, 2), grainy(clean, 3)])


def test_what_stays_in_place_is_left_to_the_network() -> None:
    clean = background()
    frames = [grainy(with_disc(clean, 100, 80), k) for k in range(3)]
    assert not judge(frames[1], clean, [frames[0], frames[2]])


def test_two_specks_that_no_path_joins_are_dirt() -> None:
    clean = background()
    before, now, after = (with_disc(clean, x, 80) for x in (70, 100, 74))
    assert not judge(now, clean, [before, after])


def test_a_guard_of_zero_takes_nothing_back() -> None:
    clean = background()
    frames = [with_disc(clean, 100 + 6 * k, 80) for k in (-1, 0, 1)]
    assert judge(frames[1], clean, [frames[0], frames[2]])
    assert not judge(frames[1], clean, [frames[0], frames[2]], guard=0.0)


def standing(
    top: int,
    bottom: int,
    column: int,
    *,
    guard: float = 0.5,
    gone: bool = False,
    way: float | None = None,
    sure: float = 0.4,
) -> bool:
    clean = background()
    lined = clean.copy()
    lined[top:bottom, column : column + 3] += 0.15
    confidence = np.zeros(SIZE, np.float32)
    confidence[top:bottom, column : column + 3] = sure
    frames = [grainy(clean if gone and k != 1 else lined, k) for k in range(3)]
    box = Box(x0=column, y0=top, x1=column + 3, y1=bottom)
    mark = np.ones((box.height, box.width), bool)
    ways = [] if way is None else [np.full(SIZE[0], way)]
    return is_standing_picture(
        frames[1], box, mark, clean[box.slices], confidence, [frames[0], frames[2]], ways, guard=guard
    )


def test_a_line_that_stays_and_ends_in_the_frame_is_an_edge_of_the_picture() -> None:
    assert standing(10, 90, 100)
    assert not standing(10, 90, 100, guard=0.0)


def test_a_line_that_the_method_is_sure_of_is_believed_but_for_the_picture_border() -> None:
    assert standing(40, 56, 100)
    assert not standing(40, 56, 100, sure=0.8)
    assert not standing(10, 90, 100, sure=0.8)
    assert standing(10, 90, 197, sure=0.8)


def test_a_line_that_runs_through_the_frame_is_a_scratch_unless_it_is_the_picture_border() -> None:
    assert not standing(0, 160, 100)
    assert standing(0, 160, 197) and standing(0, 160, 0)


def test_a_short_line_of_one_frame_is_not_spared() -> None:
    assert not standing(10, 90, 100, gone=True)


def test_a_line_along_what_the_shot_shows_to_go_through_is_no_edge_of_the_picture() -> None:
    assert not standing(10, 90, 100, way=102.5)
    assert standing(10, 90, 100, way=120.0)


def test_a_slanting_hair_of_one_frame_over_foliage_is_not_spared() -> None:
    rng = np.random.default_rng(3)
    foliage = cv2.GaussianBlur(rng.normal(0.0, 0.5, SIZE).astype(np.float32), (0, 0), 1.5) + np.float32(0.4)
    drawn = np.zeros(SIZE, np.uint8)
    cv2.line(drawn, (90, 70), (111, 92), 255, 4)
    now = np.where(drawn > 0, np.float32(0.8), foliage)
    rows, columns = np.nonzero(drawn)
    box = Box(x0=int(columns.min()), y0=int(rows.min()), x1=int(columns.max()) + 1, y1=int(rows.max()) + 1)
    mark = drawn[box.slices] > 0
    confidence = np.float32(0.4) * (drawn > 0).astype(np.float32)
    assert box.height >= max(3 * mark.sum() / box.height, box.width)
    for around, spared in (((foliage, foliage), False), ((now, now), True)):
        neighbours = [grainy(frame, 1 + seed) for seed, frame in enumerate(around)]
        told = is_standing_picture(grainy(now, 0), box, mark, foliage[box.slices], confidence, neighbours, guard=0.5)
        assert told == spared


def cuts(
    now: np.ndarray, mark: np.ndarray, clean: np.ndarray, guard: float = 0.5, marks: np.ndarray | None = None
) -> bool:
    rows, columns = np.nonzero(mark)
    box = Box(x0=int(columns.min()), y0=int(rows.min()), x1=int(columns.max()) + 1, y1=int(rows.max()) + 1)
    every = mark if marks is None else marks
    return makes_an_edge(now, box, mark[box.slices], clean[box.slices], every, noise=0.01, guard=guard)


def shoe(value: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A large light thing on a dark ground, the ground, and a mark on the thing's tip alone."""
    ground = grainy(np.full(SIZE, 0.4, np.float32), 1)
    now = grainy(with_disc(np.full(SIZE, 0.4, np.float32), 100, 80, 25, value), 2)
    mark = (np.hypot(*(np.mgrid[: SIZE[0], : SIZE[1]] - np.array([80, 100])[:, None, None])) < 25.5) & (
        np.mgrid[: SIZE[0], : SIZE[1]][1] > 112
    )
    return now, ground, mark


def test_a_piece_of_a_larger_thing_is_not_cut_off() -> None:
    now, ground, mark = shoe()
    assert cuts(now, mark, ground)
    assert not cuts(now, mark, ground, guard=0)


@pytest.mark.parametrize("radius", [2.0, 6.0, 20.0])
@pytest.mark.parametrize("value", [0.05, 0.95])
def test_a_mark_with_an_edge_all_around_makes_none(radius: float, value: float) -> None:
    ground = np.full(SIZE, 0.45, np.float32)
    now = grainy(with_disc(ground, 100, 80, radius, value), 3)
    assert not cuts(now, np.abs(now - ground) > 0.05, grainy(ground, 4))


def test_a_mark_over_the_edge_of_the_picture_is_judged_by_what_is_there() -> None:
    ground = np.full(SIZE, 0.45, np.float32)
    now = grainy(with_disc(ground, 1, 80, 8, 0.95), 3)
    assert not cuts(now, np.abs(now - ground) > 0.05, grainy(ground, 4))


def test_dirt_on_an_edge_is_mended_as_the_edge_goes_on() -> None:
    ground = np.full(SIZE, 0.3, np.float32)
    ground[:, 100:] = 0.7
    now = grainy(with_disc(ground, 100, 80, 7, 0.02), 3)
    mark = np.abs(now - ground) > 0.05
    assert not cuts(now, mark, grainy(ground, 4))
    displaced = np.roll(ground, 12, axis=1)  # what is laid in goes on beside the edge
    assert cuts(now, mark, grainy(displaced, 4))


def test_beside_another_mark_nothing_is_told() -> None:
    now, ground, mark = shoe()
    rest = (np.abs(now - ground) > 0.2) & ~mark
    assert not cuts(now, mark, ground, marks=mark | rest)


def line(
    start: tuple[int, int], end: tuple[int, int], part: tuple[tuple[int, int], tuple[int, int]], guard: float = 0.5
) -> bool:
    """Whether a dark line from start to end (x, y), of which a part is marked, is taken to go on."""
    ground = np.full(SIZE, 0.6, np.float32)
    drawn, marked = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    cv2.line(drawn, start, end, 255, 2)
    cv2.line(marked, *part, 255, 2)
    now = grainy(ground - 0.3 * cv2.GaussianBlur(drawn, (0, 0), 0.6).astype(np.float32) / 255, 5)
    mark = (marked > 0) & (drawn > 0)
    rows, columns = np.nonzero(mark)
    box = Box(x0=int(columns.min()), y0=int(rows.min()), x1=int(columns.max()) + 1, y1=int(rows.max()) + 1)
    return goes_on(now, box, mark[box.slices], ground[box.slices], guard=guard)


def test_an_upright_mark_along_a_lasting_scratch_is_of_its_bundle() -> None:
    scratch = np.zeros(SIZE, np.bool_)
    scratch[:, 58:63] = True  # with what lies right beside it

    def along(box: Box) -> bool:
        return is_of_bundle(scratch, box, np.ones((box.height, box.width), np.bool_))

    assert along(Box(x0=61, y0=20, x1=66, y1=90))
    assert not along(Box(x0=63, y0=20, x1=68, y1=90))  # it lies apart
    assert not along(Box(x0=50, y0=20, x1=70, y1=60))  # a limb that passes is no upright line
    leaning = np.eye(70, 10, dtype=np.bool_) | np.tri(70, 10, -60, dtype=np.bool_)
    assert not is_of_bundle(scratch, Box(x0=55, y0=20, x1=65, y1=90), leaning)  # only its box does
    scratch[50:] = False
    assert not along(Box(x0=61, y0=20, x1=66, y1=90))  # the scratch ends before half of it


def test_a_leash_that_is_found_in_part_is_picture() -> None:
    assert line((20, 120), (180, 40), ((80, 90), (130, 65)))
    assert not line((20, 120), (180, 40), ((80, 90), (130, 65)), guard=0)


def test_a_hair_that_is_found_whole_is_not() -> None:
    assert not line((80, 90), (130, 65), ((80, 90), (130, 65)))


def test_a_hair_of_which_one_end_is_missed_is_not() -> None:
    assert not line((80, 90), (180, 40), ((80, 90), (130, 65)))


def test_a_scratch_that_is_found_in_pieces_is_not() -> None:
    assert not line((100, 0), (103, 159), ((101, 50), (102, 90)))


def test_a_line_at_the_edge_of_the_frame_is_not() -> None:
    assert not line((0, 90), (199, 80), ((0, 90), (60, 87)))


def test_a_scratch_that_wanders_and_a_blotch_at_the_side_of_the_picture_are_not_its_border() -> None:
    ground = background()
    for start, end, width in (((1, 0), (12, 159), 2), ((4, 60), (4, 130), 15)):
        drawn = np.zeros(SIZE, np.uint8)
        cv2.line(drawn, start, end, 255, width)
        now = np.where(drawn > 0, np.float32(0.95), ground)
        frames = [grainy(frame, seed) for seed, frame in enumerate((ground, now, ground))]
        mark = drawn > 0
        rows, columns = np.nonzero(mark)
        box = Box(x0=int(columns.min()), y0=int(rows.min()), x1=int(columns.max()) + 1, y1=int(rows.max()) + 1)
        assert not is_standing_picture(
            frames[1],
            box,
            mark[box.slices],
            ground[box.slices],
            mark.astype(np.float32),
            [frames[0], frames[2]],
            guard=0.5,
        )
