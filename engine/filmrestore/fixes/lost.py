"""Lost frames: what stands for the scan where there is none, the same for whoever restores, applies or verifies."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from ..frame import Frame
from ..media import Shot
from .model import FrameRecord


def is_lost(record: FrameRecord) -> bool:
    """Whether the frame was made without a scan of it."""
    return not record.source


def blank(shot: Shot, number: int) -> Frame:
    """What a lost frame is laid over: the frame before it that is there, else the one after, its picture at 0.

    Raises:
        InputError: that frame cannot be read.
    """
    place = max(bisect_left(shot.available, number) - 1, 0)
    beside = shot.read(shot.available[place])
    codes = beside.codes.copy()
    codes[:, :, list(beside.format.picture)] = 0
    return replace(beside, number=number, codes=codes)
