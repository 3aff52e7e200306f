"""What the guidance branch looks at: the frame, its differences to its neighbours, and spikes in time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...motion import AGREEMENT, NEXT, PREVIOUS, SECOND, SECOND_VALID, VALID
from .blocks import folded, mixed

F32 = NDArray[np.float32]

PLANES, SECONDS, SINGLES = 16, 4, 2
"""Planes that any network is shown, and those of second neighbours and of single pixels' spikes."""
ROUGHNESS = 15
"""Edge of the square, pixels, over which the neighbours' own disagreement is measured."""
CALM = 25
"""The same for the neighbours, one of each side, that agree best."""
OF_A_DIFFERENCE = (1.0, 1.5, 2.5)
"""By what the least of one, two and four such differences is smaller in mere grain than any of them, as deviations."""
QUIET = 1e-3
"""Net units, the least that neighbours are taken to disagree."""
DEVIATIONS = 5.0
"""Of a spike that is shown as 1."""


@dataclass(frozen=True)
class Shown:
    """Which planes a network is shown.

    Attributes:
        spikes: Edges, odd, of the squares over which spikes in time are measured against the grain; pixels.
        seconds: Whether second neighbours are, too.
        singles: Whether spikes of single pixels are, against the neighbours of both sides that agree best.
    """

    spikes: tuple[int, ...] = ()
    seconds: bool = False
    singles: bool = False

    @property
    def count(self) -> int:
        """How many planes that are."""
        return PLANES + SECONDS * self.seconds + len(self.spikes) + SINGLES * self.singles


def seen(
    window: Float[Tensor, "n 3 h w"], evidence: Float[Tensor, "n e h w"], which: Shown
) -> Float[Tensor, "n c4 h2 w2"]:
    """All planes of each frame, two by two pixels folded; nothing is learned through them.

    Args:
        window, evidence: As `FrdmNet.guide` takes them, frame by frame.
        which: Planes it is to be.
    """
    if not _has_pixels(window):
        return folded(planes(window, evidence, which))
    edges = (*which.spikes, *(ROUGHNESS,) * bool(which.spikes), *(CALM,) * which.singles)
    shares = {edge: np.float32(1) / _sum_of(np.ones(window.shape[2:], np.float32), edge) for edge in edges}
    frames = zip(window.detach().numpy(), evidence.detach().numpy(), strict=True)
    return torch.cat([_folded(_planes_of(frame, told, which, shares)) for frame, told in frames])


def _has_pixels(window: Tensor) -> bool:
    """Whether it lies in this machine's memory: not on a GPU, no mere shape, and not to become part of a graph."""
    return window.device.type == "cpu" and type(window) is Tensor and not torch.onnx.is_in_onnx_export()


