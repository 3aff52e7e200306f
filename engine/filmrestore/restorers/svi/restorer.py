"""The svi restorer: a window's patch as one inverse problem, solved on the prior."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...colour import decode_net
from ...frame import Box
from ...settings import RestoreSettings
from ..base import Context, Origin, Restored
from ..frdm.fill import fill
from ..frdm.view import contained
from ..prior.consistency import masked
from ..prior.draws import shared_draws
from ..prior.encoding import Range
from ..prior.model import Prior
from ..prior.regions import regions
from . import FACTS
from .balanced import Effort, balanced, denoised
from .evidence import Evidence, finest
from .missing import bridged, lost_frames
from .problem import TEMPORAL, Problem, problem_for, seen_rows
from .psf import psf_from_grain, refined_psf
from .sampler import Solved, agree_masked, solve

MASKS = ("mask", "missing")
"""Operators that only hide pixels."""
BRIDGED = 0.1
"""Noise that the prior is told lies where neighbours contradict each other, against its range of -1..1: torn edges."""
BLIND = 0.05
"""The same of a volume that a PSF is refined from."""


class SviRestorer:
    """Implements `filmrestore.restorers.base.Restorer`.

    Args:
        prior: Of clean film.
        device: Where it runs.
    """

    def __init__(self, prior: Prior, device: torch.device) -> None:
        self.facts = FACTS
        self.device = device
        self.backend = "torch"
        self.precision = prior.precision
        self.weights_hash = hashlib.sha256(f"svi {prior.digest}".encode()).hexdigest()
        self._prior = prior

    @torch.inference_mode()
    def __call__(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Restored:
        """See `Restorer`: answers for the middle `keep` frames."""
        assert len(window) == self.facts.window == len(context.present)
        finite = torch.isfinite(window).all(dim=1, keepdim=True)
        window = contained(window, finite)
        known = finite.float()
        if context.matte is not None:
            known = known * (context.matte <= 0.5)
        first = (self.facts.window - self.facts.keep) // 2
        kept = range(first, first + self.facts.keep)
        if context.settings.operator in MASKS:
            answers = [self._filled(window, known, index, context) for index in kept]
        else:
            answers = self._undone(window, known, kept, context)
        matte, origin = (torch.stack([answer[place] for answer in answers]) for place in (1, 2))
        matte = matte * finite[kept.start : kept.stop]
        if context.matte is not None:
            given = context.matte[kept.start : kept.stop] * finite[kept.start : kept.stop]
            matte = torch.maximum(matte, given)
        picture = torch.stack([answer[0] for answer in answers])
        return Restored(picture=picture, matte=matte, origin=origin * (matte > 0))

    @torch.inference_mode()
    def guessed(self, picture: Float[Tensor, "3 h w"], seen: Bool[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
        """See `Rebuilder`: what the neighbours contradict each other on, as the prior finds it clean."""
        return _cleaned(self._prior, picture[None], seen[None, None].float())[0]

    def _filled(
        self, window: Float[Tensor, "t 3 h w"], known: Float[Tensor, "t 1 h w"], index: int, context: Context
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One frame with what is masked drawn anew: picture, matte, origin."""
        frame, keep = window[index : index + 1].clone(), known[index : index + 1]
        hole = keep < 0.5
        origin = torch.where(hole, int(Origin.GENERATED), int(Origin.INTERPOLATED)).to(torch.uint8)
        lost = lost_frames(1 - known) if context.settings.operator == "missing" else []
        seen = None
        if index in lost and context.settings.temporal_radius > 0:
            near = _within(index, context.settings.temporal_radius, len(window), context.present)
            there = tuple(context.present[place] and place in near for place in range(len(window)))
            seen = bridged(window, index, lost, there)
        if seen is not None:
            frame, keep = seen[0][None], seen[1][None]
            origin[keep > 0.5] = int(Origin.RECOVERED)
        elif bool(hole.any()):
            frame = torch.where(hole, fill(frame, hole.float()), frame)
        if context.settings.quality == "final":
            if seen is not None and context.settings.solver == "balanced":
                frame = _cleaned(self._prior, frame, keep)
            else:
                self._draw(frame, keep, context)
        elif seen is None:
            origin[hole] = int(Origin.INTERPOLATED)
        return frame[0], hole[0].float(), origin[0]

    def _draw(self, frame: Float[Tensor, "1 3 h w"], keep: Float[Tensor, "1 1 h w"], context: Context) -> None:
        """Draws what is not kept, in place, region by region. The noise is the same in every frame."""
        settings = context.settings
        span = Range.around(frame, 1 - keep)
        for part in regions(keep[0, 0] < 0.5, context.box):
            cut = (..., *part.slices)
            solved = solve(
                self._prior,
                agree_masked(frame[cut].to(self.device), keep[cut].to(self.device)),
                Range(span.shift[cut].to(self.device)),
                shared_draws(settings.seed, 1, _absolute(part, context.box), self.device),
                steps=settings.steps,
                eta=settings.fresh_noise,
            )
            frame[cut].copy_(solved.picture.cpu())

    def _undone(
        self, window: Float[Tensor, "t 3 h w"], known: Float[Tensor, "t 1 h w"], kept: range, context: Context
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """The kept frames with the operator undone; with a short radius each is solved from its own frames."""
        settings = context.settings
        known = known * seen_rows(context.present)
        radius = settings.temporal_radius if settings.operator in TEMPORAL else 0
        if radius >= self.facts.window // 2:
            there = [place for place in range(len(window)) if context.present[place]] or [kept.start]
            views = [list(range(there[0], there[-1] + 1))] * len(kept)
        else:
            views = [_within(index, radius, len(window), context.present) for index in kept]
        answers = []
        solved: tuple[list[int], Float[Tensor, "t 3 h w"] | None] = ([], None)
        for index, frames in zip(kept, views, strict=True):
            if frames != solved[0]:
                solved = (frames, self._volume(window[frames], known[frames], frames, context))
            answers.append(_answer(window, known, index, frames, solved[1], settings))
        return answers

    def _volume(
        self, scan: Float[Tensor, "t 3 h w"], known: Float[Tensor, "t 1 h w"], frames: list[int], context: Context
    ) -> Float[Tensor, "t 3 h w"] | None:
        """What the frames were before the operator; None where it does nothing to them."""
        settings, box = context.settings, context.box
        numbers = [context.frames[place] for place in frames]
        goes_on = (
            frames[0] == 0 or context.present[frames[0] - 1],
            frames[-1] == len(context.present) - 1 or context.present[frames[-1] + 1],
        )
        if settings.operator != "blind":
            problem = problem_for(settings, numbers, box, goes_on=goes_on)
            return problem.show(self._solved(scan, known, problem, context).picture) if problem.undone else None
        light = decode_net(scan) if settings.operator_light else scan
        psf: Sequence[float] = psf_from_grain(light)
        if len(psf) == 1 or len(numbers) == 1:
            return None
        problem = problem_for(settings, numbers, box, psf, goes_on)
        first = problem.show(self._solved(scan, known, problem, context).estimate)
        before = decode_net(first) if settings.operator_light else first
        psf = refined_psf(before, light, psf, len(psf) // 2 + 1)
        problem = problem_for(settings, numbers, box, psf, goes_on)
        return problem.show(self._solved(scan, known, problem, context).picture)

    def _solved(
        self, scan: Float[Tensor, "t 3 h w"], known: Float[Tensor, "t 1 h w"], problem: Problem, context: Context
    ) -> Solved:
        """The volume behind the scan's frames."""
        settings = context.settings
        start = problem.start(fill(scan, 1 - known))
        evidence = _evidence(problem, scan, known, settings)
        noise = max(settings.operator_noise, _noise(scan, known, settings))
        effort = Effort.of(settings)
        if settings.quality == "preview":
            return balanced(evidence, start, effort, noise=noise)
        span = Range(Range.around(start, torch.zeros_like(start[:, :1])).shift.to(self.device))
        with context.stage("denoise"):
            if settings.solver == "balanced":
                asked = self._prior if _space(settings) != "none" else None
                solved = balanced(evidence, start, effort, noise=noise, prior=asked, span=span)
                if asked is None and settings.operator == "blind":  # a volume that agrees finds the PSF it has
                    return replace(solved, estimate=denoised(self._prior, span, solved.estimate, BLIND))
                return solved
            drawn = solve(
                self._prior,
                lambda estimate: evidence.agreed(estimate.cpu(), settings.inner_steps).to(self.device),
                span,
                shared_draws(settings.seed, len(start), context.box, self.device),
                steps=settings.steps,
                eta=settings.fresh_noise,
            )
            picture = evidence.closed(drawn.picture.cpu(), settings.closing_steps, noise)
            return Solved(picture=picture, estimate=drawn.estimate.cpu())


def _cleaned(prior: Prior, frame: Float[Tensor, "1 3 h w"], keep: Float[Tensor, "1 1 h w"]) -> Tensor:
    """A frame made from its neighbours, with what is not kept as the prior finds it clean: estimated, not drawn."""
    span = Range(Range.around(frame, torch.zeros_like(keep)).shift.to(prior.device))
    return torch.where(keep > 0.5, frame, denoised(prior, span, frame, BRIDGED))


def _evidence(
    problem: Problem, scan: Float[Tensor, "t 3 h w"], known: Float[Tensor, "t 1 h w"], settings: RestoreSettings
) -> Evidence:
    """What the scan says, blind to what is not known."""
    weights = problem.weights(known)
    light = decode_net(scan) if settings.operator_light else scan
    return Evidence(
        operator=problem.operator.then(masked(weights)),
        values=weights * problem.measure(light),
        light=settings.operator_light,
    )


def _noise(scan: Float[Tensor, "t 3 h w"], known: Float[Tensor, "t 1 h w"], settings: RestoreSettings) -> float:
    """Noise that shows by itself: what is finer than a blur lets pass."""
    return finest(scan, known) if _space(settings) in ("blur", "focus") else 0.0


def _space(settings: RestoreSettings) -> str:
    """What acts within frames: where nothing does, neighbours know more than a prior of single frames."""
    return settings.operator_then if settings.operator in TEMPORAL else settings.operator


def _answer(
    window: Float[Tensor, "t 3 h w"],
    known: Float[Tensor, "t 1 h w"],
    index: int,
    frames: list[int],
    volume: Float[Tensor, "t 3 h w"] | None,
    settings: RestoreSettings,
) -> tuple[Tensor, Tensor, Tensor]:
    """Picture, matte and origin of one kept frame: all of it changed, or none."""
    unknown = known[index] < 0.5
    if volume is None or index not in frames or bool(unknown.all()):
        return window[index], torch.zeros_like(known[index]), torch.zeros_like(unknown, dtype=torch.uint8)
    seen = Origin.RECOVERED if settings.operator in TEMPORAL and len(frames) > 1 else Origin.INTERPOLATED
    origin = torch.where(unknown, int(Origin.GENERATED), int(seen)).to(torch.uint8)
    return volume[frames.index(index)], torch.ones_like(known[index]), origin


def _within(index: int, radius: int, count: int, present: tuple[bool, ...]) -> list[int]:
    """Frames within the radius that are there without a gap; the frame itself in any case."""
    first, last = index, index
    while first > max(0, index - radius) and present[first - 1]:
        first -= 1
    while last < min(count - 1, index + radius) and present[last + 1]:
        last += 1
    return list(range(first, last + 1))


def _absolute(part: Box, box: Box) -> Box:
    return replace(part, x0=box.x0 + part.x0, y0=box.y0 + part.y0, x1=box.x0 + part.x1, y1=box.y0 + part.y1)
