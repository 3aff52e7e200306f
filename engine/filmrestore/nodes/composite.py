"""From confidence to codes: which pixels are repaired, how much, and the composite in the file's own codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..colour import Colour
from ..fixes.fragments import goes_on, is_of_bundle, makes_an_edge
from ..fixes.guard import is_large_thing_elsewhere, is_moving_picture, is_standing_picture
from ..fixes.model import bit_pattern
from ..frame import Box, Codes, Frame
from ..grain import GrainModel, hidden, regrain, show_through, worthwhile
from ..grain.regions import regions
from ..restorers.base import Origin
from ..settings import RestoreSettings
from .far_fill import Shares
from .line_repair import ALONG, WIDEST, join, shine
from .lines import Lines
from .meter import Meter
from .tiles import Blended

F32 = NDArray[np.float32]
Far = Callable[[F32, NDArray[np.bool_]], Shares]
"""Fills holes (h, w) of a picture (h, w, 3), net encoding, in place, where far frames show what is there."""
_LUMA = np.array([0.2722287, 0.6740818, 0.0536895], np.float32)  # AP1 luminance (ACES TB-2014-004)
_REACH = 48  # pixels, at least, that a thing may have moved between two frames; a part of a frame moves as the whole
_HYSTERESIS = 0.5  # a defect spreads to where the confidence is half of what it takes to begin one
RIM = 2 / 3  # of a repair, on the pixel around it: the scanner's blur has taken a part of the mark there
_SPREAD = 8, 80  # px, and shares of the width: no farther from what begins it than the larger of the two


@dataclass(frozen=True, kw_only=True)
class Repair:
    """The repaired picture channels of one frame.

    Attributes:
        codes: (h, w, c), the scan's codes where `matte` is 0.
        matte: (h, w) 0..1, how much of the restored value stands in `codes`; above 0 wherever a code changed.
        origin: (h, w) `Origin`, UNTOUCHED where the matte is 0.
        taken_back: Marks that the guard spared.
        hairlines: (h, w), marks that are of a lasting scratch's bundle; None where there are none.
        far: (h, w), which far frames show a pixel, see `far_fill.Shares`; None where none were asked.
    """

    codes: Codes
    matte: F32
    origin: NDArray[np.uint8]
    taken_back: int
    hairlines: NDArray[np.bool_] | None = None
    far: Shares | None = None


def net_luma(frame: Frame, colour: Colour) -> F32:
    """Luma of a frame in net encoding, shape (h, w)."""
    return _luma(colour.to_net(frame.picture()))


def _luma(net: F32) -> F32:
    """Luma of net pixels (..., 3); no matrix product, whose last bit changes with the machine's count of cores."""
    red, green, blue = (net[..., channel] * _LUMA[channel] for channel in range(3))
    return np.asarray(red + green + blue, np.float32)


def threshold(sensitivity: float) -> float:
    """The confidence from which on a defect is repaired: 0.5 at a sensitivity of 0.5, none at 0."""
    return float(1.0 / (1.0 + np.exp(-5.0 * (0.5 - sensitivity)))) if sensitivity > 0 else float("inf")


