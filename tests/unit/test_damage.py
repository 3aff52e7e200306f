"""Laws of the damage model: exact masks, shared truth, no memory, no clipping."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from filmrestore.damage import AMOUNTS, KINDS, Damage, random_settings
from filmrestore.errors import UsageError
from filmrestore.settings import DEGRADE_PRESETS, DegradeSettings, preset

MUCH = {
    "dust": 4000.0,
    "dirt": 2000.0,
    "hair": 800.0,
    "gate_hair": 20.0,
    "lint": 300.0,
    "scratches": 60.0,
    "scratches_moving": 30.0,
    "blotches": 150.0,
    "stains": 80.0,
    "burns": 40.0,
    "splices": 1000.0,
}
SHARED = {
    "grain": 0.05,
    "flicker": 0.2,
    "flicker_uneven": 0.1,
    "weave": 3.0,
    "beat": 1.0,
    "focus": 1.0,
    "motion": 4.0,
    "fade_cyan": 0.3,
    "fade_yellow": 0.1,
    "stained_base": 0.1,
    "scanner_blur": 0.7,
    "burn_size": 0.4,
    "splice_jump": 0.0,
}


def light(height: int = 120, width: int = 150) -> np.ndarray:
    """A smooth picture with texture, 0.02 to 0.9."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    value = 0.46 + 0.4 * np.sin(rows / 17) * np.cos(columns / 11) + 0.04 * np.sin(rows * 1.7 + columns)
    return np.stack([value, value * 0.9, value * 0.7], axis=2).astype(np.float32)


def everything(**changes: object) -> DegradeSettings:
    return DegradeSettings.from_dict({**MUCH, **SHARED, "polarity": "mixed", "seed": 5, **changes})


def damage(settings: DegradeSettings, height: int = 120, width: int = 150) -> Damage:
    return Damage(settings, height, width, frame_width=2048.0)


def test_every_kind_occurs_and_only_where_it_is_turned_on():
    for kind, amount in AMOUNTS.items():
        settings = DegradeSettings.from_dict({amount: MUCH[amount], "scanner_blur": 0.7})
        kinds = {name for number in range(6) for name in damage(settings).apply(light(), number).masks}
        assert kinds == {kind}


def test_scan_is_truth_bit_for_bit_where_every_mask_is_zero():
    for number in (0, 1, 1001):
        done = damage(everything(faint=0.8, burns=0.0, stains=2.0, blotches=10.0, splices=0.0)).apply(light(), number)
        outside = done.united() == 0
        assert 0.02 < outside.mean() < 0.98
        assert np.array_equal(done.scan[outside].view(np.uint32), done.truth[outside].view(np.uint32))
        assert (done.scan != done.truth).any(axis=2)[done.united() > 0.05].mean() > 0.99


def test_truth_shares_grain_flicker_weave_blur_and_fading_with_the_scan():
    clean = dict.fromkeys(MUCH, 0.0)
    for number in (3, 4):
        with_marks = damage(everything()).apply(light(), number)
        without = damage(everything(**clean)).apply(light(), number)
        assert not without.masks
        assert np.array_equal(with_marks.truth, without.scan)
        assert not np.array_equal(without.scan, light())


@pytest.mark.parametrize("polarity", ["dark", "light"])
def test_masks_are_the_exact_share_of_light_that_changes(polarity: str):
    amounts = {"dust": 3000.0, "dirt": 2000.0, "hair": 500.0, "lint": 300.0, "blotches": 100.0}
    settings = DegradeSettings.from_dict({**amounts, "polarity": polarity, "scanner_blur": 0.6})
    plate = np.full((120, 150, 3), 1.0 if polarity == "dark" else 0.0, np.float32)
    for amount in amounts:
        one = dataclasses.replace(settings, **{name: 0.0 for name in amounts if name != amount})
        done = damage(one).apply(plate, 9)
        changed = np.abs(done.scan - done.truth).max(axis=2)
        assert changed.max() > 0.5
        assert np.abs(changed - done.united()).max() < 2e-6


def test_a_kind_s_mask_does_not_depend_on_the_other_kinds():
    together = damage(everything()).apply(light(), 12)
    for kind in KINDS:
        others = {amount: 0.0 for name, amount in AMOUNTS.items() if name != kind}
        alone = damage(everything(**others)).apply(light(), 12)
        assert np.array_equal(together.mask(kind), alone.mask(kind))


def test_a_frame_depends_on_seed_and_number_alone_in_any_order():
    one, other = damage(everything()), damage(everything())
    forward = {number: one.apply(light(), number) for number in (0, 1, 7, 100_000)}
    for number in (100_000, 1, 7, 0):
        again = other.apply(light(), number)
        assert np.array_equal(again.scan, forward[number].scan)
        assert np.array_equal(again.truth, forward[number].truth)
        assert all(np.array_equal(again.masks[kind], mask) for kind, mask in forward[number].masks.items())
    assert not np.array_equal(forward[0].scan, forward[1].scan)
    assert not np.array_equal(damage(everything(seed=6)).apply(light(), 7).scan, forward[7].scan)


