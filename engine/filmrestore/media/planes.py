"""Single-channel images such as mattes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..frame import Format, Frame
from .atomic import atomic_bytes
from .containers import container_of
from .images_write import encode_image

_INTEGERS = {8: "uint8", 16: "uint16"}
_OFFERED = {"png": _INTEGERS, "tiff": _INTEGERS, "exr": {16: "float16", 32: "float32"}}


def write_plane(
    path: str | Path,
    plane: NDArray[np.float32],
    *,
    bits: int = 16,
    like: Frame | None = None,
    sync: bool = True,
) -> None:
    """Write one channel, such as a matte, atomically.

    Args:
        path: PNG, TIFF or EXR by its extension.
        plane: Shape (h, w), 0..1; clipped to that, NaN as 0.
        bits: 8 or 16 for PNG and TIFF (rounded to full scale); 16 (half) or 32 (float) for EXR.
        like: Its windows are written with an EXR plane of the same size.
        sync: As `atomic_bytes`.

    Raises:
        UsageError: a container or depth that is not offered.
        OutputError: the disk cannot be written.
    """
    container = plane_container(path, bits)
    height, width = plane.shape
    form = Format(
        width=width,
        height=height,
        channels=("Y",),
        dtype=_OFFERED[container][bits],
        bits=bits,
        container=container,
        lossless=True,
    )
    clean = np.clip(np.nan_to_num(plane, nan=0.0), 0.0, 1.0)
    codes = np.rint(clean * form.white) if form.is_integer else clean
    window = (0, 0, width, height)
    fits = like is not None and like.codes.shape[:2] == plane.shape
    frame = Frame(
        number=like.number if like is not None else 1,
        codes=codes.astype(form.dtype)[:, :, None],
        format=form,
        data_window=like.data_window if like is not None and fits else window,
        display_window=like.display_window if like is not None and fits else window,
    )
    atomic_bytes(path, encode_image(frame, container), sync=sync)


def plane_container(path: str | Path, bits: int = 16) -> str:
    """The container of a plane's file.

    Raises:
        UsageError: a container or depth that is not offered.
    """
    container = container_of(path)
    if bits not in _OFFERED.get(container, {}):
        raise UsageError(
            f"{path}: no {bits}-bit {container.upper()} planes; use PNG or TIFF of 8 or 16 bits, EXR of 16 or 32"
        )
    return container
