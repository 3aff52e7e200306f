"""The classical peers: temporal medians with spike detection, and spatial inpainting."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..motion import compensate, flow
from .light import Codes16, Floats, from_codes, to_codes

SPIKE = 12 / 255
"""A pixel is dirt when it differs from both neighbours by more than this, in the same direction."""

_KERNEL = np.ones((3, 3), np.uint8)


def temporal_median(scan: Codes16, *, motion: bool) -> tuple[Codes16, NDArray[np.float32]]:
    """Median of three frames where a spike is found; elsewhere the scan's codes stay.

    The first and the last frame take both neighbours from their one side.

    Args:
        scan: (t, h, w, 3), three frames at least.
        motion: Bring the neighbours onto the frame by dense optical flow first.

    Returns:
        Restored codes and the matte, 0 or 1, (t, h, w).

    Source: Kokaram 1998, "Motion Picture Restoration", chapter 6: the spike detection index SDIp.
    """
    frames = [from_codes(frame) for frame in scan]
    grey = [cv2.cvtColor((frame >> 8).astype(np.uint8), cv2.COLOR_RGB2GRAY) for frame in scan]
    result, matte = scan.copy(), np.zeros(scan.shape[:3], np.float32)
    for t, frame in enumerate(frames):
        pair = [frames[n] if not motion else _brought(frames[n], grey[t], grey[n]) for n in _neighbours(t, len(frames))]
        spike = _spikes(frame, *pair)
        median = np.median(np.stack([frame, *pair]), axis=0)
        result[t] = np.where(spike[:, :, None], to_codes(median), scan[t])
        matte[t] = spike
    return result, matte


def inpaint(scan: Codes16, mask: NDArray[np.bool_]) -> tuple[Codes16, NDArray[np.float32]]:
    """Spatial inpainting of each frame where the mask, which is given to it, says so.

    Source: Telea 2004, "An Image Inpainting Technique Based on the Fast Marching Method", as in OpenCV.
    """
    result = scan.copy()
    for t, frame in enumerate(scan):
        hole = mask[t].astype(np.uint8)
        filled = [cv2.inpaint(np.ascontiguousarray(frame[..., c]), hole, 3, cv2.INPAINT_TELEA) for c in range(3)]
        result[t] = np.where(mask[t][:, :, None], np.stack(filled, axis=2), frame)
    return result, mask.astype(np.float32)


def _neighbours(t: int, count: int) -> tuple[int, int]:
    if t == 0:
        return 1, 2
    return (t - 1, t + 1) if t < count - 1 else (t - 1, t - 2)


def _brought(neighbour: Floats, here: NDArray[np.uint8], there: NDArray[np.uint8]) -> Floats:
    return np.asarray(compensate(neighbour, flow(here, there))[0])


def _spikes(frame: Floats, before: Floats, after: Floats) -> NDArray[np.bool_]:
    """Where the grey value (grain's least there) is a spike, grown by a pixel to take the mark's soft edge along."""
    a, b = (frame - before).mean(axis=2), (frame - after).mean(axis=2)
    spike = (np.minimum(np.abs(a), np.abs(b)) > SPIKE) & (a * b > 0)
    return np.asarray(cv2.dilate(spike.astype(np.uint8), _KERNEL), bool)
