"""Lasting marks: told from the picture by what moves and what does not, followed, and mended to the pixel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scratched import frame_of

from film import read_codes, write_image
from filmrestore.analysis import Analysis, LastingMark
from filmrestore.analysis.marks import View
from filmrestore.analysis.ridges import reduced, reduction
from filmrestore.analysis.standing import MarkFinder
from filmrestore.colour import encode_net, open_colour
from filmrestore.fixes import Ledger
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.line_repair import WIDEST, join
from filmrestore.nodes.marks import mark_map
from filmrestore.nodes.restore import restore
from filmrestore.restorers.base import REGISTRY
from filmrestore.settings import RestoreSettings

Float32 = NDArray[np.float32]
Way = Callable[[int], tuple[float, float]]
Shape = Callable[[tuple[float, float]], Float32]
HEIGHT, WIDTH, FRAMES = 150, 200, 13
FILM = Path(__file__).parents[3] / "shared" / "data" / "real" / "great_train_robbery_1903"


def weave(n: int) -> tuple[float, float]:
    """Where the film lies in the gate, pixels."""
    rng = np.random.default_rng([n, 11])
    return float(rng.normal(0, 1.2)), float(rng.normal(0, 1.2))


def shiver(n: int) -> tuple[float, float]:
    rng = np.random.default_rng([n, 5])
    return float(rng.integers(-1, 2)), float(rng.integers(-1, 2))


def drift(n: int) -> tuple[float, float]:
    return 0.35 * n, 0.1 * n


def still(n: int) -> tuple[float, float]:
    del n
    return 0.0, 0.0


def plate(shift: tuple[float, float]) -> Float32:
    """A picture with detail of several sizes, 0.2 to 0.8, moved."""
    rng = np.random.default_rng(3)
    size = (HEIGHT + 40, WIDTH + 40)
    wide = sum(
        amount * blur * cv2.GaussianBlur(rng.standard_normal(size).astype(np.float32), (0, 0), blur)
        for blur, amount in ((2.5, 0.12), (7.0, 0.5), (20.0, 1.0))
    )
    picture = np.float32(0.5) + np.float32(0.3) * np.asarray(wide / np.abs(wide).max(), np.float32)
    turn = np.array([[1, 0, shift[0] - 20], [0, 1, shift[1] - 20]])
    return np.asarray(cv2.warpAffine(picture, turn, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC), np.float32)


def hair(shift: tuple[float, float]) -> Float32:
    """A curved hair two pixels wide, 0..1."""
    along = np.linspace(0, 1, 40)
    x = 60 + 70 * along + shift[0]
    y = 55 + 30 * np.sin(2.5 * along) + shift[1]
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    points = np.round(np.stack([x, y], axis=1) * 16).astype(np.int32)
    cv2.polylines(canvas, [points], False, 255, 2, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.6), np.float32)


def speck(shift: tuple[float, float]) -> Float32:
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(canvas, (round((130 + shift[0]) * 16), round((40 + shift[1]) * 16)), 28, 255, -1, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.6), np.float32)


def shot(
    picture: Way, mark: Way, shape: Callable[[tuple[float, float]], Float32], frames: int = FRAMES
) -> list[Float32]:
    """Frames with grain: the picture goes one way, the dark mark on it another."""
    made = []
    for n in range(frames):
        frame = plate(picture(n))
        frame = frame * (1 - np.float32(0.5) * shape(mark(n)))
        made.append(frame + np.random.default_rng(n).normal(0, 0.006, frame.shape).astype(np.float32))
    return made


def found(frames: list[Float32], first: int = 1) -> list[LastingMark]:
    """The certain ones."""
    finder = MarkFinder()
    for number, frame in enumerate(frames, first):
        finder.add(number, frame)
    return [mark for mark in finder.finish() if mark.certain]


def test_a_hair_that_stands_while_the_film_weaves_is_found_in_its_place() -> None:
    (mark,) = found(shot(weave, still, hair))
    assert mark.polarity == "dark" and mark.first == 1 and mark.last == FRAMES
    rows, columns = mark.pixels_at(7)
    covered = hair((0, 0)) > 0.3
    assert covered[rows, columns].mean() > 0.9
    near = np.zeros(covered.shape, np.uint8)
    near[rows, columns] = 1
    assert cv2.dilate(near, np.ones((5, 5), np.uint8))[covered].mean() > 0.8


def test_a_speck_on_the_glass_is_found_where_the_film_weaves() -> None:
    (mark,) = found(shot(weave, still, speck))
    rows, columns = mark.pixels_at(7)
    assert abs(rows.mean() - 40) < 1.5 and abs(columns.mean() - 130) < 1.5


@pytest.mark.parametrize("shape", [hair, speck])
def test_what_weaves_with_the_picture_is_of_the_picture(shape: Shape) -> None:
    assert found(shot(weave, weave, shape)) == []


def test_where_nothing_moves_nothing_is_told() -> None:
    assert found(shot(still, still, hair)) == []


def test_a_hair_that_trembles_before_a_picture_at_rest_is_found_where_it_is_in_each_frame() -> None:
    marks = found(shot(still, shiver, hair))
    assert marks
    for n in range(FRAMES):
        rows, columns = np.concatenate([mark.pixels_at(n + 1) for mark in marks], axis=1)
        assert (hair(shiver(n)) > 0.2)[rows, columns].mean() > 0.85


def test_what_moves_on_before_a_picture_at_rest_is_of_the_picture() -> None:
    assert found(shot(still, drift, hair)) == []


def gate_hair(bend: tuple[float, float]) -> Float32:
    """A hair 3 px wide that hangs in from the upper edge; the bend moves all of it but the root."""
    along = np.linspace(0, 1, 40)
    x = 90 + 25 * along + bend[0] * along
    y = -4 + 70 * along + bend[1] * along
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.polylines(canvas, [np.round(np.stack([x, y], axis=1) * 16).astype(np.int32)], False, 255, 3, cv2.LINE_AA, 4)
    return np.asarray(1.4 * cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.6), np.float32)


def cable(shift: tuple[float, float]) -> Float32:
    """The same, stiff and moved as a whole."""
    turn = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    there = cv2.warpAffine(gate_hair((0, 0)), turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(there, np.float32)


def flutter(n: int) -> tuple[float, float]:
    rng = np.random.default_rng([n, 8])
    return float(rng.normal(0, 7)), float(rng.normal(0, 2))


def swing(n: int) -> tuple[float, float]:
    return 12 * float(np.sin(n / 3)), 0.0


@pytest.mark.parametrize("picture", [weave, still, drift])
@pytest.mark.parametrize("turned", [False, True])
def test_a_hair_that_flutters_in_the_gate_is_found_where_it_is_in_each_frame(picture: Way, turned: bool) -> None:
    frames = shot(picture, flutter, gate_hair)
    marks = found([np.ascontiguousarray(frame[::-1].T) if turned else frame for frame in frames])
    assert marks
    for n in range(FRAMES):
        covered = gate_hair(flutter(n)) > 0.3
        covered = covered[::-1].T if turned else covered
        rows, columns = np.concatenate([mark.pixels_at(n + 1) for mark in marks], axis=1)
        assert covered[rows, columns].mean() > 0.75
        near = np.zeros(covered.shape, np.uint8)
        near[rows, columns] = 1
        assert cv2.dilate(near, np.ones((7, 7), np.uint8))[covered].mean() > 0.7


def test_a_hair_is_rooted_in_the_gate_where_the_scan_shows_that_too() -> None:
    frames = [np.pad(frame, ((17, 0), (9, 9))) for frame in shot(weave, flutter, gate_hair)]
    (mark,) = found(frames)
    rows, columns = mark.pixels_at(7)
    assert (gate_hair(flutter(6)) > 0.3)[rows - 17, columns - 9].mean() > 0.85


def test_a_hair_that_came_into_the_gate_is_found_from_there_on() -> None:
    with_it, without = (
        shot(weave, flutter, shape) for shape in (gate_hair, lambda bend: np.zeros((HEIGHT, WIDTH), np.float32))
    )
    (mark,) = found([*without[:6], *with_it[6:]])
    assert (mark.first, mark.last) == (7, FRAMES)
    assert all(mark.pixels_at(number)[0].size == 0 for number in range(1, 7))


@pytest.mark.parametrize(("picture", "way"), [(weave, swing), (still, swing), (weave, weave), (still, drift)])
def test_a_rope_from_above_is_of_the_picture(picture: Way, way: Way) -> None:
    assert found(shot(picture, way, gate_hair if way is swing else cable)) == []


@pytest.mark.parametrize("way", [still, weave])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_post_of_one_shot_is_no_hair_beside_a_cut(way: Way, is_first: bool) -> None:
    shots = [shot(way, way, cable), [frame[:, ::-1] for frame in shot(way, way, lambda shift: 0 * speck(shift))]]
    first, second = shots if is_first else shots[::-1]
    assert found([*first, *map(np.ascontiguousarray, second)]) == []


def test_a_title_is_left_alone() -> None:
    def title(shift: tuple[float, float]) -> Float32:
        canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
        for row in (20, 45, 70, 95, 120, 145):
            cv2.putText(canvas, "F I L M H O U S E", (6, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2, cv2.LINE_AA)
        return np.asarray(cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.6), np.float32)

    assert found(shot(weave, still, title)) == []


def test_the_frames_are_counted_as_the_film_counts_them() -> None:
    frames = shot(weave, still, hair)
    (one,), (other,) = found(frames), found(frames, first=1001)
    assert other.first == one.first + 1000
    assert np.array_equal(other.pixels_at(1007), one.pixels_at(7))
    assert one.pixels_at(1007)[0].size == 0
    assert found(frames[:5]) == [] and found([frame[:40, :40] for frame in frames]) == []


@pytest.mark.skipif(not FILM.is_dir(), reason="no folder of real film beside the project")
def test_the_speck_on_a_scan_of_1903_is_found_and_no_post_of_its_picture() -> None:
    frames = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in sorted(FILM.glob("*.png"))[:17]]
    light = [(np.asarray(frame, np.float32) / 255) ** np.float32(2.4) for frame in frames]
    marks = found([encode_net(np.asarray(frame, np.float32)) for frame in light])
    assert marks
    for mark in marks:
        rows, columns = mark.pixels_at(9)
        assert abs(rows.mean() - 27) < 3 and abs(columns.mean() - 119) < 3


def test_a_view_gives_back_the_pixels_that_it_was_made_of() -> None:
    rows, columns = np.nonzero(hair((0, 0)) > 0.5)
    view = View.of(4, rows, columns, (3, 4), np.array([[1, -1], [0, 0]]))
    assert np.array_equal(view.crest(), (rows, columns))
    mark = LastingMark(first=3, last=4, polarity="dark", views=(view,), certainty=0.97)
    assert np.array_equal(mark.pixels_at(3), (rows - 1, columns + 1))


@pytest.mark.parametrize("step", [1, 2])
def test_the_map_covers_the_mark_and_little_else(step: int) -> None:
    small = shot(weave, still, hair)[6]
    frame = frame_of(cv2.resize(small, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC), 7)
    rows, columns = np.nonzero(hair((0, 0)) > 0.8)
    view = View.of(7, rows, columns, (7,), np.zeros((1, 2), int))
    mark = LastingMark(first=1, last=13, polarity="dark", views=(view,), step=step, certainty=0.97)
    if step == 1:
        plane = mark_map(frame, [mark], open_colour(frame.format, colourspace="scene_linear"))
        assert plane is not None and float(plane.max()) == np.float32(0.97)
        assert (plane[hair((0, 0)) > 0.5] > 0).mean() > 0.95
        assert (plane[hair((0, 0)) < 0.01] > 0).sum() < 0.6 * (hair((0, 0)) > 0.3).sum()
        away = LastingMark(first=8, last=13, polarity="dark", views=(), certainty=0.97)
        assert mark_map(frame, [away], open_colour(frame.format, colourspace="scene_linear")) is None
    else:
        assert reduced(np.zeros((20, 4097, 3), np.uint8), reduction(4097)).shape == (10, 2048, 3)


def test_a_mark_is_joined_across_where_it_is_narrowest() -> None:
    picture = np.linspace(0, 1, 60, dtype=np.float32)[:, None, None].repeat(80, axis=1).repeat(3, axis=2)
    lines = np.zeros((60, 80), np.bool_)
    lines[30:33, 10:70] = True
    lines[2 : 2 + WIDEST + 1, 40 : 41 + WIDEST] = True
    joined, filled = join(np.where(lines[..., None], np.float32(9), picture), lines)
    assert filled[30:33, 10:39].all() and not filled[12, 52]
    assert np.abs(joined - picture)[filled].max() < 1e-5


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A woven shot with a hair in the gate."""
    folder = tmp_path_factory.mktemp("hairy")
    for n, frame in enumerate(shot(weave, still, hair), 1):
        codes = np.rint(np.clip(frame, 0, 1) * 65535).astype(np.uint16)
        write_image(folder / f"s.{n:04d}.png", codes[:, :, None].repeat(3, axis=2))
    return folder


