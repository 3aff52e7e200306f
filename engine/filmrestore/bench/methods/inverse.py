"""svi against plain conjugate gradients and ADMM-TV on blends of frames, alone and with a second operator on top."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product

import msgspec
import torch
from jaxtyping import Float
from torch import Tensor

from ...frame import Box
from ...restorers.frdm.fill import fill
from ...restorers.prior import load_prior
from ...restorers.prior.consistency import IDENTITY, Map, Operator, masked, project
from ...restorers.prior.draws import shared_draws
from ...restorers.prior.encoding import Range
from ...restorers.prior.model import Prior
from ...restorers.svi.balanced import Effort, balanced
from ...restorers.svi.evidence import Evidence, finest
from ...restorers.svi.operators import along_frame, along_time, averages, gaussian, psf_matrix, uniform
from ...restorers.svi.sampler import solve
from ...settings import RestoreSettings
from .. import BenchOptions
from ..figures import Figures
from ..rows import code_digest
from .blocks import Block
from .cells import kept
from .comparison import Sample, compared_block
from .grid import Progress
from .rows import lacks
from .scenes import as_display, as_volume, likeness, scene
from .tv import admm_tv

EDGE, FULL_EDGE = 96, 256
FRAMES = 16
CLIPS, FULL_CLIPS = {"juggle": 104}, {"juggle": 104, "dog": 48}
"""Clips that are measured -> their first frame."""
HELD_OUT, HELD_OUT_EDGE = ("dashcam", 60), 48
"""What ADMM-TV's weights are chosen on."""

MEASURING = (
    *(f"bench/methods/{module}" for module in ("inverse", "scenes", "tv")),
    *("bench/light", "colour", "metrics", "restorers/svi", "restorers/prior"),
)
"""Code that the figures depend on."""

INNER = 5
"""Conjugate gradients in a step of svi."""
CLOSING = 500
"""After its last step."""
WEIGHTS, PENALTIES = (1e-5, 1e-4, 1e-3), (0.01, 0.1, 1.0)
PUBLISHED = (1e-3, 1.0)
"""lambda and rho of the paper, chosen there by eye."""

ROWS = ("svi, as published", "svi, as published, closed", "svi")
"""The sampler alone, with conjugate gradients after it, and what the settings do by default."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """An operator and how svi as published takes it.

    Attributes:
        psf: Along time.
        then: What comes on top: "", "blur", "reduce" or "hide".
        steps, eta: Of svi as published.
        bits: What is measured is rounded to; 0 leaves it as it is.
        paper: PSNR and SSIM of svi and of ADMM-TV in the paper.
    """

    psf: tuple[float, ...]
    then: str = ""
    steps: int = 20
    eta: float = 0.15
    bits: int = 0
    paper: Mapping[str, str] = field(default_factory=dict)


def _spatial(then: str, svi: str, tv: str) -> Case:
    return Case(psf=uniform(7), then=then, steps=100, eta=0.8, paper={ROWS[0]: svi, "ADMM-TV, published": tv})


CASES = {
    "uniform-7": Case(psf=uniform(7), paper={ROWS[0]: "43.16, .992", "ADMM-TV, published": "24.46, .744"}),
    "uniform-13": Case(psf=uniform(13), paper={ROWS[0]: "39.69, .984", "ADMM-TV, published": "23.57, .697"}),
    "Gaussian": Case(psf=gaussian(1.0), paper={ROWS[0]: "34.25, .959", "ADMM-TV, published": "26.76, .826"}),
    "uniform-7, rounded to 10 bits": Case(psf=uniform(7), bits=10),
    "uniform-7, blur": _spatial("blur", "27.77, .810", "22.76, .638"),
    "uniform-7, a quarter of the size": _spatial("reduce", "25.71, .724", "22.09, .592"),
    "uniform-7, half of the pixels hidden": _spatial("hide", "29.45, .877", "22.53, .663"),
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A clip that went through an operator, net encoding.

    Attributes:
        truth: Before.
        values: y = A truth: no noise.
        operator: A.
        start: y as pictures of the truth's size: what is shown as the input, and where solvers start.
    """

    truth: Float[Tensor, "t 3 h w"]
    values: Tensor
    operator: Operator
    start: Float[Tensor, "t 3 h w"]