def repair(
    frame: Frame,
    blended: Blended,
    lumas: Callable[[], Mapping[int, F32]],
    colour: Colour,
    settings: RestoreSettings,
    *,
    grain: GrainModel | None,
    protect: F32 | None = None,
    defect_map: F32 | None = None,
    lines: Lines | None = None,
    ways: Sequence[NDArray[np.float64]] = (),
    roi: Box | None = None,
    marks: bool = True,
    grain_frame: int | None = None,
    far: Far | None = None,
    meter: Meter,
) -> Repair:
    """Composites what the tiles propose into the frame's own codes.

    Args:
        frame: The scan.
        blended: The tiles' answer for it.
        lumas: Gives the luma (`net_luma`) of the frame at 0, and of others of the same shot, by how many frames farther
            on they are; asked only where there is something to repair.
        colour: Of the shot.
        settings: All of them; none of those read here renders a tile anew.
        grain: The reel's grain, for pixels that carry none of their own.
        protect: (h, w) 0..1, where nothing may be touched.
        defect_map: (h, w) 0..1, where something must be.
        lines: Where lasting scratches and marks lie, which are repaired whatever the tiles say.
        ways: Columns by row, (h,), of what may be a scratch that goes through the frame (`lines.through`): what the
            tiles mark there is no picture for staying where it is.
        roi: Only here.
        marks: Whether marks on the picture are mended. Where the picture itself is (blur), the guard has nothing to
            judge, since neighbours show the same of course, and the proposal carries the scan's own grain.
        grain_frame: The frame whose draw of grain generated pixels get; its own when None.
        far: Asked for the lines, and for what the tiles mark along a scratch, where they have it not from neighbours.
        meter: Told how long the stages take.
    """
    if not marks:
        settings = replace(settings, guard=0.0, grain=0.0)
    scan = frame.picture()
    confidence = _confidence(blended.confidence, scan, protect, roi)
    wanted = np.zeros(confidence.shape, np.bool_)
    if defect_map is not None:
        wanted = marked(defect_map, settings) & (confidence >= 0)
    line, scratches = np.zeros((2, *confidence.shape), np.bool_)
    if lines is not None:
        line = (lines.plane > 0) & (confidence >= 0)
        scratches = line & lines.scratches if marks else scratches
    # A line is known to its pixel; what the tiles mark beside it has to stand on its own.
    confidence[line] = 0
    least = min(threshold(settings.sensitivity_dark), threshold(settings.sensitivity_light))
    if not ((confidence >= least) | wanted | line).any():
        return Repair(
            codes=scan,
            matte=np.zeros(confidence.shape, np.float32),
            origin=np.zeros(confidence.shape, np.uint8),
            taken_back=0,
        )
    with meter.stage("guard"):
        around = dict(lumas())
        luma = around.pop(0)
        proposed = np.where(blended.origin > 0, _luma(blended.picture), luma)
        region = _region(confidence, wanted, proposed > luma, settings)
        region, hairlines, taken_back = _spared(
            region, wanted, line, scratches, ways, blended.confidence, luma, proposed, around, grain, settings
        )
    with meter.stage("composite"):
        matte = _matte(region, blended.origin > 0, settings)
        net = colour.to_net(scan)
        blended, by = _from_far(net, blended, (matte > 0) | line, line | hairlines, far)
        through = show_through(net, blended.picture, matte, blended.origin > 0, grain) if marks else None
        if through is not None:
            matte = worthwhile(net, blended.picture, through, matte, blended.confidence, wanted, grain)
        if line.any():
            blended, line = _lined(net, blended, matte > 0, line, _finite(scan))
            matte[line] = 1
        if through is not None:  # lines see to that themselves
            through[line] = blended.picture[line]
            blended = replace(blended, picture=through)
        if protect is not None:
            matte *= 1.0 - protect
        matte[confidence < 0] = 0
        draw = frame.number if grain_frame is None else grain_frame
        codes, origin = _lay_over(scan, net, blended, matte, colour, settings, grain, draw, meter)
        matte[origin == Origin.UNTOUCHED] = 0
    return Repair(
        codes=codes,
        matte=matte,
        origin=origin,
        taken_back=taken_back,
        hairlines=hairlines if hairlines.any() else None,
        far=by,
    )


