"""Cuts: found under flicker and damage, and read from edit lists."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filmrestore.errors import CorruptFile, InputError, UsageError
from filmrestore.scenes import CutFinder, read_cuts, thumbnail, timecode_frames

Float32 = NDArray[np.float32]


def scene(seed: int, length: int, drift: float = 1.0) -> list[Float32]:
    """A picture of soft shapes that moves sideways; net-like values, shape (54, 96, 3)."""
    rng = np.random.default_rng(seed)
    wide = cv2.GaussianBlur(rng.random((54, 400), dtype=np.float32), (0, 0), 4)
    wide = (wide - wide.min()) / (wide.max() - wide.min())
    starts = [round(k * drift) for k in range(length)]
    return [np.repeat(wide[:, x : x + 96, None], 3, axis=2).copy() for x in starts]


def found(frames: list[Float32], first: int = 0) -> tuple[int, ...]:
    finder = CutFinder()
    for number, frame in enumerate(frames, first):
        finder.add(number, frame)
    return finder.finish()


def shot(frames: range, rate: Fraction | None = Fraction(24)) -> Any:
    return SimpleNamespace(path="reel.####.dpx", available=tuple(frames), rate=rate)


def test_finds_every_cut_by_the_first_frame_of_the_new_shot() -> None:
    assert found(scene(1, 12) + scene(2, 9) + scene(3, 20), first=1001) == (1013, 1022)


def test_a_single_shot_with_a_fast_pan_has_no_cut() -> None:
    assert found(scene(4, 40, drift=7.0)) == ()


def test_flicker_makes_no_cut_and_hides_none() -> None:
    rng = np.random.default_rng(0)
    gains = 1 + 0.25 * rng.standard_normal(40)
    frames = scene(5, 20) + scene(6, 20)
    assert found(
        [frame * np.float32(gain) + np.float32(0.1 * gain) for frame, gain in zip(frames, gains, strict=True)]
    ) == (20,)


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_or_a_torn_frame_is_no_cut(length: int) -> None:
    flash, torn = scene(7, 30), scene(7, 30)
    for number in range(14, 14 + length):
        flash[number] = np.full_like(flash[number], 0.9)
        flash[number][:, :10] = 0.2
        torn[number] = np.roll(torn[number], 27, axis=0)
    assert found(flash) == ()
    assert found(torn) == ()


def test_a_damaged_frame_at_a_cut_leaves_one_cut() -> None:
    frames = scene(8, 15) + scene(9, 15)
    frames[15] = np.roll(frames[15][::-1], 30, axis=1)
    assert found(frames) in ((15,), (16,))


def test_one_frame_and_black_frames_have_no_cut() -> None:
    black = np.zeros((54, 96, 3), np.float32)
    assert found([black]) == ()
    assert found([black] * 30) == ()


def test_a_thumbnail_keeps_the_mean_of_odd_single_channel_and_float_pictures() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 1024, (271, 403, 1), dtype=np.uint16)
    small = thumbnail(codes, None, white=1023.0)
    assert small.shape == (194, 288, 3)
    assert abs(float(small.mean()) - codes.mean() / 1023.0) < 2e-3
    light = rng.random((271, 403, 3), dtype=np.float32)
    light[5, 5] = np.nan
    assert np.isfinite(thumbnail(light, None)).all()


def test_a_list_names_frames_by_their_own_numbers(tmp_path: Path) -> None:
    file = tmp_path / "cuts.txt"
    file.write_text("# first frames\n1001 1020,1033\n1050 # a splice\n2000\n")
    assert read_cuts(file, shot(range(1001, 1100))) == (1020, 1033, 1050)


EDL = """TITLE: REEL 1
FCM: NON-DROP FRAME

001  AX       V     C        01:00:00:00 01:00:02:00 10:00:00:00 10:00:02:00
* FROM CLIP NAME: A
002  AX       AA/V  C        02:00:00:00 02:00:01:12 10:00:02:00 10:00:03:12
002  AX       A2    C        02:00:00:00 02:00:01:12 10:00:02:06 10:00:03:12
003  AX       V     C        02:00:01:12 02:00:01:12 10:00:03:12 10:00:03:12
003  BX       V     D    024 03:00:00:00 03:00:02:00 10:00:03:12 10:00:05:12
004  BX       B     C        03:00:05:00 03:00:06:00 10:00:05:12 10:00:06:12
"""


def test_an_edl_counts_from_its_first_event_and_a_dissolve_is_no_cut(tmp_path: Path) -> None:
    file = tmp_path / "reel.edl"
    file.write_text(EDL)
    assert read_cuts(file, shot(range(1001, 1200))) == (1049, 1133)
    assert read_cuts(file, shot(range(1001, 1200), rate=None)) == (1049, 1133)


def test_drop_frame_timecode_counts_real_frames() -> None:
    ntsc = Fraction(30000, 1001)
    assert timecode_frames("00:01:00;02", ntsc) == 1800
    assert timecode_frames("00:10:00;00", ntsc) == 17982
    assert timecode_frames("01:00:00:00", ntsc, drop=True) == 107892
    assert timecode_frames("01:00:00:00", ntsc) == 108000
    assert timecode_frames("01:00:00:00", Fraction(24000, 1001), drop=True) == 86400
    assert timecode_frames("00:01:00;04", Fraction(60000, 1001)) == 3600


def test_an_otio_timeline_gives_the_starts_of_its_clips(tmp_path: Path) -> None:
    import opentimelineio as otio

    track = otio.schema.Track(kind="Video")
    for length in (48, 10, 31):
        time = otio.opentime.RationalTime
        track.append(otio.schema.Clip(source_range=otio.opentime.TimeRange(time(0, 24), time(length, 24))))
    timeline = otio.schema.Timeline()
    timeline.tracks.append(track)
    file = tmp_path / "reel.otio"
    otio.adapters.write_to_file(timeline, str(file))
    assert read_cuts(file, shot(range(1, 100))) == (49, 59)


def test_bad_cut_files_say_what_is_wrong(tmp_path: Path) -> None:
    reel = shot(range(1, 10))
    with pytest.raises(InputError, match=r"cannot read the cuts .*none\.edl"):
        read_cuts(tmp_path / "none.edl", reel)
    with pytest.raises(InputError, match=r"none\.otio"):
        read_cuts(tmp_path / "none.otio", reel)
    (tmp_path / "words.txt").write_text("12 fifty")
    with pytest.raises(UsageError, match=r"fifty.*first frame"):
        read_cuts(tmp_path / "words.txt", reel)
    (tmp_path / "other.txt").write_text("86401 86500")
    with pytest.raises(UsageError, match=r"other\.txt: its cuts, 86401 to 86500, all lie outside the frames 1 to 9"):
        read_cuts(tmp_path / "other.txt", reel)
    (tmp_path / "none.txt").write_text("# one shot\n")
    assert read_cuts(tmp_path / "none.txt", reel) == ()
    (tmp_path / "empty.edl").write_text("TITLE: NOTHING\n")
    with pytest.raises(UsageError, match="no picture event"):
        read_cuts(tmp_path / "empty.edl", reel)
    (tmp_path / "broken.otio").write_text("{")
    with pytest.raises(CorruptFile, match=r"broken\.otio"):
        read_cuts(tmp_path / "broken.otio", reel)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(CorruptFile, match=r"binary\.txt"):
        read_cuts(tmp_path / "binary.txt", reel)
