"""Fills what was found in a patch with a full-size video model: all frames of the window at once."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ....frame import Box
from ...prior.encoding import Range
from ..base import Base
from ..noise import noise
from ..view import View
from .backbone import Lead, predict
from .folder import Parts, latent_px
from .guidance import Told
from .latents import covered, decoded, encoded, shares
from .residency import Residency
from .tokens import image_tokens, text_tokens
from .walk import walk
from .whole import is_whole, patch_of, whole_frames


def paint(parts: Parts, residency: Residency, view: View, estimates: list[Base]) -> Float[Tensor, "t 3 h w"]:
    """The bases, and inside them what the model makes of them.

    What the model changes is laid on the base as a difference, decoded minus decoded, so that what the autoencoder
    loses of texture is lost in neither.

    Args:
        parts: The model.
        residency: Brings each network to the device while it works.
        view: The padded window.
        estimates: One for each frame of the view.
    """
    pad = [-edge % parts.multiple for edge in view.window.shape[-2:]]
    scan, base = (_wide(x, pad) for x in (view.window[0], torch.cat([one.picture for one in estimates])))
    inside = _wide(torch.cat([one.inside for one in estimates]).float(), pad) > 0
    trust = _wide(torch.cat([one.trust for one in estimates]), pad)
    span = Range.around(base, torch.zeros_like(base[:, :1]))
    frames = whole_frames(view)
    size = (base.shape[-2], base.shape[-1])
    shown = patch_of(frames, view, size)
    with residency.of("vae"):
        z_scan, z_base, z_whole = (encoded(parts, span.encoded(picture)) for picture in (scan, base, shown))
    told, lead = _told(parts, residency, view, frames, (z_scan, z_base, z_whole), inside, trust, span.encoded(base))
    z_inside = covered(parts, inside)
    off = view.without
    leads = "global" not in off and view.context.whole is not None and not is_whole(view)

    def ask(noisy: Tensor, time: Tensor, sigma: float) -> Tensor:
        noisy = noisy.to(parts.dtype)
        residuals = None if "guidance" in off else parts.guidance(noisy, sigma, told, off)
        return predict(parts, noisy, time, lead, residuals)

    with residency.of("unet", "guidance", "controlnet"):
        z = walk(
            ask,
            parts.scheduler,
            z_base.float(),
            z_scan.float(),
            z_inside,
            _drawn(view, z_base.shape, latent_px(parts.networks["vae"])),
            steps=view.context.settings.steps,
            whole=z_whole.float() if leads else None,
        )
    with residency.of("vae"):
        change = decoded(parts, z) - decoded(parts, z_base)
    painted = torch.where(inside, base + change, base)
    return painted[..., : view.window.shape[-2], : view.window.shape[-1]]


def _told(
    parts: Parts,
    residency: Residency,
    view: View,
    frames: Float[Tensor, "t 3 h w"],
    latents: tuple[Tensor, Tensor, Tensor],
    inside: Tensor,
    trust: Tensor,
    base: Float[Tensor, "t 3 h2 w2"],
) -> tuple[Told, Lead]:
    """What guidance and backbone are told besides the noisy latents."""
    device, dtype = view.window.device, parts.dtype
    middle = len(frames) // 2
    with residency.of("image_encoder", "text_encoder"):
        image = image_tokens(parts, frames[middle : middle + 1].float(), device)
        text = text_tokens(parts, view.context.settings.prompt, device)
        empty = text_tokens(parts, "", device) if "prompt" in view.without else text
    scan, base_latents, whole = (z.to(dtype) for z in latents)
    told = Told(
        scan=scan,
        base=base_latents,
        inside=shares(parts, inside.float()).to(dtype),
        trust=shares(parts, trust).to(dtype),
        whole=whole,
        text=text,
        image=image.grid,
        box=view.box,
        present=view.present,
    )
    tokens = image.embedding if empty is None or parts.kind == "video" else empty
    return told, Lead(tokens=tokens, base=base_latents, picture=((base + 1) / 2).clamp(0, 1))


def _wide(x: Float[Tensor, "t c h w"], pad: list[int]) -> Float[Tensor, "t c h2 w2"]:
    return functional.pad(x, (0, pad[1], 0, pad[0]), mode="replicate") if any(pad) else x


def _drawn(view: View, shape: torch.Size, edge: int) -> Float[Tensor, "t l h w"]:
    """Noise in latents, a function of seed, frame and absolute latent pixel: overlapping patches share it."""
    settings, box = view.context.settings, view.context.box
    x0, y0 = box.x0 // edge, box.y0 // edge
    place = Box(x0=x0, y0=y0, x1=x0 + shape[3], y1=y0 + shape[2])
    planes = [torch.from_numpy(noise(settings.seed, frame, place, channels=shape[1])) for frame in view.numbers]
    return torch.stack(planes).to(view.window.device)
