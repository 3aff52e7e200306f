"""What we measure, each with its definition.

Pictures are float arrays (h, w) or (h, w, c) in a display encoding where 0..1 is black to white, so that
a step of 1/255 is one 8-bit code. Masks are boolean (h, w), mattes float (h, w) in 0..1. Counts add up
over frames: `touched(a, ...) + touched(b, ...)` is the figure of both frames together.
"""

from .calibration import Reliability, reliability
from .defects import (
    CHANGED,
    DAMAGED,
    Error,
    Found,
    Share,
    Touched,
    defect_error,
    defect_psnr,
    dilate,
    erasure,
    found_objects,
    found_pixels,
    harm,
    label,
    largest_difference,
    objects_fixed,
    touched,
)
from .grain import frozen_grain, grain_distance, high_pass, radial_power
from .quality import ms_ssim, psnr, ssim
from .time import Flicker, flicker

__all__ = [
    "CHANGED",
    "DAMAGED",
    "Error",
    "Flicker",
    "Found",
    "Reliability",
    "Share",
    "Touched",
    "defect_error",
    "defect_psnr",
    "dilate",
    "erasure",
    "flicker",
    "found_objects",
    "found_pixels",
    "frozen_grain",
    "grain_distance",
    "harm",
    "high_pass",
    "label",
    "largest_difference",
    "ms_ssim",
    "objects_fixed",
    "psnr",
    "radial_power",
    "reliability",
    "ssim",
    "touched",
]
