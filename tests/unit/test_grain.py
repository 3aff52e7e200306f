"""Laws of grain: what is measured is what was laid on; what is made is exact, new in each frame, and fits in."""

from __future__ import annotations

import json

import numpy as np
import pytest

from filmrestore.errors import InputError, UsageError
from filmrestore.grain import FREQUENCIES, GrainModel, measure, regrain, separate, stock, synthesise, treat
from filmrestore.grain.model import normalised
from filmrestore.metrics.grain import frozen_grain, grain_distance
from filmrestore.settings import GrainSettings

Pixels = np.ndarray

KNOWN = (-0.020253844559192657, -0.0380866602063179, -0.011900137178599834)


def made_up(width: float = 0.7, strength: float = 1.0) -> GrainModel:
    """Grain of known deviation, Gaussian spectrum and layer correlation."""
    widths = (width, width, 1.2 * width)
    deviation = ((0.004, 0.005, 0.008), (0.012, 0.012, 0.018), (0.008, 0.008, 0.012))
    return GrainModel(
        levels=(0.0, 0.5, 1.0),
        deviation=tuple(tuple(strength * value for value in row) for row in deviation),
        power=tuple(normalised(np.exp(-((2 * np.pi * np.array(FREQUENCIES) * one) ** 2))) for one in widths),
        correlation=((1.0, 0.4, 0.3), (0.4, 1.0, 0.35), (0.3, 0.35, 1.0)),
    )


def at(model: GrainModel, level: float) -> Pixels:
    return np.array([np.interp(level, model.levels, [row[one] for row in model.deviation]) for one in range(3)])


@pytest.fixture(scope="module")
def ramp() -> Pixels:
    """A smooth picture from dark to light, 288 x 416."""
    y, x = np.mgrid[:288, :416].astype(np.float32)
    picture = 0.15 + 0.6 * x / 416 + 0.05 * np.sin(y / 40)
    return np.repeat(picture[..., None], 3, axis=2).astype(np.float32)


@pytest.fixture(scope="module")
def textured(ramp: Pixels) -> Pixels:
    """A picture with texture ten times stronger than its grain all over."""
    texture = synthesise(made_up(0.5, 10), ramp, 1234, 0)[..., :1]
    return ramp + texture


@pytest.fixture(scope="module")
def scans(ramp: Pixels) -> list[Pixels]:
    return [ramp + synthesise(made_up(), ramp, 99, number) for number in range(3)]


@pytest.fixture(scope="module")
def mask(ramp: Pixels) -> Pixels:
    """Fills from specks of a few pixels to burns of 60."""
    y, x = np.mgrid[:288, :416]
    found = np.zeros(ramp.shape[:2], bool)
    rng = np.random.default_rng(5)
    for radius in (30, 22, 14, *[4] * 20, *[2] * 30):
        cy, cx = rng.integers(32, 256), rng.integers(32, 384)
        found |= (y - cy) ** 2 + (x - cx) ** 2 < radius**2
    return found


def test_any_crop_holds_the_bits_of_the_whole(ramp: Pixels) -> None:
    for size in (1.0, 3.0):  # short kernels are summed, long ones go through a DFT
        whole = synthesise(made_up(), ramp, 7, 1001, size=size)
        for y, x, h, w in ((0, 0, 1, 1), (17, 100, 65, 33), (250, 300, 38, 116)):
            crop = synthesise(made_up(), ramp[y : y + h, x : x + w], 7, 1001, origin=(x, y), size=size)
            np.testing.assert_array_equal(crop, whole[y : y + h, x : x + w])


def test_grain_reaches_left_of_and_above_the_frame() -> None:
    flat = np.full((40, 40, 3), 0.5, np.float32)
    around = synthesise(made_up(), np.full((80, 80, 3), 0.5, np.float32), 1, 1, origin=(-40, -40))
    np.testing.assert_array_equal(synthesise(made_up(), flat, 1, 1), around[40:, 40:])


def test_grain_is_a_fixed_function_of_seed_and_frame() -> None:
    flat = np.full((2, 2, 3), 0.5, np.float32)
    np.testing.assert_allclose(synthesise(made_up(), flat, 1, 5)[0, 0], KNOWN, rtol=1e-5)


