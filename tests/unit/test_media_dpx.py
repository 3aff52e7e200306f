"""DPX: every packing is read and patched bit for bit, and what cannot be read is told."""

import struct
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from media_files import make_dpx

from filmrestore.errors import CorruptFile, InputError
from filmrestore.frame import Box
from filmrestore.media import open_shot, open_writer
from filmrestore.media.dpx import patch_dpx, read_dpx

LAYOUTS = [(8, 0), (10, 0), (10, 1), (10, 2), (12, 0), (12, 1), (12, 2), (16, 0)]
SAMPLES = Path("../shared/data/io")


def anything(_: object) -> None:
    """No check of the header."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "scan.0001.dpx"


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize(("bits", "packing"), LAYOUTS)
@pytest.mark.parametrize("channels", ["Y", "RGB", "RGBA", "ABGR"])
def test_patching_its_own_codes_gives_the_same_bytes(file: Path, channels: str, bits: int, packing: int, order: str):
    for width in (1, 37, 48):
        content = make_dpx(width, channels=channels, bits=bits, packing=packing, order=order)
        file.write_bytes(content)
        header, codes = read_dpx(file, anything)
        assert codes.shape == (5, width, len(channels))
        assert header.format.bits == bits and int(codes.max()) < 1 << bits
        assert patch_dpx(file, codes) == content


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize(("bits", "packing"), LAYOUTS)
@pytest.mark.parametrize("channels", ["Y", "RGB", "ABGR"])
def test_one_changed_sample_changes_its_own_bits_only(file: Path, channels: str, bits: int, packing: int, order: str):
    content = make_dpx(channels=channels, bits=bits, packing=packing, order=order)
    file.write_bytes(content)
    _, codes = read_dpx(file, anything)
    changed = codes.copy()
    changed[3, 20, -1] ^= (1 << bits) - 1
    patched = bytes(patch_dpx(file, changed))
    flipped = np.unpackbits(np.frombuffer(content, np.uint8) ^ np.frombuffer(patched, np.uint8))
    assert int(flipped.sum()) == bits
    file.write_bytes(patched)
    assert np.array_equal(read_dpx(file, anything)[1], changed)


@pytest.mark.parametrize(("bits", "packing"), [pair for pair in LAYOUTS if pair != (12, 2)])
@pytest.mark.parametrize("channels", ["Y", "RGB", "RGBA"])
def test_codes_agree_with_another_reader(file: Path, channels: str, bits: int, packing: int):
    file.write_bytes(make_dpx(48, channels=channels, bits=bits, packing=packing))
    image = oiio.ImageInput.open(str(file))
    other = image.read_image("uint8" if bits == 8 else "uint16") >> max(0, 16 - bits if bits > 8 else 0)
    assert np.array_equal(read_dpx(file, anything)[1], other)


@pytest.mark.parametrize("name", ["dpx_nuke_10bits_rgb.dpx", "dpx_nuke_16bits_rgba.dpx"])
def test_a_real_scan_is_written_back_byte_for_byte(tmp_path: Path, name: str):
    if not (SAMPLES / name).exists():
        pytest.skip("the sample scans are not here")
    shot = open_shot(SAMPLES / name)
    with open_writer(tmp_path, shot) as writer:
        writer.write(shot.read(1))
    assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes()


def test_floats_pass_bit_for_bit_with_nan_and_infinity(file: Path):
    content = make_dpx(bits=32, packing=0)
    file.write_bytes(content)
    _, codes = read_dpx(file, anything)
    codes[0, 0] = np.nan, np.inf, -np.inf
    file.write_bytes(patch_dpx(file, codes))
    again = read_dpx(file, anything)[1]
    assert np.array_equal(again.view(np.uint32), codes.view(np.uint32))


@pytest.mark.parametrize(("bits", "packing"), LAYOUTS)
def test_a_window_holds_the_codes_of_its_place(file: Path, bits: int, packing: int):
    file.write_bytes(make_dpx(bits=bits, packing=packing))
    box = Box(x0=5, y0=1, x1=30, y1=4)
    _, whole = read_dpx(file, anything)
    _, part = read_dpx(file, anything, box)
    assert np.array_equal(part, whole[box.slices])


def test_line_padding_and_a_late_picture_are_followed(file: Path):
    content = make_dpx(offset=8192, line_end=20)
    file.write_bytes(content)
    _, codes = read_dpx(file, anything)
    file.write_bytes(make_dpx())
    assert codes.shape == (5, 37, 3)
    file.write_bytes(content)
    assert patch_dpx(file, codes) == content


def test_rows_that_are_not_rounded_to_words_are_read(file: Path):
    content = make_dpx(width=5, height=3, bits=8, packing=0)
    picture = np.arange(45, dtype=np.uint8)
    file.write_bytes(content[:2048] + picture.tobytes())
    assert np.array_equal(read_dpx(file, anything)[1], picture.reshape(3, 5, 3))


def test_header_facts_are_read(file: Path):
    facts = {"rate": ("f", 1724, 23.976), "code": ("I", 1920, 0x01020304), "transfer": ("B", 801, 1)}
    content = bytearray(make_dpx(**facts))
    content[160:260] = b"Scanner".ljust(100, b"\0")
    content[1664:1680] = b"KZ22991234560123"
    file.write_bytes(content)
    header, _ = read_dpx(file, anything)
    assert header.rate is not None and (header.rate.numerator, header.rate.denominator) == (24000, 1001)
    assert header.metadata["smpte:TimeCode"][0] == 0x01020304
    assert header.metadata["Software"] == "Scanner" and header.metadata["dpx:KeyCode"] == "KZ22991234560123"
    assert header.format.colourspace == "Printing density"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"encoding": ("H", 806, 1)}, "run-length"),
        ({"kind": ("B", 800, 100)}, "CbYCrY 4:2:2"),
        ({"depth": ("B", 803, 1)}, "1 bits"),
        ({"sign": ("I", 780, 1)}, "signed"),
        ({"packed": ("H", 804, 7)}, "packing 7"),
    ],
)
def test_a_variant_that_is_not_read_is_named(file: Path, header: dict[str, tuple[str, int, int]], words: str):
    file.write_bytes(make_dpx(**header))
    with pytest.raises(InputError, match=rf"scan\.0001\.dpx.*{words}.*convert"):
        open_shot(file)


@pytest.mark.parametrize(
    "header",
    [
        {"wide": ("I", 772, 0xFFFFFFFF)},
        {"flat": ("I", 776, 0)},
        {"huge": ("I", 776, 100_000)},
        {"beyond": ("I", 808, 0x7FFFFFFF)},
        {"padding": ("I", 812, 0x7FFFFFFF)},
        {"elements": ("H", 770, 999)},
    ],
)
def test_hostile_numbers_are_refused_before_memory_is_taken(file: Path, header: dict[str, tuple[str, int, int]]):
    file.write_bytes(make_dpx(**header))
    with pytest.raises(CorruptFile, match=r"scan\.0001\.dpx.*copy it again"):
        open_shot(file)


@pytest.mark.parametrize("keep", [3, 800, 2047, 2048, 2100])
def test_a_truncated_file_is_told(file: Path, keep: int):
    file.write_bytes(make_dpx()[:keep])
    with pytest.raises(CorruptFile, match=r"scan\.0001\.dpx.*copy it again"):
        open_shot(file).read(1)


def test_codes_beyond_the_depth_are_refused(file: Path):
    file.write_bytes(make_dpx())
    _, codes = read_dpx(file, anything)
    codes[0, 0, 0] = 1024
    with pytest.raises(InputError, match="1024 does not fit into 10 bits"):
        patch_dpx(file, codes)


def test_further_elements_stay(file: Path):
    content = bytearray(make_dpx(elements=("H", 770, 2)))
    struct.pack_into(">I", content, 780 + 72 + 28, len(content))
    content += bytes(range(200))
    file.write_bytes(content)
    _, codes = read_dpx(file, anything)
    codes[:] = 0
    assert patch_dpx(file, codes)[-200:] == bytes(range(200))
