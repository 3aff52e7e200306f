"""Every figure on hand-made cases whose answer is known."""

import math

import numpy as np
import pytest

from filmrestore import metrics


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def speck(shape=(40, 40), box=(10, 14, 10, 14)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[box[0] : box[1], box[2] : box[3]] = True
    return mask


def test_pixel_detection_counts_overlap_both_ways():
    mask = speck(box=(10, 14, 10, 14))  # 16 pixels
    matte = speck(box=(10, 14, 12, 18)).astype(np.float32)  # 24 pixels, 8 shared
    found = metrics.found_pixels(matte, mask)
    assert (found.recall, found.precision) == (8 / 16, 8 / 24)
    assert found.f1 == pytest.approx(2 * 8 / (16 + 24))


def test_pixel_threshold_is_inclusive():
    mask = speck()
    assert metrics.found_pixels(mask * 0.5, mask, threshold=0.5).recall == 1.0
    assert metrics.found_pixels(mask * 0.49, mask, threshold=0.5).recall == 0.0


def test_an_object_is_found_with_half_of_its_area_and_not_with_less():
    mask = speck(box=(10, 14, 10, 14))
    half, less = mask.copy(), mask.copy()
    half[12:] = False
    less[12:] = False
    less[10, 10] = False
    assert metrics.found_objects(half.astype(float), mask).recall == 1.0
    assert metrics.found_objects(less.astype(float), mask).recall == 0.0


def test_a_detection_off_by_two_pixels_is_still_right_and_one_far_away_is_wrong():
    mask = speck(box=(10, 14, 10, 14))
    matte = speck(box=(12, 16, 12, 16)) | speck(box=(30, 34, 30, 34))
    found = metrics.found_objects(matte.astype(float), mask)
    assert (found.right, found.claimed) == (1, 2)


def test_detection_adds_up_over_frames_and_says_nan_for_nothing_at_all():
    empty = np.zeros((8, 8))
    assert math.isnan(metrics.found_pixels(empty, empty > 1).f1)
    mask = speck()
    total = metrics.found_pixels(mask * 1.0, mask) + metrics.found_pixels(mask * 0.0, mask)
    assert (total.recall, total.precision) == (0.5, 1.0)
    assert metrics.found_pixels(mask * 0.0, mask).f1 == 0.0


def test_objects_join_over_corners_and_need_three_pixels():
    mask = np.zeros((20, 20), bool)
    mask[2, 2] = mask[3, 3] = mask[4, 4] = True  # one diagonal object
    mask[10, 10] = mask[10, 11] = True  # too small
    labels, count = metrics.label(mask)
    assert count == 1
    assert labels[4, 4] == 1 and labels[10, 10] == 0
    assert metrics.label(mask, smallest=1)[1] == 2
    assert metrics.label(np.zeros((4, 4), bool))[1] == 0


def test_defect_psnr_looks_at_the_defect_alone():
    truth = np.zeros((40, 40, 3))
    mask = speck()
    result = truth + 0.9
    result[mask] = 0.1
    assert metrics.defect_psnr(result, truth, mask) == pytest.approx(20.0)
    assert metrics.defect_psnr(truth, truth, mask) == math.inf
    assert math.isnan(metrics.defect_psnr(truth, truth, mask & False))


def test_defect_error_pools_squares_and_not_decibels():
    truth, mask = np.zeros((40, 40)), speck()
    both = metrics.defect_error(truth + 0.1, truth, mask) + metrics.defect_error(truth + 0.3, truth, mask)
    assert both.psnr == pytest.approx(-10 * math.log10((0.01 + 0.09) / 2))


def test_touched_counts_the_slightest_change_outside_the_grown_mask():
    scan = np.full((40, 40, 3), 0.5, np.float32)
    mask = speck(box=(10, 14, 10, 14))
    result = scan.copy()
    result[8:16, 8:16] = 0.0  # the mask and its margin: free
    result[30, 30, 1] = 0.75
    result[31, 31] = np.nextafter(np.float32(0.5), np.float32(1))
    found = metrics.touched(result, scan, mask)
    assert (found.changed, found.clean) == (2, 40 * 40 - 64)
    assert found.mean_change == pytest.approx(0.125, abs=1e-6)
    assert metrics.touched(scan, scan, mask).mean_change == 0.0


def test_an_object_is_fixed_when_over_half_of_it_has_half_the_error_left():
    truth = np.zeros((40, 40))
    scan = truth.copy()
    scan[10:14, 10:14] = 0.4
    scan[20:24, 20:24] = 0.4
    scan[30:34, 30:34] = 7 / 255  # too faint to be an object
    result = scan.copy()
    result[10:14, 10:13] = 0.2  # three quarters at half the error
    result[20:24, 20:22] = 0.0  # exactly half: not over half
    fixed = metrics.objects_fixed(result, scan, truth)
    assert (fixed.part, fixed.whole) == (1, 2)
    assert metrics.objects_fixed(scan, scan, truth).part == 0


def test_harm_counts_large_errors_outside_the_grown_mask():
    truth = np.zeros((10, 10, 3))
    result = truth.copy()
    result[0, 0, 2] = 12.5 / 255
    result[0, 1, 2] = 11.5 / 255
    result[5, 5] = 1.0
    mask = speck((10, 10), (5, 6, 5, 6))
    found = metrics.harm(result, truth, mask)
    assert (found.part, found.whole) == (1, 75)


def test_erasure_gives_mean_and_worst_frame():
    scan = np.zeros((10, 10))
    hit = scan.copy()
    hit[0, :4] = 0.5
    assert metrics.erasure([scan, hit], [scan, scan]) == pytest.approx((0.02, 0.04))
    with pytest.raises(ValueError, match="one frame at least"):
        metrics.erasure([], [])


def test_white_noise_has_its_variance_in_every_ring_whatever_the_area():
    noise = rng().normal(0, 0.1, (256, 256))
    blobs = metrics.dilate(rng(1).random((256, 256)) > 0.998, 4)
    for area in (np.ones((256, 256), bool), blobs):
        power = metrics.radial_power(noise, area)
        assert np.abs(power / 0.01 - 1).max() < 0.2
    with pytest.raises(ValueError, match="empty"):
        metrics.radial_power(noise, blobs & False)


def test_grain_distance_is_near_nil_for_the_same_grain_and_the_log_for_half_the_power():
    noise = rng().normal(0, 0.05, (256, 256))
    repair = metrics.dilate(rng(1).random((256, 256)) > 0.9985, 4)
    assert metrics.grain_distance(noise, repair) < 0.15
    half = np.where(repair, noise * math.sqrt(0.5), noise)
    assert metrics.grain_distance(half, repair) == pytest.approx(math.log(2), abs=0.15)
    assert metrics.grain_distance(np.where(repair, 0.0, noise), repair) > 2.0
    assert math.isnan(metrics.grain_distance(noise, repair & False))


def test_frozen_grain_tells_copied_grain_from_new_grain():
    first, second = rng(0).normal(0, 0.05, (128, 128)), rng(1).normal(0, 0.05, (128, 128))
    repair = speck((128, 128), (20, 100, 20, 100))
    assert metrics.frozen_grain(first, first, repair) == pytest.approx(1.0)
    assert abs(metrics.frozen_grain(first, second, repair)) < 0.05
    assert math.isnan(metrics.frozen_grain(first, second, speck((128, 128))))
    assert math.isnan(metrics.frozen_grain(first * 0, second, repair))


def test_flicker_compares_inside_with_outside():
    previous = np.zeros((40, 40, 3))
    repair = speck()
    frame = previous + 0.1
    frame[repair] = 0.3
    found = metrics.flicker(frame, previous, repair)
    assert (found.inside, found.outside) == pytest.approx((0.3, 0.1))
    assert found.ratio == pytest.approx(3.0)
    assert math.isnan(metrics.flicker(frame, previous, repair & False).ratio)
    untrusted = metrics.flicker(frame, previous, repair, valid=~repair)
    assert untrusted.inside_count == 0


@pytest.mark.parametrize("shape", [(180, 200, 3), (181, 179)])
def test_ssim_and_psnr_agree_with_scikit_image(shape):
    from skimage import metrics as theirs

    truth = rng(2).random(shape)
    result = truth + rng(3).normal(0, 0.1, shape)
    similarity = theirs.structural_similarity(
        truth,
        result,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2 if len(shape) == 3 else None,
    )
    assert metrics.ssim(result, truth) == pytest.approx(similarity, abs=1e-6)
    peak = theirs.peak_signal_noise_ratio(truth, result, data_range=1.0)
    assert metrics.psnr(result, truth) == pytest.approx(peak)
    assert metrics.ssim(truth, truth) == pytest.approx(1.0)


def test_ms_ssim_agrees_with_torchmetrics_up_to_its_reflected_borders():
    import torch
    from torchmetrics.functional import image as functional

    truth = rng(4).random((512, 480))
    result = truth + rng(5).normal(0, 0.2, truth.shape)
    pair = [torch.from_numpy(x)[None, None] for x in (result, truth)]
    theirs = functional.multiscale_structural_similarity_index_measure(*pair, data_range=1.0, normalize=None)
    assert metrics.ms_ssim(result, truth) == pytest.approx(float(theirs), abs=5e-4)


def test_similarity_refuses_pictures_that_it_cannot_compare():
    with pytest.raises(ValueError, match="smaller than"):
        metrics.ssim(np.zeros((10, 40)), np.zeros((10, 40)))
    with pytest.raises(ValueError, match="one size"):
        metrics.ssim(np.zeros((40, 40)), np.zeros((40, 41)))
    with pytest.raises(ValueError, match="smaller than"):
        metrics.ms_ssim(np.zeros((160, 160)), np.zeros((160, 160)))


def test_reliability_bins_and_expected_error():
    confidence = np.array([0.05, 0.85, 0.85, 0.85, 0.85, 1.0])
    truth = np.array([False, True, True, True, False, True])
    found = metrics.reliability(confidence, truth)
    assert found.counts.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 4, 1]
    assert found.observed[8] == 0.75 and found.confidence[8] == pytest.approx(0.85)
    assert math.isnan(found.observed[3])
    assert found.expected_error == pytest.approx((0.05 + 4 * 0.1 + 0.0) / 6)
    twice = found + found
    assert twice.counts.sum() == 12 and twice.expected_error == pytest.approx(found.expected_error)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        metrics.reliability(np.array([1.1]), np.array([True]))
