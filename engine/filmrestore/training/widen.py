"""From a trained frdm to a wider one that begins where it ended."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..restorers.frdm.blocks import Block, GlobalFusion, TemporalAttention
from ..restorers.frdm.denoiser import Denoiser
from ..restorers.frdm.guidance import GuidanceBranch
from ..restorers.frdm.network import SIZES, FrdmNet, new_net
from ..restorers.frdm.weights import load_weights, save_weights
from .command import finished

NOISE = 0.2
"""On what leads into a channel that is there twice, of its weights' deviation: without it both would learn the same."""
SMALLEST_SHARE = 0.3
"""Of what such a channel gives on, for either of the two."""


@dataclass(frozen=True)
class Channels:
    """Of a wider layer: the old ones, then some of them a second time.

    Attributes:
        source: Which old channel each is.
        share: What each gives on of what that one gave: 1, or two shares that add up to it.
        again: Which are there for the second time.
    """

    source: Tensor
    share: Tensor
    again: Tensor

    @property
    def old(self) -> int:
        """How many there were."""
        return int((~self.again).sum())

    @classmethod
    def doubled(cls, old: int, new: int) -> Channels:
        """`new` of `old` channels, some twice, drawn from torch's random state."""
        if not old <= new <= 2 * old:
            raise UsageError(f"{old} channels cannot become {new}: choose a size as wide, or up to twice as wide")
        twice = torch.randperm(old)[: new - old]
        first = SMALLEST_SHARE + (1 - 2 * SMALLEST_SHARE) * torch.rand(new - old)
        share = torch.cat([torch.ones(old), 1 - first])
        share[twice] = first
        return cls(torch.cat([torch.arange(old), twice]), share, torch.arange(new) >= old)

    @classmethod
    def joined(cls, parts: Sequence[Channels]) -> Channels:
        """One after the other in one layer: heads, queries, keys and values, scales and shifts."""
        first, sources = 0, []
        for part in parts:
            sources.append(part.source + first)
            first += part.old
        return cls(
            torch.cat(sources), torch.cat([part.share for part in parts]), torch.cat([part.again for part in parts])
        )


def widened(narrow: FrdmNet, size: str, seed: int = 1) -> FrdmNet:
    """A network of one of the `SIZES` that answers about as a narrower one does.

    Some channels are there twice, and what they give is parted between the two, so that what attention normalises has
    about the same statistics. The answers differ by those statistics and by `NOISE`.

    Args:
        narrow: Trained.
        size: Of the wider one.
        seed: Of what is there twice, and of the noise.

    Raises:
        UsageError: the size is narrower somewhere, or more than twice as wide.

    Source: the wider layers of Net2Net (Chen, Goodfellow, Shlens, 2016).
    """
    torch.manual_seed(seed)
    grown = ("widths", "denoiser_widths")
    others = {name: value for name, value in narrow.config.items() if name[0] != "_" and name not in grown}
    wide = new_net(size, **others)
    guidance, denoiser = (
        [Channels.doubled(old, new) for old, new in zip(narrow.config[name], wide.config[name], strict=True)]
        for name in grown
    )
    with torch.no_grad():
        _guidance(wide.guidance, narrow.guidance, guidance)
        _denoiser(wide.denoiser, narrow.denoiser, denoiser, guidance)
    wide.eval()
    return wide


def _guidance(wide: GuidanceBranch, narrow: GuidanceBranch, channels: list[Channels]) -> None:
    fine, middle, coarse = channels
    wide.prompt.tables.load_state_dict(narrow.prompt.tables.state_dict())
    _layer(wide.prompt.out, narrow.prompt.out, out=Channels.joined([part for part in channels for _ in range(2)]))
    _layer(wide.tokens.embed, narrow.tokens.embed, out=coarse)
    _layer(wide.tokens.box, narrow.tokens.box, out=coarse)
    wide.tokens.place.copy_(narrow.tokens.place[:, coarse.source])
    _u_net(wide, narrow, channels)
    _block(wide.coarse_lines, narrow.coarse_lines, coarse)
    _block(wide.middle_lines, narrow.middle_lines, middle)
    for name, level in (("coarse_time", coarse), ("coarse_time_shifted", coarse), ("middle_time", middle)):
        _in_time(getattr(wide, name), getattr(narrow, name), level)
    _fusion(wide.whole, narrow.whole, coarse)
    for name in ("input", "overview"):
        getattr(wide.texture, name).load_state_dict(getattr(narrow.texture, name).state_dict())
    wide.texture.gain.copy_(narrow.texture.gain)
    _layer(wide.texture.feature, narrow.texture.feature, into=fine)
    _layer(wide.texture.out, narrow.texture.out, out=fine)


