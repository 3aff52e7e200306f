"""StableLatents: Stable Diffusion 2.1's classes, loaded from a folder that the user brings, never from a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import UsageError, WeightsError
from ..folders import config_of, digest_of
from ..prior.model import PREDICTIONS
from .latents import Seen, Words, at
from .network import Features

PARTS = {
    "unet": "UNet2DConditionModel",
    "vae": "AutoencoderKL",
    "text_encoder": "CLIPTextModel",
    "tokenizer": "CLIPTokenizer",
    "controlnet": "ControlNetModel",
}
"""Folder -> class that it must hold."""
TEXT = ("text_encoder", "tokenizer")
NEEDED = ("unet", "vae", *TEXT)


class StableLatents:
    """Implements `LatentModel`.

    Args:
        vae, unet, text: `AutoencoderKL`, `UNet2DConditionModel`, `CLIPTextModel`.
        tokenizer: `CLIPTokenizer`.
        control: `ControlNetModel` or None. One with a channel more than the latents have and one width of its
            embedding reads the scan's latent and the hidden share of each cell, as IIDE has it, and estimates are
            held to it; one with three channels reads the scan's picture, 0..1.
        alphas: Of the scheduler.
        prediction: Of `PREDICTIONS`.
        digest: Content hash of all weights.
        device: Where it runs.
    """

    def __init__(
        self,
        *,
        vae: Any,
        unet: Any,
        text: Any,
        tokenizer: Any,
        control: Any | None,
        alphas: Float[Tensor, steps],
        prediction: str,
        digest: str,
        device: torch.device,
    ) -> None:
        self._vae, self._unet, self._text = (_still(net, device) for net in (vae, unet, text))
        self._control = None if control is None else _still(control, device)
        self._tokenizer, self._device = tokenizer, device
        self.channels = int(vae.config.latent_channels)
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self.multiple = self.factor * 2 ** (len(unet.config.block_out_channels) - 1)
        self.whole, self.reads_text = True, True
        self.consistent = control is not None and control.config.conditioning_channels == self.channels + 1
        self.alphas, self.prediction, self.digest = alphas.to(device), prediction, digest
        self.precision = "bfloat16" if device.type == "cuda" else "float32"

    def encode(self, picture: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 c a b"]:
        """See `LatentModel`: the mean of the coder's distribution."""
        latent: Tensor = self._vae.encode(picture).latent_dist.mode() * self._vae.config.scaling_factor
        return latent

    def decode(self, latent: Float[Tensor, "1 c a b"]) -> Float[Tensor, "1 3 h w"]:
        """See `LatentModel`."""
        picture: Tensor = self._vae.decode(latent / self._vae.config.scaling_factor).sample
        return picture

    def words(self, prompt: str, negative: str) -> Words:
        """See `LatentModel`; an empty prompt is one too."""
        return Words(asked=self._embedded(prompt), avoided=self._embedded(negative))

    def _embedded(self, prompt: str) -> Float[Tensor, "1 n d"]:
        longest = self._tokenizer.model_max_length
        told = self._tokenizer(prompt, padding="max_length", max_length=longest, return_tensors="pt").input_ids
        if told.shape[-1] > longest:
            raise UsageError(
                f"the prompt {prompt[:40]!r}... is {told.shape[-1]} tokens long and {longest} are read: shorten it"
            )
        embedded: Tensor = self._text(told.to(self._device))[0]
        return embedded.float()

    def control(self, x: Tensor, time: int, seen: Seen, words: Tensor | None) -> Features:
        """See `LatentModel`."""
        if self._control is None:
            return ()
        shown = torch.cat([seen.latent, seen.hidden], dim=1) if self.consistent else 0.5 + 0.5 * seen.picture
        with self._arithmetic():
            skips, bottom = self._control(
                x, at(time, x), encoder_hidden_states=words, controlnet_cond=shown, return_dict=False
            )
        return (*skips, bottom)

    def predict(self, x: Tensor, time: int, features: Features, words: Tensor | None) -> Float[Tensor, "1 c a b"]:
        """See `LatentModel`."""
        with self._arithmetic():
            told: Tensor = self._unet(
                x,
                at(time, x),
                encoder_hidden_states=words,
                down_block_additional_residuals=list(features[:-1]) or None,
                mid_block_additional_residual=features[-1] if features else None,
                return_dict=False,
            )[0]
        return told.float()

    def _arithmetic(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self.precision == "bfloat16")


