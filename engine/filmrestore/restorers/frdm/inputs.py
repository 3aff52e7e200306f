"""What the guidance branch looks at: the frame, its differences to its neighbours, and spikes in time."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...motion import AGREEMENT, NEXT, PREVIOUS, SECOND, SECOND_VALID, VALID
from .blocks import folded

F32 = NDArray[np.float32]

PLANES = 16
SECONDS = 4
"""Planes more where the second neighbours are looked at."""
ROUGHNESS = 15
"""Edge of the square, pixels, over which the neighbours' own disagreement is measured."""
QUIET = 1e-3
"""Net units, the least that neighbours are taken to disagree."""
DEVIATIONS = 5.0
"""Of a spike that is shown as 1."""


def seen(
    window: Float[Tensor, "n 3 h w"], evidence: Float[Tensor, "n e h w"], spikes: Collection[int], seconds: bool
) -> Float[Tensor, "n c4 h2 w2"]:
    """All planes of each frame, two by two pixels folded; nothing is learned through them.

    Args:
        window, evidence: As `FrdmNet.guide` takes them, frame by frame.
        spikes: Edges of the squares over which spikes are measured.
        seconds: Whether second neighbours are looked at.
    """
    if not _has_pixels(window):
        return folded(planes(window, evidence, spikes, seconds))
    shape, edges = window.shape[2:], (*spikes, ROUGHNESS) if spikes else ()
    shares = {edge: np.float32(1) / _sum_of(np.ones(shape, np.float32), edge) for edge in edges}
    frames = zip(window.detach().numpy(), evidence.detach().numpy(), strict=True)
    made = (_planes_of(frame, told, spikes, seconds, shares) for frame, told in frames)
    return torch.cat([folded(torch.from_numpy(frame)[None]) for frame in made])


def _has_pixels(window: Tensor) -> bool:
    """Whether it lies in this machine's memory: not on a GPU, no mere shape, and not to become part of a graph."""
    return window.device.type == "cpu" and type(window) is Tensor and not torch.onnx.is_in_onnx_export()


def planes(
    window: Float[Tensor, "n 3 h w"], evidence: Float[Tensor, "n e h w"], spikes: Collection[int], seconds: bool
) -> Float[Tensor, "n c h w"]:
    """The frame, its differences to its neighbours, where these can be trusted, and spikes, all about 1 in size.

    Bounded, so that a highlight far above one cannot shake the features around it.
    """
    valid = evidence[:, VALID]
    before = ((window - evidence[:, PREVIOUS]) * valid[:, :1]).clamp(-1, 1)
    after = ((window - evidence[:, NEXT]) * valid[:, 1:]).clamp(-1, 1)
    spike = torch.minimum(before, after).clamp(min=0) + torch.maximum(before, after).clamp(max=0)
    centred = window.clamp(-0.5, 1.5) - 0.45
    near = torch.stack([before.mean(1), after.mean(1)], dim=1)
    far, told = near, [centred, 4 * before, 4 * after, valid, evidence[:, AGREEMENT], 4 * spike]
    if seconds:
        shown = evidence[:, SECOND_VALID]
        away = ((window.mean(1, keepdim=True) - evidence[:, SECOND]) * shown).clamp(-1, 1)
        far = torch.where(shown > 0, away, near)
        told += [4 * away, shown]
    return torch.cat([*told, spikes_against_grain(near, far, spikes)] if spikes else told, dim=1)


def spikes_against_grain(
    near: Float[Tensor, "n 2 h w"], far: Float[Tensor, "n 2 h w"], edges: Collection[int]
) -> Float[Tensor, "n e h w"]:
    """The spike of the mean over each square, in deviations of what the neighbours disagree by around it.

    Neighbours disagree by their grain, and where motion was not found: a faint mark in fine grain counts for as much
    as a strong one in coarse grain, and neither counts where things move out of step. Of the four differences the
    second smallest is the spike: one of the neighbours may be damaged, too.

    Args:
        near: The frame's difference to the previous and the next one.
        far: To those beyond; the same as `near` where there are none.
        edges: Of the squares, pixels.
    """
    means = torch.stack([_mean_of(torch.cat([near, far], dim=1), edge) for edge in edges], dim=1)
    (back, forth), beyond = means[:, :, :2].unbind(2), means[:, :, 2:].unbind(2)
    lows = [torch.minimum(*pair) for pair in zip((back, forth), beyond, strict=True)]
    highs = [torch.maximum(*pair) for pair in zip((back, forth), beyond, strict=True)]
    low = torch.minimum(torch.maximum(*lows), torch.minimum(*highs))
    high = torch.maximum(torch.minimum(*highs), torch.maximum(*lows))
    power = _mean_of((back - forth).square(), ROUGHNESS)
    return ((low.clamp(min=0) + high.clamp(max=0)) / (DEVIATIONS * (power + QUIET**2).sqrt())).clamp(-2, 2)


