"""EXR, TIFF, PNG and JPEG: codes as stored, everything beside them passed on, damage told."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from media_files import bits_of, make_dpx, random_codes, write_image

from filmrestore.errors import CorruptFile, InputError, MixedFormats, UsageError
from filmrestore.frame import Box
from filmrestore.media import open_shot, open_writer, write_plane

SAMPLES = Path("../shared/data/io")
DEPTHS = [
    (".exr", "float16"), (".exr", "float32"), (".exr", "uint32"), (".tif", "uint8"), (".tif", "uint16"),
    (".tif", "float16"), (".tif", "float32"), (".tif", "uint32"), (".png", "uint8"), (".png", "uint16"),
]  # fmt: skip


def copied(path: Path, folder: Path, **options: object) -> Path:
    """`path` read and written again into `folder`."""
    shot = open_shot(path)
    with open_writer(folder, shot, **options) as writer:
        writer.write(shot.read(shot.frames[0]))
        return writer.path_of(shot.frames[0])


def attributes(path: Path, part: int = 0) -> dict[str, object]:
    image = oiio.ImageInput.open(str(path))
    assert image.seek_subimage(part, 0)
    return {entry.name: entry.value for entry in image.spec().extra_attribs}


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("suffix", "dtype"), DEPTHS)
def test_every_bit_passes_with_nan_infinity_and_alpha(tmp_path: Path, suffix: str, dtype: str, channels: int):
    codes = random_codes((13, 17, channels), dtype)
    if dtype.startswith("float"):
        codes[0, 0, 0], codes[0, 1, 0], codes[0, 2, 0] = np.nan, np.inf, -np.inf
    path = write_image(tmp_path / f"scan.0001{suffix}", codes)
    frame = open_shot(path).read(1)
    assert frame.format.dtype == dtype and frame.format.lossless
    assert np.array_equal(bits_of(frame.codes), bits_of(codes))
    again = open_shot(copied(path, tmp_path / "out")).read(1)
    assert np.array_equal(bits_of(again.codes), bits_of(codes))
    assert again.format == frame.format


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_unassociated_alpha_multiplies_nothing(tmp_path: Path, suffix: str):
    codes = random_codes((9, 9, 4), "uint16")
    path = write_image(tmp_path / f"scan{suffix}", codes, oiio__UnassociatedAlpha=1)
    assert np.array_equal(open_shot(path).read(1).codes, codes)
    assert np.array_equal(open_shot(copied(path, tmp_path / "out")).read(1).codes, codes)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_tiff_of_few_bits_keeps_its_own_codes(tmp_path: Path, bits: int):
    codes = np.arange(1 << bits, dtype=np.uint16).reshape(-1, 64, 1)
    spare = 16 - bits
    path = write_image(tmp_path / "scan.tif", codes << spare | codes >> (bits - spare), oiio__BitsPerSample=bits)
    frame = open_shot(path).read(1)
    assert frame.format.bits == bits and np.array_equal(frame.codes, codes)
    assert np.array_equal(open_shot(copied(path, tmp_path / "out")).read(1).codes, codes)


@pytest.mark.parametrize("options", [{}, {"tile_width": 16, "tile_height": 16}])
@pytest.mark.parametrize("suffix", [".exr", ".tif"])
def test_a_window_holds_the_codes_of_its_place(tmp_path: Path, suffix: str, options: dict[str, int]):
    codes = random_codes((45, 50, 3), "float16")
    origin = {"x": -7, "y": -3} if suffix == ".exr" else {}
    shot = open_shot(write_image(tmp_path / f"scan{suffix}", codes, **options, **origin))
    box = Box(x0=11, y0=5, x1=37, y1=44)
    part = shot.read(1, box=box)
    assert np.array_equal(bits_of(part.codes), bits_of(codes[box.slices]))
    x, y = origin.get("x", 0), origin.get("y", 0)
    assert part.data_window == (x + 11, y + 5, x + 37, y + 44)
    with pytest.raises(UsageError, match=r"0,0,51,45.*50 x 45"):
        shot.read(1, box=Box(x0=0, y0=0, x1=51, y1=45))


def test_exr_windows_and_attributes_pass(tmp_path: Path):
    red = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)
    path = write_image(
        tmp_path / "scan.0007.exr",
        random_codes((20, 30, 3), "float16"),
        x=-5, y=-4, full_x=0, full_y=0, full_width=20, full_height=12, compression="piz",
        smpte__TimeCode=("timecode", (0x01020304, 5)), FramesPerSecond=("rational", (24000, 1001)),
        smpte__KeyCode=("keycode", (1, 2, 3, 4, 5, 6, 7)), chromaticities=("float[8]", red),
        PixelAspectRatio=2.0, reel="A7",
    )  # fmt: skip
    result = copied(path, tmp_path / "out", history="filmrestore: restored")
    before, after = attributes(path), attributes(result)
    assert after.pop("Exif:ImageHistory") == "filmrestore: restored"
    assert after == before
    frame = open_shot(result).read(7)
    assert frame.data_window == (-5, -4, 25, 16) and frame.display_window == (0, 0, 20, 12)
    assert open_shot(result).rate is not None and float(open_shot(result).rate) == 24000 / 1001


def test_no_date_of_today_is_added_so_the_same_pixels_give_the_same_bytes(tmp_path: Path):
    for suffix in (".exr", ".tif", ".png"):
        dtype = "uint32" if suffix == ".exr" else "uint8"
        source = write_image(tmp_path / f"scan{suffix}", random_codes((8, 8, 3), dtype), DateTime="")
        result = copied(source, tmp_path / "out")
        assert "DateTime" not in attributes(result)


def test_a_sample_with_overscan_passes(tmp_path: Path):
    if not (SAMPLES / "grid-overscan.exr").exists():
        pytest.skip("the sample scans are not here")
    path = SAMPLES / "grid-overscan.exr"
    before, after = open_shot(path).read(1), open_shot(copied(path, tmp_path)).read(1)
    assert before.data_window == (-250, -250, 1250, 1250) == after.data_window
    assert before.display_window == (0, 0, 1000, 1000) == after.display_window
    assert np.array_equal(bits_of(before.codes), bits_of(after.codes))


def test_further_parts_and_channels_of_another_type_pass(tmp_path: Path):
    path = tmp_path / "scan.exr"
    specs = []
    for name, channels, kinds in (
        ("main", ("R", "G", "B", "Z"), ("half", "half", "half", "float")),
        ("ids", ("id",), ("uint",)),
    ):
        spec = oiio.ImageSpec(12, 10, len(channels), kinds[0])
        spec.channelnames = channels
        spec.channelformats = tuple(oiio.TypeDesc(kind) for kind in kinds)
        spec.attribute("oiio:subimagename", name)
        specs.append(spec)
    colour = random_codes((10, 12, 3), "uint16").view(np.float16)
    colour = np.where(np.isfinite(colour), colour, np.float16(0))
    depth = np.random.default_rng(1).random((10, 12, 1), np.float32)
    ids = random_codes((10, 12, 1), "uint32")
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), specs)
    assert output.write_image(np.concatenate([colour.astype(np.float32), depth], axis=2))
    assert output.open(str(path), specs[1], "AppendSubimage")
    assert output.write_image(ids) and output.close()
    frame = open_shot(path).read(1)
    assert frame.format.channels == ("R", "G", "B") and np.array_equal(frame.codes, colour)
    changed = frame.replaced(frame.codes + np.float16(1))
    with open_writer(tmp_path / "out", open_shot(path)) as writer:
        writer.write(changed)
    image = oiio.ImageInput.open(str(tmp_path / "out" / "scan.exr"))
    assert image.spec().channelnames == ("R", "G", "B", "Z")
    assert np.array_equal(image.read_image(0, 0, 3, 4, "float"), depth)
    assert np.array_equal(image.read_image(0, 0, 0, 3, "half"), changed.codes)
    assert image.seek_subimage(1, 0) and image.spec().getattribute("name") == "ids"
    assert np.array_equal(image.read_image(1, 0, 0, 1, "uint"), ids)


def test_integer_ids_beside_colour_are_refused_not_rounded(tmp_path: Path):
    path = tmp_path / "scan.exr"
    spec = oiio.ImageSpec(4, 4, 4, "half")
    spec.channelnames = ("R", "G", "B", "id")
    spec.channelformats = tuple(oiio.TypeDesc(kind) for kind in ("half", "half", "half", "uint"))
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec) and output.write_image(np.zeros((4, 4, 4), np.float32)) and output.close()
    with pytest.raises(InputError, match=r"scan\.exr.*id.*part of their own"):
        copied(path, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_picture_of_a_layered_exr_is_its_first_layer_with_colour(tmp_path: Path):
    names = ("Z", "left.B", "left.G", "left.R", "right.B", "right.G", "right.R")
    codes = random_codes((6, 5, 7), "float16")
    frame = open_shot(write_image(tmp_path / "scan.exr", codes, names)).read(1)
    picked = [frame.format.channels[index] for index in frame.format.picture]
    assert picked == ["left.R", "left.G", "left.B"]
    again = open_shot(copied(tmp_path / "scan.exr", tmp_path / "out")).read(1)
    assert again.format.channels == frame.format.channels
    assert np.array_equal(bits_of(again.codes), bits_of(frame.codes))


def test_a_lossy_frame_among_lossless_ones_is_told(tmp_path: Path):
    codes = np.ones((8, 8, 3), np.float16)
    write_image(tmp_path / "scan.0001.exr", codes)
    write_image(tmp_path / "scan.0002.exr", codes, compression="dwaa")
    with pytest.raises(MixedFormats, match=r"scan\.0002\.exr: lossless False, not True"):
        open_shot(tmp_path).read(2)


def test_jpeg_inside_tiff_is_lossy(tmp_path: Path):
    path = tmp_path / "scan.tif"
    pytest.importorskip("PIL.Image").fromarray(random_codes((16, 16, 3), "uint8")).save(path, compression="jpeg")
    assert not open_shot(path).format.lossless
    with pytest.raises(UsageError, match="--lossy"):
        copied(path, tmp_path / "out")


def test_png_side_chunks_pass_byte_for_byte(tmp_path: Path):
    path = write_image(tmp_path / "scan.png", random_codes((8, 8, 3), "uint8"))
    content = path.read_bytes()
    gamma = b"\x00\x00\x00\x04gAMA\x00\x00\xb1\x8f\x0b\xfca\x05"
    density = b"\x00\x00\x00\x09pHYs\x00\x00\x0b\x13\x00\x00\x0b\x13\x01\x00\x9a\x9c\x18"
    extra = [gamma, density]
    path.write_bytes(content[:33] + b"".join(extra) + content[33:])
    result = copied(path, tmp_path / "out").read_bytes()
    assert result[33:].startswith(b"".join(extra))
    assert b"tIME" not in result and b"tEXt" not in result


def test_tiff_resolution_compression_and_profile_pass(tmp_path: Path):
    profile = np.frombuffer(bytes(200), np.uint8)
    path = write_image(
        tmp_path / "scan.tif", random_codes((8, 8, 3), "uint16"),
        compression="lzw", XResolution=300.0, YResolution=300.0, ResolutionUnit="in",
        ICCProfile=("uint8[200]", profile),
    )  # fmt: skip
    before, after = attributes(path), attributes(copied(path, tmp_path / "out"))
    assert np.array_equal(after["ICCProfile"], profile)
    for name in ("compression", "XResolution", "YResolution", "ResolutionUnit", "oiio:BitsPerSample"):
        assert after[name] == before[name]


@pytest.mark.parametrize(
    ("compression", "dtype", "lossless"),
    [("zip", "float16", True), ("piz", "float32", True), ("pxr24", "float16", True), ("pxr24", "float32", False),
     ("b44", "float16", False), ("b44", "float32", True), ("dwaa", "float16", False), ("dwab", "float32", False)],
)  # fmt: skip
def test_lossy_exr_compression_is_known_and_needs_leave(tmp_path: Path, compression: str, dtype: str, lossless: bool):
    path = write_image(tmp_path / "scan.exr", np.ones((8, 8, 3), dtype), compression=compression)
    assert open_shot(path).format.lossless is lossless
    if not lossless:
        with pytest.raises(UsageError, match=r"--lossy"):
            copied(path, tmp_path / "out")
    assert copied(path, tmp_path / "out", lossy=True).exists()


def test_jpeg_is_read_and_written_only_with_leave(tmp_path: Path):
    path = write_image(tmp_path / "scan.0003.jpg", np.full((16, 16, 3), 100, np.uint8))
    shot = open_shot(path)
    assert shot.frames == (3,) and not shot.format.lossless
    with pytest.raises(UsageError, match="--lossy"):
        copied(path, tmp_path / "out")
    result = open_shot(copied(path, tmp_path / "out", lossy=True)).read(3)
    assert np.abs(result.codes.astype(int) - 100).max() <= 2


@pytest.mark.parametrize("suffix", [".exr", ".tif", ".png", ".jpg", ".dpx"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_told_with_its_name_and_a_remedy(tmp_path: Path, suffix: str, share: float):
    path = tmp_path / f"scan.0001{suffix}"
    if suffix == ".dpx":
        path.write_bytes(make_dpx(64, 48)[:-8])
    else:
        write_image(path, random_codes((48, 64, 3), "float16" if suffix == ".exr" else "uint8"))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CorruptFile, match=r"scan\.0001\.\w+: .*copy it again"):
        open_shot(path).read(1)


@pytest.mark.parametrize("suffix", [".exr", ".tif", ".png", ".jpg", ".dpx"])
def test_noise_in_place_of_a_file_is_told(tmp_path: Path, suffix: str):
    path = tmp_path / f"scan{suffix}"
    path.write_bytes(random_codes((1, 5000, 1), "uint8").tobytes())
    with pytest.raises(CorruptFile, match=r"scan\.\w+: .*copy it again"):
        open_shot(path)


@pytest.mark.parametrize("suffix", [".exr", ".tif", ".png", ".jpg", ".dpx"])
def test_a_file_with_any_bytes_changed_is_read_or_refused_never_a_crash(tmp_path: Path, suffix: str):
    path = tmp_path / f"scan{suffix}"
    if suffix == ".dpx":
        path.write_bytes(make_dpx(64, 48))
    else:
        write_image(path, random_codes((48, 64, 3), "float16" if suffix == ".exr" else "uint8"))
    content, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(content)
        for place in (rng.integers(0, 400), rng.integers(0, 2000), len(content) - rng.integers(1, 300)):
            damaged[place % len(damaged)] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            open_shot(path).read(1)
        except InputError as told:
            assert str(path) in str(told)
            refused += 1
    assert refused


def test_text_in_an_old_encoding_does_not_stop_the_reading(tmp_path: Path):
    path = write_image(tmp_path / "scan.tif", random_codes((8, 8, 3), "uint8"), ImageDescription="Kaefer", Artist="W")
    path.write_bytes(path.read_bytes().replace(b"Kaefer", b"K\xe4fers"))
    frame = open_shot(path).read(1)
    assert frame.metadata["Artist"] == "W"
    assert b"K\xe4fers" in copied(path, tmp_path / "out").read_bytes()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (random_codes((8, 9, 3), "uint8"), "width 9, not 8"),
        (random_codes((8, 8, 3), "uint16"), "bits 16, not 8"),
        (random_codes((8, 8, 1), "uint8"), "channels Y, not R,G,B"),
    ],
)
def test_mixed_frames_are_told_with_both_names(tmp_path: Path, other: np.ndarray, words: str):
    write_image(tmp_path / "scan.0001.png", random_codes((8, 8, 3), "uint8"))
    write_image(tmp_path / "scan.0002.png", other)
    shot = open_shot(tmp_path)
    shot.read(1)
    with pytest.raises(MixedFormats, match=rf"scan\.0002\.png: .*{words}.*scan\.0001\.png; .*separate spans"):
        shot.read(2)


def test_a_tiff_of_several_pages_is_refused(tmp_path: Path):
    path = tmp_path / "scan.tif"
    specs = [oiio.ImageSpec(4, 4, 1, "uint8")] * 2
    for spec in specs:
        spec.attribute("tiff:write_exif", 0)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), specs) and output.write_image(np.zeros((4, 4, 1), np.uint8))
    assert output.open(str(path), specs[1], "AppendSubimage") and output.write_image(np.zeros((4, 4, 1), np.uint8))
    assert output.close()
    with pytest.raises(InputError, match=r"scan\.tif: .*several pages; save each page"):
        open_shot(path)


@pytest.mark.parametrize(
    ("suffix", "bits", "tolerance"), [(".png", 8, 0.5 / 255), (".tif", 16, 0.5 / 65535), (".exr", 32, 0.0)]
)
def test_a_plane_is_written_to_full_scale(tmp_path: Path, suffix: str, bits: int, tolerance: float):
    plane = np.random.default_rng(0).random((6, 7), np.float32)
    plane[0, :4] = 0.0, 1.0, -3.0, np.nan
    write_plane(tmp_path / f"matte{suffix}", plane, bits=bits)
    frame = open_shot(tmp_path / f"matte{suffix}").read(1)
    values = frame.codes[:, :, 0].astype(np.float64) / frame.format.white
    expected = np.clip(np.nan_to_num(plane, nan=0.0), 0, 1)
    assert frame.codes.shape == (6, 7, 1) and np.abs(values - expected).max() <= tolerance * 1.001
    with pytest.raises(UsageError, match="no 12-bit"):
        write_plane(tmp_path / "matte.png", plane, bits=12)


def test_another_container_takes_codes_that_it_holds_and_refuses_the_rest(tmp_path: Path):
    codes = random_codes((8, 8, 4), "uint16")
    shot = open_shot(write_image(tmp_path / "scan.0001.png", codes))
    for name in ("a.####.tif", "a.####.dpx"):
        with open_writer(tmp_path / "out" / name, shot) as writer:
            writer.write(shot.read(1))
        assert np.array_equal(open_shot(tmp_path / "out" / name).read(1).codes, codes)
    with pytest.raises(UsageError, match=r"EXR cannot hold .*16-bit uint16.*--lossy"):
        open_writer(tmp_path / "out" / "a.####.exr", shot)
    (tmp_path / "ten").mkdir()
    (tmp_path / "ten" / "scan.0001.dpx").write_bytes(make_dpx())
    ten = open_shot(tmp_path / "ten")
    with open_writer(tmp_path / "out" / "b.####.png", ten, lossy=True) as writer:
        writer.write(ten.read(1))
    scaled = open_shot(tmp_path / "out" / "b.####.png").read(1).codes
    assert np.array_equal(scaled, np.rint(ten.read(1).codes * (65535 / 1023)).astype(np.uint16))


def test_a_scan_that_changed_under_way_is_told(tmp_path: Path):
    path = write_image(tmp_path / "scan.0001.png", random_codes((8, 8, 3), "uint8"))
    shot = open_shot(path)
    frame = shot.read(1)
    write_image(path, random_codes((8, 9, 3), "uint8"))
    writer = open_writer(tmp_path / "o", shot)
    writer.write(frame)
    with pytest.raises(InputError, match=r"scan\.0001\.png: the scan is no longer"):
        writer.close()
    assert list((tmp_path / "o").iterdir()) == []
