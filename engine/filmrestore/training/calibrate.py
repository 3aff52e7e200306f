"""Fits the matte's confidences to what is true on held-out windows: of pixels by kind, and of whole marks."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..restorers.frdm.calibration import Calibration
from ..restorers.frdm.network import FrdmNet
from ..restorers.frdm.restorer import two_sided
from .answers import guidance_of
from .batches import CLASSES
from .windows import Sample

PIXELS_OF_SAMPLE = 8000
PULL = 1e-3
"""Weight of the square of each parameter's distance from leaving the logits as they are."""
KNOTS = (0.25, 0.4, 0.55, 0.7, 0.8, 0.88, 0.93, 0.96, 0.98, 0.99)
"""Confidences of a mark's strongest pixel; the first is where defects end (`nodes.composite`)."""


def fit_calibration(network: FrdmNet, samples: Iterable[Sample]) -> dict[str, dict[str, float]]:
    """The "calibration" of a model card, as `Calibration.from_card` reads it.

    Args:
        network: In evaluation mode.
        samples: Held out, and not the ones that figures are measured on.

    Source: temperature scaling, Guo et al. 2017, with Platt's shift, mixed by kind as the restorer mixes them.
    """
    logits, kinds, truth = _pixels(network, samples)
    scale = torch.ones(len(CLASSES), requires_grad=True)
    shift = torch.zeros(len(CLASSES), requires_grad=True)
    optimizer = torch.optim.LBFGS([scale, shift], max_iter=60, line_search_fn="strong_wolfe")

    def cost() -> Tensor:
        optimizer.zero_grad()
        fitted = logits * (kinds @ scale) + kinds @ shift
        loss = functional.binary_cross_entropy_with_logits(fitted, truth)
        loss = loss + PULL * ((scale - 1).square().sum() + shift.square().sum())
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(cost)  # type: ignore[no-untyped-call]
    scales, shifts = scale.detach().tolist(), shift.detach().tolist()
    return {
        kind: {"temperature": round(1 / max(scales[index], 0.05), 4), "shift": round(shifts[index], 4)}
        for index, kind in enumerate(CLASSES)
    }


def fit_marks(calibration: Calibration, network: FrdmNet, samples: Iterable[Sample]) -> list[tuple[float, float]]:
    """The "marks" of a card's calibration: for each of `KNOTS`, how many marks with such a strongest pixel are damage.

    A mark is what hangs together at the least of these, in frames that have neighbours on both sides; it is damage if
    half of it is, and none if it touches nothing that could be. Each counts for the two knots that it lies between, by
    how near it is; shares never fall from one to the next. The first knot stays as it is: it says where marks end.

    Args:
        calibration: Of the pixels.
        network: In evaluation mode.
        samples: As for `fit_calibration`.
    """
    knots = np.array([*KNOTS, 1.0])
    counts, true = np.zeros((2, len(knots)))
    for sample in samples:
        said = guidance_of(network, sample)
        confidence = calibration.confidence(said.matte_logits[0], said.class_logits[0])[:, 0].numpy()
        damaged, unclear = sample.matte[:, 0].numpy() > 0, sample.weight[:, 0].numpy() == 0
        for index in torch.nonzero(two_sided(torch.tensor(sample.present))).flatten().tolist():
            strongest, right, wrong = _marks(confidence[index], damaged[index], unclear[index])
            for place in range(len(knots)):
                near = np.interp(strongest, knots, np.eye(len(knots))[place])
                counts[place] += near[right | wrong].sum()
                true[place] += near[right].sum()
    # As if each knot had seen one mark more, which was damage as often as its confidence says.
    shares = np.maximum.accumulate([knots[0], *((true + knots) / (counts + 1))[1:]])
    return [(float(knot), round(float(share), 4)) for knot, share in zip(KNOTS, shares[:-1], strict=True)]


def _marks(
    confidence: NDArray[np.float32], damaged: NDArray[np.bool_], unclear: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """The strongest pixel of each mark, whether it is damage, and whether it is none."""
    count, labels = cv2.connectedComponents((confidence >= KNOTS[0]).astype(np.uint8), connectivity=8)
    strongest = np.zeros(count, np.float32)
    np.maximum.at(strongest, labels.ravel(), confidence.ravel())
    sizes, on, touched = (
        np.bincount(labels[where], minlength=count) for where in (labels >= 0, damaged, damaged | unclear)
    )
    return strongest[1:], 2 * on[1:] >= sizes[1:], touched[1:] == 0


def fit_one(pixels: Iterable[tuple[Float[Tensor, n], Float[Tensor, n]]]) -> dict[str, float]:
    """The "calibration" of a card with one temperature and one shift, as `Calibrated.from_card` reads it.

    Args:
        pixels: Logits of a matte head and truth, 1 where the pixel is damaged, of some of each held-out window's.
    """
    logits, truth = (torch.cat(parts) for parts in zip(*pixels, strict=True))
    scale, shift = torch.ones(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([scale, shift], max_iter=60, line_search_fn="strong_wolfe")

    def cost() -> Tensor:
        optimizer.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(logits * scale + shift, truth)
        loss = loss + PULL * ((scale - 1).square() + shift.square()).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(cost)  # type: ignore[no-untyped-call]
    return {"temperature": round(1 / max(float(scale.detach()), 0.05), 4), "shift": round(float(shift.detach()), 4)}


def some(
    logits: Float[Tensor, "t 1 h w"], truth: Float[Tensor, "t 1 h w"], weight: Float[Tensor, "t 1 h w"], seed: int
) -> tuple[Float[Tensor, n], Float[Tensor, n]]:
    """Logits and truth of pixels drawn evenly from those that an answer is asked for, the same for the same seed; none
    of a sample in which no answer is."""
    asked = (weight > 0).flatten().nonzero()[:, 0]
    count = PIXELS_OF_SAMPLE if len(asked) else 0
    picked = asked[torch.randint(max(1, len(asked)), (count,), generator=torch.Generator().manual_seed(seed))]
    return logits.flatten()[picked], truth.flatten()[picked]


def _pixels(
    network: FrdmNet, samples: Iterable[Sample]
) -> tuple[Float[Tensor, n], Float[Tensor, "n k"], Float[Tensor, n]]:
    """Logit, likelihood of each kind and truth of pixels drawn evenly from all samples."""
    chosen: list[tuple[Tensor, Tensor, Tensor]] = []
    generator = torch.Generator().manual_seed(0)
    for sample in samples:
        guidance = guidance_of(network, sample)
        asked = (sample.weight > 0).flatten().nonzero()[:, 0]
        picked = asked[torch.randint(len(asked), (PIXELS_OF_SAMPLE,), generator=generator)]
        likely = guidance.class_logits[0].softmax(dim=1).movedim(1, 3).flatten(0, 2)
        chosen.append((guidance.matte_logits.flatten()[picked], likely[picked], sample.matte.flatten()[picked]))
    logits, kinds, truth = (torch.cat(parts) for parts in zip(*chosen, strict=True))
    return logits, kinds, truth
