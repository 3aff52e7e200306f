"""Lasting scratches: followed along the shot, told from the picture's own edges, mended to the pixel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scratched import FRAMES, HEIGHT, WIDTH, Float32, frame_of, grained, panned, plate, scratched

from film import read_codes, write_image
from filmrestore.analysis import Analysis, LastingScratch
from filmrestore.analysis.columns import ScratchFinder
from filmrestore.analysis.ridges import reduction, strips_of
from filmrestore.colour import open_colour
from filmrestore.fixes import Ledger
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.line_repair import WIDEST, join, shine
from filmrestore.nodes.lines import chosen, line_map
from filmrestore.nodes.restore import restore
from filmrestore.restorers.base import REGISTRY
from filmrestore.settings import RestoreSettings


def found(frames: list[Float32], first: int = 1) -> tuple[LastingScratch, ...]:
    finder = ScratchFinder(*frames[0].shape[:2])
    for number, frame in enumerate(frames, first):
        finder.add(number, strips_of(frame[:, :, None])[:, :, 0])
    return finder.finish({}, ())


def only_certain(frames: list[Float32]) -> list[LastingScratch]:
    return [scratch for scratch in found(frames) if scratch.certain]


def test_a_scratch_over_a_panned_picture_is_certain_and_in_its_column() -> None:
    frames = [grained(scratched(f, 120.0, -0.12, n), n) for n, f in enumerate(panned(3))]
    (scratch,) = only_certain(frames)
    assert scratch.polarity == "dark"
    assert max(abs(c - 120.0) for way in scratch.columns for c in way) <= 1.0
    assert (scratch.first, scratch.last) == (1, FRAMES)
    assert scratch.top == 0 and scratch.bottom == HEIGHT


def test_a_scratch_under_a_still_camera_is_told_by_its_unrest() -> None:
    frames = [grained(scratched(f, 200.0, 0.1, n), n) for n, f in enumerate(panned(0))]
    (scratch,) = only_certain(frames)
    assert scratch.polarity == "light" and abs(scratch.columns[0][2] - 200.0) <= 1.0


def test_slow_wander_is_followed() -> None:
    ways = [100.0 + 6.0 * np.sin(n / 8) for n in range(30)]
    frames = [grained(scratched(f, ways[n], 0.12, n), n) for n, f in enumerate(panned(2, 30))]
    (scratch,) = only_certain(frames)
    missed = [abs(scratch.columns_at(n)[2] - ways[n - 1]) for n in range(3, 29)]
    assert max(missed) <= 2.5


def test_a_pole_that_moves_with_the_picture_is_no_scratch() -> None:
    wide = plate(2)
    wide[:, 240:243] -= np.float32(0.2)
    frames = [grained(wide[10 : 10 + HEIGHT, 3 * n : 3 * n + WIDTH], n) for n in range(FRAMES)]
    assert not only_certain(frames)


@pytest.mark.parametrize("width", [1, 3, 5])
def test_a_pole_that_stands_is_no_scratch(width: int) -> None:
    still = plate(3)[:HEIGHT, :WIDTH].copy()
    still[:, 150 : 150 + width] += np.float32(0.2)
    assert not only_certain([grained(still, n) for n in range(FRAMES)])


def test_the_frames_of_a_reel_are_linked_by_order_and_one_frame_has_no_lines() -> None:
    frames = [grained(scratched(f, 90.0, -0.12, n), n) for n, f in enumerate(panned(3))]
    shifted = found(frames, first=1001)
    assert [s.first for s in shifted] == [s.first + 1000 for s in found(frames)]
    assert found(frames[:1]) == ()


def test_frames_wider_than_2k_are_looked_at_as_2k() -> None:
    assert [reduction(width) for width in (720, 2048, 2560, 4096, 6144)] == [1, 1, 1, 2, 3]
    assert strips_of(np.zeros((200, 4097, 3), np.uint8)).shape == (6, 2048, 3)


def scratch_at(column: float, **changes: object) -> LastingScratch:
    plain: dict[str, object] = {
        "first": 1,
        "last": 9,
        "frames": (3, 7),
        "columns": ((column,) * 5, (column,) * 5),
        "top": 0,
        "bottom": HEIGHT,
        "width": 2.0,
        "polarity": "light",
        "strength": 0.1,
        "certainty": 0.97,
    }
    return LastingScratch(**{**plain, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("gain", [1.0, 20.0])
def test_the_map_marks_the_line_where_it_shows_and_nothing_else(gain: float) -> None:
    clean = grained(panned(0, 1)[0], 1)
    scan = clean.copy()
    scan[40:150, 101:103] *= np.float32(1.6)  # the analysis has it two columns further left, and all the way down
    frame = frame_of(scan * np.float32(gain), 5)
    plane = line_map(frame, [scratch_at(99.5)], open_colour(frame.format, colourspace="scene_linear"))
    assert plane is not None and plane.shape == scan.shape
    assert float(plane.max()) == np.float32(0.97)
    assert (plane[44:146, 101:103] > 0).all()
    marked = plane > 0
    marked[34:156, 99:105] = False
    assert marked.sum() <= 20


def test_a_line_that_has_left_the_frame_or_never_shows_marks_nothing() -> None:
    frame = frame_of(np.full((HEIGHT, WIDTH), 0.18, np.float32), 5)
    colour = open_colour(frame.format, colourspace="scene_linear")
    assert line_map(frame, [scratch_at(-300.0), scratch_at(WIDTH + 300.0), scratch_at(50.0)], colour) is None


def test_the_setting_says_how_certain_a_line_must_be() -> None:
    lines = [scratch_at(10.0, certainty=certainty) for certainty in (0.7, 0.9, 1.0)]
    kept = {amount: len(chosen(lines, RestoreSettings(lines=amount))) for amount in (0.0, 0.1, 0.5, 0.8)}
    assert kept == {0.0: 0, 0.1: 1, 0.5: 2, 0.8: 3}


def test_sides_are_joined_across_a_line_and_light_above_one_stays() -> None:
    ramp = np.repeat(np.linspace(0.5, 3.0, 60, dtype=np.float32)[None, :, None], 8, axis=0).repeat(3, axis=2)
    lines = np.zeros((8, 60), bool)
    lines[:, 30:34] = lines[:, :2] = lines[:, 58:] = True
    scan = np.where(lines[..., None], np.float32(9.0), ramp)
    joined, filled = join(scan, lines)
    assert np.array_equal(filled, lines)
    assert float(np.abs(joined - ramp)[:, 2:58].max()) < 1e-5
    assert float(joined.max()) <= 3.0 and np.array_equal(joined[~lines], scan[~lines])
    lines[:, 20 : 21 + WIDEST] = True
    assert not join(scan, lines)[1][:, 20 : 21 + WIDEST].any()


def test_the_grain_under_a_faint_line_is_kept() -> None:
    clean = grained(panned(0, 1)[0], 2)[:, :, None].repeat(3, axis=2)
    lines = np.zeros(clean.shape[:2], bool)
    lines[:, 120:122] = True
    scan = clean + np.float32(0.05) * lines[..., None]
    shone = shine(scan, join(scan, lines)[0], lines)
    assert np.array_equal(shone[~lines], clean[~lines])
    grain, kept = (picture - cv2.blur(picture, (1, 31)) for picture in (clean, shone))
    assert float(np.corrcoef(grain[lines].ravel(), kept[lines].ravel())[0, 1]) > 0.9
    opaque = np.where(lines[..., None], np.float32(0.95), clean)
    base = join(opaque, lines)[0]
    assert np.array_equal(shine(opaque, base, lines), base)


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A panned shot of 12 frames with one dark scratch."""
    folder = tmp_path_factory.mktemp("scratched")
    for n, frame in enumerate(panned(3, 12)):
        lit = np.clip(grained(scratched(frame, 120.0, -0.15, n), n), 0, 1)
        write_image(folder / f"s.{n + 1:04d}.png", np.rint(lit * 65535).astype(np.uint16)[:, :, None].repeat(3, axis=2))
    return folder


