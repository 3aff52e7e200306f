"""Small marks that stand against every neighbour: what spikes of single pixels say for themselves."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from ...metrics import dilate
from ...motion import AGREEMENT
from .inputs import singles_of

F32 = NDArray[np.float32]

BEGINS = 3.5
"""Deviations by which a mark's strongest pixel stands against all of its neighbours."""
GOES_ON = 1.5
"""Deviations by which its other pixels stand against all but one."""
RIM = 0.7
"""And those around these, which the scanner's blur has made of it."""
LARGEST = 60
"""Pixels of such a mark; of larger ones the network sees enough by itself."""
BARELY = 0.002
"""Confidence that the network must have in a pixel that a mark begins at: it knows what flies and glints."""
STIRS, HARDLY = 2.5, 0.0005
"""What counts to the crowd: deviations and confidence, as above."""
CROWD, AROUND = 10, 97
"""More than so many others in a square of so many pixels are picture: it was resampled, or moves out of step."""
FOLLOWED = 0.7
"""Agreement of forward and backward motion, to both sides, at a pixel that a mark begins at."""
UNSURE = 0.2
"""Confidence of the network from which a mark is larger than its spikes: what begins there goes on over all of it."""
FOUND, BESIDE = 0.5, 2
"""Confidence of a mark, and pixels: what the network found by itself, and lies so near to it, is left as it is."""
SPEAKS_FOR = 0.6
"""Confidence of a mark found so: enough to be mended by default, since so many of them are damage."""


def lone_marks(
    confidence: Float[Tensor, "t 1 h w"],
    of_marks: Float[Tensor, "t 1 h w"],
    window: Float[Tensor, "t 3 h w"],
    evidence: Float[Tensor, "t e h w"],
    asked: Bool[Tensor, t],
) -> Bool[Tensor, "t 1 h w"]:
    """Small marks that stand against every neighbour, and that the network would not have mended.

    Args:
        confidence: 0..1, the network's of each pixel.
        of_marks: 0..1, that of a mark with such a strongest pixel, which decides.
        window, evidence: As the network takes them, with second neighbours.
        asked: Frames with neighbours on both sides; two of one side are not two witnesses.
    """
    found = torch.zeros_like(confidence, dtype=torch.bool)
    for index in torch.nonzero(asked).flatten().tolist():
        told = evidence[index].float().cpu().numpy()
        marks = _marks(
            *singles_of(window[index].float().cpu().numpy(), told),
            confidence[index, 0].float().cpu().numpy(),
            of_marks[index, 0].float().cpu().numpy() >= FOUND,
            told[AGREEMENT].min(axis=0) >= FOLLOWED,
        )
        found[index, 0] = torch.from_numpy(marks).to(found.device)
    return found


def _marks(
    by_all: F32, by_all_but_one: F32, confidence: F32, mended: NDArray[np.bool_], followed: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Of either sign: what hangs together with a pixel that is strong enough, if it is small and no part of a crowd."""
    found = np.zeros(confidence.shape, np.bool_)
    strong = (np.abs(by_all) > BEGINS) & (confidence >= BARELY) & followed
    if not strong.any():
        return found
    known = dilate(mended, BESIDE)
    strong &= ~_crowded((np.abs(by_all) > STIRS) & (confidence >= HARDLY) & ~known)
    for sign in (1, -1):
        begun = strong & (sign * by_all > 0)
        if not begun.any():
            continue
        own = begun | (sign * by_all_but_one > GOES_ON)
        part = (own | (confidence >= UNSURE) | known).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
        wanted = np.zeros(count, np.bool_)
        wanted[labels[begun]] = True
        wanted[labels[known]] = False
        wanted &= stats[:, cv2.CC_STAT_AREA] <= LARGEST
        own &= wanted[labels]
        found |= own | (dilate(own, 1) & (sign * by_all_but_one > RIM))
    return found & ~known


def _crowded(stirring: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where more than `CROWD` others lie in the square around, or half as many in what of it is in the patch."""
    count, _, stats, middles = cv2.connectedComponentsWithStats(stirring.astype(np.uint8), connectivity=8)
    each = np.zeros(stirring.shape, np.float32)
    small = (stats[:, cv2.CC_STAT_AREA] <= LARGEST) & (np.arange(count) > 0)
    x, y = np.rint(middles[small]).astype(int).T
    np.add.at(each, (y, x), 1)
    inside = _counted(np.ones_like(each)) / np.float32(AROUND**2)
    return np.asarray(_counted(each) - 1 > CROWD * np.maximum(inside, 0.5) + 0.01)


def _counted(each: F32) -> F32:
    return np.asarray(cv2.boxFilter(each, -1, (AROUND, AROUND), normalize=False, borderType=cv2.BORDER_CONSTANT))
