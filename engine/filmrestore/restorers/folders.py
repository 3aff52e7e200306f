"""Folders of networks that a user brings, as diffusers and transformers write them: configuration and content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ..errors import WeightsError


def config_of(path: Path) -> dict[str, Any]:
    """The configuration of a part, as diffusers and transformers write it.

    Raises:
        WeightsError: there is none, or it is no JSON mapping.
    """
    try:
        config = json.loads(path.read_text())
    except OSError as error:
        raise WeightsError(f"cannot read {path} ({error.strerror}): give a folder that diffusers wrote") from error
    except ValueError as error:
        raise WeightsError(f"{path} is no JSON ({error}): give a folder that diffusers wrote") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path} holds {type(config).__name__}: expected diffusers' configuration")
    return config


def digest_of(folder: Path) -> str:
    """Content hash of configuration and weights."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")]):
        digest.update(path.name.encode())
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
