"""A full-size model in a folder of diffusers' form: what must be in it, and what is said where it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import xxhash
from torch import nn

from ....errors import UsageError, WeightsError
from ...folders import config_of
from .guidance import FullGuidance

Kind = Literal["motion", "video"]

LAYOUT: Mapping[str, tuple[str, ...]] = {
    "unet": ("UNetMotionModel", "UNetSpatioTemporalConditionModel", "UNet2DConditionModel"),
    "vae": ("AutoencoderKL", "AutoencoderKLTemporalDecoder"),
    "image_encoder": ("CLIPVisionModelWithProjection",),
    "text_encoder": ("CLIPTextModel", "CLIPTextModelWithProjection"),
    "motion_adapter": ("MotionAdapter",),
    "controlnet": ("ControlNetModel",),
    "guidance": ("FullGuidance",),
}
"""Sub-folders, and the classes that each may hold."""
JOINED = "UNet2DConditionModel"
"""Sees single frames; with a motion adapter it becomes a UNetMotionModel."""
ALWAYS = ("unet", "vae", "image_encoder", "guidance")
SCHEDULERS: Mapping[Kind, str] = {"motion": "DDIMScheduler", "video": "EulerDiscreteScheduler"}
"""Deterministic ones, told what the folder's scheduler was trained with."""
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's training pictures. Source: A. Radford et al., 2021, as in its published preprocessing."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The networks of a folder, in evaluation mode, frozen.

    Attributes:
        kind: "motion" for a UNetMotionModel, led by text; "video" for a UNetSpatioTemporalConditionModel, led by
            an image.
        networks: By sub-folder; text_encoder and controlnet where the folder has them.
        tokenizer: Of the text encoder.
        scheduler: Never used itself, only as the pattern of a fresh one.
        clip_mean, clip_std: What the image encoder's pictures are normalised by.
        digest: Content hash of configurations and weights.
        dtype: Of the weights.
    """

    kind: Kind
    networks: Mapping[str, nn.Module]
    tokenizer: Any
    scheduler: Any
    clip_mean: tuple[float, ...]
    clip_std: tuple[float, ...]
    digest: str
    dtype: torch.dtype

    @property
    def guidance(self) -> FullGuidance:
        found: Any = self.networks["guidance"]
        assert isinstance(found, FullGuidance)
        guidance: FullGuidance = found
        return guidance

    @property
    def multiple(self) -> int:
        """Height and width of a patch must be multiples of this, px."""
        levels = len(self.networks["unet"].config.block_out_channels)  # type: ignore[arg-type,union-attr]
        return int(latent_px(self.networks["vae"]) * 2 ** (levels - 1))


def latent_px(vae: nn.Module) -> int:
    """Pixels of a latent's edge."""
    return int(2 ** (len(vae.config.block_out_channels) - 1))  # type: ignore[arg-type,union-attr]


def load_parts(folder: str | Path, dtype: torch.dtype) -> Parts:
    """All networks of the folder, on the CPU; read from disk alone, safetensors only.

    Raises:
        WeightsError: a sub-folder is missing, of another class, damaged, or does not fit the others.
        UsageError: transformers is not installed.
    """
    root = Path(folder)
    classes = classes_of(root)
    kind = kind_of(root, classes)
    check_fit(root, kind, {name: completed(classes[name], config_of(root / name / "config.json")) for name in classes})
    names = [name for name in classes if name != "motion_adapter"]
    networks = {name: _network(root, name, classes, dtype) for name in names}
    return Parts(
        kind=kind,
        networks=networks,
        tokenizer=_tokenizer(root / "tokenizer") if "text_encoder" in classes else None,
        scheduler=_scheduler(root / "scheduler", kind),
        **_preprocessing(root / "feature_extractor" / "preprocessor_config.json"),
        digest=_digest(root),
        dtype=dtype,
    )