def test_another_seed_or_frame_gives_unrelated_grain() -> None:
    flat = np.full((256, 256, 3), 0.5, np.float32)
    first = synthesise(made_up(), flat, 1, 5)
    for seed, frame in ((1, 6), (2, 5), (5, 1)):
        other = synthesise(made_up(), flat, seed, frame)
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.02


def test_made_grain_has_the_models_deviation_correlation_and_spectrum() -> None:
    model = made_up()
    grain = synthesise(model, np.full((512, 512, 3), 0.5, np.float32), 3, 1).astype(np.float64)
    np.testing.assert_allclose(grain.std(axis=(0, 1)), (0.012, 0.012, 0.018), rtol=0.02)
    np.testing.assert_allclose(np.corrcoef(grain.reshape(-1, 3).T), model.correlation, atol=0.02)
    axis = np.fft.fftfreq(512)
    ring = np.rint(np.hypot(axis[:, None], axis[None, :]) * 32)
    power = np.abs(np.fft.fft2(grain[..., 0] / 0.012)) ** 2 / 512**2
    found = np.array([power[ring == step].mean() for step in range(1, 16)])
    assert np.abs(np.log(found / np.array(model.power[0][1:16]))).max() < 0.15


def test_grain_follows_brightness(ramp: Pixels) -> None:
    dark, light = np.full((200, 200, 3), 0.1, np.float32), np.full((200, 200, 3), 0.5, np.float32)
    ratio = synthesise(made_up(), light, 1, 1).std() / synthesise(made_up(), dark, 1, 1).std()
    assert ratio == pytest.approx(at(made_up(), 0.5)[2] / at(made_up(), 0.1)[2], rel=0.1)


def test_measuring_finds_what_was_laid_on(scans: list[Pixels]) -> None:
    for frames in (scans[:1], scans):
        found = measure(frames)
        for level in (0.25, 0.35, 0.65):
            np.testing.assert_allclose(at(found, level), at(made_up(), level), rtol=0.12)
        np.testing.assert_allclose(found.correlation, made_up().correlation, atol=0.08)
        heard = slice(0, 12)
        ratio = np.array(found.power)[:, heard] / np.array(made_up().power)[:, heard]
        assert np.abs(np.log(ratio)).max() < 0.45


def test_still_frames_show_grain_through_texture(textured: Pixels) -> None:
    found = measure([textured + synthesise(made_up(), textured, 8, number) for number in range(3)])
    np.testing.assert_allclose(at(found, 0.45), at(made_up(), 0.45), rtol=0.15)


def test_a_repeated_frame_is_not_taken_for_grainless(scans: list[Pixels]) -> None:
    found = measure([scans[0], scans[0], scans[1]])
    np.testing.assert_allclose(at(found, 0.45), at(made_up(), 0.45), rtol=0.15)


def test_dirt_does_not_count_as_grain(scans: list[Pixels]) -> None:
    dirty = [scan.copy() for scan in scans]
    rng = np.random.default_rng(3)
    for frame in dirty:
        for y, x in rng.integers(8, 280, (60, 2)):
            frame[y - 2 : y + 2, x - 2 : x + 2] = 0.9
    np.testing.assert_allclose(at(measure(dirty), 0.45), at(measure(scans), 0.45), rtol=0.1)


def test_black_and_white_scanned_to_rgb_gets_neutral_grain(ramp: Pixels) -> None:
    grey = np.repeat((ramp + synthesise(made_up(), ramp, 9, 1))[..., :1], 3, axis=2)
    made = synthesise(measure([grey]), ramp, 1, 2)
    np.testing.assert_array_equal(made[..., 0], made[..., 1])
    np.testing.assert_array_equal(made[..., 0], made[..., 2])
    assert made.std() > 0.005


def test_a_plate_without_grain_measures_as_none() -> None:
    found = measure([np.full((64, 64, 3), 0.4, np.float32)])
    assert np.max(found.deviation) == 0
    assert np.abs(synthesise(found, np.full((8, 8, 3), 0.4, np.float32), 1, 1)).max() == 0


