"""Gives generated pixels the grain of their surroundings, and only what of it they lack."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .model import Float32, GrainModel, plane_power
from .regions import Region, regions
from .separation import spline
from .synthesis import synthesise

_RING = 12  # width of the surroundings, pixels
_GAP = 2  # between a region and its ring: the reach of the high pass
_REACH = _RING + _GAP + 2
_POOL = 41  # edge of the window in which grain is judged
_DOUBT = 60.0  # pixels: how much evidence outweighs the assumption
_OUTLIER = 16.0  # times the expected power: dirt and edges count as this
_MOST = 1.2  # times the model's power: more than this is picture that the fill lacks, not grain


def regrain(
    net: Float32,
    mask: NDArray[np.floating] | NDArray[np.bool_],
    model: GrainModel,
    seed: int,
    frame: int,
    amount: float = 1.0,
    origin: tuple[int, int] = (0, 0),
) -> Float32:
    """Grain over generated pixels, matched to what lies around them; all others keep their bits.

    The power of a high pass inside is compared with that in a ring around: texture that both share cancels, and only
    the power that is missing is added, so a fill that carries grain is not given it twice. Where pixels are few or
    textured the frame's other fills are believed, and for want of them the model.

    Args:
        net: Shape (h, w, 3), net: the composite, with its fills.
        mask: Shape (h, w), 0..1: how much of each pixel is generated; grain is weighted by it.
        model: The shot's grain.
        seed, frame, origin: As for `synthesise`.
        amount: Grain of the result against the surroundings; 0 adds none.

    Returns:
        Shape (h, w, 3), net; new in each frame.
    """
    out = net.copy()
    if amount == 0 or not np.any(mask):
        return out
    weights = mask.astype(np.float32)
    taken = weights > 0
    evidence = [_Evidence(net, taken, region, model, seed, frame, origin) for region in regions(taken, _REACH)]
    usual = _usual([one.overall for one in evidence])
    for one in evidence:
        power = one.missing(usual) + (amount**2 - 1) * one.surroundings
        added = one.grain * np.sqrt(np.maximum(power, 0))
        out[one.region.box.slices] += added * (weights[one.region.box.slices] * one.region.inside)[..., None]
    return out


class _Evidence:
    """What one region and its surroundings say of the grain that it lacks, in powers relative to the model's."""

    def __init__(
        self,
        net: Float32,
        taken: NDArray[np.bool_],
        region: Region,
        model: GrainModel,
        seed: int,
        frame: int,
        origin: tuple[int, int],
    ) -> None:
        box = region.box
        pixels = np.nan_to_num(net[box.slices])
        level = cv2.blur(pixels, (5, 5), borderType=cv2.BORDER_REFLECT_101)
        self.region = region
        self.grain = synthesise(model, level, seed, frame, (origin[0] + box.x0, origin[1] + box.y0))
        expected = np.maximum(np.square(model.deviation_at(level) * np.sqrt(_passed(model))), np.float32(1e-14))
        outside = ~taken[box.slices]
        ring = outside & (_far(taken[box.slices]) > _GAP)
        self._found = np.minimum(np.square(_high(pixels)) / expected, np.float32(_OUTLIER))
        # The high pass looks over the rim: what grain outside leaves in a fill that has none itself.
        self._leaked = np.square(_high(self.grain * outside[..., None])) / expected
        self._ring_pixels = float(ring.sum())
        self._ring_power = self._found[ring].mean(axis=0) if ring.any() else np.ones(3, np.float32)

    @property
    def surroundings(self) -> Float32:
        """Grain power of the ring, per layer; what is far above the model's is texture."""
        return np.asarray(np.clip(self._ring_power, 0.25, _MOST))

    @property
    def overall(self) -> tuple[Float32, Float32]:
        """(missing power, weight of the evidence) of the whole region, per layer."""
        inside = self.region.inside
        found, leaked = self._found[inside], self._leaked[inside]
        room = np.maximum(1 - leaked.mean(axis=0), 0.05)
        power = (found - leaked).mean(axis=0) / room
        return self._ring_power - power, self._weight(np.float32(inside.sum()) * room**2, power)

    def missing(self, usual: Float32) -> Float32:
        """Missing power around each pixel, leaning to `usual` as far as its neighbourhood says little."""
        inside = self.region.inside.astype(np.float32)[..., None]
        pixels = np.maximum(_pooled(inside[..., 0])[..., None], np.float32(1e-6))
        room = np.maximum(1 - _pooled(np.asarray(self._leaked * inside)) / pixels, np.float32(0.05))
        power = _pooled(np.asarray((self._found - self._leaked) * inside)) / (pixels * room)
        weight = self._weight(pixels * np.float32(_POOL**2) * room**2, power)
        lacking = (weight * (self._ring_power - power) + _DOUBT * usual) / (weight + _DOUBT)
        return np.asarray(np.clip(lacking, 0, _MOST), dtype=np.float32)

    def _weight(self, pixels: Float32, power: Float32) -> Float32:
        """Pixels that the comparison rests on, discounted by the square of the texture in it."""
        both = pixels * self._ring_pixels / (pixels + self._ring_pixels + 1e-6)
        return np.asarray(both / np.square(np.maximum(np.maximum(self._ring_power, power), 1)), dtype=np.float32)


def _usual(regions: list[tuple[Float32, Float32]]) -> Float32:
    """Missing power over all regions, each by its weight; all of the model's where they say little altogether."""
    lacking, weights = (np.stack(column) for column in zip(*regions, strict=True))
    mean = ((lacking * weights).sum(axis=0) + _DOUBT) / (weights.sum(axis=0) + _DOUBT)
    return np.asarray(np.clip(mean, 0, _MOST), dtype=np.float32)


def _high(pixels: Float32) -> Float32:
    line = spline(1).astype(np.float32)
    return np.asarray(pixels - cv2.sepFilter2D(pixels, cv2.CV_32F, line, line, borderType=cv2.BORDER_REFLECT_101))


@lru_cache(maxsize=64)
def _passed(model: GrainModel) -> Float32:
    """Share of each layer's grain power that the high pass lets through."""
    line = np.zeros(64)
    line[:5] = spline(1)
    response = np.abs(np.fft.fft(line))
    high = (1 - np.outer(response, response)) ** 2
    return np.array([(plane_power(power) * high).mean() for power in model.power], dtype=np.float32)


def _far(taken: NDArray[np.bool_]) -> Float32:
    """Distance of each pixel from the mask."""
    return np.asarray(cv2.distanceTransform((~taken).astype(np.uint8), cv2.DIST_L2, 3))


def _pooled(values: Float32) -> Float32:
    """Mean over the window, nothing counted beyond the box."""
    return np.asarray(cv2.blur(values, (_POOL, _POOL), borderType=cv2.BORDER_CONSTANT))
