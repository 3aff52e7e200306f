"""The compiled OpenFX plug-in: the one that the wheel carries, a checkout's, or one that is built here and now."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ..errors import InstallError
from ..protocol import settings_digest
from .sources import CARRIED, CHECKOUT, adapter_folder, read_folder

NAME = "FilmRestore.ofx.bundle"
_FOLDERS = {"darwin": "MacOS", "win32": "Win64"}
_BUILT = (CARRIED, CHECKOUT / "build" / "ofx", CHECKOUT / "build" / "ofx-cross")


def binary_path() -> str:
    """Path below the bundle of what this system's hosts load.

    Raises:
        InstallError: there is no OpenFX for it.
    """
    folder = _FOLDERS.get(sys.platform)
    if sys.platform == "linux":
        machine = platform.machine()
        folder = "Linux-x86-64" if machine in ("x86_64", "AMD64") else f"Linux-{machine}"
    if folder is None:
        raise InstallError(f"OpenFX hosts run on Linux, macOS and Windows, this is {sys.platform}")
    return f"Contents/{folder}/FilmRestore.ofx"


def bundle_files(built: tuple[Path, ...] = _BUILT) -> tuple[dict[str, bytes], Path | None]:
    """The bundle's files by their paths below the host's folder, and where they were found; None where built here.

    Raises:
        InstallError: there is none for this system, and it cannot be built.
    """
    for folder in built:
        if _fits(folder / NAME / binary_path()):
            return read_folder(folder / NAME, f"{NAME}/"), folder / NAME
    return _build(built), None


def glibc_needed(binary: bytes) -> tuple[int, int] | None:
    """The newest version of the C library that the binary asks for; None where it asks for none."""
    versions = [(int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", binary)]
    return max(versions, default=None)


def glibc_here() -> tuple[int, int] | None:
    """The C library's version; None where it is another one than glibc."""
    name, version = platform.libc_ver()
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if name == "glibc" and found else None


def _fits(binary: Path) -> bool:
    """Whether it is there, made from these settings (the engine refuses others), and for this C library."""
    if not binary.is_file():
        return False
    content = binary.read_bytes()
    needed, here = glibc_needed(content), glibc_here()
    return settings_digest().encode() in content and (needed is None or here is None or needed <= here)


def _build(looked: tuple[Path, ...]) -> dict[str, bytes]:
    source = adapter_folder("ofx_bridge")
    compilers = [name for name in ("c++", "g++", "clang++", "cl") if shutil.which(name)]
    if shutil.which("cmake") is None or not compilers:
        missing = "cmake" if shutil.which("cmake") is None else "a C++ compiler"
        raise InstallError(
            f"there is no OpenFX plug-in for this system and these settings in {', '.join(map(str, looked))}, and it "
            f"cannot be built here: {missing} is missing. Install cmake and a C++17 compiler (Debian, Ubuntu: apt "
            "install cmake g++; Rocky: dnf install cmake gcc-c++; macOS: xcode-select --install), or install a wheel "
            "that was made after `make ofx`"
        )
    with tempfile.TemporaryDirectory(prefix="filmrestore-ofx-") as folder:
        for command in (
            ["cmake", "-S", str(source), "-B", folder],
            ["cmake", "--build", folder, "--config", "Release", "--parallel"],
        ):
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            if told.returncode != 0:
                lines = "\n".join((told.stdout + told.stderr).splitlines()[-12:])
                raise InstallError(f"the OpenFX plug-in cannot be built: {' '.join(command)} failed\n{lines}")
        if not _fits(Path(folder) / NAME / binary_path()):
            raise InstallError(f"{source} is of other settings than the engine: run `make docs` there, then again")
        return read_folder(Path(folder) / NAME, f"{NAME}/")
