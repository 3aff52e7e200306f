"""What iide learns, part by part: to code pictures, to tell noise from their latents, and to be led by a scan."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...frame import Box
from ...restorers.base import Context
from ...restorers.frdm.fill import fill
from ...restorers.iide.network import IideNet, hidden_share, laid_over, new_net
from ...restorers.iide.restorer import SHOWN, IideRestorer
from ...restorers.iide.sampler import condition_loss
from ...restorers.iide.small import SmallLatents
from ...restorers.prior.encoding import HIGH, LOW
from ...restorers.prior.model import clean_of
from ...restorers.prior.network import TRAIN_STEPS, alphas_of
from ...settings import RestoreSettings
from ..footage import Footage
from ..job import TrainJob
from ..task import Figures, Losses, Recipe, Samples, Stage, Task
from ..windows import Recipe as Windows
from ..windows import damaged, label
from .prior import PriorTask, clean_light

CODER = Stage(name="coder", share=0.26, size=64, batch=8, rate=2.0)
LATENTS = Stage(name="latents", share=0.5, size=64, batch=16, rate=2.0)
CONTROL = Stage(name="control", share=0.24, size=96, batch=8, rate=5.0)

LEARNS = {"coder": "coder.", "latents": "unet.", "control": "control."}
"""Stage -> how the names of what learns in it begin."""
BLUR = 0.05
"""Noise on latents while the coder learns, so that latents which are a little off still look right."""
SPREAD = 0.05
"""Weight of what keeps latents at mean 0 and deviation 1."""
EDGES = 0.5
"""Weight of differences between neighbour pixels."""
MIXED = 0.5
"""Share of steps that are led by the estimate, degraded again, instead of the scan."""
CONSISTENCY = 0.1
"""Weight of |c - c'|^2. Source: Restoring Real-World Images with an Internal Detail Enhancement Diffusion Model."""
OUTSIDE = 0.1
"""Weight of latents that no hole touches."""
LARGE = 0.3
"""Share of samples with a large hole more."""


