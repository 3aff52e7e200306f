"""What CLIP says of a scene: tokens of its prompt, and of the whole frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from .folder import Parts


@dataclass(frozen=True)
class ImageTokens:
    """CLIP's answer to a picture.

    Attributes:
        grid: One token a cell, without the class token.
        embedding: Of all of it, what video models are led by.
    """

    grid: Float[Tensor, "1 g e"]
    embedding: Float[Tensor, "1 1 p"]


def text_tokens(parts: Parts, prompt: str, device: torch.device) -> Float[Tensor, "1 n d"] | None:
    """Tokens of the prompt, cut where CLIP's count ends; None where the model has no text encoder."""
    if "text_encoder" not in parts.networks:
        return None
    encoder: Any = parts.networks["text_encoder"]
    most = encoder.config.max_position_embeddings
    told = parts.tokenizer(prompt, padding="max_length", max_length=most, truncation=True, return_tensors="pt")
    tokens: Tensor = encoder(told.input_ids.to(device)).last_hidden_state
    return tokens


def image_tokens(parts: Parts, picture: Float[Tensor, "1 3 h w"], device: torch.device) -> ImageTokens:
    """Tokens of a picture (0..1), squeezed into the encoder's square whatever its shape: a cell is a place."""
    encoder: Any = parts.networks["image_encoder"]
    edge = encoder.config.image_size
    square = functional.interpolate(
        picture.to(device).clamp(0, 1), size=(edge, edge), mode="bicubic", antialias=True, align_corners=False
    )
    mean, std = (square.new_tensor(values)[:, None, None] for values in (parts.clip_mean, parts.clip_std))
    answer = encoder(((square - mean) / std).to(parts.dtype))
    return ImageTokens(grid=answer.last_hidden_state[:, 1:], embedding=answer.image_embeds[:, None])
