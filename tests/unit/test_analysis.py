"""The reel's analysis: on frames whose flicker, weave, cuts, dirt and scratches are known."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filmrestore.analysis import Analysis, analyse
from filmrestore.analysis.columns import ScratchFinder
from filmrestore.analysis.model import VERSION
from filmrestore.analysis.ridges import strips_of
from filmrestore.colour import Colour, open_colour
from filmrestore.errors import CorruptFile, InputError, UsageError
from filmrestore.media import Shot, open_shot

Float32 = NDArray[np.float32]
HEIGHT, WIDTH = 120, 160


def plate(seed: int) -> Float32:
    rng = np.random.default_rng(seed)
    wide = cv2.GaussianBlur(rng.random((HEIGHT + 40, WIDTH + 200), dtype=np.float32), (0, 0), 5)
    return (wide - wide.min()) / (wide.max() - wide.min()) * np.float32(0.6) + np.float32(0.2)


def write(folder: Path, frames: list[Float32], first: int = 1) -> None:
    for number, frame in enumerate(frames, first):
        codes = np.clip(np.rint(frame * 65535), 0, 65535).astype(np.uint16)
        cv2.imwrite(str(folder / f"f.{number:04d}.png"), np.repeat(codes[:, :, None], 3, axis=2))


def opened(folder: Path, span: str | None = None) -> tuple[Shot, Colour]:
    shot = open_shot(folder / "f.####.png", span)
    return shot, open_colour(shot.format, colourspace="srgb")


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shots of 20 frames that pan; one dark scratch through both; grain; a mark of one frame in each."""
    rng = np.random.default_rng(3)
    frames = []
    for seed in (1, 2):
        base = plate(seed)
        frames += [base[20 : 20 + HEIGHT, 10 + 2 * k : 10 + 2 * k + WIDTH].copy() for k in range(20)]
    frames = [frame + rng.normal(0, 0.01, frame.shape).astype(np.float32) for frame in frames]
    for frame in frames:
        frame[:, 70:72] -= np.float32(0.12)
    folder = tmp_path_factory.mktemp("reel")
    write(folder, frames, first=1001)
    return folder


@pytest.fixture(scope="module")
def analysis(reel: Path) -> Analysis:
    return analyse(*opened(reel))


def test_finds_the_cut_and_reads_the_whole_reel_whatever_the_span(reel: Path, analysis: Analysis) -> None:
    assert analysis.cuts == (1021,)
    assert analysis.frames == tuple(range(1001, 1041))
    assert analysis.shots() == ((1001, 1020), (1021, 1040))
    assert analyse(*opened(reel, "1030-1033")).digest() == analysis.digest()


def test_finds_the_lasting_scratch_in_its_column(analysis: Analysis) -> None:
    (scratch,) = (line for line in analysis.scratches if line.certain)
    assert max(abs(column - 70.5) for way in scratch.columns for column in way) <= 1.0
    assert scratch.polarity == "dark"
    assert (scratch.first, scratch.last) == (1001, 1040)
    assert scratch.frames == tuple(range(1003, 1041, 4)) and len(scratch.columns) == len(scratch.frames)
    assert scratch in analysis.scratches_at(1030) and analysis.scratches_at(1041) == ()


def test_a_thin_upright_edge_under_a_still_camera_is_never_certain() -> None:
    finder = ScratchFinder(HEIGHT, WIDTH)
    still = plate(4)[:HEIGHT, :WIDTH].copy()
    still[:, 50:52] += np.float32(0.2)
    for number in range(30):
        finder.add(number, strips_of(still[:, :, None])[:, :, 0])
    assert not any(line.certain for line in finder.finish(dict.fromkeys(range(30), 0.0), ()))


def test_a_panned_picture_without_scratches_has_none() -> None:
    finder = ScratchFinder(HEIGHT, WIDTH)
    wide = plate(5)
    wide[:, 100:103] += np.float32(0.2)  # a pole that moves with the picture
    for number in range(40):
        finder.add(number, strips_of(wide[:HEIGHT, 3 * number : 3 * number + WIDTH, None])[:, :, 0])
    assert not any(line.certain for line in finder.finish({n: -3.0 * n for n in range(40)}, ()))