class IideTask(Task):
    """Three stages, one part of the network each."""

    name: ClassVar[str] = "iide"
    recipe: ClassVar[Recipe] = Recipe(
        samples=160_000, stages=(CODER, LATENTS, CONTROL), rate=6e-4, decay=0.999, validation=16, windows=32
    )

    def network(self, settings: Mapping[str, Any]) -> IideNet:
        """The small one, with what differs from it."""
        network: IideNet = new_net(**settings).to(memory_format=torch.channels_last)
        return network

    def draw(self, footage: Footage, seed: int, number: int, stage: Stage, settings: Mapping[str, Any]) -> Samples:
        """ "picture" (1, 3, size, size), -1..1; for the control branch "scan" and "hole" too."""
        if stage.name != CONTROL.name:
            return PriorTask().draw(footage, seed, number, stage, settings)
        rng = np.random.default_rng((seed, number))
        frames = clean_light(footage, rng, stage.size)[None]
        scan, truth, _ = damaged(frames, footage, rng, Windows(size=stage.size, scratches=0.2))
        hole = label(scan, truth, (True,))[0][0, 0]
        if rng.random() < LARGE:
            hole = np.maximum(hole, _hide(scan[0], rng))
        edge = 2 * int(rng.integers(1, 4)) + 1
        hole = cv2.dilate(hole, np.ones((edge, edge), np.uint8))
        return {
            "picture": torch.from_numpy(_in_range(truth)),
            "scan": torch.from_numpy(_in_range(scan)),
            "hole": torch.from_numpy(hole)[None, None],
        }

    def frozen(self, stage: Stage) -> tuple[str, ...]:
        """All but the part that the stage is about."""
        return tuple(part for name, part in LEARNS.items() if name != stage.name)

    @torch.no_grad()
    def before_stage(self, stage: Stage, network: IideNet, average: Mapping[str, Tensor]) -> None:
        """Each part learns on what will be shipped of those before it; the control branch starts as their copy."""
        network.load_state_dict(average)
        if stage.name == CONTROL.name:
            network.control.way.load_state_dict(network.unet.way.state_dict())
            for name, value in network.control.way.state_dict().items():
                average[f"control.way.{name}"].copy_(value)

    def loss(self, network: IideNet, samples: Samples, noise: torch.Generator, stage: Stage) -> Losses:
        """Of the stage's part."""
        if stage.name == CODER.name:
            return _coding(network, samples["picture"], noise)
        with torch.no_grad():
            clean = network.coder.encode(samples["picture"])
        x, v, time = _noised(clean, noise)
        if stage.name == LATENTS.name:
            return Losses.of(error=functional.mse_loss(network.unet(x, time), v))
        return _leading(network, samples, x, v, time, noise)

    def figures(
        self, network: IideNet, held_out: list[Any], job: TrainJob, calibration: Mapping[str, Any] | None = None
    ) -> Figures:
        """The last stage's losses, and how well the coder gives pictures back."""
        with torch.no_grad():
            given = [network.coder.decode(network.coder.encode(samples["picture"])) for samples in held_out]
        off = [functional.mse_loss(back, samples["picture"]) for back, samples in zip(given, held_out, strict=True)]
        return {"psnr": _psnr(torch.stack(off).mean()), **super().figures(network, held_out, job, calibration)}

    def measured(
        self, network: IideNet, held_out: list[Any], job: TrainJob, calibration: Mapping[str, Any] | None
    ) -> dict[str, Figures]:
        """PSNR in the holes: of the scan, of a fill from the surroundings, of what is drawn with the constraint and
        without, and of all that the coder can say."""
        pictures = [
            (samples["scan"][n : n + 1], samples["hole"][n : n + 1], samples["picture"][n : n + 1])
            for samples in held_out
            for n in range(len(samples["scan"]))
            if bool(samples["hole"][n].any())
        ]
        model = SmallLatents(network, "", torch.device("cpu"))
        drawn = IideRestorer(model, None, torch.device("cpu"))
        ways: dict[str, Any] = {
            "scan": lambda scan, hole, picture: scan,
            "surroundings": lambda scan, hole, picture: fill(scan, hole),
            "drawn": lambda scan, hole, picture: _restored(drawn, scan, hole, 1.0),
            "drawn without internal detail": lambda scan, hole, picture: _restored(drawn, scan, hole, 0.0),
            "coder": lambda scan, hole, picture: model.decode(model.encode(picture)),
        }
        return {
            name: {"defect_psnr": _inside([(way(*each), each[1], each[2]) for each in pictures])}
            for name, way in ways.items()
        }


def _coding(network: IideNet, picture: Float[Tensor, "n 3 h w"], noise: torch.Generator) -> Losses:
    """Absolute error of pixels and of differences between neighbours, and what keeps latents where they belong."""
    z = network.coder.encode(picture)
    back = network.coder.decode(z + BLUR * _normal(z, noise))
    off = back - picture
    edges = (off[..., 1:, :] - off[..., :-1, :]).abs().mean() + (off[..., 1:] - off[..., :-1]).abs().mean()
    mean, power = z.mean(dim=(0, 2, 3)), z.square().mean(dim=(0, 2, 3))
    return Losses.of(
        pixels=off.abs().mean(),
        edges=EDGES * edges,
        spread=SPREAD * (mean.square() + (power - 1).square()).mean(),
    )


