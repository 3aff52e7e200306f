"""What a network says of a validation sample."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..motion import evidence
from ..restorers.frdm.base import bases
from ..restorers.frdm.calibration import Calibration
from ..restorers.frdm.guidance import Guidance
from ..restorers.frdm.network import FrdmNet
from ..restorers.frdm.sampler import sample_bridge
from ..restorers.frdm.scales import halved, joined
from ..restorers.frdm.view import padded
from .batches import stack
from .validation import Answer
from .windows import Sample


def guidance_of(network: FrdmNet, sample: Sample) -> Guidance:
    """The guidance branch's answer to one sample, a batch of one; its logits are those of both its looks."""
    batch = stack([sample])
    small = halved(sample.scan)
    seen = torch.from_numpy(evidence(small.numpy(), sample.present, seconds=True)) * bool(sample.evidence.any())
    with torch.no_grad():
        guidance = network.guide(batch.scan, batch.evidence, batch.present, batch.overview, batch.box)
        half = network.guide(padded(small)[None], padded(seen)[None], batch.present, batch.overview, batch.box)
    return replace(guidance, matte_logits=joined(guidance.matte_logits[0], half.matte_logits[0])[None])


def network_answer(network: FrdmNet, calibration: Calibration | None = None, *, sampler: bool = False) -> Answer:
    """Matte and picture of a network.

    Args:
        network: In evaluation mode, on the CPU.
        calibration: Of the matte; None takes the logits as they are.
        sampler: Whether the bridge finishes the base.
    """

    @torch.no_grad()
    def answer(sample: Sample) -> tuple[Tensor, Tensor]:
        guidance = guidance_of(network, sample)
        logits, kinds = guidance.matte_logits[0], guidance.class_logits[0]
        matte = calibration.confidence(logits, kinds) if calibration else logits.sigmoid()
        present, frames = torch.tensor(sample.present), range(len(sample.scan))
        found = list(bases(sample.scan, matte, present, frames, coarse=False))
        base, trust, inside = (
            torch.cat([getattr(one, name) for one in found]) for name in ("picture", "trust", "inside")
        )
        if not sampler:
            return matte, base
        features = guidance.features_of(torch.zeros(len(base), dtype=torch.int64), torch.arange(len(base)))
        drawn = torch.randn(base.shape, generator=torch.Generator().manual_seed(0))

        def model(x: Tensor, sigma: Tensor) -> Tensor:
            return network.denoise(x, sigma, sample.scan, base, inside.float(), trust, features)

        return matte, sample_bridge(model, sample.scan, base, inside, drawn)

    return answer
