"""Laws of colour: exact ways back, nothing clipped, nothing guessed silently."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from filmrestore.colour import ALIASES, BUILTIN_CONFIG, decode_net, encode_net, open_colour
from filmrestore.errors import ColourError
from filmrestore.frame import Format

OWN_CONFIG = """ocio_profile_version: 2
roles:
  scene_linear: lin
  default: lin
file_rules:
  - !<Rule> {name: Scans, extension: dpx, pattern: "*scan*", colorspace: log}
  - !<Rule> {name: Default, colorspace: lin}
displays:
  sRGB:
    - !<View> {name: Raw, colorspace: lin}
colorspaces:
  - !<ColorSpace> {name: lin, encoding: scene-linear}
  - !<ColorSpace>
    name: log
    encoding: log
    to_scene_reference: !<LogTransform> {base: 10, direction: inverse}
"""


@pytest.fixture(autouse=True)
def no_outer_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCIO", raising=False)


@pytest.fixture
def own_config(tmp_path: Path) -> str:
    path = tmp_path / "own.ocio"
    path.write_text(OWN_CONFIG)
    return str(path)


def form(
    bits: int, container: str = "dpx", channels: str = "RGB", declared: str | None = None, dtype: str = ""
) -> Format:
    return Format(
        width=1,
        height=1,
        channels=tuple(channels),
        dtype=dtype or ("uint8" if bits == 8 else "uint16"),
        bits=bits,
        container=container,
        lossless=True,
        colourspace=declared,
    )


def half(channels: str = "RGB", declared: str | None = None) -> Format:
    return form(16, "exr", channels, declared, "float16")


def single(declared: str | None = None) -> Format:
    return form(32, "exr", "RGB", declared, "float32")


def every_code(bits: int, dtype: str) -> np.ndarray:
    return np.repeat(np.arange(1 << bits).astype(dtype)[None, :, None], 3, axis=2)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_net_comes_back_from_half_below_black_to_a_thousand(library: str) -> None:
    light = np.concatenate([np.linspace(-0.5, 0.5, 100_001), np.geomspace(1e-9, 1000, 100_001)]).astype(np.float32)
    given = light if library == "numpy" else torch.from_numpy(light)
    back = np.asarray(decode_net(encode_net(given)), dtype=np.float64)
    error = np.abs(back - light.astype(np.float64))
    assert np.all((error <= 1e-5 * np.abs(light)) | (error <= 1e-7))


def test_net_is_odd_monotone_and_where_the_contract_puts_it() -> None:
    light = np.concatenate([np.linspace(0, 1, 50_001), np.geomspace(1, 1e6, 50_001)]).astype(np.float32)
    net = encode_net(light)
    assert net[0] == 0 and np.all(np.diff(net) >= 0)
    np.testing.assert_array_equal(encode_net(-light), -net)
    known = encode_net(np.array([0.18, 1.0, 1000.0], np.float32))
    np.testing.assert_allclose(known, [0.4697324, 0.8, 2.13626], rtol=1e-6)


def test_numpy_and_torch_encode_alike() -> None:
    light = np.linspace(-1, 100, 10_001).astype(np.float32)
    assert np.abs(encode_net(light) - encode_net(torch.from_numpy(light)).numpy()).max() < 1e-6


@pytest.mark.parametrize("name", ["srgb", "cineon", "rec709", "linear", "acescg", "aces", "logc3", "logc4", "adx10"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_every_grey_code_comes_back(name: str, bits: int) -> None:
    colour = open_colour(form(bits), colourspace=name)
    codes = every_code(bits, "uint8" if bits == 8 else "uint16")
    np.testing.assert_array_equal(colour.from_linear(colour.to_linear(codes)), codes)
    np.testing.assert_array_equal(colour.from_net(colour.to_net(codes)), codes)


@pytest.mark.parametrize(
    ("name", "bits", "worst"),
    [("srgb", 16, 0), ("linear", 16, 0), ("cineon", 10, 0), ("logc3", 12, 0), ("rec709", 8, 0), ("adx10", 10, 2)],
)
def test_saturated_codes_come_back(name: str, bits: int, worst: int) -> None:
    """ADX10 mixes layers through a table: its saturated ends come back within two codes, as docs/colour.md says."""
    dtype = "uint8" if bits == 8 else "uint16"
    codes = np.random.default_rng(0).integers(0, 1 << bits, (200, 200, 3)).astype(dtype)
    colour = open_colour(form(bits), colourspace=name)
    back = colour.from_linear(colour.to_linear(codes))
    assert np.abs(back.astype(int) - codes.astype(int)).max() <= worst


def test_cineon_is_kodaks_curve() -> None:
    codes = np.array([95, 470, 685, 1023], np.uint16).reshape(1, 4, 1).repeat(3, axis=2)
    light = open_colour(form(10), colourspace="cineon", working_space="lin_rec709").to_linear(codes)[0, :, 1]
    black = 10 ** ((95 - 685) * 0.002 / 0.6)
    expected = (10 ** ((codes[0, :, 0].astype(float) - 685) * 0.002 / 0.6) - black) / (1 - black)
    np.testing.assert_allclose(light, expected, atol=1e-6, rtol=1e-5)


def test_does_not_clip_light_above_one_or_below_zero() -> None:
    colour = open_colour(single(), colourspace="acescg")
    codes = np.array([[[-0.3, 0.5, 60.0], [1000.0, 2.0, -0.01]]], np.float32)
    np.testing.assert_allclose(colour.from_net(colour.to_net(codes)), codes, rtol=2e-5)
    np.testing.assert_array_equal(colour.from_linear(colour.to_linear(codes)), codes)


def test_integer_codes_clip_at_their_ends_only() -> None:
    colour = open_colour(form(10), colourspace="linear")
    light = np.array([[[-1.0, 0.5, 7.0]]], np.float32)
    np.testing.assert_array_equal(colour.from_linear(light), [[[0, 512, 1023]]])


def test_halves_stay_finite() -> None:
    colour = open_colour(half(), colourspace="linear")
    codes = colour.from_linear(np.full((1, 1, 3), 1e6, np.float32))
    assert codes.dtype == np.float16 and np.all(codes == 65504)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_code_that_is_no_number_stays_in_its_own_sample(bad: float) -> None:
    colour = open_colour(half(), colourspace="srgb")
    codes = np.full((3, 3, 3), 0.5, np.float16)
    clean = colour.to_linear(codes)
    codes[1, 1, 0] = bad
    light, net = colour.to_linear(codes), colour.to_net(codes)
    assert np.isfinite(light).all() and np.isfinite(net).all()
    outside = np.ones((3, 3), bool)
    outside[1, 1] = False
    np.testing.assert_array_equal(light[outside], clean[outside])
    if np.isnan(bad):
        codes[1, 1, 0] = 0
        np.testing.assert_array_equal(net, colour.to_net(codes))
    assert np.isfinite(colour.from_net(np.full((1, 1, 3), bad, np.float32))).all()


def test_one_channel_is_repeated_and_comes_back_as_one() -> None:
    colour = open_colour(form(10, channels="Y"), colourspace="cineon")
    codes = every_code(10, "uint16")[:, :, :1]
    net = colour.to_net(codes)
    assert net.shape == (1, 1024, 3)
    np.testing.assert_array_equal(colour.from_net(net), codes)


def test_no_change_keeps_every_bit_even_of_nan() -> None:
    colour = open_colour(half(), colourspace="srgb")
    codes = np.random.default_rng(1).integers(0, 1 << 16, (64, 64, 3)).astype(np.uint16).view(np.float16)
    kept = colour.add(codes, np.zeros((64, 64, 3), np.float32))
    np.testing.assert_array_equal(kept.view(np.uint16), codes.view(np.uint16))


def test_a_change_in_net_moves_the_codes_by_it_alone() -> None:
    colour = open_colour(form(10), colourspace="adx10")
    codes = np.random.default_rng(2).integers(300, 700, (32, 32, 3)).astype(np.uint16)
    change = np.zeros((32, 32, 3), np.float32)
    change[5, 7] = 0.05
    moved = colour.add(codes, change) != codes
    assert moved[5, 7].any()
    moved[5, 7] = False
    assert not moved.any()


def test_an_unknown_colourspace_names_the_closest() -> None:
    with pytest.raises(ColourError, match="slog3"):
        open_colour(form(10), colourspace="slogg")


@pytest.mark.parametrize("config", ["/nowhere/show.ocio", "ocio://bogus"])
def test_a_config_that_is_not_there_is_named(config: str) -> None:
    with pytest.raises(ColourError, match=r"cannot load the OCIO config .*--ocio"):
        open_colour(form(10), colourspace="srgb", config=config)


def test_a_broken_config_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "broken.ocio"
    path.write_text("no config")
    with pytest.raises(ColourError, match=r"broken\.ocio"):
        open_colour(form(10), config=str(path))


def test_a_log_working_space_is_refused() -> None:
    with pytest.raises(ColourError, match="scene-linear"):
        open_colour(form(10), colourspace="cineon", working_space="ACEScct")


def test_the_setting_comes_first_then_rules_then_the_file_then_the_default(own_config: str) -> None:
    def chosen(**given: object) -> str:
        declared = given.pop("declared", None)
        return open_colour(form(10, declared=declared), config=own_config, **given).describe()["chosen_by"]  # type: ignore[arg-type]

    scan = Path("scan.0001.dpx")
    assert chosen(colourspace="lin", path=scan, declared="log") == "setting"
    assert chosen(path=scan, declared="lin") == "file rule Scans"
    assert chosen(path=Path("plate.0001.dpx"), declared="log") == "file declares log"


@pytest.mark.parametrize(
    ("format", "space"),
    [
        (form(8, "png"), "sRGB Encoded Rec.709 (sRGB)"),
        (form(16, "tiff"), "sRGB Encoded Rec.709 (sRGB)"),
        (form(10, "dpx"), "Cineon"),
        (form(16, "dpx"), "sRGB Encoded Rec.709 (sRGB)"),
        (form(16, "dpx", declared="Printing density"), "Cineon"),
        (form(10, "dpx", declared="User defined"), "Cineon"),
        (form(10, "movie"), "Gamma 2.4 Encoded Rec.709"),
        (half(), "ACEScg"),
        (half(declared="lin_rec709_scene"), "Linear Rec.709 (sRGB)"),
        (form(8, "png", declared="srgb_rec709_scene"), "sRGB Encoded Rec.709 (sRGB)"),
    ],
)
def test_defaults_and_declarations_by_container(format: Format, space: str) -> None:
    assert open_colour(format).describe()["colourspace"] == space


def test_a_default_is_not_taken_silently(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        facts = open_colour(form(10)).describe()
    assert facts["chosen_by"] == "default of 10-bit dpx" and facts["config"] == BUILTIN_CONFIG
    assert facts["working_space"] == "ACEScg" and facts["config_id"]
    assert "--colourspace" in caplog.text


def test_the_environment_names_the_config(own_config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", own_config)
    assert open_colour(form(10), colourspace="log").describe()["config"] == own_config


def test_an_edited_config_is_read_anew(own_config: str) -> None:
    before = open_colour(form(10), colourspace="log", config=own_config).describe()["config_id"]
    Path(own_config).write_text(OWN_CONFIG.replace("base: 10", "base: 2"))
    assert open_colour(form(10), colourspace="log", config=own_config).describe()["config_id"] != before


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_every_friendly_name_is_in_the_built_in_config(name: str) -> None:
    assert open_colour(form(10), colourspace=name).describe()["chosen_by"] == "setting"


def test_threads_share_one_colour() -> None:
    colour = open_colour(form(10), colourspace="cineon")
    codes = np.random.default_rng(3).integers(0, 1024, (200, 200, 3)).astype(np.uint16)
    expected = colour.to_net(codes)
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(colour.to_net(codes))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    for result in results:
        np.testing.assert_array_equal(result, expected)