Solver = Callable[[Measured, Case], Tensor]


def measured_through(case: Case, truth: Float[Tensor, "t 3 h w"]) -> Measured:
    """The case's operator on a clip."""
    count, _, height, width = truth.shape
    on_top, shown = _on_top(case.then, count, height, width)
    operator = along_time(psf_matrix(case.psf, count)).then(on_top)
    values = operator.forward(truth)
    if case.bits:
        white = 2**case.bits - 1
        values = (values * white).round() / white
    return Measured(truth=truth, values=values, operator=operator, start=shown(values))


def _on_top(then: str, count: int, height: int, width: int) -> tuple[Operator, Map]:
    """What comes on top of a blend, and how what is measured is shown at the truth's size."""
    if then == "blur":
        soft = gaussian(2.0)
        return along_frame(psf_matrix(soft, height), psf_matrix(soft, width)), IDENTITY.forward
    if then == "reduce":
        shrink = along_frame(averages(0, height, 4), averages(0, width, 4))
        return shrink, lambda y: 16 * shrink.adjoint(y)
    if then == "hide":
        keep = (torch.rand(count, 1, height, width, generator=torch.Generator().manual_seed(7)) < 0.5).float()
        return masked(keep), lambda y: fill(y, 1 - keep)
    return IDENTITY, IDENTITY.forward


def conjugate_gradients(rounds: Callable[[Case], int]) -> Solver:
    """From the input, so many."""
    return lambda seen, case: project(seen.start, seen.values, seen.operator, rounds(case))


def total_variation(weight: float, penalty: float) -> Solver:
    """ADMM-TV with these weights."""
    return lambda seen, case: admm_tv(seen.values, seen.operator, weight=weight, penalty=penalty)


def as_published(prior: Prior, closing: int = 0) -> Solver:
    """svi's sampler, with so many conjugate gradients after its last step."""

    def solver(seen: Measured, case: Case) -> Tensor:
        count, _, height, width = seen.truth.shape
        evidence = _evidence(seen)
        drawn = solve(
            prior,
            lambda estimate: evidence.agreed(estimate.cpu(), INNER).to(prior.device),
            _span(seen, prior),
            shared_draws(0, count, Box(x0=0, y0=0, x1=width, y1=height), prior.device),
            steps=case.steps,
            eta=case.eta,
        ).picture.cpu()
        return evidence.closed(drawn, closing, _rounding(case)) if closing else drawn

    return solver


def by_default(prior: Prior) -> Solver:
    """svi as its settings have it."""
    effort = Effort.of(RestoreSettings())

    def solver(seen: Measured, case: Case) -> Tensor:
        noise = finest(seen.values, torch.ones_like(seen.values[:, :1])) if case.then == "blur" else _rounding(case)
        asked = prior if case.then in ("blur", "reduce") else None
        return balanced(_evidence(seen), seen.start, effort, noise=noise, prior=asked, span=_span(seen, prior)).picture

    return solver


def _rounding(case: Case) -> float:
    """Deviation of the error that rounding leaves."""
    return 12**-0.5 / (2**case.bits - 1) if case.bits else 0.0


def _evidence(seen: Measured) -> Evidence:
    return Evidence(operator=seen.operator, values=seen.values, light=False)


def _span(seen: Measured, prior: Prior) -> Range:
    return Range(Range.around(seen.start, torch.zeros_like(seen.start[:, :1])).shift.to(prior.device))


def solved(seen: Measured, case: Case, solver: Solver) -> Figures:
    """How like the truth a solution is, and its seconds."""
    began = time.process_time()
    with torch.inference_mode():
        volume = solver(seen, case)
    seconds = time.process_time() - began
    return likeness(as_display(volume), as_display(seen.truth), seconds)


class Tuned(msgspec.Struct, frozen=True):
    """ADMM-TV's lambda and rho for a case."""

    weight: float
    penalty: float


def tuned(case: Case, truth: Float[Tensor, "t 3 h w"]) -> Tuned:
    """Those of the grid with the best PSNR on this clip."""
    seen = measured_through(case, truth)
    grid = list(product(WEIGHTS, PENALTIES))
    scores = [solved(seen, case, total_variation(*pair)).psnr.mean for pair in grid]
    return Tuned(*grid[scores.index(max(scores))])


