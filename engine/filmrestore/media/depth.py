"""Which container holds which codes exactly, and the named conversion where one cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..frame import Codes, Format

_EXACT: dict[str, frozenset[tuple[str, int]]] = {
    "png": frozenset({("uint8", 8), ("uint16", 16)}),
    "tiff": frozenset(
        {("uint8", 8), ("uint16", 10), ("uint16", 12), ("uint16", 14), ("uint16", 16), ("uint32", 32)}
        | {("float16", 16), ("float32", 32)}
    ),
    "exr": frozenset({("float16", 16), ("float32", 32), ("uint32", 32)}),
    "dpx": frozenset({("uint8", 8), ("uint16", 10), ("uint16", 12), ("uint16", 16), ("float32", 32)}),
    "jpeg": frozenset({("uint8", 8)}),
}
_MOST_CHANNELS = {"png": 4, "jpeg": 3, "dpx": 4}
_ORDER = "RGBYA"


def output_format(source: Format, container: str, path: str | Path, *, lossy: bool) -> Format:
    """The format in which frames of `source` are written to `container`.

    Args:
        source: Of the scan.
        container: Of the result, not "movie".
        path: Of the result, for messages.
        lossy: Whether codes may change.

    Raises:
        UsageError: codes would change and `lossy` is not set.
    """
    if container == source.container:
        if not source.lossless and not lossy:
            raise UsageError(
                f"{path}: {container.upper()} of this compression changes pixels that were not touched; allow it with "
                "--lossy, or write a lossless container (EXR with zip, DPX, TIFF, PNG)"
            )
        return source
    channels = tuple(sorted(source.channels, key=_rank)) if set(source.channels) <= set(_ORDER) else source.channels
    dtype, bits = _nearest(source, container)
    most = _MOST_CHANNELS.get(container, len(channels))
    is_exact = (dtype, bits) == (source.dtype, source.bits) and len(channels) <= most and container != "jpeg"
    if not is_exact and not lossy:
        raise UsageError(
            f"{path}: {container.upper()} cannot hold {len(channels)} channels of {source.bits}-bit {source.dtype} as "
            f"they are; write {source.container.upper()} as the scan is, or allow the change with --lossy"
        )
    return replace(
        source,
        channels=channels[:most] if len(channels) != 2 or most > 1 else channels[:1],
        dtype=dtype,
        bits=bits,
        container=container,
        lossless=container != "jpeg",
    )


def converted(codes: Codes, source: Format, target: Format) -> Codes:
    """Codes of `source` as codes of `target`: channels reordered, depth scaled so that full scale stays full scale.

    Integers are rounded and clipped to their range; NaN becomes 0 in integers. No colour changes.

    Returns:
        Shape (h, w, target channels), the target's dtype; the same array where nothing changes.
    """
    if source.channels != target.channels:
        codes = codes[:, :, [source.channels.index(name) for name in target.channels]]
    if (source.dtype, source.bits) == (target.dtype, target.bits):
        return np.ascontiguousarray(codes)
    scaled = codes.astype(np.float64) * (target.white / source.white)
    if target.is_integer:
        scaled = np.rint(np.clip(np.nan_to_num(scaled, nan=0.0), 0.0, target.white))
    return scaled.astype(target.dtype)


def _nearest(source: Format, container: str) -> tuple[str, int]:
    if (source.dtype, source.bits) in _EXACT[container]:
        return source.dtype, source.bits
    if container == "jpeg" or (source.is_integer and source.bits <= 8 and container != "exr"):
        return "uint8", 8
    return ("float16", 16) if container == "exr" else ("uint16", 16)


def _rank(name: str) -> int:
    return _ORDER.index(name)
