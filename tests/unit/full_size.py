"""Tiny full-size models: real classes of diffusers and transformers with random weights, saved as a user has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

WIDTHS, NORM = (8, 16), 4
TEXT, IMAGE, PROJECTION = 16, 12, 20


def save_model(folder: Path, kind: str, *, controlnet: bool = False, joined: bool = True, seed: int = 0) -> Path:
    """A whole folder but for guidance/.

    Args:
        folder: Made here.
        kind: "motion" or "video".
        controlnet: Whether it has one.
        joined: Whether unet/ holds a UNetMotionModel, or a plain U-Net with its adapter beside it.
        seed: Of the weights.
    """
    import transformers
    from diffusers import DDIMScheduler, EulerDiscreteScheduler

    torch.manual_seed(seed)
    heard(_vae(kind)).save_pretrained(folder / "vae")
    unet, adapter = _unet(kind, joined=joined)
    heard(unet).save_pretrained(folder / "unet")
    if adapter is not None:
        heard(adapter).save_pretrained(folder / "motion_adapter")
    vision = transformers.CLIPVisionConfig(
        hidden_size=IMAGE,
        intermediate_size=16,
        projection_dim=PROJECTION,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=28,
        patch_size=7,
    )
    transformers.CLIPVisionModelWithProjection(vision).save_pretrained(folder / "image_encoder")
    if kind == "motion":
        _save_text(folder, transformers)
        DDIMScheduler(beta_schedule="linear").save_pretrained(folder / "scheduler")
    else:
        EulerDiscreteScheduler(
            prediction_type="v_prediction",
            timestep_type="continuous",
            use_karras_sigmas=True,
            sigma_max=700.0,
            sigma_min=0.002,
            timestep_spacing="leading",
            interpolation_type="linear",
        ).save_pretrained(folder / "scheduler")
    if controlnet:
        heard(_controlnet()).save_pretrained(folder / "controlnet")
    return folder


def heard(net: Any, size: float = 0.05) -> Any:
    """With small values where it starts as zero, which would hide that a part works at all."""
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, size)
    return net.eval()


def save_guidance(folder: Path, *, speaks: bool = True) -> Path:
    """The folder with a guidance network, as it starts or with every part heard."""
    from filmrestore.restorers.frdm.full.start import untrained

    net = untrained(folder, width=8)
    (heard(net, 0.2) if speaks else net).save_pretrained(folder / "guidance")
    return folder


def _vae(kind: str) -> Any:
    from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder

    same = {"block_out_channels": (8, 8, 8, 8), "layers_per_block": 1, "latent_channels": 4}
    down = ("DownEncoderBlock2D",) * 4
    if kind == "video":
        # the decoder of this class fixes 32 groups in its last norm
        same["block_out_channels"] = (32, 32)
        return AutoencoderKLTemporalDecoder(down_block_types=down[:2], **same)
    return AutoencoderKL(down_block_types=down, up_block_types=("UpDecoderBlock2D",) * 4, norm_num_groups=NORM, **same)


def _unet(kind: str, *, joined: bool) -> tuple[Any, Any]:
    from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel, UNetSpatioTemporalConditionModel

    if kind == "video":
        net = UNetSpatioTemporalConditionModel(
            in_channels=8,
            out_channels=4,
            block_out_channels=(32, 64),
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=24,
            layers_per_block=1,
            cross_attention_dim=PROJECTION,
            num_attention_heads=(2, 2),
        )
        return net, None
    same = {"block_out_channels": WIDTHS, "layers_per_block": 1, "norm_num_groups": NORM, "cross_attention_dim": TEXT}
    if joined:
        net = UNetMotionModel(
            down_block_types=("CrossAttnDownBlockMotion", "DownBlockMotion"),
            up_block_types=("UpBlockMotion", "CrossAttnUpBlockMotion"),
            num_attention_heads=2,
            motion_num_attention_heads=2,
            motion_max_seq_length=8,
            **same,
        )
        return net, None
    net = UNet2DConditionModel(
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=2,
        **same,
    )
    adapter = MotionAdapter(
        block_out_channels=WIDTHS, motion_layers_per_block=1, motion_num_attention_heads=2, motion_norm_num_groups=NORM
    )
    return net, adapter


def _controlnet() -> Any:
    from diffusers import ControlNetModel

    return ControlNetModel(
        block_out_channels=WIDTHS,
        layers_per_block=1,
        norm_num_groups=NORM,
        cross_attention_dim=TEXT,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        attention_head_dim=2,
        conditioning_embedding_out_channels=(4, 8, 8, 8),
    )


def _save_text(folder: Path, transformers: Any) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    config = transformers.CLIPTextConfig(
        hidden_size=TEXT,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=len(words),
        max_position_embeddings=16,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    transformers.CLIPTextModel(config).save_pretrained(folder / "text_encoder")