def restored(reel: Path, out: Path, span: str | None = None, **changes: object) -> dict[str, bytes]:
    values: dict[str, object] = {"sensitivity_dark": 0.0, "sensitivity_light": 0.0, "guard": 1.0, "lines": 0.5}
    job = RestoreJob(
        source=str(reel / "s.####.png"),
        output=str(out / "r.####.png"),
        analysis=str(reel / "reel.analysis.json"),
        settings=RestoreSettings(**{**values, **changes}),  # type: ignore[arg-type]
        span=span,
        threads=1,
        colourspace="srgb",
    )
    restore(job)
    return {path.name: path.read_bytes() for path in sorted(out.glob("r.*.png"))}


@pytest.fixture(autouse=True)
def silent_restorer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGISTRY, "frdm", "fakes:load_silent")


def test_a_certain_scratch_is_mended_though_every_neighbour_shows_it_and_the_method_does_not(
    reel: Path, tmp_path: Path
) -> None:
    restored(reel, tmp_path)
    (scratch,) = (s for s in Analysis.load(reel / "reel.analysis.json").scratches if s.certain)
    for n, clean in enumerate(panned(3, 12), 1):
        before, after = read_codes(reel / f"s.{n:04d}.png"), read_codes(tmp_path / f"r.{n:04d}.png")
        line = slice(120, 121)
        old, new = (np.abs(codes[:, line, 0] / 65535 - clean[:, line]).mean() for codes in (before, after))
        assert new < 0.4 * old
        changed = (before != after).any(axis=2)
        changed[:, 115:126] = False
        assert not changed.any()
    fixes = [fix for n in range(1, 13) for fix in Ledger.open(next(tmp_path.glob("*.ledger"))).fixes(n)]
    assert {fix.cause for fix in fixes} == {"scratch"} and scratch.polarity == "dark"


def test_any_cut_into_chunks_gives_the_bytes_of_the_whole(reel: Path, tmp_path: Path) -> None:
    whole = restored(reel, tmp_path / "whole")
    for span in ("8-12", "1-3", "4-7"):
        restored(reel, tmp_path / "cut", span)
    assert restored(reel, tmp_path / "cut") == whole


def test_lines_at_0_leave_the_scan_as_it_is(reel: Path, tmp_path: Path) -> None:
    restored(reel, tmp_path, lines=0.0)
    for n in range(1, 13):
        assert np.array_equal(read_codes(reel / f"s.{n:04d}.png"), read_codes(tmp_path / f"r.{n:04d}.png"))
