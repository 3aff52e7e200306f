"""One question to a video backbone of either kind, with what the guidance network adds to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .folder import Parts
from .guidance import Residuals

FPS, MOTION, AUGMENTED = 6.0, 127.0, 0.0
"""What a video model is told of every shot: its own defaults."""


@dataclass(frozen=True)
class Lead:
    """What leads the backbone itself.

    Attributes:
        tokens: Of the prompt ("motion") or of the whole frame ("video").
        base: Latents of what was recovered, which a video model takes as its condition.
        picture: The same in pixels, 0..1, for a ControlNet.
    """

    tokens: Float[Tensor, "1 n d"]
    base: Float[Tensor, "t l h w"]
    picture: Float[Tensor, "t 3 h8 w8"]


def predict(
    parts: Parts, noisy: Float[Tensor, "t l h w"], time: Tensor, lead: Lead, residuals: Residuals | None
) -> Float[Tensor, "t l h w"]:
    """The backbone's answer, in whatever its scheduler takes for one.

    Args:
        noisy: Scaled by the scheduler.
        time: The scheduler's, of one element.
        residuals: Of the guidance network.
    """
    added = [given for given in (residuals, _controlled(parts, noisy, time, lead)) if given is not None]
    down = [sum(many[1:], start=many[0]) for many in zip(*(given.down for given in added), strict=True)]
    middle = sum((given.middle for given in added[1:]), start=added[0].middle) if added else None
    unet: Any = parts.networks["unet"]
    frames = len(noisy)
    if parts.kind == "motion":
        answer: Tensor = unet(
            noisy.transpose(0, 1)[None],
            time,
            encoder_hidden_states=lead.tokens.expand(frames, -1, -1),
            down_block_additional_residuals=tuple(down) or None,
            mid_block_additional_residual=middle,
        ).sample
        return answer[0].transpose(0, 1)
    scale: float = parts.networks["vae"].config.scaling_factor  # type: ignore[assignment,union-attr]
    told = torch.cat([noisy, lead.base / scale], dim=1)[None]
    times = noisy.new_tensor([[FPS, MOTION, AUGMENTED]])
    with _added(unet, down, middle):
        answer = unet(told, time, encoder_hidden_states=lead.tokens, added_time_ids=times).sample
    return answer[0]


def _controlled(parts: Parts, noisy: Float[Tensor, "t l h w"], time: Tensor, lead: Lead) -> Residuals | None:
    """What the folder's ControlNet adds, which is shown the recovered frames."""
    if "controlnet" not in parts.networks:
        return None
    tokens = lead.tokens.expand(len(noisy), -1, -1)
    picture = lead.picture.to(noisy.dtype)
    down, middle = parts.networks["controlnet"](noisy, time, tokens, controlnet_cond=picture, return_dict=False)
    return Residuals(tuple(down), middle)


@contextmanager
def _added(unet: Any, down: list[Tensor], middle: Tensor | None) -> Iterator[None]:
    """Within, the U-Net's skips and middle have these added: UNetSpatioTemporalConditionModel takes none itself."""
    left = list(down)

    def to_middle(module: nn.Module, args: object, answer: Tensor) -> Tensor:
        return answer if middle is None else answer + middle

    def to_skips(
        module: nn.Module, args: tuple[Any, ...], given: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        skips = given["res_hidden_states_tuple"]
        if left:
            mine = left[-len(skips) :]
            del left[-len(skips) :]
            given = {**given, "res_hidden_states_tuple": tuple(a + b for a, b in zip(skips, mine, strict=True))}
        return args, given

    handles = [unet.mid_block.register_forward_hook(to_middle)]
    handles += [block.register_forward_pre_hook(to_skips, with_kwargs=True) for block in unet.up_blocks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