def planes(
    window: Float[Tensor, "n 3 h w"], evidence: Float[Tensor, "n e h w"], which: Shown
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
    shown = evidence[:, SECOND_VALID] if which.seconds else torch.zeros_like(near)
    if which.seconds:
        away = ((window.mean(1, keepdim=True) - evidence[:, SECOND]) * shown).clamp(-1, 1)
        far = torch.where(shown > 0, away, near)
        told += [4 * away, shown]
    if which.spikes:
        told.append(spikes_against_grain(near, far, which.spikes))
    if which.singles:
        told.append(single_spikes(near, far, shown))
    return torch.cat(told, dim=1)


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
    back, forth, *_ = four = means.unbind(2)
    power = _mean_of((back - forth).square(), ROUGHNESS)
    return (_all_but_one(four) / (DEVIATIONS * (power + QUIET**2).sqrt())).clamp(-2, 2)


def single_spikes(
    near: Float[Tensor, "n 2 h w"], far: Float[Tensor, "n 2 h w"], shown: Float[Tensor, "n 2 h w"]
) -> Float[Tensor, "n 2 h w"]:
    """The spike of each pixel, in deviations of what the neighbours that agree best differ by around it.

    Where leaves move out of step, one of four neighbours is off in nearly every square, and hides small marks from
    `spikes_against_grain`; that the best two are off at once is seldom. They are one of either side, for what two of
    one side have wrong, they have in common. First the least of the four differences, which all neighbours share, then
    the second least, since one of these may be damaged.

    Args:
        near, far: As `spikes_against_grain` takes them.
        shown: Where there are second neighbours at all.
    """
    back, forth, second_back, second_forth = four = (*near.unbind(1), *far.unbind(1))
    spikes = torch.stack([_all(four), _all_but_one(four)], dim=1)
    pairs = ((back, forth), (second_back, second_forth), (back, second_forth), (forth, second_back))
    apart = torch.stack([(one - other).abs() for one, other in pairs]).amin(0)
    there = (shown > 0).sum(1)
    for count, factor in enumerate(OF_A_DIFFERENCE):
        apart = torch.where(there == count, factor * apart, apart)
    power = _mean_of(apart.square()[:, None], CALM)
    return (spikes / (DEVIATIONS * (power + QUIET**2).sqrt())).clamp(-2, 2)


def _all(differences: Sequence[Tensor]) -> Tensor:
    """What all four have in common."""
    back, forth, second_back, second_forth = differences
    low = torch.minimum(torch.minimum(back, forth), torch.minimum(second_back, second_forth))
    high = torch.maximum(torch.maximum(back, forth), torch.maximum(second_back, second_forth))
    return low.clamp(min=0) + high.clamp(max=0)


def _all_but_one(differences: Sequence[Tensor]) -> Tensor:
    """What three of four have in common."""
    back, forth, second_back, second_forth = differences
    lows = torch.minimum(back, second_back), torch.minimum(forth, second_forth)
    highs = torch.maximum(back, second_back), torch.maximum(forth, second_forth)
    low = torch.minimum(torch.maximum(*lows), torch.minimum(*highs))
    high = torch.maximum(torch.minimum(*highs), torch.maximum(*lows))
    return low.clamp(min=0) + high.clamp(max=0)


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


def _planes_of(frame: F32, told: F32, which: Shown, shares: Mapping[int, F32]) -> F32:
    """What `planes` gives of one frame, within the last bits, in half of its time: a frame stays in the cache.

    Args:
        frame, told: (3, h, w), (e, h, w).
        which: See `seen`.
        shares: For each edge 1 / the pixels of a square that lie in the frame, (h, w).
    """
    out = np.empty((which.count, *frame.shape[1:]), np.float32)
    np.subtract(np.clip(frame, -0.5, 1.5), np.float32(0.45), out=out[:3])
    before, after = _to_nearest(frame, told)
    np.multiply(before, 4, out=out[3:6])
    np.multiply(after, 4, out=out[6:9])
    out[9:13] = told[VALID.start : AGREEMENT.stop]
    np.multiply(_spike(np.minimum(before, after), np.maximum(before, after)), 4, out=out[13:16])
    near = [_mean(before), _mean(after)]
    far, shown, place = near, np.zeros_like(told[VALID]), PLANES
    if which.seconds:
        away, far, shown = _to_second(frame, told, near)
        np.multiply(away, 4, out=out[16:18])
        out[18:20] = shown
        place += SECONDS
    for edge in which.spikes:
        close = [_sum_of(plane, edge) * shares[edge] for plane in near]
        four = [*close, *(close if far is near else [_sum_of(plane, edge) * shares[edge] for plane in far])]
        power = _sum_of(np.square(four[0] - four[1]), ROUGHNESS) * shares[ROUGHNESS]
        np.clip(_what_three_share(*four) / _deviations(power), -2, 2, out=out[place])
        place += 1
    if which.singles:
        out[place], out[place + 1] = _singles(near, far, shown, shares[CALM])
    return out


def _folded(planes: F32) -> Float[Tensor, "1 c4 h2 w2"]:
    """What `folded` gives of (c, h, w), in two thirds of its time: two pixels of a row are moved as one number."""
    pixels = mixed(torch.from_numpy(planes))
    pairs = pixels.view({2: torch.int32, 4: torch.float64}[pixels.itemsize]).numpy()
    merged = cv2.merge([pair[row::2] for pair in pairs for row in (0, 1)])
    return torch.from_numpy(merged)[None].view(pixels.dtype).permute(0, 3, 1, 2)


def singles_of(frame: F32, told: F32) -> tuple[F32, F32]:
    """What `single_spikes` gives of a frame with second neighbours, in deviations, (h, w): of all, and of all but one.

    Args:
        frame, told: (3, h, w), (e, h, w).
    """
    near = [_mean(difference) for difference in _to_nearest(frame, told)]
    _, far, shown = _to_second(frame, told, near)
    share = np.float32(1) / _sum_of(np.ones(frame.shape[1:], np.float32), CALM)
    by_all, by_all_but_one = _singles(near, far, shown, share)
    return DEVIATIONS * by_all, DEVIATIONS * by_all_but_one


def _to_nearest(frame: F32, told: F32) -> tuple[F32, F32]:
    """What the frame differs by from the previous and the next one, (3, h, w); 0 where these show nothing."""
    before, after = (_bounded(frame - told[of], there) for of, there in zip((PREVIOUS, NEXT), told[VALID], strict=True))
    return before, after


def _to_second(frame: F32, told: F32, near: list[F32]) -> tuple[F32, list[F32], F32]:
    """What its luma differs by from those beyond, (2, h, w); that, and `near` where there are none; where they are."""
    shown = told[SECOND_VALID]
    away = _bounded(_mean(frame) - told[SECOND], shown)
    if not shown.any():
        return away, near, shown
    return away, [np.where(there > 0, one, other) for there, one, other in zip(shown, away, near, strict=True)], shown


def _singles(near: list[F32], far: list[F32], shown: F32, share: F32) -> tuple[F32, F32]:
    """See `single_spikes`."""
    back, forth, second_back, second_forth = four = [*near, *far]
    pairs = ((back, forth), (second_back, second_forth), (back, second_forth), (forth, second_back))
    apart = reduce(np.minimum, (np.abs(one - other) for one, other in pairs))
    apart *= np.array(OF_A_DIFFERENCE, np.float32)[np.sum(shown > 0, axis=0)]
    noise = _deviations(_sum_of(np.square(apart), CALM) * share)
    by_all = _spike(reduce(np.minimum, four), reduce(np.maximum, four)) / noise
    return np.clip(by_all, -2, 2), np.clip(_what_three_share(*four) / noise, -2, 2)


def _what_three_share(back: F32, forth: F32, second_back: F32, second_forth: F32) -> F32:
    lows = np.minimum(back, second_back), np.minimum(forth, second_forth)
    highs = np.maximum(back, second_back), np.maximum(forth, second_forth)
    low = np.minimum(np.maximum(*lows), np.minimum(*highs))
    high = np.maximum(np.minimum(*highs), np.maximum(*lows))
    return _spike(low, high)


def _deviations(power: F32) -> F32:
    """That are shown as 1."""
    return np.asarray(np.sqrt(power + np.float32(QUIET**2)) * np.float32(DEVIATIONS))


def _bounded(difference: F32, there: F32) -> F32:
    """In place; 0 where nothing is there."""
    difference *= there
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
