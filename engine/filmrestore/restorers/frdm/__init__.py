"""frdm: restoration guided by neighbours and the whole frame, finished by a few-step bridge sampler."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from ..base import Restorer


def load(device: torch.device, backend: str = "torch", *, prior: str = "") -> Restorer:
    """The restorer with the weights that are shipped, with those of another training, or at full size.

    Args:
        device: Where it runs.
        backend: "torch", "onnx", or "auto": see `runtime.backend_for`.
        prior: "" for the shipped weights; "frdm-m" for those of the larger network that are shipped, too; a folder
            with a frdm.safetensors, as training exports it; or a folder of a video diffusion model, as diffusers saves
            it (docs/models/frdm-full.md).

    Raises:
        WeightsError: they are missing, damaged, or do not go together.
        UsageError: a package that a full-size model or the backend wants is not installed, or a full-size model is to
            run on another backend than torch.
        ResourceError: the device has too little memory for it.
    """
    from ...errors import UsageError
    from ..runtime import AUTO, backend_for
    from .restorer import FACTS, FrdmRestorer
    from .weights import FOLDER, load_weights

    precision = precision_of(device)
    folder = FOLDER / prior
    if prior and not (folder / FACTS.weights).is_file():
        folder = Path(prior)
    if not prior or (folder / FACTS.weights).is_file():
        backend = backend_for(backend, device, precision)
        precision = precision if backend == "torch" else "float32"
        return FrdmRestorer(load_weights(folder / FACTS.weights), device, precision, backend=backend)
    if backend not in (AUTO, "torch"):
        raise UsageError(
            f"the full-size model in {prior} runs on torch and not on {backend!r}: choose --backend auto or torch, or "
            "leave --prior out for the shipped frdm, which onnxruntime can run"
        )
    from .full.folder import load_parts
    from .full.memory import plan_for
    from .full.restorer import FullRestorer

    plan = plan_for(Path(prior), device)
    parts = load_parts(prior, plan.dtype)
    return FullRestorer(load_weights(FOLDER / FACTS.weights), parts, device, precision, plan)


def precision_of(device: torch.device) -> str:
    """ "bfloat16" where the processor multiplies matrices of it, else "float32".

    There it takes half of the time and moves confidences by less than .02 (docs/decisions/frdm-network.md).
    """
    import torch

    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return "bfloat16" if device.type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16") else "float32"
