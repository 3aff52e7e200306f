"""frdm's modules one by one: what each is, and the settings that switch it off without training anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...errors import UsageError
from ...settings import FRDM_MODULES, RestoreSettings, split_words

Network = Literal["shipped", "full"]


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """One module that can be switched off.

    Attributes:
        name: Of the row in a table.
        module: In the paper's words, or ours where the paper has no such part.
        settings: What differs from the settings beside which the row stands.
        in_paper: Whether the paper has it.
        shipped, full: Whether the shipped network and the full-size one have it.
    """

    name: str
    module: str
    settings: Mapping[str, object] = field(default_factory=dict)
    in_paper: bool
    shipped: bool = True
    full: bool = True


def _without(name: str, module: str, *, in_paper: bool = True, shipped: bool = True) -> Ablation:
    return Ablation(name=name, module=module, settings={"without": name}, in_paper=in_paper, shipped=shipped)


MODULES: tuple[Ablation, ...] = (
    _without("guidance", "Restoration-Guidance Network: its features in the sampler"),
    _without("prompt", "Global Prompt Fusion: CLIP text", shipped=False),
    _without("fusion", "Global Frame Fusion: tokens of the whole frame"),
    _without("texture", "Texture Reconstruction: 3D spectrum"),
    _without("temporal", "Temporal Module: attention over the frames"),
    _without("half", "second look at half the size", in_paper=False),
    _without("global", "global residual: the low-resolution result leads the sampler"),
    Ablation(name="sampler", module="diffusion sampler", settings={"quality": "preview"}, in_paper=True),
    Ablation(name="neighbours", module="window of frames", settings={"temporal_radius": 0}, in_paper=True),
    _without("evidence", "motion-compensated neighbours as inputs", in_paper=False),
    _without("recovery", "what neighbours show, as the sampler's start", in_paper=False),
    Ablation(name="guard", module="marks that neighbours show again stay", settings={"guard": 0.0}, in_paper=False),
    Ablation(name="grain", module="grain given to what was filled", settings={"grain": 0.0}, in_paper=False),
)
"""Every module; "guard" and "grain" are the restore node's, the others the restorer's."""


def modules(network: Network = "shipped") -> tuple[Ablation, ...]:
    """Those that this network has."""
    return tuple(one for one in MODULES if (one.shipped if network == "shipped" else one.full))


ABLATIONS: dict[str, Mapping[str, object]] = {f"without {one.name}": one.settings for one in modules("shipped")}
"""Rows of a table of the shipped network: what each leaves out, and the settings that do so."""


def without(settings: RestoreSettings, network: Network) -> frozenset[str]:
    """The modules that the settings switch off.

    Raises:
        UsageError: the network has no such module, or the settings ask of it what it cannot do.
    """
    words = frozenset(split_words(settings.without))
    if network == "full":
        return words
    has = [name for name in FRDM_MODULES if name != "prompt"]
    if "prompt" in words:
        raise UsageError(
            f"the shipped frdm has no module 'prompt' to leave out: choose from {', '.join(has)}, or name the folder "
            "of a full-size model with --prior"
        )
    if settings.prompt.strip():
        raise UsageError(
            "the shipped frdm has not learned to read prompts: leave the prompt empty, or name the folder of a "
            "full-size model with --prior"
        )
    return words