def test_nothing_turned_on_returns_the_same_bits():
    weird = light()
    weird[3, 4] = (-0.5, 70000.0, 0.0)
    for settings in (preset("none"), DegradeSettings(dust=0.0, seed=9)):
        done = damage(settings).apply(weird, 17)
        assert np.array_equal(done.scan.view(np.uint32), weird.view(np.uint32))
        assert np.array_equal(done.truth.view(np.uint32), weird.view(np.uint32))
        assert not done.masks and not done.united().any()


def test_the_input_is_left_alone():
    plate = light()
    damage(everything()).apply(plate, 2)
    assert np.array_equal(plate, light())


def test_light_above_one_and_below_zero_survives():
    plate = light(64, 64)
    plate[:32] *= 60.0
    plate[32:, 32:] = -0.03
    settings = everything(scanner_blur=0.0, focus=0.0, motion=0.0, weave=0.0, beat=0.0, polarity="light", burns=0.0)
    done = damage(settings, 64, 64).apply(plate, 5)
    assert np.isfinite(done.scan).all() and np.isfinite(done.truth).all()
    assert done.truth[:32].max() > 10.0
    assert done.truth[40:, 40:].max() < 0.0
    lights = dataclasses.replace(settings, scratches=0.0, scratches_moving=0.0, gate_hair=0.0, splices=0.0, stains=0.0)
    done = damage(lights, 64, 64).apply(plate, 5)
    above = done.truth > 1.0
    assert above.any() and (done.scan[above] == done.truth[above]).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 517), (211, 2), (67, 45)])
def test_odd_sizes_work(height: int, width: int):
    for number in range(3):
        done = Damage(everything(), height, width, frame_width=2048.0).apply(light(height, width), number)
        assert done.scan.shape == (height, width, 3) and np.isfinite(done.scan).all()
        assert all(mask.min() >= 0.0 and mask.max() <= 1.0 for mask in done.masks.values())


def test_monochrome_stock_stays_monochrome():
    grey = np.repeat(light()[:, :, :1], 3, axis=2)
    for number in range(4):
        done = damage(everything(stock="monochrome")).apply(grey, number)
        assert np.array_equal(done.scan[:, :, 0], done.scan[:, :, 1])
        assert np.array_equal(done.scan[:, :, 0], done.scan[:, :, 2])


def test_polarity_decides_whether_marks_darken_or_lighten():
    for polarity, sign in (("dark", -1.0), ("light", 1.0)):
        done = damage(DegradeSettings(dust=4000.0, dirt=2000.0, polarity=polarity, base_light=2.0)).apply(light(), 1)
        change = (done.scan - done.truth)[done.united() > 0]
        assert (change * sign >= 0).all() and (np.abs(change).max() > 0.1)


def test_coloured_scratches_leave_a_layer_where_it_is():
    settings = DegradeSettings(scratches=80.0, scratch_look="coloured", faint=0.0)
    changes = [np.abs(done.scan - done.truth).max(axis=(0, 1)) for done in map_frames(settings, range(0, 2000, 100))]
    assert max(change.min() / change.max() for change in changes if change.max() > 0.05) <= 1.0
    assert min(change.min() / change.max() for change in changes if change.max() > 0.05) < 0.5


def map_frames(settings: DegradeSettings, numbers: range):
    one = damage(settings)
    return [one.apply(light(), number) for number in numbers]


def test_a_wrong_size_kind_or_preset_is_refused_with_what_was_expected():
    with pytest.raises(UsageError, match=r"\(120, 150, 3\)"):
        damage(everything()).apply(light(30, 30), 1)
    with pytest.raises(UsageError, match="within it"):
        Damage(everything(), 10, 4096, frame_width=2048.0)
    with pytest.raises(UsageError, match="dust, dirt"):
        damage(everything()).apply(light(), 1).mask("dandruff")
    with pytest.raises(UsageError, match="silent-era"):
        preset("talkie")


def test_presets_go_from_none_to_heavy():
    covered = {}
    for name in ("none", "light", "worn", "heavy"):
        one = Damage(preset(name), 200, 300)
        plate = light(200, 300)
        covered[name] = np.mean([(one.apply(plate, number).united() > 0.02).mean() for number in range(0, 90, 18)])
    assert 0.0 == covered["none"] < covered["light"] < covered["worn"] < covered["heavy"] < 0.3
    assert {"silent-era", "newsreel"} < DEGRADE_PRESETS.keys()


def test_random_settings_hold_clean_windows_and_many_scratches():
    drawn = [random_settings(np.random.default_rng(seed)) for seed in range(400)]
    assert drawn[3] == random_settings(np.random.default_rng(3))
    clean = [settings for settings in drawn if not any(getattr(settings, amount) for amount in AMOUNTS.values())]
    assert 0.04 < len(clean) / len(drawn) < 0.2
    assert np.mean([settings.scratches > 0 for settings in drawn]) > 0.35
    for amount in AMOUNTS.values():
        assert any(getattr(settings, amount) for settings in drawn)
