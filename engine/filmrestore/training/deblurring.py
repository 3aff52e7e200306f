"""What divd learns: the change that takes the blur of four frames away, step by step, and where there is blur."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache as once
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..colour import decode_net
from ..metrics import Error, Found, Share, found_pixels, harm
from ..restorers.divd.network import SIZES, DivdNet
from ..restorers.divd.sampler import LARGEST, LEARNED_STEPS, SCALE, STEPS, deblur, learning_schedule
from .blur import draw_blurred
from .calibrate import some
from .footage import Footage, open_footage
from .losses import matte_loss
from .method_job import Drawn, Method, Patches
from .objective import Losses

FRAMES = 4
ENDS = 0.12
"""Probability that the window's first or last frame is not there."""
FOUND = 0.25
"""Weight of the loss of where there is blur."""
SEED, SIZE = 90210, 192

STAGES = (Patches(share=0.7, size=96, draws=4), Patches(share=0.3, size=192, draws=1))
"""Published: crops of 144. These are whole attention windows of the small network."""


def new_network(**changes: Any) -> DivdNet:
    """The small network, with what differs from it."""
    net: DivdNet = DivdNet(**{**SIZES["divd-s"], **changes})
    return net


def draw(footage: Footage, seed: int, number: int, size: int, network: Mapping[str, Any]) -> Drawn:
    """One window."""
    frames = int(network.get("frames", FRAMES))
    window = draw_blurred(footage, seed, number, size, frames)
    rng = np.random.default_rng((seed, number, 3))
    source, present = np.arange(frames), np.ones(frames, np.bool_)
    if frames > 1 and rng.random() < ENDS:
        gone, stands_in = ((0, 1), (frames - 1, frames - 2))[int(rng.integers(2))]
        source[gone], present[gone] = stands_in, False
    names = ("scan", "truth", "matte", "weight")
    drawn = {name: torch.from_numpy(getattr(window, name)[source])[None] for name in names}
    return {**drawn, "present": torch.from_numpy(present)[None]}


@once
def _schedule(prediction: str) -> Any:
    return learning_schedule(prediction)


def loss(network: DivdNet, drawn: Drawn, noise: torch.Generator) -> Losses:
    """Squared error of the prediction at a random step of each window, and the blur's matte."""
    prediction: str = network.config.prediction
    schedule, scan, present = _schedule(prediction), drawn["scan"], drawn["present"]
    change = ((drawn["truth"] - scan) * SCALE).clamp(-LARGEST, LARGEST)
    steps = torch.randint(LEARNED_STEPS, (len(scan),), generator=noise).to(scan.device)
    pure = torch.randn(scan.shape, generator=noise).to(scan.device)
    told, logits = network(schedule.add_noise(change, pure, steps), scan, steps, present)
    wanted = schedule.get_velocity(change, pure, steps) if prediction == "v_prediction" else pure
    there = present[:, :, None, None, None].float()
    error = ((told - wanted).square() * there).sum() / (there.sum() * told[0, 0].numel())
    matte, weight = drawn["matte"].flatten(0, 1), (drawn["weight"] * there).flatten(0, 1)
    terms = {
        "noise": error,
        "matte": FOUND * matte_loss(logits.flatten(0, 1), matte, weight, torch.zeros_like(matte)),
    }
    total = torch.stack(list(terms.values())).sum()
    return Losses(total=total, figures={name: float(term.detach()) for name, term in terms.items()})


@torch.inference_mode()
def figures(network: DivdNet, data: Path, cache: Path, count: int) -> dict[str, Any]:
    """PSNR of a middle frame before and after, by one step and by all; blur found; sharp pixels that were harmed.

    The answer is laid over where blur was found, as the restore node does it.
    """
    footage = open_footage(data, cache, held_out=True)
    frames: int = network.config.frames
    middle, present = frames // 2, torch.ones(1, frames, dtype=torch.bool)
    errors = {"psnr_scan": Error(), "psnr_preview": Error(), "psnr": Error()}
    found, harmed = Found(), Share()
    for number in range(count):
        window = draw_blurred(footage, SEED, number, SIZE, frames)
        scan = torch.from_numpy(window.scan)[None]
        drawn = torch.randn(scan.shape, generator=torch.Generator().manual_seed(number))
        shown = [_display(scan[0, middle])]
        for steps in (1, STEPS):
            picture, logits = deblur(network, scan, present, drawn, prediction=network.config.prediction, steps=steps)
            shown.append(_display(torch.where(logits[0, middle] > 0, picture[0, middle], scan[0, middle])))
        truth = _display(torch.from_numpy(window.truth[middle]))
        for name, result in zip(errors, shown, strict=True):
            errors[name] += Error(float(np.square(result - truth, dtype=np.float64).sum()), truth.size)
        asked, mask = window.weight[middle, 0] > 0, window.matte[middle, 0] > 0
        found += found_pixels(logits[0, middle, 0].sigmoid().numpy() * asked, mask, 0.5)
        harmed += harm(shown[-1], truth, mask | ~asked)
    told = {name: error.psnr for name, error in errors.items()}
    told |= {"blur_recall": found.recall, "blur_precision": found.precision, "harm_percent": 100 * harmed.share}
    return {name: round(value, 4) if np.isfinite(value) else None for name, value in told.items()}


@torch.no_grad()
def pixels(network: DivdNet, data: Path, cache: Path, count: int) -> tuple[Float[Tensor, n], Float[Tensor, n]]:
    """What the matte is calibrated on: the logits of the sampler's last step."""
    footage = open_footage(data, cache, held_out=True)
    frames: int = network.config.frames
    present, chosen = torch.ones(1, frames, dtype=torch.bool), []
    for number in range(count):
        window = draw_blurred(footage, SEED + 1, number, SIZE, frames)
        scan = torch.from_numpy(window.scan)[None]
        drawn = torch.randn(scan.shape, generator=torch.Generator().manual_seed(number))
        _, logits = deblur(network, scan, present, drawn, prediction=network.config.prediction)
        chosen.append(some(logits[0], torch.from_numpy(window.matte), torch.from_numpy(window.weight), number))
    said, truth = zip(*chosen, strict=True)
    return torch.cat(said), torch.cat(truth)


def _display(net: Float[Tensor, "3 h w"]) -> np.ndarray[Any, np.dtype[np.float32]]:
    linear = decode_net(np.ascontiguousarray(net.numpy()))
    return np.moveaxis(np.clip(linear, 0.0, 1.0) ** np.float32(1 / 2.2), 0, 2)


METHOD = Method(new=new_network, stages=STAGES, draw=draw, loss=loss, figures=figures, pixels=pixels, rate=6e-4)
