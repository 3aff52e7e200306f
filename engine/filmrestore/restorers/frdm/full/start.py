"""Writes an untrained guidance network that fits a folder: where its training starts, and what makes the folder whole.

`python -m filmrestore.restorers.frdm.full.start DIR [--width 64] [--seed 0]`
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from ....errors import FilmRestoreError, OutputError, WeightsError
from ...folders import config_of
from .folder import classes_of, completed, layers_of
from .guidance import FullGuidance

FRAMES = 5


def untrained(root: Path, *, width: int = 64, seed: int = 0) -> FullGuidance:
    """A guidance network for the folder's backbone that changes nothing yet.

    Args:
        root: Folder with at least unet, vae and image_encoder.
        width: Channels of its finest level; coarser ones have up to four times as many.
        seed: Of its weights.

    Raises:
        WeightsError: a configuration is missing.
    """
    torch.manual_seed(seed)
    made: FullGuidance = FullGuidance(**fitting(root, width))
    return made


def fitting(root: Path, width: int = 64) -> dict[str, Any]:
    """Configuration of a guidance network for the folder's backbone.

    Raises:
        WeightsError: a configuration is missing.
    """
    classes = classes_of(root)
    found = {name: completed(kind, config_of(root / name / "config.json")) for name, kind in classes.items()}
    for name in ("unet", "vae", "image_encoder"):
        if name not in found:
            raise WeightsError(f"{root} has no {name}/: a guidance network is made for the parts that are there")
    widths = found["unet"]["block_out_channels"]
    return {
        "latents": found["vae"]["latent_channels"],
        "widths": [min(2**level, 4) * width for level in range(len(widths))],
        "backbone_widths": list(widths),
        "layers": list(layers_of(found["unet"])),
        "heads": max(heads for heads in (1, 2, 4, 8) if width % heads == 0),
        "text": found["text_encoder"]["hidden_size"] if "text_encoder" in found else 768,
        "image": found["image_encoder"]["hidden_size"],
        "frames": FRAMES,
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, default=64, help="channels of the finest level")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    target = given.folder / "guidance"
    if target.exists():
        raise SystemExit(f"{target} is there already: move it away to write an untrained one")
    try:
        untrained(given.folder, width=given.width, seed=given.seed).save_pretrained(target)
    except FilmRestoreError as error:
        raise SystemExit(str(error)) from error
    except OSError as error:
        raise SystemExit(str(OutputError(f"cannot write {target}: {error.strerror}; choose another place"))) from error


if __name__ == "__main__":
    main()