def test_frames_too_small_to_measure_are_refused() -> None:
    with pytest.raises(InputError, match="32 x 32"):
        measure([np.zeros((20, 500, 3), np.float32)])


def test_a_model_survives_json() -> None:
    model = stock()
    assert GrainModel.from_dict(json.loads(model.to_json())) == model


@pytest.mark.parametrize(
    "change", [{"version": 9}, {"power": [[1.0]]}, {"levels": [1.0, 0.0, 2.0]}, {"deviation": None}]
)
def test_a_damaged_model_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match="measure"):
        GrainModel.from_dict({**made_up().to_dict(), **change})


def test_picture_and_grain_add_up_and_edges_stay(ramp: Pixels) -> None:
    edged = ramp.copy()
    edged[:, 200:] += 0.3
    scan = edged + synthesise(made_up(), edged, 4, 1)
    picture, grain = separate(scan, made_up())
    np.testing.assert_allclose(picture + grain, scan, atol=1e-6)
    smooth = (slice(None), slice(20, 180))
    assert (picture - edged)[smooth].std() < 0.35 * (scan - edged)[smooth].std()
    step = picture[:, 203:206].mean() - picture[:, 194:197].mean()
    assert step == pytest.approx(edged[:, 203:206].mean() - edged[:, 194:197].mean(), abs=0.01)


def filled(scan: Pixels, ramp: Pixels, mask: Pixels, carried: float, number: int) -> Pixels:
    """The scan with fills that carry a share of real grain."""
    fill = ramp + carried * synthesise(made_up(), ramp, 55, number)
    return np.where(mask[..., None], fill, scan)


@pytest.mark.parametrize("carried", [0.0, 0.5])
def test_fills_get_the_grain_of_their_surroundings(
    ramp: Pixels, scans: list[Pixels], mask: Pixels, carried: float
) -> None:
    model = measure(scans)
    before = [filled(scan, ramp, mask, carried, number) for number, scan in enumerate(scans)]
    after = [regrain(net, mask, model, 3, number) for number, net in enumerate(before)]
    assert grain_distance(before[0], mask) > 0.8
    assert max(grain_distance(net, mask) for net in after) <= 0.15
    assert abs(frozen_grain(after[0], after[1], mask)) <= 0.05


def test_a_fill_that_carries_grain_is_not_given_it_twice(ramp: Pixels, scans: list[Pixels], mask: Pixels) -> None:
    net = filled(scans[0], ramp, mask, 1.0, 0)
    made = regrain(net, mask, measure(scans), 3, 0)
    ratio = (made - ramp)[mask].std(axis=0) / (net - ramp)[mask].std(axis=0)
    assert ratio.max() < 1.12


def test_texture_does_not_hide_that_grain_is_missing(textured: Pixels, mask: Pixels) -> None:
    model = made_up()
    scan = textured + synthesise(model, textured, 6, 1)
    net = np.where(mask[..., None], textured, scan)
    added = (regrain(net, mask, model, 3, 1) - net)[mask]
    wanted = (scan - textured)[mask].std(axis=0)
    np.testing.assert_array_less(0.5 * wanted, added.std(axis=0))
    np.testing.assert_array_less(added.std(axis=0), 1.3 * wanted)


def test_only_generated_pixels_change(ramp: Pixels, scans: list[Pixels], mask: Pixels) -> None:
    net = filled(scans[0], ramp, mask, 0.0, 0)
    made = regrain(net, mask, made_up(), 3, 0)
    np.testing.assert_array_equal(made[~mask], net[~mask])
    assert (made != net)[mask].any(axis=1).mean() > 0.99


def test_no_amount_or_no_mask_changes_nothing(scans: list[Pixels], mask: Pixels) -> None:
    np.testing.assert_array_equal(regrain(scans[0], mask, made_up(), 3, 0, 0.0), scans[0])
    np.testing.assert_array_equal(regrain(scans[0], np.zeros_like(mask), made_up(), 3, 0), scans[0])


def test_amount_doubles_the_grain_of_fills(ramp: Pixels, scans: list[Pixels], mask: Pixels) -> None:
    net = filled(scans[0], ramp, mask, 0.0, 0)
    once, twice = (regrain(net, mask, made_up(), 3, 0, amount) - net for amount in (1.0, 2.0))
    assert twice[mask].std() / once[mask].std() == pytest.approx(2.0, rel=0.1)


