"""Motion between neighbouring frames of one window, used as evidence: patch-local and deterministic.

Every frame is given its previous and next neighbour, or what stands in for one that is not there, brought onto it by
dense optical flow. Dirt bends flow, so the flow is kept smooth (docs/decisions/motion.md has the measurements), and
where a frame differs from both neighbours in the same direction it is taken again from the surroundings. Neighbours
are brought to the frame's own brightness, so that flicker is not mistaken for damage.

cv2's result depends on its thread count, hence the one thread. Nothing outside the patch is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8
from numpy import ndarray as Array
from numpy.typing import ArrayLike

PREVIOUS = slice(0, 3)
"""Channels of the previous frame, or of what stands in for it, motion-compensated, in net encoding."""
NEXT = slice(3, 6)
"""Channels of the next frame, or of what stands in for it, motion-compensated, in net encoding."""
VALID = slice(6, 8)
"""Previous, next: 1 where a frame is shown and the pixel came from inside the patch, else 0."""
AGREEMENT = slice(8, 10)
"""Previous, next: 1 where forward and backward flow agree, falling to 0 over about two pixels."""
CHANNELS = 10
SECOND = slice(10, 12)
"""Mean of the channels of the frame after the previous and the next one, brought here by way of these."""
SECOND_VALID = slice(12, 14)
"""1 where it is shown and came from inside the patch by way of both, else 0."""
ALL_CHANNELS = 14

SMALLEST = 32  # DIS needs a few of its 8 px blocks at its coarsest level
LUMA_GAIN = 230.0  # leaves net values up to 1.1 (well over scene white) unclipped in 8 bits
SPIKE = 12.0  # 8-bit levels by which a frame must differ from both neighbours to be thought dirty
LEVEL_CELL = 16  # px; flicker is smoother than this
LEVEL_BOUND = 0.1  # net units; about three quarters of a stop
TONES = 8  # steps of tone, each with as many pixels, that flicker may move apart
TONE_PIXELS = 64  # fewer pixels tell nothing of a tone; of four times as many a quarter is looked at
TONE_DOUBT = 0.01  # net units by which a tone's median differs for other reasons


def evidence(window: ArrayLike, present: tuple[bool, ...], *, seconds: bool = False) -> Float32[Array, "t c h w"]:
    """Motion-compensated neighbours of every frame of a window.

    Args:
        window: (t, 3, h, w) float32, net encoding, finite; a CPU tensor will do.
        present: Which frames are real. The others neither get nor give evidence.
        seconds: Whether the second neighbours are shown, too.

    Returns:
        Channels `PREVIOUS`, `NEXT`, `VALID`, `AGREEMENT` and, if asked for, `SECOND`, `SECOND_VALID`; zeros where
        nothing can be shown. For a frame of the window that is absent, the one beyond it is shown, or else the second
        one on the other side.
    """
    frames = np.ascontiguousarray(np.moveaxis(np.asarray(window, dtype=np.float32), 1, 3))
    count, height, width, _ = frames.shape
    assert len(present) == count
    stack = np.zeros((count, ALL_CHANNELS if seconds else CHANNELS, height, width), np.float32)
    lumas = [luma8(frame) for frame in frames]
    means = [channel_mean(frame)[..., None] for frame in frames] if seconds else []
    shown = [neighbours(centre, present) for centre in range(count)]
    pairs = {(centre, b) for centre, of_it in enumerate(shown) for b in of_it.values()}
    fields = {(a, b): flow(lumas[a], lumas[b]) for a, b in pairs | {(b, a) for a, b in pairs}}
    for centre, of_it in enumerate(shown):
        repaired = _repair_under_spikes(lumas, centre, {b: fields[centre, b] for b in of_it.values()})
        for side, b in of_it.items():
            warped, valid = compensate(frames[b], repaired[b])
            warped = match_tone(warped, frames[centre], valid)
            warped = match_level(warped, frames[centre], valid)
            for plane, channel in zip(stack[centre, 3 * side : 3 * side + 3], cv2.split(warped), strict=True):
                np.multiply(channel, valid, out=plane)
            stack[centre, VALID][side] = valid
            stack[centre, AGREEMENT][side] = _agreement(repaired[b], fields[b, centre]) * valid
        for side, (via, b) in (_second_neighbours(centre, shown) if seconds else {}).items():
            onward, inside = compensate(fields[via, b], repaired[via])
            warped, valid = compensate(means[b], repaired[via] + onward)
            valid *= inside
            matched = match_level(match_tone(warped, means[centre], valid), means[centre], valid)
            stack[centre, SECOND][side] = matched[..., 0] * valid
            stack[centre, SECOND_VALID][side] = valid
    return stack


def of_side(side: int) -> list[int]:
    """All channels that tell of what lies before a frame (0), or after it (1)."""
    pictures = (PREVIOUS, NEXT)[side]
    single = (of.start + side for of in (VALID, AGREEMENT, SECOND, SECOND_VALID))
    return [*range(pictures.start, pictures.stop), *single]


def neighbours(centre: int, present: Sequence[bool]) -> dict[int, int]:
    """The frames that one of the window is held against, by side: 0 is the previous one's, 1 the next one's.

    Where a shot ends, or a frame is missing, what both others show speaks as two neighbours do. Frames at the ends of
    the window have one, the nearest: they are not kept, and two more flows cost more than they bring.
    """
    there = {index for index, real in enumerate(present) if real}
    found: dict[int, int] = {}
    if centre not in there:
        return found
    sides = {side: step for side, step in enumerate((-1, 1)) if 0 <= centre + step < len(present)}
    for reach in (1, 2, -2):
        for side, step in sides.items():
            other = centre + reach * step
            if side not in found and other in there and other not in found.values():
                found[side] = other
    return found


def _second_neighbours(centre: int, shown: Sequence[Mapping[int, int]]) -> dict[int, tuple[int, int]]:
    """Of a frame that has its two nearest beside it: the frame beyond each, by side, and the one on the way to it."""
    if shown[centre] != {0: centre - 1, 1: centre + 1}:
        return {}
    beyond = {side: (centre + step, centre + 2 * step) for side, step in enumerate((-1, 1))}
    return {side: (via, b) for side, (via, b) in beyond.items() if shown[via].get(side) == b}


def luma8(net: Float32[Array, "h w 3"]) -> UInt8[Array, "h w"]:
    """An 8-bit luma for flow, of a finite net-encoded picture."""
    luma = net @ np.array([0.25, 0.5, 0.25], np.float32)
    return np.clip(luma * LUMA_GAIN + 0.5, 0, 255).astype(np.uint8)


def repeated(plane: Float32[Array, "h w"], channels: int = 3) -> Float32[Array, "h w c"]:
    """The plane for each channel. What takes it is faster than where numpy repeats the plane along a last axis of 3."""
    return np.asarray(cv2.merge((plane,) * channels)).reshape(*plane.shape, channels)


def channel_mean(picture: Float32[Array, "h w c"]) -> Float32[Array, "h w"]:
    """What `picture.mean(axis=2)` gives, to the bit, in a tenth of its time."""
    channels = picture.shape[2]
    mean: Float32[Array, "h w"] = cv2.transform(picture, np.ones((1, channels), np.float32)).reshape(picture.shape[:2])
    mean /= channels
    return mean


def flow(a: UInt8[Array, "h w"], b: UInt8[Array, "h w"]) -> Float32[Array, "h w 2"]:
    """Dense optical flow, pixels (x, y): what is at p in `a` is at p + flow in `b`.

    Source: T. Kroeger et al., "Fast Optical Flow using Dense Inverse Search", 2016, as in OpenCV.
    """
    height, width = a.shape
    below, right = max(0, SMALLEST - height), max(0, SMALLEST - width)
    if below or right:
        a, b = (cv2.copyMakeBorder(x, 0, below, 0, right, cv2.BORDER_REPLICATE) for x in (a, b))
    cv2.setNumThreads(1)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # new: it would remember the last size
    search.setPatchStride(4)
    search.setGradientDescentIterations(12)
    search.setVariationalRefinementAlpha(120.0)
    field: Float32[Array, "h w 2"] = search.calc(a, b, None)[:height, :width]
    return field


def compensate(
    neighbour: Float32[Array, "h w c"], field: Float32[Array, "h w 2"], *, cubic: bool = False
) -> tuple[Float32[Array, "h w c"], Float32[Array, "h w"]]:
    """A neighbour brought onto the frame that `field` starts from.

    Args:
        cubic: Bicubic, which keeps detail and grain and may overshoot a little, instead of bilinear.

    Returns:
        The picture, and 1 where it came from inside the neighbour, else 0.
    """
    cv2.setNumThreads(1)
    height, width = field.shape[:2]
    x = field[..., 0] + np.arange(width, dtype=np.float32)
    y = field[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    warped = cv2.remap(neighbour, x, y, cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (x > -1) & (x < width) & (y > -1) & (y < height)
    return warped.reshape(height, width, -1), inside.astype(np.float32)


def match_tone(
    warped: Float32[Array, "h w c"], centre: Float32[Array, "h w c"], valid: Float32[Array, "h w"]
) -> Float32[Array, "h w c"]:
    """`warped` with its blacks, middle and lights each moved to those of `centre`: flicker that is no mere factor.

    The offset of a tone is the median difference of the pixels that have it, less what grain and motion make of it.
    """
    tone = channel_mean(warped)
    step = 2 if np.count_nonzero(valid) >= 4 * TONES * TONE_PIXELS else 1
    part = np.s_[::step, ::step]
    here = valid[part] > 0
    seen = tone[part][here]
    if seen.size < TONES * TONE_PIXELS:
        return warped
    difference = channel_mean(centre)[part][here] - seen
    edges = _quantiles(seen, TONES)
    # float32 lies above a float64 edge just when it lies above the last float32 that does not.
    limits = edges[1:-1].astype(np.float32)
    limits = np.where(limits > edges[1:-1], np.nextafter(limits, np.float32(-np.inf)), limits)
    places = np.zeros(seen.shape, np.uint8)
    for limit in limits:
        places += seen > limit
    ordered = difference[np.argsort(places, kind="stable")]
    groups = np.split(ordered, np.cumsum(np.bincount(places, minlength=TONES))[:-1])
    levels = np.array([_median(group) if group.size else 0.0 for group in groups])
    levels = np.clip(np.sign(levels) * np.maximum(np.abs(levels) - TONE_DOUBT, 0), -LEVEL_BOUND, LEVEL_BOUND)
    if not levels.any():
        return warped
    offset = np.interp(tone, 0.5 * (edges[:-1] + edges[1:]), levels).astype(np.float32)
    matched = repeated(offset, warped.shape[2])
    matched += warped
    return matched


def _quantiles(values: Float32[Array, " n"], parts: int) -> Float64[Array, " k"]:
    """What `np.quantile` says of 0, 1 / parts, ..., 1, to the bit; one sort is faster than its many partitions."""
    ordered = np.sort(values)
    at = np.linspace(0, 1, parts + 1) * (len(ordered) - 1)
    below = np.floor(at).astype(np.intp)
    share = at - below
    low, high = ordered[below], ordered[np.minimum(below + 1, len(ordered) - 1)]
    return np.asarray(np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share)))


def _median(values: Float32[Array, " n"]) -> np.float32:
    """What `np.median` says, to the bit."""
    ordered = np.sort(values)
    half = len(ordered) // 2
    return np.float32(ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2)


def match_level(
    warped: Float32[Array, "h w c"], centre: Float32[Array, "h w c"], valid: Float32[Array, "h w"]
) -> Float32[Array, "h w c"]:
    """`warped` moved to the brightness of `centre`: a smooth, bounded offset, blind to small defects."""
    height, width, channels = warped.shape
    cells = (-(-width // LEVEL_CELL), -(-height // LEVEL_CELL))
    bounded = centre - warped
    bounded *= repeated(valid, channels)
    np.clip(bounded, -LEVEL_BOUND, LEVEL_BOUND, out=bounded)
    mean = cv2.resize(bounded, cells, interpolation=cv2.INTER_AREA).reshape(cells[1], cells[0], channels)
    middle = np.dstack([cv2.medianBlur(np.ascontiguousarray(mean[..., channel]), 5) for channel in range(channels)])
    offset = cv2.resize(cv2.blur(middle, (3, 3)), (width, height), interpolation=cv2.INTER_LINEAR)
    level: Float32[Array, "h w c"] = offset.reshape(warped.shape)
    level += warped
    return level


def _repair_under_spikes(
    lumas: list[UInt8[Array, "h w"]], centre: int, fields: dict[int, Float32[Array, "h w 2"]]
) -> dict[int, Float32[Array, "h w 2"]]:
    """Fields whose vectors under likely dirt are taken from their surroundings."""
    if len(fields) < 2:
        return fields
    own = _smooth(lumas[centre].astype(np.float32))
    seen = (compensate(lumas[b].astype(np.float32)[..., None], field)[0] for b, field in fields.items())
    before, after = (own - _smooth(luma[..., 0]) for luma in seen)
    spike = (np.minimum(abs(before), abs(after)) > SPIKE) & (before * after > 0)
    if not spike.any():
        return fields
    dirty = cv2.dilate(spike.view(np.uint8), np.ones((9, 9), np.uint8))
    return {b: cv2.copyTo(_surroundings(field, dirty), dirty, field.copy()) for b, field in fields.items()}


def _smooth(luma: Float32[Array, "h w"]) -> Float32[Array, "h w"]:
    smooth: Float32[Array, "h w"] = cv2.blur(luma, (3, 3))
    return smooth


def _surroundings(field: Float32[Array, "h w 2"], dirty: UInt8[Array, "h w"]) -> Float32[Array, "h w 2"]:
    """Normalised blur (sigma 6 px) of the vectors where `dirty` is 0."""
    height, width = dirty.shape
    small = (max(1, width // 4), max(1, height // 4))
    weight = (dirty == 0).astype(np.float32)
    weighted = field * cv2.merge((weight, weight))
    total = cv2.GaussianBlur(cv2.resize(weighted, small, interpolation=cv2.INTER_AREA), (0, 0), 1.5)
    share = cv2.GaussianBlur(cv2.resize(weight, small, interpolation=cv2.INTER_AREA), (0, 0), 1.5)
    mean = total / np.maximum(share, 1e-3)[..., None]
    filled: Float32[Array, "h w 2"] = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return filled


def _agreement(there: Float32[Array, "h w 2"], back: Float32[Array, "h w 2"]) -> Float32[Array, "h w"]:
    """exp(-d^2 / 2), d the distance in pixels by which going there and back misses."""
    returned, _ = compensate(back, there)
    miss = there + returned
    agreement: Float32[Array, "h w"] = np.exp(-0.5 * (miss[..., 0] ** 2 + miss[..., 1] ** 2))
    return agreement
