"""Runs inside VapourSynth's own Python (standard library and VapourSynth only): restores one raw sequence.

Usage: python vapour_worker.py --check | (spotless | spotless-descratch) IN OUT WIDTH HEIGHT FRAMES
"""

from __future__ import annotations

import ctypes
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def spotless(core: Any, clip: Any) -> Any:
    """Median of a frame and its two block-compensated neighbours; block size by width, motion check off.

    Source: the SpotLess script for VapourSynth and MVTools.
    """
    size = 32 if clip.width > 2400 else 16 if clip.width > 960 else 8
    levels = core.mv.Super(clip, pel=1 if clip.width > 960 else 2)
    after, before = (
        core.mv.Compensate(clip, levels, vectors, thsad=10000, thscd1=10000)
        for vectors in (core.mv.Analyse(levels, isb=b, blksize=size, overlap=size // 2, search=5) for b in (1, 0))
    )
    low = core.std.Expr([before, after], "x y min")
    high = core.std.Expr([before, after], "x y max")
    return core.std.Expr([clip, low, high], "x y max z min")


def descratch(core: Any, vs: Any, clip: Any) -> Any:
    """Vertical scratches of both polarities; the plug-in takes 8 bits, so its correction is added to the 16."""
    coarse = core.resize.Point(clip, format=vs.YUV444P8, dither_type="none")
    fixed = core.descratch.DeScratch(coarse, modey=3, modeu=0, modev=0, mindif=5, maxwidth=3)
    return core.std.Expr([clip, coarse, fixed], ["y z = x x z y - 257 * + 0 max 65535 min ?", "x", "x"])


def load(vs: Any, core: Any, path: str, width: int, height: int, count: int) -> Any:
    """A clip of the raw planes of a file."""
    data = Path(path).read_bytes()
    blank = core.std.BlankClip(format=vs.YUV444P16, width=width, height=height, length=count, keep=True)
    plane_bytes = width * height * 2

    def fill(n: int, f: Any) -> Any:
        frame = f.copy()
        for plane in range(3):
            start = (n * 3 + plane) * plane_bytes
            for row in range(height):
                line = data[start + row * width * 2 : start + (row + 1) * width * 2]
                ctypes.memmove(frame.get_write_ptr(plane).value + row * frame.get_stride(plane), line, width * 2)
        return frame

    return core.std.ModifyFrame(blank, blank, fill)


def save(clip: Any, path: str) -> None:
    """All planes of all frames, raw."""
    with Path(path).open("wb") as out:
        for frame in clip.frames(close=True):
            for plane in range(3):
                pointer, stride = frame.get_read_ptr(plane).value, frame.get_stride(plane)
                for row in range(clip.height):
                    out.write(ctypes.string_at(pointer + row * stride, clip.width * 2))


def main(arguments: list[str]) -> int:
    """Check for the plug-ins, or restore."""
    try:
        vs = import_module("vapoursynth")
    except ImportError as error:
        print(error, file=sys.stderr)
        return 1
    core = vs.core
    if not (hasattr(core, "mv") and hasattr(core, "descratch")):
        print("VapourSynth is here, MVTools or DeScratch is not", file=sys.stderr)
        return 1
    if arguments == ["--check"]:
        return 0
    script, source, answer, *size = arguments
    width, height, count = map(int, size)
    core.num_threads = 1
    clip = load(vs, core, source, width, height, count)
    if script == "spotless-descratch":
        clip = descratch(core, vs, clip)
    save(spotless(core, clip), answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
