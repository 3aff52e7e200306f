"""What can be done to film, each as a pair (A, A^T): along time, along rows and columns, or a kernel in the frame.

Whatever acts along an axis is a matrix on that axis, so that its adjoint is the transpose, ends included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..prior.consistency import Operator

REACH = 3.0
"""Standard deviations after which a Gaussian is cut off."""


def along_time(matrix: Float[Tensor, "m t"]) -> Operator:
    """Each measured frame is a weighted sum of frames."""
    return Operator(lambda x: _mixed(matrix, x), lambda y: _mixed(matrix.mT, y))


def along_frame(rows: Float[Tensor, "a h"], columns: Float[Tensor, "b w"]) -> Operator:
    """Each measured row and column is a weighted sum of rows and columns."""
    return Operator(
        lambda x: rows.to(x) @ x @ columns.to(x).mT,
        lambda y: rows.to(y).mT @ y @ columns.to(y),
    )


def kernel(psf: Float[Tensor, "k k"], height: int, width: int) -> Operator:
    """Correlation with a kernel of odd edge; the picture's edges go on outside it."""
    edge = psf.shape[-1] // 2
    pad = along_frame(_edges(height, edge, psf), _edges(width, edge, psf))
    weight = psf[None, None]

    def forward(x: Tensor) -> Tensor:
        planes = pad.forward(x).flatten(0, 1)[:, None]
        return functional.conv2d(planes, weight.to(x)).view(x.shape)

    def adjoint(y: Tensor) -> Tensor:
        planes = functional.conv_transpose2d(y.flatten(0, 1)[:, None], weight.to(y))
        return pad.adjoint(planes.view(*y.shape[:2], *planes.shape[-2:]))

    return Operator(forward, adjoint)


def psf_matrix(psf: Sequence[float], count: int, *, before: int = 0, after: int = 0) -> Float[Tensor, "t n"]:
    """Convolution along an axis with a PSF of odd length; the ends go on outside.

    Args:
        psf: Of odd length.
        count: Places that are measured.
        before, after: Places beyond them that are unknown as well, instead of the same as the end.
    """
    reach = len(psf) // 2
    matrix = torch.zeros(count, before + count + after, dtype=torch.float64)  # else a lost direction is a weak one
    for place in range(count):
        for offset, weight in enumerate(psf):
            matrix[place, min(max(before + place + offset - reach, 0), matrix.shape[1] - 1)] += weight
    return matrix


def uniform(length: int) -> tuple[float, ...]:
    """The PSF of a mean over `length` frames, odd."""
    return (1 / length,) * length


def gaussian(sigma: float) -> tuple[float, ...]:
    """A Gaussian PSF, cut off at `REACH` standard deviations, of sum 1."""
    reach = max(1, math.ceil(REACH * sigma))
    weights = [math.exp(-0.5 * (place / sigma) ** 2) for place in range(-reach, reach + 1)]
    return tuple(weight / sum(weights) for weight in weights)


def disc(radius: float) -> Float[Tensor, "k k"]:
    """A lens out of focus: a disc with an edge of one pixel, of sum 1."""
    reach = math.ceil(radius + 0.5)
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32)
    inside = (radius + 0.5 - torch.hypot(axis[:, None], axis[None])).clamp(0, 1)
    return inside / inside.sum()


def averages(start: int, length: int, factor: int) -> Float[Tensor, "cells length"]:
    """Means over cells of `factor` pixels; cells lie on multiples of it in the full frame, not in the patch.

    Args:
        start: First pixel of the patch in the full frame.
        length: Pixels of the patch along this axis.
        factor: Size of a cell; those at the patch's ends may hold fewer pixels.
    """
    cell = torch.arange(start, start + length) // factor - start // factor
    matrix = functional.one_hot(cell).mT.float()
    return matrix / matrix.sum(dim=1, keepdim=True)


def telecine(numbers: Sequence[int], phase: int) -> tuple[Float[Tensor, "t f"], Float[Tensor, "t f"]]:
    """Blends of 24 frames a second shown at 30: of five video frames the third and fourth mix two film frames.

    Args:
        numbers: Video frames, consecutive.
        phase: Number, modulo 5, of a video frame that begins a group of five.

    Returns:
        Film frames to video frames as they were blended, and the film frame that each video frame is to show.
    """
    mixes = ({0: 1.0}, {1: 1.0}, {1: 0.5, 2: 0.5}, {2: 0.5, 3: 0.5}, {3: 1.0})
    shows = (0, 1, 1, 2, 3)
    groups = [divmod(number - phase, 5) for number in numbers]
    used = sorted({4 * group + film for group, place in groups for film in mixes[place]})
    blend, show = torch.zeros(len(numbers), len(used)), torch.zeros(len(numbers), len(used))
    for row, (group, place) in enumerate(groups):
        for film, share in mixes[place].items():
            blend[row, used.index(4 * group + film)] = share
        show[row, used.index(4 * group + shows[place])] = 1.0
    return blend, show


def _mixed(matrix: Tensor, x: Tensor) -> Tensor:
    return (matrix.to(x) @ x.flatten(1)).view(len(matrix), *x.shape[1:])


def _edges(length: int, edge: int, like: Tensor) -> Float[Tensor, "padded length"]:
    """Repeats the first and last place `edge` times."""
    place = torch.arange(-edge, length + edge).clamp(0, length - 1)
    return functional.one_hot(place, length).to(like)