def _spared(
    region: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    line: NDArray[np.bool_],
    scratches: NDArray[np.bool_],
    ways: Sequence[NDArray[np.float64]],
    confidence: F32,
    luma: F32,
    proposed: F32,
    around: Mapping[int, F32],
    grain: GrainModel | None,
    settings: RestoreSettings,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], int]:
    """The region without marks of a size that is to stay, and without what is picture.

    Returns:
        It; the marks of it that are hairlines of a scratch's bundle; how many were picture.
    """
    labels, boxes, areas = _components(region)
    beside, along = (widened(plane, settings) if plane.any() else plane for plane in (line, scratches))
    reach = max(_REACH, luma.shape[1] // 48)
    keep, hairlines = np.zeros((2, len(boxes) + 1), np.bool_)
    taken_back = 0
    for label, (box, area) in enumerate(zip(boxes, areas, strict=True), 1):
        if not _size_fits(box, area, settings):
            continue
        mark = labels[box.slices] == label
        clean = proposed[box.slices]
        known = wanted[box.slices][mark].any() or beside[box.slices][mark].mean() > 0.5
        hairlines[label] = not known and is_of_bundle(along, box, mark)
        is_picture = not known and (
            is_moving_picture(luma, box, mark, clean, around, guard=settings.guard, reach=reach)
            or is_large_thing_elsewhere(luma, box, mark, clean, around.values(), guard=settings.guard, reach=reach)
            or is_standing_picture(luma, box, mark, clean, confidence, around.values(), ways, guard=settings.guard)
            or goes_on(luma, box, mark, clean, guard=settings.guard)
            or (
                not hairlines[label]
                and makes_an_edge(
                    luma, box, mark, clean, region, noise=_noise(grain, clean[mark]), guard=settings.guard
                )
            )
        )
        keep[label] = not is_picture
        taken_back += is_picture
    return keep[labels], (keep & hairlines)[labels], taken_back


def _noise(grain: GrainModel | None, luma: F32) -> float:
    """Deviation of the grain at the mean of some luma (n,), net units; 0 where the grain is not known."""
    return 0.0 if grain is None else float(grain.deviation_at(np.full(3, luma.mean(), np.float32)).mean())


def marked(defect_map: F32, settings: RestoreSettings) -> NDArray[np.bool_]:
    """Where a defect map says that there is a defect."""
    return defect_map > settings.defect_map_threshold


def widened(region: NDArray[np.bool_], settings: RestoreSettings) -> NDArray[np.bool_]:
    """A region with the pixels around it that its repair may touch."""
    radius = 2 + round(settings.grow)
    size = 2 * radius + 1
    return np.asarray(cv2.dilate(region.astype(np.uint8), np.ones((size, size), np.uint8)), np.bool_)


def _confidence(confidence: F32, scan: Codes, protect: F32 | None, roi: Box | None) -> F32:
    """The confidence with everything that may not be touched at -1: outside the region, protected, not finite."""
    confidence = confidence.copy()
    if protect is not None:
        confidence *= 1.0 - protect
        confidence[protect >= 1.0] = -1
    if scan.dtype.kind == "f":
        confidence[~_finite(scan)] = -1
    if roi is not None:
        outside = np.ones(confidence.shape, np.bool_)
        outside[roi.slices] = False
        confidence[outside] = -1
    return confidence


def _region(
    confidence: F32, wanted: NDArray[np.bool_], is_dark: NDArray[np.bool_], settings: RestoreSettings
) -> NDArray[np.bool_]:
    """Hysteresis by polarity: weak confidence counts where it hangs together with strong and is not far from it."""
    limit = np.where(
        is_dark, np.float32(threshold(settings.sensitivity_dark)), np.float32(threshold(settings.sensitivity_light))
    )
    strong = (confidence >= limit) | wanted
    reach = max(_SPREAD[0], confidence.shape[1] // _SPREAD[1])
    near = cv2.distanceTransform((~strong).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= reach
    weak = ((confidence >= limit * _HYSTERESIS) & near) | wanted
    count, labels = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)
    has_strong = np.zeros(count, np.bool_)
    has_strong[labels[strong]] = True
    has_strong[0] = False
    return np.asarray(has_strong[labels], np.bool_)


def _components(region: NDArray[np.bool_]) -> tuple[NDArray[np.int32], list[Box], list[int]]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=8)
    boxes = [Box(x0=int(x), y0=int(y), x1=int(x + w), y1=int(y + h)) for x, y, w, h, _ in stats[1:]]
    return labels, boxes, [int(area) for area in stats[1:, cv2.CC_STAT_AREA]]


def _size_fits(box: Box, area: int, settings: RestoreSettings) -> bool:
    diameter = 2.0 * np.sqrt(area / np.pi)
    longest = max(box.width, box.height)
    return bool(diameter >= settings.smallest and (settings.largest <= 0 or longest <= settings.largest))


def _matte(region: NDArray[np.bool_], support: NDArray[np.bool_], settings: RestoreSettings) -> F32:
    """The region, wider by the setting, and part of a repair on the one pixel around it."""
    core = region.astype(np.uint8)
    radius = round(settings.grow)
    core = np.asarray(cv2.dilate(core, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))))
    rim = np.asarray(cv2.dilate(core, np.ones((3, 3), np.uint8)))
    matte = core + (rim - core) * np.float32(RIM)
    matte[~support] = 0
    return matte


def _from_far(
    net: F32, blended: Blended, repaired: NDArray[np.bool_], holes: NDArray[np.bool_], far: Far | None
) -> tuple[Blended, Shares | None]:
    """What the tiles say, and in holes that they have not from their neighbours what far frames show.

    Args:
        net: The scan.
        blended: The tiles' answer.
        repaired: Where the tiles' picture is laid in: what is around a hole may be damaged, too.
        holes: What far frames are asked for.
        far: Asked.

    Returns:
        The answer, and which far frames show which pixel; None where none were asked.
    """
    holes = holes & (blended.origin != Origin.RECOVERED)
    if far is None or not holes.any():
        return blended, None
    sound = np.nan_to_num(np.where(repaired[..., None], blended.picture, net))
    by = far(sound, holes)
    shown = by > 0
    picture = np.where(shown[..., None], sound, blended.picture)
    return replace(blended, picture=picture, origin=np.where(shown, np.uint8(Origin.RECOVERED), blended.origin)), by


