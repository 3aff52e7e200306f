"""The small whole frames that a restorer may want beside a patch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..colour import Colour
from ..frame import Frame
from .windows import Unit

F32 = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A window's frames, all of each and small.

    Attributes:
        frames: (t, 3, h, w), net encoding.
        matte: (t, 1, h, w), 0..1, of the known defects, where there are maps.
    """

    frames: F32
    matte: F32 | None


def whole_frames(
    unit: Unit, frames: Mapping[int, Frame], maps: Mapping[int, F32] | None, colour: Colour, edge: int
) -> Whole:
    """The frames of a unit's window, their longest edge at most `edge` px."""
    nets = {n: shrunk(colour.to_net(frames[n].picture()), edge) for n in sorted(set(unit.sources))}
    small = np.ascontiguousarray(np.stack([nets[n] for n in unit.sources]).transpose(0, 3, 1, 2))
    if maps is None:
        return Whole(frames=small, matte=None)
    empty = np.zeros(small.shape[2:], np.float32)
    planes = [shrunk(maps[n], edge) if n in maps else empty for n in unit.sources]
    return Whole(frames=small, matte=np.stack(planes)[:, None])


def shrunk(plane: F32, edge: int) -> F32:
    """A picture or map whose longest edge is at most `edge`, by the mean of areas."""
    height, width = plane.shape[:2]
    factor = edge / max(height, width)
    if factor >= 1:
        return plane
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