def compared(options: BenchOptions, progress: Progress | None = None) -> Block:
    """Every solver on every case; the clips are other ones than that which ADMM-TV's weights are chosen on."""
    edge = FULL_EDGE if options.full else EDGE
    frames = options.frames or FRAMES
    lacking = lacks("svi")
    prior = None if lacking else load_prior(torch.device(options.device))
    code = code_digest(*MEASURING)
    weights = _all_weights(frames, options, code, progress)
    volumes = {
        clip: as_volume(scene(options.bench_dir, clip, first, frames, edge))
        for clip, first in (FULL_CLIPS if options.full else CLIPS).items()
    }

    def solver_of(row: str, name: str) -> Solver:
        if row in ROWS:
            assert prior is not None
            ours = (as_published(prior), as_published(prior, CLOSING), by_default(prior))
            return dict(zip(ROWS, ours, strict=True))[row]
        chosen = weights[name]
        return {
            "input": lambda seen, case: seen.start,
            "conjugate gradients, 5": conjugate_gradients(lambda case: INNER),
            "conjugate gradients, as many as svi": conjugate_gradients(lambda case: INNER * case.steps),
            "ADMM-TV, published": total_variation(*PUBLISHED),
            "ADMM-TV, tuned": total_variation(chosen.weight, chosen.penalty),
        }[row]

    def make(row: str, name: str, clip: str) -> Figures:
        return solved(measured_through(CASES[name], volumes[clip]), CASES[name], solver_of(row, name))

    samples = [
        Sample(
            case=name,
            row=row,
            clip=clip,
            version=f"{code} {prior.digest if prior and row in ROWS else weights[name]}",
            seconds=_rough_s(row, CASES[name]) * frames / 16 * (edge / 96) ** 2,
        )
        for name in CASES
        for clip in volumes
        for row in (*PEERS, *(ROWS if prior else ()))
    ]
    told = ", ".join(f"{name} {pair.weight:g}, {pair.penalty:g}" for name, pair in weights.items())
    return compared_block(
        "svi",
        "### svi against conjugate gradients and ADMM-TV",
        f"{frames} frames of {edge} px of whole scenes ({', '.join(volumes)}), net encoding, no noise, as in the paper "
        "(16 frames of 256 px, a prior of ImageNet that is a hundred times as large). ADMM-TV: 30 rounds of 20 "
        "conjugate gradients from zeros as published; lambda, rho *published* (.001, 1), and *tuned* by PSNR on "
        f"{HELD_OUT_EDGE} px of {HELD_OUT[0]}, which is not measured: {told}.",
        [lacking] if lacking else [],
        samples,
        {(name, row): words for name, case in CASES.items() for row, words in case.paper.items()},
        make,
        options,
        progress,
    )


PEERS = (
    "input",
    "conjugate gradients, 5",
    "conjugate gradients, as many as svi",
    "ADMM-TV, published",
    "ADMM-TV, tuned",
)


def _rough_s(row: str, case: Case) -> float:
    """Of one core, for 16 frames of 96 px."""
    if row in ROWS:
        return 15.0 if row == "svi" else 0.6 * case.steps
    return 8.0 if row.startswith("ADMM") else 2.0


def _all_weights(frames: int, options: BenchOptions, code: str, progress: Progress | None) -> dict[str, Tuned]:
    found: dict[str, Tuned] = {}
    for name, case in CASES.items():
        if progress:
            progress("svi against its paper: weights of ADMM-TV, about 2 min of one core", len(found), len(CASES))
        found[name] = _kept_weights(name, case, frames, options, code)
    return found


def _kept_weights(name: str, case: Case, frames: int, options: BenchOptions, code: str) -> Tuned:
    clip, first = HELD_OUT
    path = options.out_dir / "claims" / "svi" / "weights" / f"{name}.json"
    return kept(
        path,
        f"{frames} frames, code {code}",
        Tuned,
        lambda: tuned(case, as_volume(scene(options.bench_dir, clip, first, frames, HELD_OUT_EDGE))),
    )
