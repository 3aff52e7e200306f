"""Prior: one call that splits a noisy picture of any size into what is clean and what is noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ...patches import blend_weight, patch_grid
from .network import FilmPrior, alphas_of

PREDICTIONS = ("epsilon", "v_prediction", "sample")
"""What a network may predict, by diffusers' names."""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """A diffusion network of clean pictures and its noise schedule.

    Attributes:
        net: Called with (noisy pictures, place in the schedule); gives a tensor, or diffusers' output object.
        alphas: Share of the picture in the variance at each place of the schedule.
        prediction: Of `PREDICTIONS`.
        multiple: Height and width that the network takes are multiples of this.
        window: Edge of the largest picture that it is shown at once; larger ones slide through.
        overlap: Pixels that neighbouring windows share.
        digest: Content hash of the weights.
        device: Where it runs.
        precision: "float32" or "bfloat16".
    """

    net: nn.Module
    alphas: Float[Tensor, steps]
    prediction: str
    multiple: int
    window: int
    overlap: int
    digest: str
    device: torch.device
    precision: str = "float32"

    @classmethod
    def of_film(cls, net: FilmPrior, digest: str, device: torch.device) -> Prior:
        """Of our own network."""
        return cls(
            net=net.to(device).to(memory_format=torch.channels_last).eval(),
            alphas=alphas_of().to(device),
            prediction="v_prediction",
            multiple=net.multiple,
            window=256,
            overlap=64,
            digest=digest,
            device=device,
        )

    def times(self, steps: int) -> list[int]:
        """`steps` places of the schedule, evenly spaced, from the noisiest down."""
        return spaced(len(self.alphas), steps)

    @torch.no_grad()
    def estimate(
        self, x: Float[Tensor, "n 3 h w"], time: int
    ) -> tuple[Float[Tensor, "n 3 h w"], Float[Tensor, "n 3 h w"]]:
        """What is clean in noisy pictures (-1..1) and what is noise, frame by frame.

        Args:
            x: sqrt(a) picture + sqrt(1 - a) noise.
            time: Place in the schedule.

        Returns:
            The picture (Tweedie's estimate, held in -1..1), and the noise that goes with it.
        """
        alpha = self.alphas[time]
        told = torch.cat([self._told(frame, time) for frame in torch.split(x, 1)])
        clean = clean_of(x, told, alpha, self.prediction).clamp(-1.0, 1.0)
        return clean, (x - alpha.sqrt() * clean) / (1 - alpha).sqrt().clamp(min=1e-4)

    def _told(self, frame: Float[Tensor, "1 3 h w"], time: int) -> Float[Tensor, "1 3 h w"]:
        """The network's answer, window by window where the picture is larger than one."""
        height, width = frame.shape[-2:]
        boxes = patch_grid(height, width, self.window, self.overlap)
        if len(boxes) == 1:
            return self._window(frame, time)
        total, weights = torch.zeros_like(frame), torch.zeros_like(frame[:, :1])
        for box in boxes:
            weight = blend_weight(box, (height, width), self.overlap).astype(np.float32)
            part = torch.from_numpy(weight).to(frame.device)
            total[(..., *box.slices)] += part * self._window(frame[(..., *box.slices)], time)
            weights[(..., *box.slices)] += part
        return total / weights

    def _window(self, frame: Float[Tensor, "1 3 h w"], time: int) -> Float[Tensor, "1 3 h w"]:
        height, width = frame.shape[-2:]
        pad = (0, -width % self.multiple, 0, -height % self.multiple)
        padded = functional.pad(frame, pad, mode="replicate") if any(pad) else frame
        at = torch.full((1,), float(time), device=frame.device)
        with torch.autocast(frame.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            answer = self.net(padded, at)
        told: Tensor = answer if isinstance(answer, Tensor) else answer.sample
        return told[..., :height, :width].float()


def spaced(count: int, steps: int) -> list[int]:
    """`steps` places of a schedule of `count`, evenly spaced, from the noisiest down."""
    steps = min(steps, count)
    return [round(count * (index + 1) / steps) - 1 for index in reversed(range(steps))]


def clean_of(x: Tensor, told: Tensor, alpha: Tensor, prediction: str) -> Tensor:
    """What is clean in x = sqrt(alpha) clean + sqrt(1 - alpha) noise, by what a network told of it.

    Args:
        prediction: Of `PREDICTIONS`.
    """
    if prediction == "epsilon":
        return (x - (1 - alpha).sqrt() * told) / alpha.sqrt()
    if prediction == "v_prediction":
        return alpha.sqrt() * x - (1 - alpha).sqrt() * told
    return told
