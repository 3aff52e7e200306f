"""Parts of macOS binaries are put together as its loader reads them."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "ofx_bridge" / "cross.py"
ARM64, X86_64 = (0x0100000C, 0), (0x01000007, 3)


@pytest.fixture(scope="module")
def cross() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cross", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_processor_finds_its_part_on_a_page_of_its_own(cross: ModuleType) -> None:
    parts = [struct.pack("<III", 0xFEEDFACF, *kind) + bytes(size) for kind, size in ((ARM64, 20_000), (X86_64, 7))]
    whole = cross.universal(parts)
    assert struct.unpack_from(">II", whole) == (0xCAFEBABE, 2)
    for index, (kind, part) in enumerate(zip((ARM64, X86_64), parts, strict=True)):
        *found, start, size, power = struct.unpack_from(">IIIII", whole, 8 + 20 * index)
        assert (tuple(found), power, start % 16384) == (kind, 14, 0)
        assert whole[start : start + size] == part


def test_what_is_no_macos_binary_is_refused(cross: ModuleType) -> None:
    with pytest.raises(ValueError, match="not a Mach-O"):
        cross.universal([b"\x7fELF" + bytes(12)])
