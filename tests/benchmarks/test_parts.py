"""Timings of the benches' own parts: `pytest tests/benchmarks --benchmark-only`."""

import cv2
import numpy as np
import pytest

from filmrestore import metrics
from filmrestore.bench.classical import temporal_median

HEIGHT, WIDTH = 480, 640


@pytest.fixture(scope="module")
def scan() -> np.ndarray:
    """Three frames of a panned texture with a speck in the middle one, 16-bit codes."""
    cv2.setNumThreads(1)
    noise = np.random.default_rng(0).normal(30000, 20000, (HEIGHT, WIDTH + 8, 3)).astype(np.float32)
    wide = np.clip(cv2.GaussianBlur(noise, (0, 0), 3), 0, 65535).astype(np.uint16)
    frames = np.stack([wide[:, 4 * t : 4 * t + WIDTH] for t in range(3)])
    frames[1, 100:104, 100:104] = 65535
    return frames


def test_motion_compensated_median_of_three_frames(benchmark, scan):
    result, _ = benchmark(temporal_median, scan, motion=True)
    assert result[1, 102, 102].max() < 65535


def test_ssim_of_a_frame(benchmark, scan):
    frame = scan[0] / np.float32(65535)
    assert benchmark(metrics.ssim, frame, frame) == pytest.approx(1.0)


def test_objects_fixed_of_a_frame(benchmark, scan):
    truth, damaged = scan[0] / np.float32(65535), scan[0] / np.float32(65535)
    damaged[50:60, 50:60] = 1.0
    assert benchmark(metrics.objects_fixed, truth, damaged, truth) == metrics.Share(1, 1)


def test_grain_distance_of_a_frame(benchmark, scan):
    frame = np.random.default_rng(1).normal(0.5, 0.05, (HEIGHT, WIDTH))
    repair = np.zeros((HEIGHT, WIDTH), bool)
    repair[::40, ::40] = True
    assert benchmark(metrics.grain_distance, frame, metrics.dilate(repair, 3)) < 0.3
