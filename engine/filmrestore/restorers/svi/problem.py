"""From the settings to the inverse problem: operator, what was measured, and what is shown of the solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...frame import Box
from ...settings import RestoreSettings
from ..prior.consistency import IDENTITY, Map, Operator
from .operators import along_frame, along_time, averages, disc, gaussian, kernel, psf_matrix, telecine, uniform

TEMPORAL = ("uniform-7", "uniform-13", "gaussian", "telecine", "blind")
"""Operators that mix frames; the others act on each frame by itself."""
NOTHING = 0.999
"""Weight of a pixel from which all of it was measured."""


@dataclass(frozen=True)
class Problem:
    """y = A x, with y made from the scan.

    Attributes:
        operator: A and A^T, from the unknown frames to what was measured.
        measure: The scan's frames to y.
        start: The scan's frames to a first guess of the unknown ones.
        show: The unknown frames to a picture for each of the scan's.
        undone: Whether there is anything to undo: False for an operator that changes nothing.
    """

    operator: Operator
    measure: Map
    start: Map
    show: Map
    undone: bool = True

    def weights(self, known: Float[Tensor, "t 1 h w"]) -> Tensor:
        """Of each measured value: 1 where all that it was made from is known."""
        return (self.measure(known) >= NOTHING).to(known.dtype)


def problem_for(
    settings: RestoreSettings,
    numbers: Sequence[int],
    box: Box,
    psf: Sequence[float] | None = None,
    goes_on: tuple[bool, bool] = (False, False),
) -> Problem:
    """The problem that the settings describe.

    Args:
        settings: Those of the group "Operator".
        numbers: Source frames.
        box: The patch in the full frame.
        psf: Of time, where it was estimated.
        goes_on: Whether the shot goes on before the first frame and after the last. Where it does, a blend holds
            frames of which nothing else is known: they are unknowns as well. At its ends the end frames are repeated.
    """
    height, width = box.height, box.width
    space, measure = _in_frame(settings, box)
    if settings.operator == "telecine":
        blend, show = telecine(numbers, settings.telecine_phase)
        nearest = show.mT / show.sum(dim=0)[:, None].clamp(min=1)
        unseen = show.sum(dim=0) == 0
        nearest[unseen] = blend.mT[unseen] / blend.mT[unseen].sum(dim=1, keepdim=True)
        return Problem(along_time(blend).then(space), measure, along_time(nearest).forward, along_time(show).forward)
    weights = psf if psf is not None else _psf(settings)
    plain = space is IDENTITY or height * width == 1
    if weights is None or len(numbers) == 1:
        return Problem(space, measure, _same, _same, undone=not plain)
    before, after = (len(weights) // 2 * more for more in goes_on)
    time = along_time(psf_matrix(weights, len(numbers), before=before, after=after))
    count = len(numbers)
    return Problem(
        time.then(space),
        measure,
        lambda scan: torch.cat([scan[:1].expand(before, -1, -1, -1), scan, scan[-1:].expand(after, -1, -1, -1)]),
        lambda volume: volume[before : before + count],
    )


def _psf(settings: RestoreSettings) -> tuple[float, ...] | None:
    if settings.operator.startswith("uniform-"):
        return uniform(int(settings.operator.removeprefix("uniform-")))
    return gaussian(settings.blur_frames) if settings.operator == "gaussian" else None


def _in_frame(settings: RestoreSettings, box: Box) -> tuple[Operator, Map]:
    """What acts on each frame, and how the scan shows it."""
    height, width = box.height, box.width
    kind = settings.operator_then if settings.operator in TEMPORAL else settings.operator
    if kind == "blur":
        psf = gaussian(settings.blur_size)
        return along_frame(psf_matrix(psf, height), psf_matrix(psf, width)), _same
    if kind == "focus":
        return kernel(disc(settings.blur_size), height, width), _same
    if kind == "reduce":
        factor = settings.reduce_factor
        shrink = along_frame(averages(box.y0, height, factor), averages(box.x0, width, factor))
        return shrink, shrink.forward
    return IDENTITY, _same


def _same(x: Tensor) -> Tensor:
    return x


def seen_rows(present: Sequence[bool]) -> Float[Tensor, "t 1 1 1"]:
    """1 for frames that are there."""
    return torch.tensor(present, dtype=torch.float32)[:, None, None, None]
