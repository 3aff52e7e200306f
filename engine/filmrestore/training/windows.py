"""One training sample: a clean window, damaged, with everything the network is given and asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ..colour import encode_net
from ..damage import Damage, random_settings
from ..frame import Box
from ..motion import evidence, of_side
from .clips import FRAMES, Linear, clean_view
from .footage import Footage
from .look import grade, old_transfer, soften, unsteady
from .lookalikes import add_lookalikes

Net = NDArray[np.float32]

VISIBLE = 0.02
"""Net units, about 6/255 on a display: from here a change of the picture belongs into the matte."""
FAINT = 0.007
"""Below this a change is none; between the two the matte may say either."""
MIDDLING_AREA = 40.0
"""Of a mark whose pixels weigh 1, px^2; smaller marks weigh more a pixel, larger ones less."""
STANDS_OUT = 0.35
"""How many times the texture around it a mark must change the picture by, somewhere, to be seen.

A film is not looked at frame by frame: over texture that stays, a faint mark flashes.
"""
SEEN = 0.05
"""Alpha from which a visible pixel is counted to a kind of damage."""
FRAME_WIDTHS = (1200.0, 2600.0)
"""Of the whole frame that a patch is taken from: sizes of damage follow it."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What kind of samples are drawn.

    Attributes:
        size: Edge of the patch, pixels.
        evidence_off: Probability that a sample comes without any evidence.
        neighbour_off: Probability that one neighbour's evidence is missing.
        scratches: Probability that lasting scratches are asked for beyond what the damage draws by itself.
        lookalikes: Probability that content which looks like damage is drawn in.
        clean: Probability of a window without damage, so that the network learns to leave pictures alone.
    """

    size: int = 128
    evidence_off: float = 0.06
    neighbour_off: float = 0.06
    scratches: float = 0.1
    lookalikes: float = 0.55
    clean: float = 0.08


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A window of t frames, net encoding.

    Attributes:
        scan, truth: They are equal where `matte` and `1 - weight` are both 0.
        matte: 1 where the damage shows.
        weight: Of each pixel's answer: 0 where the damage is too faint to ask for one, and in frames that stand in; 1
            where there is none; more in small marks than in large ones.
        kinds: Visible part of each kind of damage.
        evidence: As `motion.evidence` gives it, parts dropped.
        overview: The larger picture at the middle frame.
        present: False for frames that stand in for ones beyond a cut.
    """

    scan: Float[Tensor, "t 3 h w"]
    truth: Float[Tensor, "t 3 h w"]
    matte: Float[Tensor, "t 1 h w"]
    weight: Float[Tensor, "t 1 h w"]
    kinds: Mapping[str, NDArray[np.bool_]]
    evidence: Float[Tensor, "t e h w"]
    overview: Float[Tensor, "3 64 64"]
    box: Box
    full: tuple[int, int]
    present: tuple[bool, ...]


def draw_sample(footage: Footage, seed: int, step: int, recipe: Recipe) -> Sample:
    """The sample of that seed and step: always the same."""
    rng = np.random.default_rng((seed, step))
    view = clean_view(footage, rng, recipe.size)
    if rng.random() < recipe.lookalikes:
        add_lookalikes(rng, view.frames)
    frames, whole = grade(rng, view.frames, view.whole)
    frames = soften(rng, unsteady(rng, frames))
    ends = _ends(rng)
    for index in ends.foreign:
        frames[index] = clean_view(footage, np.random.default_rng((seed, step, 1)), recipe.size).frames[index]
    scan, truth, kinds = damaged(frames, footage, rng, recipe)
    source, present = list(ends.source), ends.present
    scan, truth = scan[source], truth[source]
    matte, weight = label(scan, truth, present)
    seen = evidence(scan, present, seconds=True)
    drawn = Sample(
        scan=torch.from_numpy(scan),
        truth=torch.from_numpy(truth),
        matte=torch.from_numpy(matte),
        weight=torch.from_numpy(weight),
        kinds={name: (alpha[source] > SEEN) & (matte[:, 0] > 0) for name, alpha in kinds.items()},
        evidence=torch.from_numpy(seen),
        overview=torch.from_numpy(_overview(whole)),
        box=view.box,
        full=view.full,
        present=present,
    )
    return without_some_evidence(drawn, rng, recipe)


def damaged(
    frames: Linear, footage: Footage, rng: np.random.Generator, recipe: Recipe
) -> tuple[Net, Net, dict[str, Linear]]:
    """Scan and truth, net encoding (t, 3, h, w), and the alpha of each kind (t, h, w).

    A poor copy spreads a defect a little and a compressed one spreads it over blocks. What it spreads faintly is
    taken into the truth, so that scan and truth stay equal wherever no damage shows.
    """
    transfer = old_transfer(rng)
    number = int(rng.integers(1 << 20))
    damage = None if rng.random() < recipe.clean else _damage(footage, rng, recipe)
    scans, truths, layers = [], [], []
    for index, frame in enumerate(frames):
        done = damage.apply(frame, number + index) if damage else None
        scan, truth = (done.scan, done.truth) if done else (frame, frame)
        if transfer:
            scan, truth = transfer(scan), transfer(truth) if done else transfer(scan)
        scans.append(_net(scan))
        truths.append(_net(truth) if done else scans[-1])
        layers.append(done.masks if done else {})
    scan_net, truth_net = np.stack(scans), np.stack(truths)
    names = {name for masks in layers for name in masks}
    empty = np.zeros(frames.shape[1:3], np.float32)
    kinds = {name: np.stack([masks.get(name, empty) for masks in layers]) for name in sorted(names)}
    near = np.stack([_near(list(masks.values()), empty) for masks in layers])[:, None]
    shows = near & (np.abs(scan_net - truth_net).max(axis=1, keepdims=True) > FAINT)
    return scan_net, np.where(shows, truth_net, scan_net), kinds


