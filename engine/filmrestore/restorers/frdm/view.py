"""What the networks are shown of a window: finite, padded, on their device, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ...frame import Box
from ...motion import evidence
from ..base import Context
from .fill import fill
from .network import MULTIPLE
from .noise import noise
from .scales import halved


@dataclass(frozen=True)
class View:
    """The frames of a window that the networks are shown, padded, with all that goes with them.

    Attributes:
        without: Modules that are switched off.
        step: Pixels of the patch that became one of these, along an edge.
    """

    context: Context
    numbers: tuple[int, ...]
    window: Float[Tensor, "1 t 3 h w"]
    evidence: Float[Tensor, "1 t 14 h w"]
    present: Bool[Tensor, "1 t"]
    overview: Float[Tensor, "1 3 64 64"]
    box: Float[Tensor, "1 4"]
    known: Float[Tensor, "1 t 1 h w"] | None
    without: frozenset[str]
    step: int = 1

    @classmethod
    def of(
        cls,
        window: Float[Tensor, "t 3 h w"],
        context: Context,
        chosen: range,
        device: torch.device,
        without: frozenset[str] = frozenset(),
    ) -> View:
        """The `chosen` frames of the window."""
        frames = slice(chosen.start, chosen.stop)
        present = context.present[frames]
        seen = _evidence(window[frames], present, context, without)
        box, (height, width) = context.box, context.full
        relative = [box.x0 / width, box.y0 / height, box.x1 / width, box.y1 / height]
        return cls(
            context=context,
            numbers=context.frames[frames],
            window=padded(window[frames])[None].to(device),
            evidence=padded(seen)[None].to(device),
            present=torch.tensor([present], device=device),
            overview=context.overview.nan_to_num(0.0, 0.0, 0.0)[None].to(device),
            box=torch.tensor([relative], dtype=torch.float32, device=device),
            without=without,
            known=None if context.matte is None else padded(context.matte[frames])[None].to(device),
        )

    def halved(self) -> View:
        """The same at half the size, without what is known of defects."""
        height, width = (-(-edge // self.step) for edge in (self.context.box.height, self.context.box.width))
        window = halved(self.window[0, ..., :height, :width].cpu())
        present = tuple(bool(there) for there in self.present[0])
        seen = _evidence(window, present, self.context, self.without)
        shown, told = (padded(part)[None].to(self.window.device) for part in (window, seen))
        return replace(self, window=shown, evidence=told, known=None, step=2 * self.step)

    def noise(self, index: int, part: Box) -> Float[Tensor, "1 3 h w"]:
        """Noise of a part of the patch in frame `index`."""
        x, y = self.context.box.x0, self.context.box.y0
        absolute = Box(x0=x + part.x0, y0=y + part.y0, x1=x + part.x1, y1=y + part.y1)
        drawn = noise(self.context.settings.seed, self.numbers[index], absolute)
        return torch.from_numpy(drawn)[None].to(self.window.device)


def _evidence(
    window: Float[Tensor, "t 3 h w"], present: tuple[bool, ...], context: Context, without: frozenset[str]
) -> Float[Tensor, "t 14 h w"]:
    with context.stage("motion"):
        shown = (False,) * len(present) if "evidence" in without else present
        return torch.from_numpy(evidence(window.numpy(), shown, seconds=True))


def contained(window: Float[Tensor, "t 3 h w"], finite: Bool[Tensor, "t 1 h w"]) -> Float[Tensor, "t 3 h w"]:
    """NaN and infinity replaced by what is around them."""
    if bool(finite.all()):
        return window
    around = fill(window.masked_fill(~finite, 0.0), (~finite).float())
    return torch.where(finite, window, around)


def padded(frames: Float[Tensor, "t c h w"]) -> Float[Tensor, "t c h2 w2"]:
    """Edges repeated to the next multiple of `MULTIPLE`."""
    height, width = frames.shape[-2:]
    pad = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
    return functional.pad(frames, pad, mode="replicate") if any(pad) else frames
