"""The two networks of frdm as they are exported: guidance of a window, and one step of the sampler's denoiser."""

from __future__ import annotations

from collections.abc import Collection

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ...motion import ALL_CHANNELS
from ..runtime import Graph
from .network import MULTIPLE, FrdmNet

_STEPS = {"fine": 2, "middle": 4, "coarse": 8}
"""The features, by how much smaller than the picture they are."""


class _Guidance(nn.Module):
    def __init__(self, net: FrdmNet, without: Collection[str]) -> None:
        super().__init__()
        self.net, self.without = net, frozenset(without)

    def forward(
        self,
        window: Float[Tensor, "1 t 3 h w"],
        evidence: Float[Tensor, "1 t 14 h w"],
        present: Bool[Tensor, "1 t"],
        overview: Float[Tensor, "1 3 64 64"],
        box: Float[Tensor, "1 4"],
    ) -> tuple[Tensor, ...]:
        answer = self.net.guide(window, evidence, present, overview, box, without=self.without)
        return (answer.matte_logits, answer.class_logits, *answer.features)


class _Denoiser(nn.Module):
    def __init__(self, net: FrdmNet) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        x: Float[Tensor, "1 3 h w"],
        sigma: Float[Tensor, 1],
        scan: Float[Tensor, "1 3 h w"],
        base: Float[Tensor, "1 3 h w"],
        matte: Float[Tensor, "1 1 h w"],
        trust: Float[Tensor, "1 1 h w"],
        fine: Tensor,
        middle: Tensor,
        coarse: Tensor,
    ) -> Tensor:
        return self.net.denoise(x, sigma, scan, base, matte, trust, [fine, middle, coarse])


def guidance_graph(net: FrdmNet, frames: int, without: Collection[str] = ()) -> Graph:
    """window, evidence, present, overview, box -> matte and class logits of every frame, and three maps of features.

    One graph for each count of frames: how far apart two frames are picks rows of a learned table, and with the count
    fixed the rows are constants.

    Args:
        frames: That the window has.
        without: See `FrdmNet.guide`.
    """
    height, width = 2 * MULTIPLE, 3 * MULTIPLE
    outputs = ("matte", "kinds", *_STEPS)
    return Graph(
        name=f"frdm_guidance_{frames}",
        module=_Guidance(net, without),
        example=(
            torch.zeros(1, frames, 3, height, width),
            torch.zeros(1, frames, ALL_CHANNELS, height, width),
            torch.ones(1, frames, dtype=torch.bool),
            torch.zeros(1, 3, 64, 64),
            torch.tensor([[0.0, 0.0, 1.0, 1.0]]),
        ),
        inputs=("window", "evidence", "present", "overview", "box"),
        outputs=outputs,
        free={name: {3: _size("h", name), 4: _size("w", name)} for name in ("window", "evidence", *outputs)},
    )


def denoiser_graph(net: FrdmNet) -> Graph:
    """See `FrdmNet.denoise`: one step of one frame, whose features come as three inputs -> clean picture."""
    height, width = 2 * MULTIPLE, 3 * MULTIPLE
    pictures = {"x": 3, "scan": 3, "base": 3, "matte": 1, "trust": 1}
    given = {name: torch.zeros(1, channels, height, width) for name, channels in pictures.items()}
    features = [
        torch.zeros(1, channels, height // step, width // step)
        for channels, step in zip(net.config.widths, _STEPS.values(), strict=True)
    ]
    return Graph(
        name="frdm_denoiser",
        module=_Denoiser(net),
        example=(
            given["x"],
            torch.ones(1),
            given["scan"],
            given["base"],
            given["matte"],
            given["trust"],
            *features,
        ),
        inputs=("x", "sigma", "scan", "base", "matte", "trust", *_STEPS),
        outputs=("clean",),
        free={name: {2: _size("h", name), 3: _size("w", name)} for name in (*pictures, *_STEPS, "clean")},
    )


def _size(axis: str, name: str) -> str:
    """The word for an axis: the pictures' own, or a part of it."""
    return f"{axis}{_STEPS.get(name, '')}"
