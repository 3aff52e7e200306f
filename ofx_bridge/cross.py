"""Builds one bundle for Linux (glibc 2.17), macOS 11, Windows into build/ofx-cross, by zig: `make ofx-cross`.

zig is looked for in this Python (`pip install ziglang`), then on the search path. Nothing is downloaded here.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
TARGET = SOURCE.parent / "build" / "ofx-cross"
BUNDLE = "FilmRestore.ofx.bundle"
SYSTEMS = ("x86_64-linux-gnu.2.17", "x86_64-windows-gnu", "aarch64-macos.11.0", "x86_64-macos.11.0")
MACOS_BINARY = Path("Contents", "MacOS", "FilmRestore.ofx")
PAGE = 14  # the power of two that parts of a universal binary begin at: 16 KiB, as arm64 has them


def main() -> None:
    """Builds for each system, then lays the bundles over one another."""
    zig = find_zig()
    built = [build(zig, system) for system in SYSTEMS]
    merged = TARGET / BUNDLE
    shutil.rmtree(merged, ignore_errors=True)
    for bundle in built:
        shutil.copytree(bundle, merged, dirs_exist_ok=True)
    macos = [bundle / MACOS_BINARY for bundle in built if (bundle / MACOS_BINARY).exists()]
    (merged / MACOS_BINARY).write_bytes(universal([path.read_bytes() for path in macos]))
    for path in sorted(merged.rglob("*.ofx")):
        print(f"{path.stat().st_size:>10} bytes  {path.relative_to(TARGET)}")


def find_zig() -> Path:
    """The compiler."""
    module = find_spec("ziglang")
    found = Path(str(module.origin)).with_name("zig") if module else shutil.which("zig")
    if not found:
        sys.exit(f"zig is neither in {sys.executable} nor on the search path: {sys.executable} -m pip install ziglang")
    return Path(found)


def build(zig: Path, system: str) -> Path:
    """The bundle for one system."""
    folder = TARGET / system
    toolchain = [f"-DCMAKE_TOOLCHAIN_FILE={SOURCE / 'zig.cmake'}", f"-DZIG={zig}", f"-DZIG_TARGET={system}"]
    subprocess.run(["cmake", "-S", str(SOURCE), "-B", str(folder), *toolchain], check=True)
    subprocess.run(["cmake", "--build", str(folder)], check=True)
    return folder / BUNDLE


def universal(binaries: list[bytes]) -> bytes:
    """Mach-O files of several processors as one.

    Source: Apple, mach-o/fat.h: a big-endian table of processor, offset, size and alignment of each.
    """
    start = 1 << PAGE  # the table needs far less
    table, body = struct.pack(">II", 0xCAFEBABE, len(binaries)), b""
    for binary in binaries:
        magic, processor, kind = struct.unpack_from("<III", binary)
        if magic != 0xFEEDFACF:
            raise ValueError(f"not a Mach-O file of 64 bits: it begins with {magic:#x}")
        body += b"\0" * (-len(body) % (1 << PAGE))
        table += struct.pack(">IIIII", processor, kind, start + len(body), len(binary), PAGE)
        body += binary
    return table.ljust(start, b"\0") + body


if __name__ == "__main__":
    main()