def _leading(network: IideNet, samples: Samples, x: Tensor, v: Tensor, time: Tensor, noise: torch.Generator) -> Losses:
    """Error of v, mostly where something is hidden, led by the scan or by the estimate degraded again.

    Source: Restoring Real-World Images with an Internal Detail Enhancement Diffusion Model, section III.
    """
    hole = samples["hole"]
    scan = network.coder.encode(samples["scan"].clamp(-SHOWN, SHOWN)).detach()
    hidden = hidden_share(hole)
    features = network.control(x, time, scan, hole)
    consistency = x.new_zeros(())
    leading = features
    if float(torch.rand((), generator=noise)) < MIXED:
        with torch.no_grad():
            alpha = _alphas().to(x.device)[time.long()][:, None, None, None]
            clean = clean_of(x, network.unet(x, time, features), alpha, "v_prediction")
        leading = network.control(x, time, laid_over(clean, scan, hidden), hole)
        consistency = CONSISTENCY * condition_loss(features, leading)
    told = network.unet(x, time, leading)
    near = functional.max_pool2d((hidden > 0).float(), 3, stride=1, padding=1)
    weight = OUTSIDE + (1 - OUTSIDE) * near
    error = (weight * (told - v).square()).sum() / (weight.sum() * v.shape[1])
    return Losses.of(error=error, consistency=consistency)


def _noised(clean: Float[Tensor, "n c h w"], noise: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy latents, their v and their places in the schedule, spread evenly over the batch."""
    count = len(clean)
    spread = (torch.arange(count) + torch.rand(count, generator=noise)) / count
    times = (spread * TRAIN_STEPS).long().clamp(max=TRAIN_STEPS - 1)
    drawn = _normal(clean, noise)
    alpha = _alphas()[times][:, None, None, None].to(clean.device)
    x = alpha.sqrt() * clean + (1 - alpha).sqrt() * drawn
    v = alpha.sqrt() * drawn - (1 - alpha).sqrt() * clean
    return x, v, times.to(clean.device).float()


def _normal(like: Tensor, noise: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=noise).to(like.device)


@cache
def _alphas() -> Tensor:
    return alphas_of()


def _in_range(net: NDArray[np.float32]) -> NDArray[np.float32]:
    """-1..1 from net encoding."""
    return np.asarray(np.clip((net - LOW) * (2.0 / (HIGH - LOW)) - 1.0, -1.0, 1.0), np.float32)


def _hide(scan: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Paints a blob of one colour over the scan, in place; 1 where it lies."""
    size = scan.shape[-1]
    hidden = np.zeros((size, size), np.uint8)
    centre = (int(rng.integers(size)), int(rng.integers(size)))
    axes = tuple(int(rng.integers(3, size // 5)) for _ in "xy")
    cv2.ellipse(hidden, centre, axes, float(rng.uniform(0, 180)), 0.0, 360.0, 1, -1)
    colour = rng.choice([0.0, 0.4, 1.0]) + rng.normal(0, 0.1, (3, 1, 1))
    grain = rng.normal(0, 0.02, scan.shape)
    scan[:] = np.where(hidden, (colour + grain).astype(np.float32), scan)
    return hidden.astype(np.float32)


def _restored(
    restorer: IideRestorer, scan: Float[Tensor, "1 3 h w"], hole: Float[Tensor, "1 1 h w"], internal_detail: float
) -> Float[Tensor, "1 3 h w"]:
    height, width = scan.shape[-2:]
    context = Context(
        frames=(0, 1, 2),
        present=(True,) * 3,
        box=Box(x0=0, y0=0, x1=width, y1=height),
        full=(height, width),
        overview=torch.zeros(3, 64, 64),
        settings=RestoreSettings(method="iide", internal_detail=internal_detail),
        matte=hole.expand(3, -1, -1, -1),
    )
    span = (HIGH - LOW) / 2
    net = (scan + 1) * span + LOW
    return (restorer(net.expand(3, -1, -1, -1), context).picture - LOW) / span - 1


def _inside(answers: list[tuple[Tensor, Tensor, Tensor]]) -> float:
    """PSNR over the holes of (answer, hole, picture), in net units."""
    off = sum(float(((answer - picture).square() * hole).sum()) for answer, hole, picture in answers)
    count = sum(3 * float(hole.sum()) for _, hole, _ in answers)
    return _psnr(torch.tensor(off / max(count, 1.0)))


def _psnr(error: Tensor) -> float:
    """dB, from the mean squared error of pictures in -1..1, for a peak of 1 in net encoding."""
    return round(-10.0 * float(torch.log10(error * ((HIGH - LOW) / 2) ** 2)), 2)
