"""The configurations of a full-size model: of a folder, or of the models that everybody uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ....errors import WeightsError
from ...folders import config_of
from .folder import JOINED, Kind, class_named, classes_of, clip_config, completed, kind_of
from .guidance import FullGuidance

PUBLISHED = ("motion", "video")
"""Models whose configurations are known here."""


@dataclass(frozen=True, kw_only=True)
class Configs:
    """Of all networks of a model.

    Attributes:
        root: The folder, or a word for messages.
        kind: As `Parts.kind`.
        networks: Configuration by sub-folder.
        classes: Class by sub-folder.
    """

    root: Path
    kind: Kind
    networks: Mapping[str, Mapping[str, Any]]
    classes: Mapping[str, str]


def read_configs(folder: Path) -> Configs:
    """Those of a folder; weights are not looked at.

    Raises:
        WeightsError: a sub-folder is missing, or of another class.
    """
    classes = classes_of(folder)
    backbone = kind_of(folder, classes)
    networks = {name: completed(kind, config_of(folder / name / "config.json")) for name, kind in classes.items()}
    return Configs(root=folder, kind=backbone, networks=networks, classes=classes)


def built(name: str, configs: Configs) -> nn.Module:
    """A network of its configuration, a plain U-Net joined with its motion adapter.

    Its weights are chance, or none under torch.device("meta").
    """
    kind, config = configs.classes[name], dict(configs.networks[name])
    if kind.startswith("CLIP"):
        network: nn.Module = class_named(kind)(clip_config(kind)(**config))
        return network
    made: nn.Module = class_named(kind).from_config({k: v for k, v in config.items() if not k.startswith("_")})
    return (
        class_named("UNetMotionModel").from_unet2d(made, built("motion_adapter", configs)) if kind == JOINED else made
    )


def published(name: str) -> Configs:
    """Of the models that everybody uses, with a guidance network of 64 channels.

    "motion" is Stable Diffusion 1.5 with a motion adapter of its own size, "video" Stable Video Diffusion; both with
    the CLIP ViT-H image encoder. Sizes are those of the published config.json files.

    Raises:
        WeightsError: no such model.
    """
    if name not in PUBLISHED:
        raise WeightsError(f"no published model {name!r} is known: choose motion or video, or name a folder")
    unet = _MOTION if name == "motion" else _VIDEO
    guidance = {
        "latents": 4,
        "widths": [64, 128, 256, 256],
        "backbone_widths": unet["block_out_channels"],
        "layers": [2, 2, 2, 2],
        "text": 768,
        "image": 1280,
    }
    networks: dict[str, Mapping[str, Any]] = {
        "unet": unet,
        "vae": _VAE,
        "image_encoder": completed("CLIPVisionModelWithProjection", _VIT_H),
        "guidance": dict(FullGuidance(**guidance).config),
    }
    classes = {
        "unet": "UNetMotionModel" if name == "motion" else "UNetSpatioTemporalConditionModel",
        "vae": "AutoencoderKL" if name == "motion" else "AutoencoderKLTemporalDecoder",
        "image_encoder": "CLIPVisionModelWithProjection",
        "guidance": "FullGuidance",
    }
    if name == "motion":
        networks["text_encoder"], classes["text_encoder"] = completed("CLIPTextModel", _VIT_L_TEXT), "CLIPTextModel"
        return Configs(root=Path(name), kind="motion", networks=networks, classes=classes)
    networks["vae"] = {
        k: v for k, v in _VAE.items() if not k.endswith(("block_types", "act_fn", "norm_num_groups"))
    } | {"down_block_types": _VAE["down_block_types"]}
    return Configs(root=Path(name), kind="video", networks=networks, classes=classes)


_MOTION: dict[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "cross_attention_dim": 768,
    "num_attention_heads": 8,
    "motion_num_attention_heads": 8,
    "motion_max_seq_length": 32,
    "use_motion_mid_block": True,
}
_VIDEO: dict[str, Any] = {
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "cross_attention_dim": 1024,
    "num_attention_heads": [5, 10, 20, 20],
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 768,
    "num_frames": 25,
}
_VAE: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "act_fn": "silu",
    "norm_num_groups": 32,
    "scaling_factor": 0.18215,
}
_VIT_H: dict[str, Any] = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "projection_dim": 1024,
    "image_size": 224,
    "patch_size": 14,
    "hidden_act": "gelu",
}
_VIT_L_TEXT: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "vocab_size": 49408,
    "max_position_embeddings": 77,
}
