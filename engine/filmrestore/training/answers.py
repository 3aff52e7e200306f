"""What a network says of a validation sample."""

from __future__ import annotations

import torch
from torch import Tensor

from ..restorers.frdm.calibration import Calibration
from ..restorers.frdm.guidance import Guidance
from ..restorers.frdm.network import FrdmNet
from ..restorers.frdm.sampler import sample_bridge
from .batches import stack
from .validation import Answer
from .windows import Sample


def guidance_of(network: FrdmNet, sample: Sample) -> Guidance:
    """The guidance branch's answer to one sample, a batch of one."""
    batch = stack([sample])
    with torch.no_grad():
        return network.guide(batch.scan, batch.evidence, batch.present, batch.overview, batch.box)


def network_answer(
    network: FrdmNet, calibration: Calibration | None = None, *, sampler: bool = False, inside: float = 0.25
) -> Answer:
    """Matte and picture of a network.

    Args:
        network: In evaluation mode, on the CPU.
        calibration: Of the matte; None takes the logits as they are.
        sampler: Whether the bridge finishes the base estimate.
        inside: Confidence from which the bridge works on a pixel.
    """

    @torch.no_grad()
    def answer(sample: Sample) -> tuple[Tensor, Tensor]:
        guidance = guidance_of(network, sample)
        logits, base = guidance.matte_logits[0], guidance.base[0]
        matte = calibration.confidence(logits, guidance.class_logits[0]) if calibration else logits.sigmoid()
        if not sampler:
            return matte, base
        windows = torch.zeros(len(base), dtype=torch.int64)
        features = guidance.features_of(windows, torch.arange(len(base)))
        drawn = torch.randn(base.shape, generator=torch.Generator().manual_seed(0))

        def model(x: Tensor, sigma: Tensor) -> Tensor:
            return network.denoise(x, sigma, sample.scan, base, matte, features)

        return matte, sample_bridge(model, sample.scan, base, matte >= inside, drawn)

    return answer