def kind_of(root: Path, classes: Mapping[str, str]) -> Kind:
    """Which backbone the sub-folders make.

    Args:
        root: For messages.
        classes: Class by sub-folder that is there.

    Raises:
        WeightsError: one is missing, or holds another class.
    """
    for name in ALWAYS:
        if name not in classes:
            raise WeightsError(f"{root} has no {name}/: {_remedy(root, name)}")
    for name, found in classes.items():
        if found not in LAYOUT[name]:
            raise WeightsError(f"{root / name} holds a {found}: it must be one of {', '.join(LAYOUT[name])}")
    if not (root / "scheduler" / "scheduler_config.json").is_file():
        raise WeightsError(f"{root} has no scheduler/scheduler_config.json: {_remedy(root, 'scheduler')}")
    if classes["unet"] == "UNetSpatioTemporalConditionModel":
        return "video"
    if classes["unet"] == JOINED and "motion_adapter" not in classes:
        raise WeightsError(
            f"{root / 'unet'} holds a UNet2DConditionModel, which sees single frames: put its MotionAdapter into "
            f"{root / 'motion_adapter'}, or a UNetMotionModel into unet/"
        )
    if "text_encoder" not in classes:
        raise WeightsError(f"{root} has no text_encoder/: {_remedy(root, 'text_encoder')}")
    return "motion"


def check_fit(root: Path, kind: Kind, configs: Mapping[str, Mapping[str, Any]]) -> None:
    """Whether the networks go together.

    Raises:
        WeightsError: they do not.
    """
    unet, vae, guidance = configs["unet"], configs["vae"], configs["guidance"]
    image = configs["image_encoder"]
    text = configs.get("text_encoder")
    latents = vae["latent_channels"]
    wanted = latents if kind == "motion" else 2 * latents
    asked = [
        ("unet takes channels", unet["in_channels"], wanted),
        ("unet gives channels", unet["out_channels"], latents),
        ("guidance was made for latents of channels", guidance["latents"], latents),
        ("guidance was made for levels of", tuple(guidance["backbone_widths"]), tuple(unet["block_out_channels"])),
        ("guidance was made for layers", tuple(guidance["layers"]), layers_of(unet)),
        ("guidance was made for image tokens of", guidance["image"], image["hidden_size"]),
    ]
    if text is not None:
        asked.append(("guidance was made for text tokens of", guidance["text"], text["hidden_size"]))
    lead = text["hidden_size"] if kind == "motion" and text is not None else image["projection_dim"]
    asked.append(("unet is led by tokens of", unet["cross_attention_dim"], lead))
    if "controlnet" in configs:
        control = configs["controlnet"]
        asked += [
            ("controlnet takes channels", control["in_channels"], latents),
            ("controlnet has levels of", tuple(control["block_out_channels"]), tuple(unet["block_out_channels"])),
            ("controlnet is led by tokens of", control["cross_attention_dim"], lead),
        ]
    for what, found, expected in asked:
        if found != expected:
            raise WeightsError(f"{root}: {what} {found}, the other networks there want {expected}; {_remedy(root, '')}")
    for word in ("encoder_hid_dim_type", "addition_embed_type"):
        if unet.get(word):
            raise WeightsError(f"{root / 'unet'} has {word} {unet[word]!r}: a model that wants none of it will do")


def layers_of(unet: Mapping[str, Any]) -> tuple[int, ...]:
    """Blocks of each level of a backbone."""
    layers = unet["layers_per_block"]
    return (layers,) * len(unet["block_out_channels"]) if isinstance(layers, int) else tuple(layers)


def classes_of(root: Path) -> dict[str, str]:
    """Class by sub-folder, of those that are there.

    Raises:
        WeightsError: there is no such folder, or a configuration cannot be read.
    """
    if not root.is_dir():
        raise WeightsError(f"{root} is no folder: name one of a video model in diffusers' form with --prior")
    return {name: class_of(root / name) for name in LAYOUT if (root / name).is_dir()}