def test_a_hair_in_the_gate_is_mended_in_every_frame_and_chunks_give_the_bytes_of_the_whole(
    reel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REGISTRY, "frdm", "fakes:load_silent")

    def restored(out: Path, span: str | None = None) -> dict[str, bytes]:
        job = RestoreJob(
            source=str(reel / "s.####.png"),
            output=str(out / "r.####.png"),
            analysis=str(reel / "reel.analysis.json"),
            settings=RestoreSettings(sensitivity_dark=0.0, sensitivity_light=0.0, guard=1.0, lines=0.5),
            span=span,
            threads=1,
            colourspace="srgb",
        )
        restore(job)
        return {path.name: path.read_bytes() for path in sorted(out.glob("r.*.png"))}

    whole = restored(tmp_path / "whole")
    assert [mark.certain for mark in Analysis.load(reel / "reel.analysis.json").marks] == [True]
    covered = hair((0, 0)) > 0.4
    for n in range(1, FRAMES + 1):
        scan, result = read_codes(reel / f"s.{n:04d}.png"), read_codes(tmp_path / "whole" / f"r.{n:04d}.png")
        clean = plate(weave(n - 1))
        old, new = (np.abs(codes[..., 0] / 65535 - clean)[covered].mean() for codes in (scan, result))
        assert new < 0.35 * old
        far = cv2.dilate(covered.astype(np.uint8), np.ones((13, 13), np.uint8)) == 0
        assert np.array_equal(scan[far], result[far])
    ledger = Ledger.open(next((tmp_path / "whole").glob("*.ledger")))
    fixes = [fix for n in range(1, FRAMES + 1) for fix in ledger.fixes(n)]
    assert fixes and "scratch" not in {fix.cause for fix in fixes}
    for span in ("8-13", "1-3", "4-7"):
        restored(tmp_path / "cut", span)
    assert restored(tmp_path / "cut") == whole