def _denoiser(wide: Denoiser, narrow: Denoiser, channels: list[Channels], guidance: list[Channels]) -> None:
    wide.time[0].load_state_dict(narrow.time[0].state_dict())
    _layer(wide.time[2], narrow.time[2], out=Channels.joined([part for part in channels for _ in range(2)]))
    for guide, was, own, given in zip(wide.guides, narrow.guides, channels, guidance, strict=True):
        _layer(guide, was, out=own, into=given)
    _u_net(wide, narrow, channels)
    _block(wide.middle_out, narrow.middle_out, channels[1])


def _u_net(wide: nn.Module, narrow: nn.Module, channels: list[Channels]) -> None:
    """What both branches have."""
    fine, middle, coarse = channels
    blocks = {
        "fine_in": fine,
        "middle_in": middle,
        "coarse_in": coarse,
        "coarse_out": coarse,
        "fine_out": fine,
        "last": fine,
    }
    layers: dict[str, tuple[Channels | None, Channels | None]] = {
        "stem": (fine, None),
        "to_middle": (middle, fine),
        "to_coarse": (coarse, middle),
        "from_coarse": (middle, coarse),
        "from_middle": (fine, middle),
        "head": (None, fine),
    }
    for name, level in blocks.items():
        _block(getattr(wide, name), getattr(narrow, name), level)
    for name, (out, into) in layers.items():
        _layer(getattr(wide, name), getattr(narrow, name), out, into)


def _block(wide: Block, narrow: Block, channels: Channels) -> None:
    _layer(wide.first, narrow.first, channels, channels)
    _layer(wide.second, narrow.second, channels, channels)


def _in_time(wide: TemporalAttention, narrow: TemporalAttention, channels: Channels) -> None:
    inner = _inner(narrow, channels)
    _norm(wide.norm, narrow.norm, channels)
    wide.codes.copy_(narrow.codes[..., channels.source])
    wide.bias.copy_(narrow.bias)
    _layer(wide.qkv, narrow.qkv, Channels.joined([inner] * 3), channels)
    _part_queries(wide.qkv, inner)
    _layer(wide.out, narrow.out, channels, inner)


def _fusion(wide: GlobalFusion, narrow: GlobalFusion, channels: Channels) -> None:
    inner = _inner(narrow, channels)
    _norm(wide.norm, narrow.norm, channels)
    _norm(wide.token_norm, narrow.token_norm, channels)
    _layer(wide.query, narrow.query, inner, channels)
    _part_queries(wide.query, inner)
    _layer(wide.key_value, narrow.key_value, Channels.joined([inner] * 2), channels)
    _layer(wide.out, narrow.out, channels, inner)


def _inner(narrow: TemporalAttention | GlobalFusion, channels: Channels) -> Channels:
    """Channels within heads, as many more as there are more outside."""
    heads = narrow.heads
    within = Channels.doubled(channels.old // heads, len(channels.source) // heads)
    return Channels.joined([within] * heads)


def _part_queries(layer: nn.Linear, inner: Channels) -> None:
    """Where queries and keys are there twice, their products are to add up to what they were, over a wider root."""
    width = len(inner.source)
    parted = inner.share * (width / inner.old) ** 0.5
    layer.weight[:width] *= parted[:, None]
    layer.bias[:width] *= parted


def _norm(wide: nn.LayerNorm, narrow: nn.LayerNorm, channels: Channels) -> None:
    wide.weight.copy_(narrow.weight[channels.source])
    wide.bias.copy_(narrow.bias[channels.source])


def _layer(wide: nn.Module, narrow: nn.Module, out: Channels | None = None, into: Channels | None = None) -> None:
    """A convolution or linear layer between channels of which some are there twice."""
    given: dict[str, Tensor] = dict(narrow.named_parameters())
    taken = dict(wide.named_parameters())
    weight = given["weight"]
    if into is not None:
        weight = weight[:, into.source] * into.share.view(-1, *[1] * (weight.ndim - 2))
    if out is not None:
        noise = NOISE * given["weight"].std() * torch.randn(len(out.source), *weight.shape[1:])
        weight = weight[out.source] + noise * out.again.view(-1, *[1] * (weight.ndim - 1))
    taken["weight"].copy_(weight)
    if "bias" in given:
        taken["bias"].copy_(given["bias"] if out is None else given["bias"][out.source])


def main() -> int:
    """`python -m filmrestore.training.widen`."""
    parser = argparse.ArgumentParser(prog="python -m filmrestore.training.widen", description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="trained ones, .safetensors")
    parser.add_argument("--size", choices=sorted(SIZES), default="frdm-m", help="of the wider network")
    parser.add_argument("--to", type=Path, required=True, help="weights to write, .safetensors: for train --start")
    asked = parser.parse_args()

    def work() -> str:
        narrow = load_weights(asked.weights)
        kept = {name: narrow.card[name] for name in ("run", "data", "licence") if name in narrow.card}
        save_weights(widened(narrow.net, asked.size), asked.to, kept)
        return f"{asked.to}: {asked.size}, to be trained on with train --start"

    return finished(work)


if __name__ == "__main__":
    sys.exit(main())
