"""What the sampler asks of a latent diffusion model, small or full-size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from .network import Features, hidden_share, laid_over


@dataclass(frozen=True, kw_only=True)
class Words:
    """A prompt as the networks read it.

    Attributes:
        asked: Of the prompt.
        avoided: Of the negative prompt.
    """

    asked: Float[Tensor, "1 n d"]
    avoided: Float[Tensor, "1 n d"]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What leads a control branch.

    Attributes:
        picture: The scan, -1..1 where it is film.
        latent: Of the scan, or of an estimate that was degraded again.
        hole: 1 where the scan is not to be trusted.
        factor: Pixels along an edge of a latent's cell.
    """

    picture: Float[Tensor, "1 3 h w"]
    latent: Float[Tensor, "1 c a b"]
    hole: Float[Tensor, "1 1 h w"]
    factor: int

    @property
    def hidden(self) -> Float[Tensor, "1 1 a b"]:
        """Share of each cell that is hidden."""
        return hidden_share(self.hole, self.factor)

    def degraded(self, clean: Float[Tensor, "1 c a b"]) -> Seen:
        """What an estimate would look like with the degradation done to it again."""
        again = laid_over(clean, self.latent, self.hidden)
        return Seen(picture=self.picture, latent=again, hole=self.hole, factor=self.factor)


class LatentModel(Protocol):
    """A latent diffusion model with a control branch.

    Attributes:
        channels: Of its latents.
        factor: Pixels along an edge of a latent's cell.
        multiple: Height and width of pictures must be multiples of this.
        whole: Whether it works on whole patches; otherwise on what surrounds the holes.
        alphas: Share of the latent in the variance at each place of the schedule.
        prediction: Of `prior.model.PREDICTIONS`.
        consistent: Whether its control branch reads latents, so that estimates can be held to it.
        reads_text: Whether it takes prompts.
        digest: Content hash of the weights.
        precision: "float32" or "bfloat16".
    """

    channels: int
    factor: int
    multiple: int
    whole: bool
    alphas: Float[Tensor, steps]
    prediction: str
    consistent: bool
    reads_text: bool
    digest: str
    precision: str

    def encode(self, picture: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 c a b"]:
        """Latents of a picture, -1..1 where it is film."""
        ...

    def decode(self, latent: Float[Tensor, "1 c a b"]) -> Float[Tensor, "1 3 h w"]:
        """The picture of latents."""
        ...

    def words(self, prompt: str, negative: str) -> Words | None:
        """Prompts as the networks read them; None for a model without text.

        Raises:
            UsageError: a prompt where none is read, or one that is too long.
        """
        ...

    def control(self, x: Tensor, time: int, seen: Seen, words: Float[Tensor, "1 n d"] | None) -> Features:
        """What the control branch adds; nothing where there is none. Differentiable in `seen.latent`."""
        ...

    def predict(
        self, x: Tensor, time: int, features: Features, words: Float[Tensor, "1 n d"] | None
    ) -> Float[Tensor, "1 c a b"]:
        """What the U-Net says of noisy latents."""
        ...


def at(time: int, x: Tensor) -> Float[Tensor, 1]:
    """A place in the schedule as networks take it."""
    return torch.full((1,), float(time), device=x.device)
