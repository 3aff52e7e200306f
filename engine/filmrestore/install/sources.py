"""Where the adapters come from: the wheel that carries them, else the checkout around the engine."""

from __future__ import annotations

from pathlib import Path

from ..client import FILES
from ..errors import InputError

PACKAGE = Path(__file__).resolve().parent.parent
CARRIED = PACKAGE / "adapters"
"""What a wheel carries: nuke_plugin, resolve_script, ofx_bridge, and a built bundle where there was one."""
CHECKOUT = PACKAGE.parents[1]


def adapter_folder(name: str) -> Path:
    """The folder of nuke_plugin, resolve_script or ofx_bridge.

    Raises:
        InputError: neither the wheel nor a checkout has it.
    """
    for folder in (CARRIED / name, CHECKOUT / name):
        if folder.is_dir():
            return folder
    raise InputError(
        f"{name} is neither in {CARRIED} nor in {CHECKOUT}: install filmrestore from a wheel that `pip wheel .` made, "
        "or from a checkout"
    )


def read_folder(folder: Path, under: str = "") -> dict[str, bytes]:
    """All files of a folder, by their paths with `/` below `under`; nothing that a Python or a system left there."""
    names = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        f"{under}{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in names
        if not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
    }


def client_files(under: str) -> dict[str, bytes]:
    """The client's files, by their paths below `under`."""
    return {f"{under}{name}": (PACKAGE / name).read_bytes() for name in ("__init__.py", *FILES)}
