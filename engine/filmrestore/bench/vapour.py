"""The real SpotLess and DeScratch, run by a VapourSynth that lives in an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FilmRestoreError
from .light import WHITE, Codes16, from_codes

_WORKER = Path(__file__).with_name("vapour_worker.py")

# Rec. 709 luma weights: ITU-R BT.709-6, section 3.2
_RED, _BLUE = 0.2126, 0.0722
_TO_YUV = np.array(
    [
        [_RED, 1 - _RED - _BLUE, _BLUE],
        [-_RED / (2 - 2 * _BLUE), -(1 - _RED - _BLUE) / (2 - 2 * _BLUE), 0.5],
        [0.5, -(1 - _RED - _BLUE) / (2 - 2 * _RED), -_BLUE / (2 - 2 * _RED)],
    ]
)


def find_vapoursynth(given: str | None) -> str | None:
    """A Python with VapourSynth, MVTools and DeScratch: `given`, else this or another one on PATH; None if none is.

    The plug-ins are GPL: they are only ever run as a separate process.
    """
    candidates = [given] if given else [sys.executable, *filter(None, map(shutil.which, ("python3", "python")))]
    for python in candidates:
        try:
            done = subprocess.run([python, _WORKER, "--check"], capture_output=True, timeout=60, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


def run_script(python: str, script: str, scan: Codes16, folder: Path) -> Codes16:
    """Restore a sequence by "spotless" or "spotless-descratch".

    Frames travel as planar 16-bit full-range Y'CbCr. Where all three planes come back as they went, the
    scan's own codes stay, so that the conversion is not counted against the peer.

    Raises:
        FilmRestoreError: the worker failed; its own words are in the message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count, height, width, _ = scan.shape
    sent = _planes(scan)
    source, answer = folder / "in.yuv", folder / "out.yuv"
    sent.tofile(source)
    command = [python, str(_WORKER), script, str(source), str(answer), str(width), str(height), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FilmRestoreError(f"VapourSynth's {script} failed (exit {done.returncode}): {done.stderr.strip()[-400:]}")
    came = np.fromfile(answer, np.uint16).reshape(sent.shape)
    source.unlink()
    answer.unlink()
    same = (came == sent).all(axis=1)
    return np.where(same[..., None], scan, _pictures(came))


def _planes(scan: Codes16) -> NDArray[np.uint16]:
    """(t, h, w, 3) RGB codes to (t, 3, h, w) Y'CbCr codes, full range."""
    yuv = from_codes(scan) @ _TO_YUV.T.astype(np.float32)
    yuv[..., 1:] += np.float32(32768 / WHITE)
    codes = np.rint(np.clip(yuv, 0, 1) * WHITE).astype(np.uint16)
    return np.ascontiguousarray(np.moveaxis(codes, 3, 1))


def _pictures(planes: NDArray[np.uint16]) -> Codes16:
    yuv = np.moveaxis(planes, 1, 3).astype(np.float64) / WHITE
    yuv[..., 1:] -= 32768 / WHITE
    return np.rint(np.clip(yuv @ np.linalg.inv(_TO_YUV).T, 0, 1) * WHITE).astype(np.uint16)