def _lined(
    net: F32, blended: Blended, repaired: NDArray[np.bool_], line: NDArray[np.bool_], finite: NDArray[np.bool_]
) -> tuple[Blended, NDArray[np.bool_]]:
    """What the tiles say with the lines mended: as other frames show them, else joined from their sides.

    Args:
        net: The scan.
        blended: The answer of tiles and far frames.
        repaired: Where the tiles' picture is laid in: a line's sides may be damaged, too.
        line: The lines.
        finite: Where the scan is; elsewhere it is no side.

    Returns:
        The answer, and the lines that it mends.
    """
    recovered = (blended.origin == Origin.RECOVERED) & line
    laid = repaired | recovered
    picture, origin, mended = blended.picture.copy(), blended.origin.copy(), np.zeros_like(line)
    for region in regions(line, WIDEST + ALONG):
        box = region.box.slices
        scan = np.nan_to_num(net[box])
        sound = np.where(laid[box][..., None], np.nan_to_num(blended.picture[box]), scan)
        clean, joined = join(sound, (line[box] & ~recovered[box]) | ~finite[box])
        known = (line[box] & joined) | recovered[box]
        shone = shine(scan, np.where(known[..., None], clean, scan), known)
        mine = region.inside & known
        picture[box][mine] = shone[mine]
        origin[box][mine & ~recovered[box]] = Origin.INTERPOLATED
        mended[box] |= mine
    return replace(blended, picture=picture, origin=origin), mended


def _finite(scan: Codes) -> NDArray[np.bool_]:
    """Where a scan's codes are all numbers, (h, w)."""
    return np.asarray(np.isfinite(scan).all(axis=2)) if scan.dtype.kind == "f" else np.ones(scan.shape[:2], np.bool_)


def _lay_over(
    scan: Codes,
    net: F32,
    blended: Blended,
    matte: F32,
    colour: Colour,
    settings: RestoreSettings,
    grain: GrainModel | None,
    grain_frame: int,
    meter: Meter,
) -> tuple[Codes, NDArray[np.uint8]]:
    """The composite, and the origin of every pixel whose code it changed."""
    mask = matte > 0
    fill = blended.picture[mask]
    grey = _is_neutral(scan) and not settings.colour_only  # to give a grey picture colours is to be asked for
    mended = net.copy()
    mended[mask] = fill.mean(axis=-1, keepdims=True) if grey else fill
    if grain is not None and settings.grain > 0:  # a mean of neighbours has lost grain as well
        with meter.stage("grain"):
            lost = hidden(net, mended, matte, grain)
            mended = regrain(mended, lost, grain, settings.seed, grain_frame, settings.grain)
    old, new = scan[mask], colour.from_net(mended[mask][None])[0]
    mixed = _blend(old, new, matte[mask] * np.float32(settings.strength * settings.mix))
    codes = scan.copy()
    codes[mask] = mixed
    origin = np.zeros(matte.shape, np.uint8)
    changed = (bit_pattern(mixed) != bit_pattern(old)).any(axis=1)
    origin[mask] = np.where(changed, blended.origin[mask], Origin.UNTOUCHED)
    return codes, origin


def _is_neutral(codes: Codes) -> bool:
    """Whether all channels are the same, so that a repair must bring no colour in."""
    return codes.shape[2] == 1 or bool((codes == codes[:, :, :1]).all())


def _blend(old: Codes, new: Codes, opacity: F32) -> Codes:
    """old + opacity (new - old) for n pixels of shape (n, c), in the codes' own dtype; rounded for integers."""
    wide = np.float64 if old.dtype.itemsize > 2 else np.float32
    mixed = old.astype(wide) + opacity[:, None] * (new.astype(wide) - old.astype(wide))
    mixed = np.round(mixed) if old.dtype.kind == "u" else mixed
    blend: Codes = np.where(opacity[:, None] > 0, mixed, old).astype(old.dtype)
    return blend


def view(output: str, frame: Frame, done: Repair, mix: float) -> Codes:
    """The picture channels that are written for `settings.output`.

    result: as repaired. matte: full scale where repaired. difference: how much each code moved. overlay: the
    scan with the matte in red (white where there is one channel). removed: the scan's own pixels inside the
    matte, black elsewhere.
    """
    if output == "result":
        return done.codes
    codes = frame.picture()
    scan = codes.astype(np.float64 if codes.dtype.itemsize > 2 else np.float32)
    matte = done.matte[:, :, None]
    if output == "matte":
        shown = np.repeat(matte * frame.format.white, scan.shape[2], axis=2)
    elif output == "difference":
        shown = np.abs(done.codes - scan)
    elif output == "removed":
        shown = scan * (matte > 0)
    else:
        tint = np.zeros(scan.shape[2], scan.dtype)
        tint[0] = frame.format.white
        shown = scan + 0.6 * matte * (tint - scan)
    shown = scan + mix * (shown - scan)
    rounded: Codes = (np.round(shown) if codes.dtype.kind == "u" else shown).astype(codes.dtype)
    return rounded
