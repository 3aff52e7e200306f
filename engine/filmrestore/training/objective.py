"""One forward pass through the networks and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from ..restorers.frdm.guidance import Guidance
from ..restorers.frdm.network import FrdmNet
from ..restorers.frdm.sampler import KAPPA
from .batches import Batch
from .losses import harm_loss, matte_loss, motion_of, picture_loss

LEARNED_SIGMAS = (1.0, 0.75, 0.5, 0.25)
"""Points of the bridge that are learned: the sampler's own and the ones between."""
PICTURE = 10.0
"""Weight of a picture's loss: errors in net units are an order smaller than the matte's loss."""
HARM = 5.0
KIND = 0.1


@dataclass(frozen=True, kw_only=True)
class Losses:
    """What one batch cost: the sum to go down on, and its parts for the curve."""

    total: Float[Tensor, ""]
    figures: dict[str, float]


def objective(network: FrdmNet, batch: Batch, *, sampler: bool, noise: torch.Generator) -> Losses:
    """Matte, base, kind, and with `sampler` one random step of the bridge for one frame of each window.

    Args:
        network: In training mode.
        batch: On the network's device.
        sampler: Whether the denoiser learns too.
        noise: Decides frames, steps and noise; on the CPU.
    """
    guidance = network.guide(batch.scan, batch.evidence, batch.present, batch.overview, batch.box)
    matte, weight = batch.matte.flatten(0, 1), batch.weight.flatten(0, 1)
    motion = motion_of(batch.truth).flatten(0, 1)
    scan, truth, base = (part.flatten(0, 1) for part in (batch.scan, batch.truth, guidance.base))
    shown = torch.lerp(scan, base, guidance.matte_logits.flatten(0, 1).sigmoid())
    terms = {
        "matte": matte_loss(guidance.matte_logits.flatten(0, 1), matte, weight, motion),
        "base": PICTURE * picture_loss(base, truth, matte),
        "harm": HARM * harm_loss(shown, truth, matte),
        "kind": KIND * _kind_loss(guidance.class_logits.flatten(0, 1), batch.kind.flatten(0, 1)),
    }
    if sampler:
        terms["clean"] = PICTURE * _bridge_loss(network, batch, guidance, noise)
    total = torch.stack(list(terms.values())).sum()
    return Losses(total=total, figures={name: float(term.detach()) for name, term in terms.items()})


def _kind_loss(logits: Float[Tensor, "bt k h w"], kind: Int[Tensor, "bt h w"]) -> Float[Tensor, ""]:
    if not bool((kind >= 0).any()):
        return logits.sum() * 0.0
    return functional.cross_entropy(logits, kind, ignore_index=-1)


def _bridge_loss(network: FrdmNet, batch: Batch, guidance: Guidance, noise: torch.Generator) -> Float[Tensor, ""]:
    device = batch.scan.device
    windows = torch.arange(batch.scan.shape[0], device=device)
    damage = batch.matte.sum(dim=(2, 3, 4)).cpu() + 1.0
    frames = torch.multinomial(damage, 1, generator=noise)[:, 0].to(device)
    choice = torch.randint(len(LEARNED_SIGMAS), (len(windows),), generator=noise)
    sigma = torch.tensor(LEARNED_SIGMAS)[choice].to(device)
    scan, truth, matte, base = (part[windows, frames] for part in (batch.scan, batch.truth, batch.matte, guidance.base))
    drawn = torch.randn(scan.shape, generator=noise).to(device)
    base = base.detach()
    step = sigma[:, None, None, None]
    walked = (1.0 - step) * truth + step * (base + KAPPA * drawn)
    wider = int(torch.randint(3, (1,), generator=noise))
    inside = functional.max_pool2d(matte, 2 * wider + 1, stride=1, padding=wider)  # a detected matte is never exact
    x = torch.where(inside > 0, walked, scan)
    clean = network.denoise(x, sigma, scan, base, inside, guidance.features_of(windows, frames))
    return picture_loss(clean, truth, matte)