def _near(masks: list[Linear], empty: Linear) -> NDArray[np.bool_]:
    """Pixels of a defect and a few around it, (h, w)."""
    touched = np.maximum.reduce([empty, *masks]) > FAINT
    return np.asarray(cv2.dilate(touched.astype(np.uint8), np.ones((5, 5), np.uint8)), bool)


def _damage(footage: Footage, rng: np.random.Generator, recipe: Recipe) -> Damage:
    settings = random_settings(rng)
    if rng.random() < recipe.scratches and not settings.scratches:
        settings = replace(settings, scratches=float(rng.uniform(8.0, 40.0)))
    width = float(np.exp(rng.uniform(*np.log(FRAME_WIDTHS))))
    return Damage(settings, recipe.size, recipe.size, shapes=footage.shapes, frame_width=width)


def label(scan: Net, truth: Net, present: Sequence[bool]) -> tuple[Net, Net]:
    """What the matte should be, and how much each pixel's answer weighs.

    A mark is asked for where it stands out from the grain and texture around it somewhere; one that nobody can see
    there is neither damage nor clean. A pixel of a small mark weighs more than one of a large mark.

    Args:
        scan, truth: Net encoding (t, 3, h, w).
        present: Of each frame; those that stand in are asked for nothing.

    Returns:
        Matte and weight, (t, 1, h, w).
    """
    change = np.abs(scan - truth).max(axis=1)
    matte, weight = np.zeros_like(change), np.ones_like(change)
    for index, plane in enumerate(change):
        candidate = plane > VISIBLE
        weight[index][(plane > FAINT) & ~candidate] = 0.0
        if not candidate.any():
            continue
        _, labels, stats, _ = cv2.connectedComponentsWithStats(candidate.astype(np.uint8), connectivity=8)
        strong = np.zeros(len(stats), bool)
        strong[labels[candidate & (plane > VISIBLE + STANDS_OUT * _texture(truth[index]))]] = True
        of_mark = np.clip(np.sqrt(MIDDLING_AREA / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)), 0.25, 2.5) * strong
        weight[index][candidate] = of_mark[labels[candidate]]
        matte[index] = candidate & strong[labels]
    weight[~np.array(present)] = 0.0
    return matte[:, None], weight[:, None]


def _texture(truth: Net) -> Linear:
    """Root mean square of what is finer than about 3 px, over 9 x 9 px, net units: grain and detail, (h, w)."""
    luma = truth.mean(axis=0)
    fine = luma - cv2.GaussianBlur(luma, (0, 0), 1.5)
    return np.asarray(np.sqrt(np.maximum(cv2.blur(fine * fine, (9, 9)), 0.0)), np.float32)


def _net(linear: Linear) -> Net:
    return np.ascontiguousarray(np.moveaxis(encode_net(np.asarray(linear, np.float32)), 2, 0))


@dataclass(frozen=True, kw_only=True)
class _Ends:
    """Where a shot begins or ends inside a window.

    Attributes:
        source: Frame that stands at each place.
        present: False where it stands in.
        foreign: Places that show another shot unnoticed.
    """

    source: tuple[int, ...]
    present: tuple[bool, ...]
    foreign: tuple[int, ...] = ()


def _ends(rng: np.random.Generator) -> _Ends:
    chance, at, after = rng.random(), int(rng.integers(1, FRAMES)), rng.random() < 0.5
    everything = tuple(range(FRAMES))
    if chance > 0.16:
        return _Ends(source=everything, present=(True,) * FRAMES)
    beyond = tuple(range(at, FRAMES) if after else range(FRAMES - at))
    if chance < 0.03:
        return _Ends(source=everything, present=(True,) * FRAMES, foreign=beyond)
    nearest = at - 1 if after else FRAMES - at
    return _Ends(
        source=tuple(nearest if index in beyond else index for index in everything),
        present=tuple(index not in beyond for index in everything),
    )


def without_some_evidence(sample: Sample, rng: np.random.Generator, recipe: Recipe) -> Sample:
    """Evidence fails in life: without it the single frame must do."""
    seen = sample.evidence.clone()
    if rng.random() < recipe.evidence_off:
        seen[:] = 0
        return replace(sample, evidence=seen)
    for side in (0, 1):
        if rng.random() < recipe.neighbour_off:
            seen[:, of_side(side)] = 0
    return replace(sample, evidence=seen)


def _overview(whole: Linear) -> Net:
    return np.round(_net(whole) * 32) / np.float32(32)
