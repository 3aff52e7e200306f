"""Weave and fading: the known way of a frame in its gate recovered, exported and undone; dyes brought back."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filmrestore.cli import run
from filmrestore.colour import encode_net
from filmrestore.errors import UsageError
from filmrestore.settings import RestoreSettings
from filmrestore.wide.export import weave_text
from filmrestore.wide.plan import weave_path
from filmrestore.wide.record import Fade
from filmrestore.wide.resample import moved
from wide_shots import HEIGHT, WIDTH, coded, corrected, looked_at, moving, plate, write

F64 = NDArray[np.float64]
FIRST, COUNT = 1001, 36


@pytest.fixture(autouse=True)
def one_thread() -> None:
    cv2.setNumThreads(1)


class Reel:
    """A pan with a ball that crosses it, and a frame that jumps about by some tenths of a pixel to two pixels."""

    def __init__(self, folder: Path) -> None:
        scene = plate(1)
        self.jumps = np.random.default_rng(0).normal(0, 0.8, (COUNT, 2))
        frames = [moving(k, scene, shift=(float(x), float(y))) for k, (x, y) in enumerate(self.jumps)]
        self.pattern = write(folder, frames, grain=0.002)


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    return Reel(tmp_path_factory.mktemp("reel"))


def test_finds_the_way_of_the_frame_to_a_tenth_of_a_pixel(reel: Reel) -> None:
    found = weave_path(looked_at(reel.pattern, ()), ())
    path = np.array([found[number][:2] for number in sorted(found)])
    error = path + reel.jumps  # a window that moves right shows the picture farther left
    assert np.diff(error, axis=0).std() / np.sqrt(2) < 0.05
    assert np.abs(np.diff(error, axis=0)).max() < 0.2


def test_a_pan_without_weave_is_not_held_up(tmp_path: Path) -> None:
    scene = plate(2)
    frames = [moving(k, scene, pan=0.0 if k < 10 else 2.0) for k in range(24)]
    found = weave_path(looked_at(write(tmp_path, frames), ()), ())
    assert max(abs(value) for place in found.values() for value in place[:2]) < 0.15


def test_a_stabilised_frame_is_nearer_its_place(reel: Reel) -> None:
    _, _, done = corrected(reel.pattern, RestoreSettings(stabilise=1.0), cuts=())
    inner = (slice(6, HEIGHT - 6), slice(6, WIDTH - 6))

    def unlike(frames: dict[int, F64]) -> float:
        """Between a frame and the next but one, which the pan has brought three pixels on."""
        pairs = [(frames[n][inner], frames[n + 2][inner]) for n in range(FIRST + 4, FIRST + COUNT - 6)]
        return float(np.mean([np.abs(a[:, 3:] - b[:, :-3]).mean() for a, b in pairs]))

    _, _, as_scanned = corrected(reel.pattern, RestoreSettings(), cuts=())
    assert unlike(done) < 0.6 * unlike(as_scanned)


def test_moving_back_and_forth_loses_little() -> None:
    soft = cv2.GaussianBlur(np.random.default_rng(1).random((60, 70, 3)), (0, 0), 1.2)
    there = moved(soft, (1.0, 0.0, 0.4, 0.0, 1.0, -0.7))
    back = moved(there, (1.0, 0.0, -0.4, 0.0, 1.0, 0.7))
    assert np.abs(back - soft)[8:-8, 8:-8].max() < 0.01


def test_a_turn_is_the_turn_that_was_asked_for() -> None:
    rows, columns = np.mgrid[:80, :100].astype(np.float64)
    angle = np.radians(0.4)
    cos, sin = np.cos(angle), np.sin(angle)
    picture = np.sin(columns / 9)[..., None] + np.cos(rows / 7)[..., None]
    matrix = (cos, -sin, 1.5, sin, cos, -0.8)
    x, y = cos * columns - sin * rows + 1.5, sin * columns + cos * rows - 0.8
    true = np.sin(x / 9)[..., None] + np.cos(y / 7)[..., None]
    assert np.abs(moved(picture, matrix) - true)[6:-6, 6:-6].max() < 1e-4


def test_whole_pixels_are_moved_without_loss() -> None:
    picture = np.random.default_rng(2).random((20, 24, 1))
    done = moved(picture, (1.0, 0.0, 3.0, 0.0, 1.0, -2.0))
    assert np.abs(done[4:18, 2:20] - picture[2:16, 5:23]).max() < 1e-12


def test_is_exported_for_nuke_as_a_table_and_as_json(
    reel: Reel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = looked_at(reel.pattern, ())
    found.save(tmp_path / "reel.analysis.json")
    path = weave_path(found, ())
    for ending in ("nk", "csv", "json"):
        out = tmp_path / f"weave.{ending}"
        assert run(["weave", str(tmp_path / "reel.analysis.json"), "-o", str(out), "--amount", "0.5"]) == 0
        assert capsys.readouterr().out.strip() == str(out)
    rows = (tmp_path / "weave.csv").read_text().splitlines()
    assert rows[0] == "frame,x,y,turn" and rows[5].startswith(f"1005,{0.5 * path[1005][0]:.4f},")
    frames = json.loads((tmp_path / "weave.json").read_text())["frames"]
    assert frames["1005"][1] == pytest.approx(0.5 * path[1005][1], abs=1e-5)
    script = (tmp_path / "weave.nk").read_text()
    assert f"x1005 {-0.5 * path[1005][0]:.5f}" in script and f"center {{{WIDTH / 2:g} {HEIGHT / 2:g}}}" in script


def test_another_form_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\.nk, \.csv, \.json"):
        weave_text({1: (0.0, 0.0, 0.0)}, (8, 8), Path("weave.txt"))


def faded(light: F64) -> F64:
    """Light through dyes that have lost 45 %, 10 % and 20 % of their density, on a stained base."""
    return np.asarray(np.power(np.maximum(light, 0) + 0.003, (0.55, 0.9, 0.8)) * (1.0, 0.95, 0.8))


def greyish(light: F64) -> F64:
    """Colours nearer to grey, as most of what is filmed."""
    return np.asarray(0.6 * light.mean(axis=2, keepdims=True) + 0.4 * light)


def cast(shares: F64) -> float:
    """Mean difference of red and blue to green, net."""
    net = encode_net(shares.astype(np.float32))
    return float(np.abs(net - net[..., 1:2]).mean())


@pytest.fixture(scope="module")
def pink(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[F64]]:
    clean = [greyish(moving(k, plate(k // 4 + 1), ball=False)) for k in range(12)]
    return write(tmp_path_factory.mktemp("pink"), [faded(light) for light in clean]), clean


def test_undoes_the_fading_of_dyes(pink: tuple[str, list[F64]]) -> None:
    pattern, clean = pink
    _, plan, done = corrected(pattern, RestoreSettings(unfade=1.0), cuts=(1005, 1009))
    for k, light in enumerate(clean):
        was, now, true = cast(coded(faded(light))), cast(done[FIRST + k]), cast(coded(light))
        assert now - true < 0.25 * (was - true)
    curves = {(fix.knots, fix.curves) for n in done for fix in plan.of(n) if isinstance(fix, Fade)}
    assert len(curves) == 1  # one for the reel: it adds no flicker


def test_measured_by_shot_each_shot_has_its_curve(pink: tuple[str, list[F64]]) -> None:
    _, plan, done = corrected(pink[0], RestoreSettings(unfade=1.0, unfade_by="shot"), cuts=(1005, 1009))
    curves = [fix.curves for n in sorted(done) for fix in plan.of(n) if isinstance(fix, Fade)]
    assert len(set(curves)) == 3 and curves[0] == curves[3]


def test_a_grey_film_is_not_coloured(tmp_path: Path) -> None:
    frames = [np.repeat(moving(k, plate(5)).mean(axis=2, keepdims=True), 3, axis=2) for k in range(3)]
    _, plan, done = corrected(write(tmp_path, frames, grain=0.0), RestoreSettings(unfade=1.0))
    assert all(not plan.of(number) for number in done)