def test_measures_the_pan_the_weave_and_the_flicker(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    base = plate(6)
    jumps = rng.integers(-2, 3, 30)
    gains = np.exp(rng.normal(0, 0.1, 30))
    frames = []
    for jump, gain in zip(jumps, gains, strict=True):
        light = base[20 + jump : 20 + jump + HEIGHT, 20 : 20 + WIDTH] ** 2.2 * gain
        frames.append(np.asarray(light ** (1 / 2.2), np.float32))
    write(tmp_path, frames)
    found = analyse(*opened(tmp_path))
    assert found.cuts == ()
    assert np.abs(np.array(found.shift)[1:, 1] + np.diff(jumps)).max() < 0.3
    assert 0.5 < found.weave[1] / np.std(jumps) < 1.5 and found.weave[0] < 0.2
    assert 0.07 < found.flicker < 0.14


def test_guesses_the_share_of_dirt(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    frames = [plate(7)[:HEIGHT, :WIDTH].copy() for _ in range(12)]
    for frame in frames:
        for x, y in rng.integers(5, 110, (12, 2)):
            frame[y : y + 4, x : x + 4] = 0.95
    write(tmp_path, frames)
    found = analyse(*opened(tmp_path))
    assert 0.5 < found.dirt / (12 * 16 / (HEIGHT * WIDTH)) < 2.0


def test_measures_grain(analysis: Analysis) -> None:
    assert analysis.grain is not None
    assert 0.003 < max(max(row) for row in analysis.grain.deviation) < 0.03


def test_comes_back_from_its_file_as_it_was(analysis: Analysis, tmp_path: Path) -> None:
    file = tmp_path / "reel.analysis.json"
    analysis.save(file)
    back = Analysis.load(file)
    assert back == analysis
    assert back.digest() == analysis.digest()


def test_a_damaged_frame_is_left_out_and_an_unreadable_reel_is_refused(reel: Path, tmp_path: Path) -> None:
    for number in range(1001, 1013):
        (tmp_path / f"f.{number:04d}.png").write_bytes((reel / f"f.{number:04d}.png").read_bytes())
    opened_shot = opened(tmp_path)
    damaged = tmp_path / "f.1006.png"
    damaged.write_bytes(damaged.read_bytes()[:500])
    found = analyse(*opened_shot)
    assert found.unreadable == (1006,)
    assert found.frames == (*range(1001, 1006), *range(1007, 1013))
    for number in range(1001, 1013):
        (tmp_path / f"f.{number:04d}.png").write_bytes(b"")
    with pytest.raises(CorruptFile, match=r"f\.1001\.png"):
        analyse(*opened_shot)


def test_files_and_shots_that_do_not_fit_are_refused(analysis: Analysis, tmp_path: Path) -> None:
    file = tmp_path / "reel.analysis.json"
    with pytest.raises(InputError, match=r"reel\.analysis\.json"):
        Analysis.load(file)
    file.write_text('{"version": 0}')
    with pytest.raises(CorruptFile, match=f"version 0, expected {VERSION}"):
        Analysis.load(file)
    file.write_text('{"version": 3, "width"')
    with pytest.raises(CorruptFile, match="probe"):
        Analysis.load(file)
    write(tmp_path, [plate(1)[:HEIGHT, :WIDTH]] * 2, first=1040)
    with pytest.raises(UsageError, match="frame 1041"):
        analysis.check(*opened(tmp_path))
    write(tmp_path, [plate(1)[:HEIGHT, :100]] * 2, first=1001)
    with pytest.raises(UsageError, match="160 x 120"):
        analysis.check(*opened(tmp_path, "1001"))


def test_an_analysis_made_in_another_colour_is_refused(reel: Path, analysis: Analysis) -> None:
    shot, colour = opened(reel)
    analysis.check(shot, colour)
    with pytest.raises(UsageError, match=r"colourspace .*probe"):
        analysis.check(shot, open_colour(shot.format, colourspace="linear"))


def test_one_frame_is_a_reel(tmp_path: Path) -> None:
    write(tmp_path, [plate(1)[:HEIGHT, :WIDTH]])
    found = analyse(*opened(tmp_path))
    assert (found.frames, found.cuts, found.scratches, found.flicker) == ((1,), (), (), 0.0)


def test_memory_does_not_grow_with_the_reel(reel: Path) -> None:
    peaks = []
    for repeats in (1, 3):
        shot, colour = opened(reel)
        frames = {number: shot.read(number) for number in shot.available}

        class Long:
            format, path = shot.format, shot.path
            available = tuple(range(1, 40 * repeats + 1))

            def read(self, number: int, frames: object = frames) -> object:
                return frames[1001 + (number - 1) % 40]  # type: ignore[index]

        tracemalloc.start()
        analyse(Long(), colour)  # type: ignore[arg-type]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
