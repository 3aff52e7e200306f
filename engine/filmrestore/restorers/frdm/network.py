"""The frdm network in diffusers' form: guidance over a window of frames, and a denoiser of single frames."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .denoiser import Denoiser
from .guidance import Guidance, GuidanceBranch
from .inputs import Shown

MULTIPLE = 32
"""Height and width of a window must be multiples of this."""

BRANCH_MODULES = ("fusion", "texture", "temporal")
"""Modules of the guidance branch that can be left out."""

_SHOWN = {"spikes": (3, 5, 9), "seconds": True, "singles": True}

SIZES: dict[str, dict[str, Any]] = {
    "frdm-s": {"widths": (32, 56, 96), "denoiser_widths": (24, 40, 64), **_SHOWN},
    "frdm-m": {"widths": (40, 80, 144), "denoiser_widths": (32, 64, 96), **_SHOWN},
    "frdm-test": {"widths": (8, 8, 16), "denoiser_widths": (8, 8, 16), **_SHOWN},
}
"""Configurations by name; the last is for tests."""


class FrdmNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Guidance and denoiser.

    Args:
        widths: Channels of the guidance branch at 1/2, 1/4 and 1/8.
        denoiser_widths: The same of the denoiser.
        heads: Attention heads at 1/4 and 1/8.
        frames: Longest window.
        kinds: Kinds of damage that are told apart.
        stocks: Film stocks that a prompt may name.
        without: Modules of the guidance branch that it never uses, of `BRANCH_MODULES`: for ablations that are trained.
        spikes: Edges, odd, of the squares over which spikes in time are measured against the grain; pixels.
        seconds: Whether it looks at the second neighbours, too.
        singles: Whether it looks at spikes of single pixels against the neighbours that agree best.

    Source: HaineiFRDM, in pixel space; what is ours is told in docs/models/frdm.md.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        widths: Sequence[int] = SIZES["frdm-s"]["widths"],
        denoiser_widths: Sequence[int] = SIZES["frdm-s"]["denoiser_widths"],
        heads: Sequence[int] = (2, 4),
        frames: int = 5,
        kinds: Sequence[str] = ("dust", "dirt", "hair", "scratch", "stain", "burn"),
        stocks: Sequence[str] = ("negative", "positive", "black and white"),
        without: Sequence[str] = (),
        spikes: Sequence[int] = (),
        seconds: bool = False,
        singles: bool = False,
    ) -> None:
        super().__init__()
        for word in without:
            if word not in BRANCH_MODULES:
                raise ValueError(f"without names {word!r}: choose from {', '.join(BRANCH_MODULES)}")
        shown = Shown(tuple(spikes), seconds, singles)
        prompts = (len(kinds) + 1, 3, len(stocks) + 1)
        self.guidance = GuidanceBranch(tuple(widths), tuple(heads), frames, len(kinds), prompts, shown)
        self.denoiser = Denoiser(tuple(denoiser_widths), tuple(widths))

    def guide(
        self,
        window: Float[Tensor, "b t 3 h w"],
        evidence: Float[Tensor, "b t e h w"],
        present: Bool[Tensor, "b t"],
        overview: Float[Tensor, "b 3 64 64"],
        box: Float[Tensor, "b 4"],
        prompt: Int[Tensor, "b 3"] | None = None,
        without: Collection[str] = (),
    ) -> Guidance:
        """Looks at whole windows, once.

        Args:
            window: Net encoding, finite; h and w multiples of `MULTIPLE`; t odd, at most `frames`. An absent
                frame holds a copy of its nearest neighbour.
            evidence: As `filmrestore.motion.evidence` gives it, with second neighbours where the network looks at
                these; zeros where it is held back.
            present: Which frames are real.
            overview: The middle frame, whole, shrunk.
            box: The patch in the whole frame: x0, y0, x1, y1, each 0..1.
            prompt: Ids of kind (1 + its place in `kinds`), polarity (1 dark, 2 light) and stock (1 + its
                place); 0, or no prompt at all, says nothing.
            without: Modules to leave out besides those of the configuration, of `BRANCH_MODULES`.
        """
        left_out = {*without, *self.config.without}
        answer: Guidance = self.guidance(window, evidence, present, overview, box, prompt, left_out)
        return answer

    def denoise(
        self,
        x: Float[Tensor, "n 3 h w"],
        sigma: Float[Tensor, n],
        scan: Float[Tensor, "n 3 h w"],
        base: Float[Tensor, "n 3 h w"],
        matte: Float[Tensor, "n 1 h w"],
        trust: Float[Tensor, "n 1 h w"],
        features: list[Tensor],
    ) -> Float[Tensor, "n 3 h w"]:
        """The clean picture, estimated from a point of the bridge.

        Args:
            x: Inside the matte (1 - sigma) clean + sigma (base + kappa noise), the scan elsewhere.
            sigma: 1 at the start of the bridge, 0 at its end.
            scan, base, matte: Of the same frames; the matte as 0..1.
            trust: 0..1, the share of the base that neighbours showed.
            features: `Guidance.features_of` the same frames.
        """
        clean: Tensor = self.denoiser(x, sigma, scan, base, matte, trust, features)
        return clean


def new_net(size: str = "frdm-s", **changes: Any) -> FrdmNet:
    """An untrained network of one of the `SIZES`, initialised from torch's current random state."""
    net: FrdmNet = FrdmNet(**{**SIZES[size], **changes})
    return net
