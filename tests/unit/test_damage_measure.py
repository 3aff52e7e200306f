"""Sizes, counts and behaviour in time of the damage, against what was measured on real scans."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from filmrestore.damage import Damage
from filmrestore.damage.chance import events, smooth
from filmrestore.damage.stability import source_frame, weave
from filmrestore.settings import DegradeSettings

STRONG = {"faint": 0.0, "opacity": 1.0, "clumping": 0.0, "polarity": "light"}
MEAN_OPACITY = 0.825  # of marks drawn between 0.65 and 1 of the setting


def objects(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(sums of alpha, bounding boxes) of connected marks that do not touch the border."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats((mask > 0.02).astype(np.uint8), connectivity=8)
    sums = np.bincount(labels.ravel(), weights=mask.ravel().astype(np.float64))
    x, y, w, h, _ = facts.T
    inside = (x > 0) & (y > 0) & (x + w < mask.shape[1]) & (y + h < mask.shape[0])
    inside[0] = False
    return sums[inside], facts[inside, :4]


def marks(kind: str, settings: DegradeSettings, frames: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """All marks of a kind on some windows of a 2K frame."""
    one = Damage(settings, 500, 500, frame_width=2048.0)
    black = np.zeros((500, 500, 3), np.float32)
    found = [objects(one.apply(black, number).mask(kind)) for number in range(0, 10 * frames, 10)]
    return np.concatenate([sums for sums, _ in found]), np.concatenate([boxes for _, boxes in found])


@pytest.mark.parametrize(
    ("kind", "mean_area", "diameters"),
    [("dust", 11.0, (2.8, 3.4, 5.1)), ("dirt", 25.7, (3.4, 5.0, 9.0))],
)
def test_specks_have_the_measured_sizes(kind: str, mean_area: float, diameters: tuple[float, float, float]):
    sums, _ = marks(kind, DegradeSettings.from_dict({kind: 1200.0, **STRONG}), frames=10)
    areas = sums / MEAN_OPACITY
    assert len(areas) > 600
    assert abs(areas.mean() / mean_area - 1.0) < 0.12  # a few percent of the marks touch and count as one
    measured = np.percentile(2.0 * np.sqrt(areas / np.pi), [5, 50, 95])
    assert np.abs(measured / np.array(diameters) - 1.0).max() < 0.3  # outlines drawn by hand end at 3 px


def test_sizes_go_with_the_frame_s_width_and_the_size_setting():
    settings = DegradeSettings.from_dict({"dust": 500.0, **STRONG})
    small = objects(
        Damage(settings, 500, 500, frame_width=2048.0).apply(np.zeros((500, 500, 3), np.float32), 1).mask("dust")
    )
    large = objects(
        Damage(settings, 1000, 1000, frame_width=4096.0).apply(np.zeros((1000, 1000, 3), np.float32), 1).mask("dust")
    )
    assert abs(len(large[0]) - len(small[0])) <= 3
    assert abs(large[0].sum() / small[0].sum() / 4.0 - 1.0) < 0.1
    doubled = Damage(
        DegradeSettings.from_dict({"dust": 500.0, "dust_size": 2.0, **STRONG}), 500, 500, frame_width=2048.0
    )
    sums, _ = objects(doubled.apply(np.zeros((500, 500, 3), np.float32), 1).mask("dust"))
    assert abs(sums.mean() / small[0].mean() / 4.0 - 1.0) < 0.1


def test_specks_come_in_the_number_asked_for():
    one = Damage(DegradeSettings.from_dict({"dust": 850.0, **STRONG}), 192, 256, frame_width=2048.0)
    black = np.zeros((192, 256, 3), np.float32)
    total = [one.apply(black, number).mask("dust").sum() / MEAN_OPACITY / 11.0 for number in range(150)]
    expected = 850.0 * 192 * 256 / (2048 * 1536)
    assert abs(np.mean(total) / expected - 1.0) < 0.1
    assert np.std(total) > np.sqrt(expected)  # it comes in bursts


def test_hairs_have_the_measured_lengths():
    settings = DegradeSettings.from_dict({"hair": 250.0, **STRONG})
    sums, boxes = marks("hair", settings, frames=12)
    longest = np.hypot(boxes[:, 2], boxes[:, 3])
    assert len(longest) > 150
    assert 0.8 < np.median(longest) / 18.0 < 1.3  # three short hairs (15.5 px) to one long (46 px)
    assert longest.max() < 250.0
    thickness = sums / MEAN_OPACITY / longest
    assert 1.2 < np.median(thickness) < 3.0


def test_faint_marks_reach_down_to_a_few_codes():
    settings = DegradeSettings(dust=3000.0, faint=1.0)
    done = Damage(settings, 300, 300, frame_width=2048.0).apply(np.full((300, 300, 3), 0.5, np.float32), 3)
    _, labels, _, _ = cv2.connectedComponentsWithStats((done.mask("dust") > 0).astype(np.uint8))
    peaks = np.array([done.mask("dust")[labels == label].max() for label in range(1, labels.max() + 1)])
    assert 0.008 < np.quantile(peaks, 0.02) < 0.03 and peaks.max() < 0.45


def test_a_scratch_stays_for_many_frames_and_wanders_slowly_while_dust_does_not_stay():
    settings = DegradeSettings(scratches=30.0, dust=3000.0, scratch_life=200.0, faint=0.0, seed=2)
    one = Damage(settings, 160, 160, frame_width=2048.0)
    grey = np.full((160, 160, 3), 0.3, np.float32)
    first, second, late = (one.apply(grey, number) for number in (500, 501, 4000))

    def alike(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.corrcoef(cv2.blur(a, (3, 1)).ravel(), cv2.blur(b, (3, 1)).ravel())[0, 1])

    assert alike(first.mask("scratch"), second.mask("scratch")) > 0.7
    assert alike(first.mask("scratch"), late.mask("scratch")) < 0.5
    assert abs(alike(first.mask("dust"), second.mask("dust"))) < 0.1


def test_scratches_run_down_the_frame():
    settings = DegradeSettings(scratches=90.0, faint=0.0, scratch_breaks=0.0, scratch_wander=0.3)
    mask = (
        Damage(settings, 400, 160, frame_width=2048.0).apply(np.full((400, 160, 3), 0.3, np.float32), 8).mask("scratch")
    )
    _, boxes = objects(np.pad(mask, 1))
    longest = boxes[np.argmax(boxes[:, 3])]
    assert longest[3] > 350 and longest[2] < 20


def test_a_hair_in_the_gate_stays_while_the_film_weaves():
    still = DegradeSettings(gate_hair=30.0, gate_hair_life=500.0, quiver=0.0, weave=0.0)
    woven = DegradeSettings(gate_hair=30.0, gate_hair_life=500.0, quiver=0.0, weave=12.0)
    grey = np.full((200, 200, 3), 0.3, np.float32)
    first, second = (Damage(still, 200, 200, frame_width=2048.0).apply(grey, n).mask("gate_hair") for n in (90, 91))
    assert first.max() > 0.5
    assert np.array_equal(first, second)
    assert np.array_equal(Damage(woven, 200, 200, frame_width=2048.0).apply(grey, 90).mask("gate_hair"), first)


def test_what_is_on_the_film_moves_with_it():
    base = {"scratches": 40.0, "faint": 0.0, "seed": 4, "scratch_wander": 0.0, "scratch_breaks": 0.0}
    grey = np.full((120, 400, 3), 0.3, np.float32)
    settings = DegradeSettings.from_dict({**base, "weave": 9.0})
    still = Damage(DegradeSettings.from_dict(base), 120, 400, frame_width=2048.0).apply(grey, 33).mask("scratch")
    moved = Damage(settings, 120, 400, frame_width=2048.0).apply(grey, 33).mask("scratch")
    shift = weave(settings, 33, 1.0, 1536.0)[0]
    assert abs(shift) > 1.0
    profile, other = still.mean(axis=0)[50:-50], moved.mean(axis=0)
    offsets = range(-40, 41)
    best = max(offsets, key=lambda d: float(profile @ other[50 + d : 50 + d + profile.size]))
    assert abs(best - shift) <= 1.0


@pytest.mark.parametrize(("expected", "life"), [(0.3, 20.0), (3.0, 80.0)])
def test_lasting_things_are_there_as_often_and_as_long_as_asked(expected: float, life: float):
    present = [
        list(events(expected, life, number, seed, "kind")) for seed in range(12) for number in range(0, 4000, 40)
    ]
    assert abs(np.mean([len(found) for found in present]) / expected - 1.0) < 0.2
    lives = [event.life for found in present for event in found]
    assert life * 0.8 < np.mean(lives) < life * 1.8  # long ones are met more often
    assert all(0 <= event.age < event.life for found in present for event in found)


def test_smooth_noise_has_unit_variance_and_no_jumps():
    time = np.arange(-1000.0, 1000.0, 0.02)
    values = smooth(time, 7, "noise")
    assert abs(values.mean()) < 0.1 and abs(values.std() - 1.0) < 0.06
    assert np.abs(np.diff(values)).max() < 0.3


def test_flicker_and_grain_have_the_amount_asked_for():
    grey = np.full((150, 150, 3), 0.18, np.float32)
    lights = Damage(DegradeSettings(flicker=0.2), 150, 150)
    stops = np.log2([lights.apply(grey, number).scan.mean() / 0.18 for number in range(300)])
    assert abs(stops.std() / 0.2 - 1.0) < 0.2
    grains = Damage(DegradeSettings(grain=0.05, grain_size=1.0), 150, 150, frame_width=2048.0)
    density = -np.log10(grains.apply(grey, 1).scan / np.float32(0.18))
    assert abs(density[:, :, 0].std() / 0.05 - 1.0) < 0.1
    assert density[:, :, 2].std() > density[:, :, 0].std() > density[:, :, 1].std()
    other = -np.log10(grains.apply(grey, 2).scan / np.float32(0.18))
    assert abs(np.corrcoef(density.ravel(), other.ravel())[0, 1]) < 0.02
    light = -np.log10(grains.apply(np.full_like(grey, 0.8), 1).scan / np.float32(0.8))
    assert light.std() < 0.5 * density.std()


def test_missing_and_repeated_frames_come_as_often_as_asked_and_show_a_neighbour():
    numbers = range(5000)
    missing = [source_frame(DegradeSettings(missing=40.0), number) - number for number in numbers]
    assert set(missing) == {-1, 0, 1}
    assert abs(np.count_nonzero(missing) / 200.0 - 1.0) < 0.3
    repeated = [source_frame(DegradeSettings(repeated=40.0), number) - number for number in numbers]
    assert set(repeated) == {-1, 0}
    starts = np.count_nonzero(np.diff(repeated) == -1)
    assert abs(starts / 200.0 - 1.0) < 0.3
    assert [source_frame(DegradeSettings(), number) for number in range(5)] == list(range(5))


def test_fading_turns_the_picture_towards_the_dyes_that_are_left():
    grey = np.full((8, 8, 3), 0.1, np.float32)
    red, green, blue = Damage(DegradeSettings(fade_cyan=0.5), 8, 8).apply(grey, 1).scan[0, 0]
    assert red > 2.0 * green and green == blue == np.float32(0.1)
    ramp = np.linspace(-0.1, 3.0, 400, dtype=np.float32).reshape(20, 20, 1).repeat(3, axis=2)
    faded = Damage(DegradeSettings(fade_cyan=0.5, fade_magenta=0.2), 20, 20).apply(ramp, 1).scan
    assert (np.diff(faded.reshape(400, 3), axis=0) > 0).all()
    assert faded[0, 0].max() < 0 and faded[-1, -1].min() > 1.0


def test_a_splice_leaves_a_line_and_a_jump():
    settings = DegradeSettings(splices=60.0, splice_jump=0.02, faint=0.0)
    one = Damage(settings, 300, 400, frame_width=2048.0)
    spliced = [
        number for number in range(200) if "splice" in one.apply(np.full((300, 400, 3), 0.3, np.float32), number).masks
    ]
    assert 4 <= len(spliced) <= 25
    mask = one.apply(np.full((300, 400, 3), 0.3, np.float32), spliced[0]).mask("splice")
    assert (mask > 0.15).mean(axis=1).max() > 0.6 and (mask > 0.5).mean() < 0.05
    assert weave(settings, spliced[0], 1.0, 1536.0)[1] != 0.0
