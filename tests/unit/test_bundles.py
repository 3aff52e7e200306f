"""Bundles of hairlines: followed as one line, told by what is new in every frame, mapped to the last of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scratched import FRAMES, HEIGHT, Float32, frame_of, grained, panned

from filmrestore.analysis import LastingScratch, bundles
from filmrestore.analysis.columns import ScratchFinder
from filmrestore.analysis.drift import drifts_of
from filmrestore.analysis.ridges import strips_of
from filmrestore.analysis.traits import TRAITS, certainty
from filmrestore.colour import open_colour
from filmrestore.nodes.lines import line_map

LEFT, WIDTH = 110, 12


def hairlines(number: int) -> Float32:
    """Cover of a bundle in one frame, (h, 12): lines that break off, and slide along the film from frame to frame."""
    rng = np.random.default_rng(4)
    cover = np.zeros((2 * HEIGHT, WIDTH), np.float32)
    for column in (1, 4, 6, 10):
        for top in rng.integers(0, 2 * HEIGHT, 5):
            cover[top : top + 90, column] = rng.uniform(0.5, 1)
    cover = np.roll(cover, int(np.random.default_rng([number, 3]).integers(2 * HEIGHT)), axis=0)[:HEIGHT]
    return cv2.GaussianBlur(cover, (0, 0), 0.5)


def wander(number: int) -> int:
    return int(np.random.default_rng([number, 6]).integers(-1, 2))


def bundled(frame: Float32, number: int) -> Float32:
    scan, at = frame.copy(), LEFT + wander(number)
    scan[:, at : at + WIDTH] += np.float32(0.18) * hairlines(number)
    return scan


def found(frames: list[Float32]) -> list[LastingScratch]:
    """The certain ones."""
    finder = ScratchFinder(*frames[0].shape)
    for number, frame in enumerate(frames, 1):
        finder.add(number, strips_of(frame[:, :, None])[:, :, 0])
    return [line for line in finder.finish({}, ()) if line.certain]


def test_a_bundle_under_a_still_camera_is_certain_and_all_of_it_is_mapped() -> None:
    frames = [grained(bundled(frame, n), n) for n, frame in enumerate(panned(0), 1)]
    lines = found(frames)
    assert lines and all(line.polarity == "light" for line in lines)
    assert max(sum(line.beside) + line.width for line in lines) >= 0.6 * WIDTH
    shares, wrong = [], []
    for number in (5, 9, 13):
        frame = frame_of(frames[number - 1], number)
        plane = line_map(frame, lines, open_colour(frame.format, colourspace="scene_linear"))
        assert plane is not None
        at = LEFT + wander(number)
        shares.append((plane[:, at : at + WIDTH] > 0)[hairlines(number) > 0.4].mean())
        marked = plane > 0
        marked[:, at - 2 : at + WIDTH + 2] = False
        wrong.append(int(marked.sum()))
    assert np.mean(shares) > 0.75 and max(wrong) <= 20


def test_what_stirs_no_more_than_the_picture_beside_it_has_no_hairlines_beside_it() -> None:
    stirred = np.full(2 * bundles.REACH + 1, 0.01)
    assert bundles.extent(stirred) == (0, 0)
    stirred[bundles.REACH - 6 : bundles.REACH + 4] = 0.05
    stirred[bundles.REACH - 3] = 0.01  # between two hairlines
    stirred[bundles.REACH + 9] = 0.05  # another line, too far away
    assert bundles.extent(stirred) == (6, 3)


@pytest.mark.parametrize("speed", [0, 2, 5])
def test_drift_is_where_the_picture_has_gone_beside_a_line_and_as_a_whole(speed: int) -> None:
    strips = [strips_of(grained(frame, n)[:, :, None])[:, :, 0] for n, frame in enumerate(panned(speed, 5))]
    for place, drift in enumerate(drifts_of(strips, 2)):
        gone = speed * (2 - place)
        assert abs(drift.whole - gone) < 0.3
        assert abs(drift.beside(np.arange(2, 9), np.full(7, 160)) - gone) < 0.4


def test_a_line_that_looked_like_a_scratch_once_is_none() -> None:
    rng = np.random.default_rng(1)
    base = np.zeros((1, len(TRAITS)))
    base[0, TRAITS.index("height")], base[0, TRAITS.index("here")] = 1, 3
    often = base + rng.normal(0, 1e-3, (FRAMES // 4, len(TRAITS)))
    once = often.copy()
    once[1:, TRAITS.index("height")] = 0.1
    assert certainty(often) > 0.8 and certainty(once) < 0.3
