"""Small marks that stand against every neighbour: what spikes of single pixels say for themselves."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from ...motion import AGREEMENT, NEXT, PREVIOUS, SECOND, SECOND_VALID, VALID
from .inputs import DEVIATIONS, single_spikes

BEGINS = 4.5
"""Deviations by which a mark's strongest pixel stands against all of its neighbours."""
GOES_ON = 1.5
"""Deviations by which its other pixels stand against all but one."""
LARGEST = 60
"""Pixels of such a mark; of larger ones the network sees enough by itself."""
BARELY = 0.01
"""Confidence that the network must have in a pixel that a mark begins at: it knows what flies and glints."""
FOLLOWED = 0.7
"""Agreement of forward and backward motion, to both sides, at a pixel that a mark begins at."""
UNSURE = 0.2
"""Confidence of the network from which a mark is larger than its spikes: what begins there goes on over all of it."""
FOUND, BESIDE = 0.5, 2
"""Confidence and pixels: what the network found by itself, and what lies so near to it, is left as it is."""
SPEAKS_FOR = 0.55
"""Confidence of a mark found so: just enough to be mended by default, since over half of them are damage."""


def raised(
    confidence: Float[Tensor, "t 1 h w"],
    window: Float[Tensor, "t 3 h w"],
    evidence: Float[Tensor, "t e h w"],
    asked: Bool[Tensor, t],
) -> Float[Tensor, "t 1 h w"]:
    """The confidence, at least `SPEAKS_FOR` in small marks that stand against every neighbour.

    Args:
        confidence: 0..1, the network's.
        window, evidence: As the network takes them, with second neighbours.
        asked: Frames with neighbours on both sides; two of one side are not two witnesses.
    """
    confidence = confidence.clone()
    for index in torch.nonzero(asked).flatten().tolist():
        told, network = evidence[index : index + 1], confidence[index, 0]
        spikes = DEVIATIONS * single_spikes(*_differences(window[index : index + 1], told))[0]
        by_all, by_all_but_one = spikes.cpu().numpy()
        followed = (told[0, AGREEMENT].amin(0) >= FOLLOWED).cpu().numpy()
        marks = _marks(by_all, by_all_but_one, network.cpu().numpy(), followed)
        confidence[index, 0] = torch.maximum(network, SPEAKS_FOR * torch.from_numpy(marks).to(network))
    return confidence


def _differences(
    frame: Float[Tensor, "1 3 h w"], told: Float[Tensor, "1 e h w"]
) -> tuple[Float[Tensor, "1 2 h w"], Float[Tensor, "1 2 h w"], Float[Tensor, "1 2 h w"]]:
    """To the two nearest and to those beyond, in mean of channels, and where there are any beyond."""
    own, shown = frame.mean(1, keepdim=True), told[:, SECOND_VALID]
    beside = torch.stack([told[:, PREVIOUS].mean(1), told[:, NEXT].mean(1)], dim=1)
    near = ((own - beside) * told[:, VALID]).clamp(-1, 1)
    return near, torch.where(shown > 0, ((own - told[:, SECOND]) * shown).clamp(-1, 1), near), shown


def _marks(
    by_all: NDArray[np.float32],
    by_all_but_one: NDArray[np.float32],
    confidence: NDArray[np.float32],
    followed: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Of either sign: what hangs together with a pixel that is strong enough, if it is no larger than a small mark."""
    found = np.zeros(confidence.shape, np.bool_)
    kernel = np.ones((2 * BESIDE + 1, 2 * BESIDE + 1), np.uint8)
    known = np.asarray(cv2.dilate((confidence >= FOUND).astype(np.uint8), kernel)) > 0
    for sign in (1, -1):
        begun = (sign * by_all > BEGINS) & (confidence >= BARELY) & followed
        if not begun.any():
            continue
        own = begun | (sign * by_all_but_one > GOES_ON)
        part = (own | (confidence >= UNSURE) | known).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
        wanted = np.zeros(count, np.bool_)
        wanted[labels[begun]] = True
        wanted[labels[known]] = False
        wanted &= stats[:, cv2.CC_STAT_AREA] <= LARGEST
        found |= wanted[labels] & own
    return found
