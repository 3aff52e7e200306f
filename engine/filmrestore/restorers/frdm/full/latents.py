"""Between pictures in net encoding and the latents of a folder's autoencoder."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ...prior.encoding import HIGH, LOW
from .folder import Parts, latent_px

BOUND = 1.5
"""Of what the encoder is shown, where -1..1 is its range: a speck of light far above one must not blind it."""


def encoded(parts: Parts, pictures: Float[Tensor, "t 3 h w"]) -> Float[Tensor, "t l h8 w8"]:
    """The latents' means, frame by frame, scaled as the backbone has them; pictures as `Range.encoded` gives them."""
    vae: Any = parts.networks["vae"]
    shown = pictures.clamp(-BOUND, BOUND).to(parts.dtype)
    means = [vae.encode(frame).latent_dist.mode() for frame in torch.split(shown, 1)]
    scale: float = vae.config.scaling_factor
    return torch.cat(means) * scale


def decoded(parts: Parts, latents: Float[Tensor, "t l h8 w8"]) -> Float[Tensor, "t 3 h w"]:
    """Pictures in units of net encoding, but for the offset of their `Range`."""
    vae: Any = parts.networks["vae"]
    scaled = latents.to(parts.dtype) / vae.config.scaling_factor
    if parts.kind == "video" and hasattr(vae.decoder, "time_conv_out"):  # a decoder that sees all frames
        pictures: Tensor = vae.decode(scaled, num_frames=len(scaled)).sample
    else:
        pictures = torch.cat([vae.decode(frame).sample for frame in torch.split(scaled, 1)])
    return pictures.float() * ((HIGH - LOW) / 2.0)


def covered(parts: Parts, inside: Bool[Tensor, "t 1 h w"]) -> Bool[Tensor, "t 1 h8 w8"]:
    """Latent pixels that hold any of what is inside, and those around them: an encoder mixes its neighbourhood."""
    edge = latent_px(parts.networks["vae"])
    touched = functional.max_pool2d(inside.float(), edge)
    return functional.max_pool2d(touched, 3, stride=1, padding=1) > 0


def shares(parts: Parts, plane: Float[Tensor, "t 1 h w"]) -> Float[Tensor, "t 1 h8 w8"]:
    """Means over each latent pixel."""
    return functional.avg_pool2d(plane, latent_px(parts.networks["vae"]))
