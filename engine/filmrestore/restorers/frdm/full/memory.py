"""How much memory a full-size model takes, from its configurations alone, and what patch that leaves room for.

Every stage of a patch is run on torch's "meta" device, which has shapes and no values, while what is alive is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ....errors import ResourceError
from ....motion import ALL_CHANNELS
from ..network import new_net
from ..restorer import FACTS
from .backbone import Lead, predict
from .configs import Configs, built, read_configs
from .counting import peak_mib
from .folder import Kind, Parts, check_fit, latent_px
from .guidance import Told
from .latents import decoded, encoded

_MIB = 2.0**20
BUDGET_MIB = 24 * 1024.0
"""Of the cards that the method is meant for; the patch is chosen for them even where there is more, so that machines
agree on it."""
RESERVE_MIB = 1536.0
"""Left for the driver's context, the libraries' work space and what the allocator cannot use."""
PATCHES = (768, 640, 512, 384, 256)
"""Edges that are tried, px."""
LEAST = 512
"""Edge from which a patch is large enough not to send networks back to the CPU for a larger one, px."""
_PICTURES = 10  # float32 pictures of the window that are held while it is painted


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """What fits.

    Attributes:
        patch, overlap: px.
        frames: Of the window.
        dtype: Of the model.
        offload: Whether networks that rest go back to the CPU.
        fused: Whether attention was taken to keep no matrix, as torch's fused kernels do on CUDA and CPU.
        parameters_mib: Of each network.
        working_mib: Of each stage, beside the parameters.
        peak_mib: Of the whole, reserve included.
        budget_mib: What it had to fit into.
    """

    patch: int
    overlap: int
    frames: int
    dtype: torch.dtype
    offload: bool
    fused: bool
    parameters_mib: Mapping[str, float]
    working_mib: Mapping[str, float]
    peak_mib: float
    budget_mib: float


STAGES: Mapping[str, tuple[str, ...]] = {
    "find": (),
    "encode": ("vae",),
    "read": ("image_encoder", "text_encoder"),
    "step": ("unet", "guidance", "controlnet"),
    "decode": ("vae",),
}
"""Stages of a patch, and the networks that each wants on the device."""


def plan_for(folder: Path, device: torch.device) -> MemoryPlan:
    """The plan of a folder on a device: bfloat16 where that is fast, and fused attention where torch has it.

    Raises:
        WeightsError: a configuration is missing or does not go with the others.
        ResourceError: the device is too small.
    """
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    there = torch.cuda.get_device_properties(device).total_memory / _MIB if device.type == "cuda" else BUDGET_MIB
    configs = read_configs(folder)
    return plan(
        configs,
        budget_mib=min(there, BUDGET_MIB),
        dtype=torch.bfloat16 if half else torch.float32,
        fused=device.type in ("cuda", "cpu"),
    )


def plan(
    configs: Configs,
    *,
    budget_mib: float = BUDGET_MIB,
    frames: int = FACTS.window,
    dtype: torch.dtype = torch.bfloat16,
    fused: bool = True,
) -> MemoryPlan:
    """The largest patch that fits with everything on the device; one below `LEAST` only if offloading gives none above.

    Raises:
        WeightsError: the configurations do not go together.
        ResourceError: not even the smallest patch fits with offloading.
    """
    parts = on_meta(configs, dtype)
    known: dict[int, Mapping[str, float]] = {}
    tried = []
    for offload, edges in ((False, [e for e in PATCHES if e >= LEAST]), (True, list(PATCHES))):
        for edge in edges:
            if edge not in known:
                known[edge] = working_mib(parts, edge, frames, fused=fused)
            answer = _plan(parts, edge, frames, known[edge], offload=offload, fused=fused, budget=budget_mib)
            if answer.peak_mib <= budget_mib:
                return answer
            tried.append(answer)
    least = tried[-1]
    raise ResourceError(
        f"the model takes {least.peak_mib / 1024:.1f} GiB for patches of {least.patch} px with everything else on the "
        f"CPU, there are {budget_mib / 1024:.1f} GiB: use a larger card, --device cpu, or a smaller model"
    )


def memory(
    configs: Configs,
    patch: int,
    *,
    frames: int = FACTS.window,
    dtype: torch.dtype = torch.bfloat16,
    fused: bool = True,
    offload: bool = False,
    budget: float = BUDGET_MIB,
) -> MemoryPlan:
    """What patches of one size take.

    Args:
        configs: Of the folder's networks.
        patch: Edge, px.
        frames: Of the window.
        dtype: Of the model.
        fused: Whether attention keeps no matrix.
        offload: Whether resting networks go back to the CPU.
        budget: Told in the answer.

    Raises:
        WeightsError: the configurations do not go together.
    """
    parts = on_meta(configs, dtype)
    working = working_mib(parts, patch, frames, fused=fused)
    return _plan(parts, patch, frames, working, offload=offload, fused=fused, budget=budget)


def working_mib(parts: Parts, patch: int, frames: int, *, fused: bool) -> dict[str, float]:
    """What each stage takes beside the parameters."""
    work = stages(parts, _padded(parts, patch), frames)
    return {name: peak_mib(stage, fused=fused) for name, stage in work.items()}


def _padded(parts: Parts, patch: int) -> int:
    return -(-patch // parts.multiple) * parts.multiple


def _plan(
    parts: Parts, patch: int, frames: int, working: Mapping[str, float], *, offload: bool, fused: bool, budget: float
) -> MemoryPlan:
    sizes = {name: parameters_mib(network) for name, network in parts.networks.items()}
    pictures = _PICTURES * frames * 3 * _padded(parts, patch) ** 2 * 4 / _MIB
    held = {name: sum(sizes.get(part, 0.0) for part in (STAGES[name] if offload else sizes)) for name in working}
    return MemoryPlan(
        patch=patch,
        overlap=patch // 8,
        frames=frames,
        dtype=parts.dtype,
        offload=offload,
        fused=fused,
        parameters_mib=sizes,
        working_mib=working,
        peak_mib=RESERVE_MIB + pictures + max(held[name] + working[name] for name in working),
        budget_mib=budget,
    )


def on_meta(configs: Configs, dtype: torch.dtype) -> Parts:
    """The networks, without weights."""
    kind: Kind = configs.kind
    check_fit(configs.root, kind, configs.networks)
    with torch.device("meta"):
        networks = {
            name: nn.Module.to(built(name, configs).eval(), device="meta", dtype=dtype)
            for name in configs.networks
            if name != "motion_adapter"
        }
    return Parts(
        kind=kind,
        networks=networks,
        tokenizer=None,
        scheduler=None,
        clip_mean=(0.0,) * 3,
        clip_std=(1.0,) * 3,
        digest="",
        dtype=dtype,
    )


def parameters_mib(network: nn.Module) -> float:
    """Of its weights and buffers."""
    held: int = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    return held / _MIB


def stages(parts: Parts, edge: int, frames: int, device: str = "meta") -> dict[str, Callable[[], object]]:
    """The stages of a patch as calls, with inputs of the right sizes made beforehand."""
    vae: Any = parts.networks["vae"]
    image: Any = parts.networks["image_encoder"]
    unet: Any = parts.networks["unet"]
    small, latents = edge // latent_px(vae), vae.config.latent_channels

    def empty(*shape: int, dtype: torch.dtype = parts.dtype) -> Tensor:
        return torch.zeros(*shape, dtype=dtype, device=device)

    z, plane = empty(frames, latents, small, small), empty(frames, 1, small, small)
    clip = image.config.image_size
    grid = empty(1, (clip // image.config.patch_size) ** 2, image.config.hidden_size)
    text = empty(1, 77, parts.guidance.config.text) if "text_encoder" in parts.networks else None
    width = unet.config.cross_attention_dim
    lead = Lead(
        tokens=empty(1, 77 if parts.kind == "motion" else 1, width), base=z, picture=empty(frames, 3, edge, edge)
    )
    present = torch.ones(1, frames, dtype=torch.bool, device=device)
    box = empty(1, 4, dtype=torch.float32)
    told = Told(scan=z, base=z, inside=plane, trust=plane, whole=z, text=text, image=grid, box=box, present=present)
    picture, shown = empty(frames, 3, edge, edge), empty(1, 3, clip, clip)
    time = torch.ones((), device=device)
    finder = new_net().to(device) if device != "meta" else _on_meta_finder()
    window = empty(1, frames, 3, edge, edge, dtype=torch.float32)
    evidence = empty(1, frames, ALL_CHANNELS, edge, edge, dtype=torch.float32)
    overview = empty(1, 3, 64, 64, dtype=torch.float32)
    return {
        "find": lambda: finder.guide(window, evidence, present, overview, box),
        "encode": lambda: encoded(parts, picture),
        "read": lambda: image(shown),
        "step": lambda: predict(parts, z, time, lead, parts.guidance(z, 1.0, told)),
        "decode": lambda: decoded(parts, z),
    }


def _on_meta_finder() -> Any:
    with torch.device("meta"):
        return new_net()