def completed(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with the defaults of its class, which transformers' files leave out."""
    if not kind.startswith("CLIP"):
        return dict(config)
    return dict(
        clip_config(kind)(**{name: value for name, value in config.items() if name != "architectures"}).to_dict()
    )


def clip_config(kind: str) -> Any:
    """The class of a CLIP model's configuration."""
    return class_named("CLIPVisionConfig" if "Vision" in kind else "CLIPTextConfig")


def class_of(folder: Path) -> str:
    """The class that a sub-folder's configuration names, diffusers' way or transformers'.

    Raises:
        WeightsError: it has none that can be read.
    """
    config = config_of(folder / "config.json")
    architectures = config.get("architectures") or [""]
    return str(config.get("_class_name") or architectures[0])


def _network(root: Path, name: str, classes: Mapping[str, str], dtype: torch.dtype) -> nn.Module:
    """One network, frozen; a plain U-Net is joined with its motion adapter."""
    net = _loaded(root / name, classes[name], dtype)
    if classes[name] == JOINED:
        from diffusers import UNetMotionModel

        net = UNetMotionModel.from_unet2d(net, _loaded(root / "motion_adapter", classes["motion_adapter"], dtype))
    frozen: nn.Module = nn.Module.to(net.eval().requires_grad_(False), dtype=dtype)
    return frozen


def _loaded(folder: Path, kind: str, dtype: torch.dtype) -> Any:
    variant = "fp16" if not _weights(folder, "") and _weights(folder, "fp16") else None
    if variant is None and not _weights(folder, ""):
        raise WeightsError(
            f"{folder} holds no .safetensors: save the part anew with save_pretrained; pickles are not read"
        )
    plain = {} if kind.startswith("CLIP") else {"low_cpu_mem_usage": False}  # the other way wants accelerate
    try:
        return class_named(kind).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, torch_dtype=dtype, variant=variant, **plain
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise WeightsError(f"cannot load the {kind} in {folder}: {error}; save it anew with save_pretrained") from error


def _weights(folder: Path, variant: str) -> list[Path]:
    """Weight files of a variant; "" is none."""
    files = sorted(folder.glob("*.safetensors"))
    return [file for file in files if (".fp16" in file.name) == (variant == "fp16")]


def class_named(kind: str) -> Any:
    if kind == "FullGuidance":
        return FullGuidance
    if kind.startswith("CLIP"):
        return getattr(_transformers(), kind)
    import diffusers

    return getattr(diffusers, kind)


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise UsageError(
            "a full-size frdm reads text and frames with CLIP, from the package transformers: "
            "pip install 'filmrestore[full]'"
        ) from error
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return transformers


def _tokenizer(folder: Path) -> Any:
    if not folder.is_dir():
        raise WeightsError(f"{folder.parent} has no tokenizer/: {_remedy(folder.parent, 'tokenizer')}")
    try:
        return _transformers().CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"cannot load the tokenizer in {folder}: {error}; copy vocab.json and merges.txt") from error


def _scheduler(folder: Path, kind: Kind) -> Any:
    import diffusers

    config = config_of(folder / "scheduler_config.json")
    given = {"clip_sample": False} if kind == "motion" else {}
    return getattr(diffusers, SCHEDULERS[kind]).from_config(config, **given)


def _preprocessing(path: Path) -> dict[str, tuple[float, ...]]:
    config = config_of(path) if path.is_file() else {}
    mean, std = config.get("image_mean", CLIP_MEAN), config.get("image_std", CLIP_STD)
    return {"clip_mean": tuple(map(float, mean)), "clip_std": tuple(map(float, std))}


def _digest(root: Path) -> str:
    digest = xxhash.xxh3_128()
    for path in sorted(path for name in (*LAYOUT, "scheduler", "tokenizer") for path in (root / name).rglob("*")):
        if path.suffix in (".json", ".safetensors", ".txt"):
            digest.update(str(path.relative_to(root)).encode())
            with path.open("rb") as stream:
                while block := stream.read(1 << 24):
                    digest.update(block)
    return digest.hexdigest()


def _remedy(root: Path, part: str) -> str:
    """What to do about a part that is missing or does not fit."""
    if part == "guidance":
        return (
            f"copy a trained one there, or write an untrained one, which leaves the model as it is, with "
            f"`python -m filmrestore.restorers.frdm.full.start {root}`"
        )
    return "take all parts of one published model as diffusers saves it (docs/models/frdm-full.md has the layout)"
