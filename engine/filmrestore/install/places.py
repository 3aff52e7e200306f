"""Where each host looks for plug-ins and scripts."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def nuke_places() -> tuple[Path, ...]:
    """The user's folder. Source: Nuke Python Developer's Guide, installing plug-ins."""
    return (Path.home() / ".nuke",)


def ofx_places() -> tuple[Path, ...]:
    """The folder that every host reads. Source: OpenFX 1.5, packaging."""
    if sys.platform == "win32":
        return (Path(os.environ.get("COMMONPROGRAMFILES", r"C:\Program Files\Common Files")) / "OFX" / "Plugins",)
    return (Path("/Library/OFX/Plugins" if sys.platform == "darwin" else "/usr/OFX/Plugins"),)


def resolve_places() -> tuple[Path, ...]:
    """All users' folder where it can be written, then the user's. Source: README.txt of Resolve's scripting folder."""
    inner = Path("Fusion") / "Scripts"
    home = Path.home()
    if sys.platform == "darwin":
        support = Path("Library/Application Support/Blackmagic Design/DaVinci Resolve")
        shared, own = (Path("/") / support,), home / support
    elif sys.platform == "win32":
        product = Path("Blackmagic Design") / "DaVinci Resolve"
        shared = (Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / product,)
        own = Path(os.environ.get("APPDATA", home / "AppData" / "Roaming")) / product / "Support"
    else:
        shared, own = (Path("/opt/resolve"), Path("/home/resolve")), home / ".local/share/DaVinciResolve"
    return (*(folder / inner for folder in shared if _is_writable(folder)), own / inner)


def _is_writable(resolve: Path) -> bool:
    """Whether Resolve's folder is there, and a script can be put into it."""
    folder = resolve / "Fusion" / "Scripts"
    while not folder.is_dir() and folder != resolve:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)
