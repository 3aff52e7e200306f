"""Hard examples on disk: windows that a network erred in, to be learned from again; `mine` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InputError
from ..frame import Box
from ..media.atomic import atomic_write
from .windows import Sample, label

_TENSORS = ("scan", "truth", "evidence", "overview")


def save(sample: Sample, path: Path) -> None:
    """Writes a sample; pictures in half precision, in which scan and truth stay equal where they are.

    What is asked for is not stored, so that examples stay good when that changes.
    """
    arrays = {name: getattr(sample, name).numpy().astype(np.float16) for name in _TENSORS}
    kinds = {f"kind.{name}": np.packbits(where) for name, where in sample.kinds.items()}
    at = sample.box
    place = np.array([at.x0, at.y0, at.x1, at.y1, *sample.full], np.int64)
    with atomic_write(path) as part, part.open("wb") as file:
        np.savez(file, **arrays, **kinds, place=place, present=np.array(sample.present))  # type: ignore[arg-type]


def load(path: Path) -> Sample:
    """A sample as `save` wrote it.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file) as stored:
            return _sample(dict(stored))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(f"cannot read the hard example {path} ({error!r}): remove it or mine anew") from error


def _sample(stored: Mapping[str, NDArray[np.generic]]) -> Sample:
    tensors = {name: torch.from_numpy(stored[name].astype(np.float32)) for name in _TENSORS}
    shape = tensors["scan"][:, 0].shape
    present = tuple(bool(there) for there in stored["present"])
    matte, weight = label(tensors["scan"].numpy(), tensors["truth"].numpy(), present)
    x0, y0, x1, y1, height, width = (int(value) for value in stored["place"])
    kinds = {
        name.removeprefix("kind."): np.unpackbits(bits.astype(np.uint8), count=shape.numel()).reshape(shape) > 0
        for name, bits in stored.items()
        if name.startswith("kind.")
    }
    return Sample(
        **tensors,
        matte=torch.from_numpy(matte),
        weight=torch.from_numpy(weight),
        kinds=kinds,
        box=Box(x0=x0, y0=y0, x1=x1, y1=y1),
        full=(height, width),
        present=present,
    )


def found(folder: Path) -> list[Path]:
    """The hard examples of a folder, in order.

    Raises:
        InputError: there are none.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise InputError(
            f"no hard examples in {folder}: make them with python -m filmrestore.training.mine -o {folder}"
        )
    return paths
