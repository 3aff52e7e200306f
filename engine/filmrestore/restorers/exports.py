"""Networks written as files that others can run: ONNX, and TorchScript for Nuke."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from ..errors import UsageError
from ..media.atomic import atomic_bytes

FORMATS = {"onnx": ".onnx", "torchscript": ".pt"}
"""What can be written, and how the names of its files end."""

EXPORTS: dict[str, str] = {
    "frdm": "filmrestore.restorers.frdm.exports",
    "restormer": "filmrestore.restorers.restormer.exports",
    "divd": "filmrestore.restorers.divd.exports",
    "two_stage": "filmrestore.restorers.two_stage.exports",
}
"""Method -> module with `WEIGHTS` (the shipped file) and `export(weights, to)`: file name -> bytes."""


def export(method: str, to: str, folder: str | Path, weights: str | Path | None = None) -> list[Path]:
    """Writes a method's networks.

    Args:
        method: One of `EXPORTS`.
        to: One of `FORMATS`.
        folder: Where the files go.
        weights: Other than the shipped ones.

    Returns:
        The files that were written.

    Raises:
        UsageError: the method cannot be written so, or a package is missing.
        WeightsError: the weights are missing or damaged.
        OutputError: the folder cannot be written.
    """
    if method not in EXPORTS:
        raise UsageError(f"the method {method!r} cannot be exported: choose one of {', '.join(sorted(EXPORTS))}")
    if to not in FORMATS:
        raise UsageError(f"no export to {to!r}: choose one of {', '.join(FORMATS)}")
    module = import_module(EXPORTS[method])
    make: Callable[[Path, str], Mapping[str, bytes]] = module.export
    written = []
    for name, data in make(Path(weights) if weights else module.WEIGHTS, to).items():
        written.append(Path(folder) / (name + FORMATS[to]))
        atomic_bytes(written[-1], data)
    return written