def stable_from_folder(folder: str | Path, device: torch.device) -> StableLatents:
    """The model of a folder as diffusers writes a Stable Diffusion pipeline: safetensors only, nothing fetched.

    Args:
        folder: Holds unet/, vae/, text_encoder/, tokenizer/ and scheduler/; controlnet/ too, where the scan is to lead.
        device: Where it runs.

    Raises:
        WeightsError: a part is missing, of another kind, no safetensors, or does not fit the others.
        UsageError: the package transformers is not installed.
    """
    root = Path(folder)
    names = [name for name in PARTS if name in NEEDED or (root / name).is_dir()]
    if missing := [name for name in (*names, "scheduler") if not (root / name).is_dir()]:
        raise WeightsError(
            f"{root} has no {missing[0]}/: iide wants a folder of Stable Diffusion 2.1 as diffusers writes it, with "
            f"{', '.join(f'{name}/' for name in (*NEEDED, 'scheduler'))} and maybe controlnet/"
        )
    kinds = _classes()
    parts = {name: _part(kinds[PARTS[name]], root / name) for name in names}
    settings = config_of(root / "scheduler" / "scheduler_config.json")
    _check(root, parts, settings)
    from diffusers import DDIMScheduler

    return StableLatents(
        vae=parts["vae"],
        unet=parts["unet"],
        text=parts["text_encoder"],
        tokenizer=parts["tokenizer"],
        control=parts.get("controlnet"),
        alphas=DDIMScheduler.from_config(settings).alphas_cumprod,
        prediction=settings.get("prediction_type", "epsilon"),
        digest=" ".join(digest_of(root / name) for name in (*names, "scheduler")),
        device=device,
    )


def _classes() -> dict[str, Any]:
    from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel

    try:
        from transformers import CLIPTextModel, CLIPTokenizer
    except ImportError as error:
        raise UsageError(
            "Stable Diffusion reads its prompts with the package transformers: pip install 'filmrestore[full]'"
        ) from error
    found = (AutoencoderKL, ControlNetModel, UNet2DConditionModel, CLIPTextModel, CLIPTokenizer)
    return {kind.__name__: kind for kind in found}


def _part(kind: Any, place: Path) -> Any:
    """One part of the folder."""
    if kind.__name__ not in ("CLIPTokenizer", "CLIPTextModel"):
        held = config_of(place / "config.json").get("_class_name")
        if held != kind.__name__:
            raise WeightsError(f"{place} holds a {held}: expected a {kind.__name__}")
    only = {} if kind.__name__ == "CLIPTokenizer" else {"use_safetensors": True}
    try:
        return kind.from_pretrained(str(place), local_files_only=True, **only)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise WeightsError(
            f"cannot load the {kind.__name__} in {place}: {error}; save it with save_pretrained, as safetensors"
        ) from error


def _check(root: Path, parts: dict[str, Any], settings: dict[str, Any]) -> None:
    """Whether the parts fit each other."""
    prediction = settings.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise WeightsError(f"{root}: prediction_type is {prediction!r}: expected one of {', '.join(PREDICTIONS)}")
    latent, unet = parts["vae"].config.latent_channels, parts["unet"].config
    if (unet.in_channels, unet.out_channels) != (latent, latent):
        raise WeightsError(
            f"{root}: the U-Net takes {unet.in_channels} channels and gives {unet.out_channels}, the coder's latents "
            f"have {latent}: give a plain text-to-image model (no inpainting, depth or upscaling one)"
        )
    control = parts.get("controlnet")
    if control is None:
        return
    told, widths = control.config.conditioning_channels, control.config.conditioning_embedding_out_channels
    latents, picture = told == latent + 1 and len(widths) == 1, told == 3 and len(widths) > 1
    if not latents and not picture:
        raise WeightsError(
            f"{root}/controlnet takes {told} channels over {len(widths)} widths: expected {latent + 1} over one "
            "(latent and matte) or 3 over several (picture)"
        )


def _still(net: Any, device: torch.device) -> Any:
    return net.to(device).eval().requires_grad_(False)
