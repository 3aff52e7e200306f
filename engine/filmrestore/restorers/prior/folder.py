"""A larger prior that the user brings: a folder that diffusers wrote, read without a network connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...errors import WeightsError
from ..folders import config_of, digest_of
from .model import PREDICTIONS, Prior
from .network import FilmPrior

KINDS = ("UNet2DModel", "FilmPrior")


def prior_from_folder(folder: str | Path, device: torch.device) -> Prior:
    """The prior of a folder: a pipeline's (unet/ and scheduler/ in it), or a model's own beside its scheduler.

    The network must be unconditional, with three channels in and out, on pictures of -1..1.

    Raises:
        WeightsError: no such folder, weights that are no safetensors, or another kind of network.
    """
    root = Path(folder)
    model = root / "unet" if (root / "unet").is_dir() else root
    kind = config_of(model / "config.json").get("_class_name")
    if kind not in KINDS:
        raise WeightsError(f"{model} holds a {kind}: a prior is one of {', '.join(KINDS)} in pixel space")
    try:
        net = _class(kind).from_pretrained(model, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise WeightsError(f"cannot load the prior in {model}: {error}; save it with save_pretrained") from error
    if kind == "FilmPrior":
        return Prior.of_film(net, digest_of(model), device)
    channels = (net.config.in_channels, net.config.out_channels)
    if channels != (3, 3) or net.config.num_class_embeds:
        raise WeightsError(
            f"{model} takes {channels[0]} channels and gives {channels[1]}: a prior takes and gives 3, without classes"
        )
    return _of_unet(net, root, digest_of(model), device)


def _of_unet(net: Any, root: Path, digest: str, device: torch.device) -> Prior:
    from diffusers import DDPMScheduler

    place = root / "scheduler" if (root / "scheduler").is_dir() else root
    settings = config_of(place / "scheduler_config.json")
    prediction = settings.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise WeightsError(f"{place}: prediction_type is {prediction!r}: a prior has one of {', '.join(PREDICTIONS)}")
    scheduler = DDPMScheduler.from_config(settings)
    size = net.config.sample_size or 256
    window = min(size) if isinstance(size, (list, tuple)) else int(size)
    return Prior(
        net=net.to(device).eval(),
        alphas=scheduler.alphas_cumprod.to(device),
        prediction=prediction,
        multiple=2 ** (len(net.config.block_out_channels) - 1),
        window=window,
        overlap=window // 4,
        digest=digest,
        device=device,
    )


def _class(kind: str) -> Any:
    if kind == "FilmPrior":
        return FilmPrior
    from diffusers import UNet2DModel

    return UNet2DModel
