"""SmallLatents: our own small network as the sampler asks for it; it reads no text."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import UsageError
from ..prior.network import alphas_of
from .coder import FACTOR
from .latents import Seen, Words, at
from .network import Features, IideNet

NO_TEXT = (
    "the small model that is shipped reads no text: name a folder of Stable Diffusion 2.1 in diffusers' form with "
    "--prior (docs/models/iide.md), or leave the prompt out"
)


class SmallLatents:
    """Implements `LatentModel`.

    Args:
        net: On any device.
        digest: Content hash of its weights.
        device: Where it runs.
    """

    def __init__(self, net: IideNet, digest: str, device: torch.device) -> None:
        self._net = net.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        self.channels = int(net.config.channels)
        self.factor, self.multiple, self.whole = FACTOR, net.multiple, False
        self.alphas = alphas_of().to(device)
        self.prediction, self.consistent, self.reads_text = "v_prediction", True, False
        self.digest, self.precision = digest, "float32"

    def encode(self, picture: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 c a b"]:
        """See `LatentModel`."""
        latent: Tensor = self._net.coder.encode(picture)
        return latent

    def decode(self, latent: Float[Tensor, "1 c a b"]) -> Float[Tensor, "1 3 h w"]:
        """See `LatentModel`."""
        picture: Tensor = self._net.coder.decode(latent)
        return picture

    def words(self, prompt: str, negative: str) -> Words | None:
        """None.

        Raises:
            UsageError: a prompt was given.
        """
        if prompt.strip() or negative.strip():
            raise UsageError(f"the prompt is {(prompt or negative)!r}, but {NO_TEXT}")
        return None

    def control(self, x: Tensor, time: int, seen: Seen, words: Tensor | None) -> Features:
        """See `LatentModel`."""
        features: Features = self._net.control(x, at(time, x), seen.latent, seen.hole)
        return features

    def predict(self, x: Tensor, time: int, features: Features, words: Tensor | None) -> Float[Tensor, "1 c a b"]:
        """See `LatentModel`."""
        told: Tensor = self._net.unet(x, at(time, x), features)
        return told
