"""What divd learns: the change that takes the blur of four frames away, step by step, and where there is blur."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...colour import decode_net
from ...metrics import Error, Found, Share, found_pixels, harm
from ...restorers.calibrated import Calibrated
from ...restorers.divd.network import DivdNet, new_net
from ...restorers.divd.sampler import LARGEST, SCALE, STEPS, deblur, learning_schedule, shown, taken_steps
from ..blur import BlurredWindow, draw_blurred
from ..calibrate import fit_one, some
from ..footage import Footage
from ..job import TrainJob
from ..losses import matte_loss
from ..task import SEED, Figures, Losses, Recipe, Samples, Stage, Task

FRAMES = 4
ENDS = 0.12
"""Probability that the window's first or last frame is not there."""
CHANGE = 4.0
"""Weight of the loss of the change, in the diffusion's units."""
FOUND = 0.25
"""Weight of the loss of where there is blur."""
FIRST = 0.5
"""Probability that the first step is learned, the one that "preview" stops after."""
SIZE = 192
"""Of held-out windows."""


class DivdTask(Task):
    """A sample is a window of frames.

    Published: crops of 144. These are whole attention windows of the small network.
    """

    name: ClassVar[str] = "divd"
    recipe: ClassVar[Recipe] = Recipe(
        samples=40_000,
        stages=(Stage(name="96", share=1.0, size=96, batch=1),),
        rate=6e-4,
        half=False,
    )

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """A small `DivdNet`, with what differs from it."""
        return new_net("divd-s", **settings)

    def draw(self, footage: Footage, seed: int, number: int, stage: Stage, settings: Mapping[str, Any]) -> Samples:
        """One window."""
        frames = int(settings.get("frames", FRAMES))
        window = draw_blurred(footage, seed, number, stage.size, frames)
        rng = np.random.default_rng((seed, number, 3))
        source, present = np.arange(frames), np.ones(frames, np.bool_)
        if frames > 1 and rng.random() < ENDS:
            gone, stands_in = ((0, 1), (frames - 1, frames - 2))[int(rng.integers(2))]
            source[gone], present[gone] = stands_in, False
        names = ("scan", "truth", "matte", "weight")
        drawn = {name: torch.from_numpy(getattr(window, name)[source])[None] for name in names}
        return {**drawn, "present": torch.from_numpy(present)[None]}

    def loss(self, network: DivdNet, samples: Samples, noise: torch.Generator, stage: Stage) -> Losses:
        """Error of the prediction at one of the sampler's steps for each window, and the blur's matte.

        A few windows are blurred so far that nobody could tell what was sharp, and have most of the squared error:
        of the change it is the absolute one.
        """
        prediction: str = network.config.prediction
        schedule, scan, present = _schedule(prediction), samples["scan"], samples["present"]
        change = ((samples["truth"] - scan) * SCALE).clamp(-LARGEST, LARGEST)
        steps = _steps(prediction, len(scan), noise).to(scan.device)
        pure = torch.randn(scan.shape, generator=noise).to(scan.device)
        noisy = shown(schedule, schedule.add_noise(change, pure, steps), steps)
        told, logits = network(noisy, scan, steps, present)
        missed = (told - change).abs() if prediction == "sample" else (told - pure).square()
        there = present[:, :, None, None, None].float()
        error = (missed * there).sum() / (there.sum() * told[0, 0].numel())
        matte, weight = samples["matte"].flatten(0, 1), (samples["weight"] * there).flatten(0, 1)
        found = matte_loss(logits.flatten(0, 1), matte, weight, torch.zeros_like(matte))
        return Losses.of(change=CHANGE * error, matte=FOUND * found)

    def held_out(self, footage: Footage, job: TrainJob, count: int, seed: int = SEED) -> list[BlurredWindow]:
        """Windows of as many frames as the network takes."""
        frames = int(job.network.get("frames", FRAMES))
        return [draw_blurred(footage, seed, number, SIZE, frames) for number in range(count)]

    def figures(
        self,
        network: DivdNet,
        held_out: list[BlurredWindow],
        job: TrainJob,
        calibration: Mapping[str, Any] | None = None,
    ) -> Figures:
        """PSNR of a middle frame before and after, by one step and by all; blur found; sharp pixels that were harmed.

        The answer is laid over where blur was found, as the restore node does it.
        """
        calibrated = Calibrated.from_card({"calibration": calibration or {}})
        errors = {"psnr_scan": Error(), "psnr_preview": Error(), "psnr": Error()}
        found, harmed = Found(), Share()
        for number, window in enumerate(held_out):
            middle = len(window.scan) // 2
            scan, truth = (torch.from_numpy(part[middle]) for part in (window.scan, window.truth))
            displayed, wanted = [_display(scan)], _display(truth)
            for steps in (1, STEPS):
                picture, logits = _answer(network, window, number, steps)
                confidence = calibrated.confidence(logits[middle : middle + 1])[0]
                displayed.append(_display(torch.where(confidence > 0.5, picture[middle], scan)))
            for name, result in zip(errors, displayed, strict=True):
                errors[name] += Error(float(np.square(result - wanted, dtype=np.float64).sum()), wanted.size)
            asked, mask = window.weight[middle, 0] > 0, window.matte[middle, 0] > 0
            found += found_pixels(confidence[0].numpy() * asked, mask, 0.5)
            harmed += harm(displayed[-1], wanted, mask | ~asked)
        told = {name: error.psnr for name, error in errors.items()}
        told |= {"blur_recall": found.recall, "blur_precision": found.precision, "harm_percent": 100 * harmed.share}
        return {name: round(value, 4) if np.isfinite(value) else None for name, value in told.items()}

    def calibration(self, network: DivdNet, held_out: list[BlurredWindow]) -> dict[str, Any]:
        """One temperature and one shift, of the logits of the sampler's last step."""
        return fit_one(
            some(
                _answer(network, window, number)[1],
                torch.from_numpy(window.matte),
                torch.from_numpy(window.weight),
                number,
            )
            for number, window in enumerate(held_out)
        )


@torch.no_grad()
def _answer(
    network: DivdNet, window: BlurredWindow, number: int, steps: int = STEPS
) -> tuple[Float[Tensor, "t 3 h w"], Float[Tensor, "t 1 h w"]]:
    """Picture and logits of a window, always from the same noise."""
    scan = torch.from_numpy(window.scan)[None]
    present = torch.ones(1, len(window.scan), dtype=torch.bool)
    drawn = torch.randn(scan.shape, generator=torch.Generator().manual_seed(number))
    picture, logits = deblur(network, scan, present, drawn, prediction=network.config.prediction, steps=steps)
    return picture[0], logits[0]


def _steps(prediction: str, count: int, noise: torch.Generator) -> Int[Tensor, n]:
    """Steps that the sampler takes, half of the time the first: from noise alone it says the mean of what was sharp."""
    taken = _taken(prediction)
    place = torch.randint(1, len(taken), (count,), generator=noise)
    return taken[place * (torch.rand(count, generator=noise) >= FIRST)]


@cache
def _taken(prediction: str) -> Int[Tensor, n]:
    return torch.tensor(taken_steps(prediction))


@cache
def _schedule(prediction: str) -> Any:
    return learning_schedule(prediction)


def _display(net: Float[Tensor, "3 h w"]) -> np.ndarray[Any, np.dtype[np.float32]]:
    linear = decode_net(np.ascontiguousarray(net.numpy()))
    return np.moveaxis(np.clip(linear, 0.0, 1.0) ** np.float32(1 / 2.2), 0, 2)
