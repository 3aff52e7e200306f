"""One forward pass through the networks and what it costs."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from ..restorers.frdm.base import bases
from ..restorers.frdm.guidance import Guidance
from ..restorers.frdm.network import FrdmNet
from ..restorers.frdm.sampler import KAPPA
from .batches import Batch
from .losses import matte_loss, motion_of
from .task import Losses

LEARNED_SIGMAS = (1.0, 0.75, 0.5, 0.25)
"""Points of the bridge that are learned: the sampler's own and the ones between."""
PICTURE = 10.0
"""Weight of the picture's loss, net units."""
KIND = 0.1


def objective(network: FrdmNet, batch: Batch, *, sampler: bool, noise: torch.Generator) -> Losses:
    """Matte and kind; or, with `sampler`, one random step of the bridge for one frame of each window.

    Args:
        network: In training mode. With `sampler` the guidance branch is asked and not taught.
        batch: On the network's device.
        sampler: Which of the two learns.
        noise: Decides frames, steps and noise; on the CPU.
    """
    with torch.set_grad_enabled(not sampler):
        guidance = network.guide(batch.scan, batch.evidence, batch.present, batch.overview, batch.box)
    if sampler:
        terms = {"clean": PICTURE * _bridge_loss(network, batch, guidance, noise)}
    else:
        matte, weight = batch.matte.flatten(0, 1), batch.weight.flatten(0, 1)
        motion = motion_of(batch.truth).flatten(0, 1)
        terms = {
            "matte": matte_loss(guidance.matte_logits.flatten(0, 1), matte, weight, motion),
            "kind": KIND * _kind_loss(guidance.class_logits.flatten(0, 1), batch.kind.flatten(0, 1)),
        }
    return Losses.of(**terms)


def _kind_loss(logits: Float[Tensor, "bt k h w"], kind: Int[Tensor, "bt h w"]) -> Float[Tensor, ""]:
    marked = kind >= 0
    if not bool(marked.any()):
        return logits.sum() * 0.0
    return functional.cross_entropy(logits.movedim(1, -1)[marked], kind[marked])


def _bridge_loss(network: FrdmNet, batch: Batch, guidance: Guidance, noise: torch.Generator) -> Float[Tensor, ""]:
    """Error inside the holes, where the base stands that the restorer would start from.

    Half of the time the whole damage is known, as from a defect map; else it is what the matte finds, false alarms
    included: there the sampler learns to give the scan back.
    """
    device = batch.scan.device
    windows = torch.arange(batch.scan.shape[0], device=device)
    damage = batch.matte.sum(dim=(2, 3, 4)).cpu() + 1.0
    frames = torch.multinomial(damage, 1, generator=noise)[:, 0].to(device)
    base, trust, inside = _bases(batch, guidance, frames, noise)
    choice = torch.randint(len(LEARNED_SIGMAS), (len(windows),), generator=noise)
    sigma = torch.tensor(LEARNED_SIGMAS)[choice].to(device)
    scan, truth = (part[windows, frames] for part in (batch.scan, batch.truth))
    drawn = torch.randn(scan.shape, generator=noise).to(device)
    step = sigma[:, None, None, None]
    walked = (1.0 - step) * truth + step * (base + KAPPA * drawn)
    x = torch.where(inside, walked, scan)
    clean = network.denoise(x, sigma, scan, base, inside.float(), trust, guidance.features_of(windows, frames))
    return ((clean - truth).abs() * inside).sum() / (3.0 * inside.sum()).clamp_min(1.0)


@torch.no_grad()
def _bases(
    batch: Batch, guidance: Guidance, frames: Int[Tensor, b], noise: torch.Generator
) -> tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b 1 h w"], Bool[Tensor, "b 1 h w"]]:
    """Picture, trust and hole of one frame of each window."""
    confidence = guidance.matte_logits.float().sigmoid()
    known = (torch.rand(len(frames), generator=noise) < 0.5).to(confidence.device)
    confidence = torch.maximum(confidence, batch.matte * known[:, None, None, None, None])
    found = [
        next(bases(window, matte, present, [int(frame)], coarse=False))
        for window, matte, present, frame in zip(batch.scan, confidence, batch.present, frames, strict=True)
    ]
    picture, trust, inside = (
        torch.cat([getattr(base, name) for base in found]) for name in ("picture", "trust", "inside")
    )
    return picture, trust, inside
