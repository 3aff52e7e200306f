"""The iide restorer: what the matte hides, drawn by a latent diffusion model that the scan leads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...errors import UsageError
from ...frame import Box
from ..base import Context, Origin, Restored
from ..frdm.fill import fill
from ..frdm.noise import noise
from ..frdm.view import contained
from ..prior.consistency import project_masked
from ..prior.encoding import Range
from ..prior.regions import regions
from ..two_stage.finder import Finder
from . import FACTS
from .latents import LatentModel, Seen, Words
from .sampler import Way, sample

REMEDY = (
    "train them with `filmrestore train --model iide` and publish them (docs/models/iide.md), or name a folder of "
    "Stable Diffusion 2.1 with --prior"
)
FIRES = 0.3
"""Confidence from which a pixel is drawn anew."""
AROUND = 2
"""px around those that are drawn too: a defect's edge is paler than the defect."""
SHOWN = 1.5
"""What a coder is shown of a scan, at most; film lies within 1."""
LUMA = (0.2126, 0.7152, 0.0722)
"""Source: ITU-R BT.709."""
FULL_SIZE = {"patch": 512, "overlap": 64, "needs": frozenset({"matte", "prompt"})}
"""Facts of a model that works on whole patches."""


class IideRestorer:
    """Implements `filmrestore.restorers.base.Restorer`.

    Args:
        model: Small or full-size.
        finder: Finds damage where no matte is given; None wants a matte.
        device: Where the model runs.
    """

    def __init__(self, model: LatentModel, finder: Finder | None, device: torch.device) -> None:
        self.facts = replace(FACTS, **FULL_SIZE) if model.whole else FACTS  # type: ignore[arg-type]
        self.device = device
        self.backend = "torch"
        self.precision = model.precision
        found_by = finder.digest if finder else ""
        self.weights_hash = hashlib.sha256(f"iide {model.digest} {found_by}".encode()).hexdigest()
        self._model, self._finder = model, finder

    @torch.inference_mode(False)
    @torch.no_grad()
    def __call__(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Restored:
        """See `Restorer`: answers for the middle frame.

        Raises:
            UsageError: a prompt without a model that reads text; no matte, and nothing to find one with.
        """
        assert len(window) == self.facts.window == len(context.present)
        settings, middle = context.settings, self.facts.window // 2
        words = self._model.words(settings.prompt, settings.negative_prompt)
        finite = torch.isfinite(window).all(dim=1, keepdim=True)
        window = contained(window, finite)
        confidence = self._matte(window, context)
        frame = window[middle : middle + 1].clone()
        hole = functional.max_pool2d((confidence > FIRES).float(), 2 * AROUND + 1, stride=1, padding=AROUND)
        picture = torch.where(hole > 0, fill(frame, hole), frame)
        origin = torch.full_like(confidence, int(Origin.INTERPOLATED), dtype=torch.uint8)
        if settings.quality == "final":
            with context.stage("denoise"):
                self._draw(frame, picture, hole, context, words)
            origin[hole > 0] = int(Origin.GENERATED)
        confidence = confidence * finite[middle : middle + 1]
        return Restored(picture=picture, matte=confidence, origin=origin * (confidence > 0))

    def _matte(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Float[Tensor, "1 1 h w"]:
        """Of the middle frame: the one that was given, as it is, or what the finder finds."""
        middle = self.facts.window // 2
        if context.matte is not None:
            return context.matte[middle : middle + 1].clone()
        if self._finder is None:
            raise UsageError(
                "iide was given no matte, and the nets that find one are not there: give --defect-map, or train them "
                "with `filmrestore train --model two_stage` (docs/models/two_stage.md)"
            )
        return self._finder.confidence(window, context)

    def _draw(
        self,
        frame: Float[Tensor, "1 3 h w"],
        picture: Float[Tensor, "1 3 h w"],
        hole: Float[Tensor, "1 1 h w"],
        context: Context,
        words: Words | None,
    ) -> None:
        """Lays what is drawn into the picture's holes, region by region."""
        shift = Range.around(frame, hole).shift
        patch = Box(x0=0, y0=0, x1=frame.shape[-1], y1=frame.shape[-2])
        inside = hole[0, 0] > 0
        parts = [patch] if self._model.whole and bool(inside.any()) else regions(inside, context.box)
        for part in parts:
            piece = Piece.around(part, context.box, self._model.multiple)
            span = Range(piece.cut(shift))
            drawn = self._drawn(span.encoded(piece.cut(frame)), piece.cut(hole), piece.absolute, context, words)
            made = piece.back(span.decoded(drawn))
            there = (..., *piece.inside.slices)
            picture[there] = torch.where(hole[there] > 0, made, picture[there])

    def _drawn(
        self,
        scan: Float[Tensor, "1 3 h w"],
        hole: Float[Tensor, "1 1 h w"],
        absolute: Box,
        context: Context,
        words: Words | None,
    ) -> Float[Tensor, "1 3 h w"]:
        """What is drawn of a piece, meeting its surroundings; -1..1 where it is film."""
        model, settings = self._model, context.settings
        scan, hole = scan.to(self.device), hole.to(self.device)
        shown = scan.clamp(-SHOWN, SHOWN)
        seen = Seen(picture=shown, latent=model.encode(shown), hole=hole, factor=model.factor)

        def agree(estimate: Tensor) -> Tensor:
            known = project_masked(estimate, shown, 1 - hole)
            return recoloured(known, shown) if settings.colour_only else known

        way = Way(
            steps=settings.steps,
            guidance=settings.guidance_scale,
            internal_detail=settings.internal_detail,
            start=1.0 if words else settings.start,
        )
        drawn_noise = latent_noise(settings.seed, context.frames[self.facts.window // 2], absolute, model)
        guess = model.encode(torch.where(hole > 0, fill(shown, hole), shown))
        drawn = sample(model, seen, agree, drawn_noise.to(self.device), guess, way, words)
        met = drawn if bool((hole > 0).all()) else drawn + fill(scan - drawn, hole)
        return (recoloured(met, scan) if settings.colour_only else met).cpu()


@dataclass(frozen=True)
class Piece:
    """A part of a patch on the frame's grid of cells, its edges repeated where it reaches beyond the patch.

    Attributes:
        inside: The part of it that is in the patch, in the patch's pixels.
        absolute: All of it, in the frame's pixels; negative where it reaches beyond the frame.
        pad: Pixels repeated left, right, above and below.
    """

    inside: Box
    absolute: Box
    pad: tuple[int, int, int, int]

    @classmethod
    def around(cls, part: Box, patch: Box, multiple: int) -> Piece:
        """The smallest piece of whole cells of `multiple` pixels that holds the part.

        Args:
            part: In the patch's pixels.
            patch: In the frame's.
            multiple: px.
        """
        x0, y0 = ((edge // multiple) * multiple for edge in (patch.x0 + part.x0, patch.y0 + part.y0))
        x1, y1 = (-(-edge // multiple) * multiple for edge in (patch.x0 + part.x1, patch.y0 + part.y1))
        inside = Box(
            x0=max(0, x0 - patch.x0),
            y0=max(0, y0 - patch.y0),
            x1=min(patch.width, x1 - patch.x0),
            y1=min(patch.height, y1 - patch.y0),
        )
        pad = (
            patch.x0 + inside.x0 - x0,
            x1 - patch.x0 - inside.x1,
            patch.y0 + inside.y0 - y0,
            y1 - patch.y0 - inside.y1,
        )
        return cls(inside=inside, absolute=Box(x0=x0, y0=y0, x1=x1, y1=y1), pad=pad)

    def cut(self, plane: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c a b"]:
        """The piece of a patch's plane."""
        return functional.pad(plane[(..., *self.inside.slices)], self.pad, mode="replicate")

    def back(self, piece: Float[Tensor, "1 c a b"]) -> Float[Tensor, "1 c h w"]:
        """What of the piece is in the patch."""
        left, right, top, bottom = self.pad
        return piece[..., top : piece.shape[-2] - bottom, left : piece.shape[-1] - right]


def latent_noise(seed: int, frame: int, absolute: Box, model: LatentModel) -> Float[Tensor, "1 c a b"]:
    """The start of a piece: a function of seed, frame and cell alone, so that pieces agree."""
    cells = Box(**{name: getattr(absolute, name) // model.factor for name in ("x0", "y0", "x1", "y1")})
    return torch.from_numpy(noise(seed, frame, cells, channels=model.channels))[None]


def recoloured(colours: Float[Tensor, "1 3 h w"], light: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 h w"]:
    """The colours of one picture with the luma of the other."""
    weights = colours.new_tensor(LUMA)[None, :, None, None]
    return colours + ((light - colours) * weights).sum(dim=1, keepdim=True)
