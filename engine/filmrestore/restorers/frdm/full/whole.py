"""The whole frame beside a patch: the part of it that the patch shows, and where the patch lies."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..texture import cropped
from ..view import View


def whole_frames(view: View) -> Float[Tensor, "t 3 h w"]:
    """The view's frames, whole and small; the overview for each where the caller gave no others."""
    given = view.context.whole
    if given is None:
        return view.overview.expand(len(view.numbers), -1, -1, -1)
    first = view.context.frames.index(view.numbers[0])
    return given[first : first + len(view.numbers)].nan_to_num(0.0, 0.0, 0.0).to(view.window.device)


def patch_of(frames: Float[Tensor, "t 3 h w"], view: View, size: tuple[int, int]) -> Float[Tensor, "t 3 h2 w2"]:
    """The padded patch as the small frames show it, at its own size."""
    context = view.context
    height, width = context.full
    x0, y0 = context.box.x0, context.box.y0
    box = [x0 / width, y0 / height, (x0 + size[1]) / width, (y0 + size[0]) / height]
    boxes = torch.tensor([box], dtype=torch.float32, device=frames.device).expand(len(frames), -1)
    return cropped(frames.float(), boxes, *size)


def is_whole(view: View) -> bool:
    """Whether the patch is all of the frame, so that nothing smaller could lead it."""
    box, (height, width) = view.context.box, view.context.full
    return (box.width, box.height) == (width, height)