def _mean_of(planes: Float[Tensor, "*n h w"], edge: int) -> Float[Tensor, "*n h w"]:
    """Over squares around each pixel; beyond the patch's edge nothing counts."""
    half = edge // 2
    sums = functional.pad(planes, (half, half, half, half))
    for axis in (-1, -2):
        sums = _sums(sums, axis, edge)
    down, across = (_sums(functional.pad(sums.new_ones(n), (half, half)), 0, edge) for n in planes.shape[-2:])
    return sums * ((1 / down)[:, None] * (1 / across))


def _sums(x: Tensor, axis: int, edge: int) -> Tensor:
    """Of `edge` neighbours along an axis, factor by factor: of threes, then of five of these.

    On CPUs, where a graph may run, it takes a third of the time of pooling.
    """
    apart = 1
    for factor in _factors(edge):
        length = x.shape[axis] - (factor - 1) * apart
        out = x.narrow(axis, 0, length).clone()
        for place in range(1, factor):
            out += x.narrow(axis, place * apart, length)
        x, apart = out, apart * factor
    return x


def _factors(number: int) -> list[int]:
    """Prime ones, the smallest first."""
    for factor in range(2, number + 1):
        if number % factor == 0:
            return [factor, *_factors(number // factor)]
    return []


def _planes_of(frame: F32, told: F32, spikes: Collection[int], seconds: bool, shares: Mapping[int, F32]) -> F32:
    """What `planes` gives of one frame, within the last bits, in half of its time: a frame stays in the cache.

    Args:
        frame, told: (3, h, w), (e, h, w).
        spikes, seconds: See `seen`.
        shares: For each edge 1 / the pixels of a square that lie in the frame, (h, w).
    """
    count = PLANES + SECONDS * seconds
    out = np.empty((count + len(spikes), *frame.shape[1:]), np.float32)
    np.subtract(np.clip(frame, -0.5, 1.5), np.float32(0.45), out=out[:3])
    before, after = (
        _bounded((frame - told[of]) * there) for of, there in zip((PREVIOUS, NEXT), told[VALID], strict=True)
    )
    np.multiply(before, 4, out=out[3:6])
    np.multiply(after, 4, out=out[6:9])
    out[9:13] = told[VALID.start : AGREEMENT.stop]
    np.multiply(_spike(np.minimum(before, after), np.maximum(before, after)), 4, out=out[13:16])
    near = [_mean(before), _mean(after)]
    far = near
    if seconds:
        shown, own = told[SECOND_VALID], _mean(frame)
        away = _bounded((own - told[SECOND]) * shown)
        np.multiply(away, 4, out=out[16:18])
        out[18:20] = shown
        far = [np.where(there > 0, one, other) for there, one, other in zip(shown, away, near, strict=True)]
    for place, edge in enumerate(spikes, count):
        back, forth, second_back, second_forth = (_sum_of(plane, edge) * shares[edge] for plane in (*near, *far))
        lows = np.minimum(back, second_back), np.minimum(forth, second_forth)
        highs = np.maximum(back, second_back), np.maximum(forth, second_forth)
        low = np.minimum(np.maximum(*lows), np.minimum(*highs))
        high = np.maximum(np.minimum(*highs), np.maximum(*lows))
        power = _sum_of(np.square(back - forth), ROUGHNESS) * shares[ROUGHNESS]
        deviation = np.sqrt(power + np.float32(QUIET**2)) * np.float32(DEVIATIONS)
        np.clip(_spike(low, high) / deviation, -2, 2, out=out[place])
    return out


def _bounded(difference: F32) -> F32:
    return np.asarray(np.clip(difference, -1, 1, out=difference))


def _spike(low: F32, high: F32) -> F32:
    """What the lower and the higher of some differences have in common."""
    return np.maximum(low, 0) + np.minimum(high, 0)


def _mean(colours: F32) -> F32:
    return np.asarray((colours[0] + colours[1] + colours[2]) / np.float32(3), np.float32)


def _sum_of(plane: F32, edge: int) -> F32:
    """Over squares around each pixel, summed anew for each: a running sum would carry what lies far away along."""
    line = np.ones(edge, np.float32)
    return np.asarray(cv2.sepFilter2D(plane, cv2.CV_32F, line, line, borderType=cv2.BORDER_CONSTANT))