def test_a_soft_mask_weights_the_grain(ramp: Pixels, scans: list[Pixels], mask: Pixels) -> None:
    net = filled(scans[0], ramp, mask, 0.0, 0)
    whole, half = (regrain(net, weight * mask, made_up(), 3, 0) - net for weight in (1.0, 0.5))
    np.testing.assert_allclose(half[mask], 0.5 * whole[mask], atol=1e-6)


def test_a_fill_larger_than_a_region_gets_even_grain() -> None:
    plate = np.full((40, 1200, 3), 0.45, np.float32)
    plate += synthesise(made_up(), plate, 2, 1)
    mask = np.zeros((40, 1200), bool)
    mask[8:32] = True
    net = np.where(mask[..., None], np.float32(0.45), plate)
    made = regrain(net, mask, made_up(), 3, 1)
    assert (made != net)[mask].any(axis=1).all()
    cut, elsewhere = (made[8:32, columns].std() for columns in (slice(990, 1058), slice(300, 700)))
    assert cut == pytest.approx(elsewhere, rel=0.15)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (33, 40)])
def test_the_smallest_frames_and_wholly_generated_ones_get_grain(shape: tuple[int, int]) -> None:
    net = np.full((*shape, 3), 0.45, np.float32)
    made = regrain(net, np.ones(shape, bool), made_up(), 3, 0)
    assert np.isfinite(made).all() and (made != net).any()


def test_a_pixel_that_is_no_number_spoils_no_other(ramp: Pixels, scans: list[Pixels], mask: Pixels) -> None:
    net = filled(scans[0], ramp, mask, 0.0, 0)
    net[~mask] = np.where(np.random.default_rng(0).random((~mask).sum()) < 0.001, np.nan, 1)[:, None] * net[~mask]
    assert np.isfinite(regrain(net, mask, made_up(), 3, 0)[mask]).all()


@pytest.mark.parametrize(("own", "wanted"), [((0.45, 0.6), (0.9, 1.2)), ((0.9, 1.2), (0.45, 0.6))])
def test_match_brings_a_plate_to_the_references_grain(
    ramp: Pixels, own: tuple[float, float], wanted: tuple[float, float]
) -> None:
    plate = [ramp + synthesise(made_up(*own), ramp, 1, number) for number in range(2)]
    has, target = measure(plate), made_up(*wanted)
    settings = GrainSettings(mode="match")
    matched = measure([net + treat(net, settings, number, has, target) for number, net in enumerate(plate)])
    np.testing.assert_allclose(at(matched, 0.45), at(target, 0.45), rtol=0.2)


def test_settings_scale_layers_and_brightness() -> None:
    flat = np.full((128, 128, 3), 0.2, np.float32)
    base = treat(flat, GrainSettings(mode="add"), 1, stock())
    dark = treat(flat, GrainSettings(mode="add", red=2.0, blue=0.0, shadows=0.5), 1, stock())
    np.testing.assert_allclose(dark.std(axis=(0, 1)), base.std(axis=(0, 1)) * (1.0, 0.5, 0.0), rtol=0.1)
    coarse = treat(flat, GrainSettings(mode="add", size=3.0), 1, stock())
    assert np.diff(coarse, axis=0).std() / coarse.std() < 0.6 * np.diff(base, axis=0).std() / base.std()


def test_reduce_takes_grain_away(ramp: Pixels, scans: list[Pixels]) -> None:
    half, all_of_it = (
        scans[0] + treat(scans[0], GrainSettings(mode="reduce", amount=amount), 0, made_up()) for amount in (0.5, 1.0)
    )
    grain = (scans[0] - ramp).std()
    assert 0.5 * grain < (half - ramp).std() < 0.7 * grain
    assert (all_of_it - ramp).std() < 0.35 * grain


def test_match_without_a_reference_says_so(ramp: Pixels) -> None:
    with pytest.raises(UsageError, match="reference"):
        treat(ramp, GrainSettings(mode="match"), 0, made_up())
