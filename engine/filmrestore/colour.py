"""Colour: codes to scene-linear light and to the net encoding and back, through OpenColorIO."""

from __future__ import annotations

import difflib
import logging
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
import PyOpenColorIO as ocio
from numpy.typing import NDArray

from .errors import ColourError
from .frame import Codes, Format

if TYPE_CHECKING:
    from torch import Tensor

Float32 = NDArray[np.float32]

log = logging.getLogger(__name__)

BUILTIN_CONFIG = "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4"
"""Used where neither the setting nor $OCIO names a config; pinned, so that every OCIO from 2.4 on answers alike."""

CINEON = "Cineon"
"""Made here, with Rec.709 primaries, for configs that have no such space (the ACES ones have none)."""

ALIASES: dict[str, tuple[str, ...]] = {
    "srgb": ("sRGB - Texture", "srgb_tx", "sRGB", "sRGB - Display", "Output - sRGB"),
    "rec709": ("g24_rec709", "Rec.1886 Rec.709 - Display", "Output - Rec.709", "rec709"),
    "gamma22": ("g22_rec709", "Gamma 2.2 Rec.709 - Texture"),
    "gamma24": ("g24_rec709", "Gamma 2.4 Rec.709 - Texture"),
    "linear": ("scene_linear",),
    "linearsrgb": ("lin_rec709", "Linear Rec.709 (sRGB)", "Utility - Linear - sRGB"),
    "linearrec709": ("lin_rec709", "Linear Rec.709 (sRGB)", "Utility - Linear - sRGB"),
    "aces": ("aces_interchange", "ACES2065-1", "ACES - ACES2065-1"),
    "ap0": ("aces_interchange", "ACES2065-1", "ACES - ACES2065-1"),
    "acescg": ("ACEScg", "ACES - ACEScg"),
    "ap1": ("ACEScg", "ACES - ACEScg"),
    "cineon": (CINEON, "lg10", "Cineon Log", "KodakLog"),
    "kodaklog": (CINEON, "lg10", "Cineon Log", "KodakLog"),
    "adx": ("ADX10", "Input - ADX - ADX10"),
    "printingdensity": ("ADX10", "Input - ADX - ADX10"),
    "logc": ("ARRI LogC3 (EI800)", "logc3ei800_alexawide", "Input - ARRI - V3 LogC (EI800) - Wide Gamut"),
    "logc3": ("ARRI LogC3 (EI800)", "logc3ei800_alexawide", "Input - ARRI - V3 LogC (EI800) - Wide Gamut"),
    "logc4": ("ARRI LogC4",),
    "pq": ("Rec.2100-PQ - Display", "rec2100_pq_display"),
    "hlg": ("Rec.2100-HLG - Display", "rec2100_hlg_display"),
    "slog3": ("S-Log3 S-Gamut3.Cine", "Input - Sony - S-Log3 - S-Gamut3.Cine"),
    "raw": ("Raw", "data", "Utility - Raw", "none"),
}
"""Friendly name, without spaces and punctuation -> names to look for in the config, in order."""

DECLARED: dict[str, str] = {
    "printingdensity": "cineon",
    "logarithmic": "cineon",
    "itur7095": "rec709",
    "itur6015": "rec709",
    "unspecifiedvideo": "rec709",
    "smpte274m": "rec709",
    "bt709": "rec709",
    "iec6196621": "srgb",
    "smpte2084": "pq",
    "aribstdb67": "hlg",
}
"""What files say of themselves (DPX or movie transfer) -> friendly name; see docs/colour.md on printing density."""

_SILENT = frozenset({"", "userdefined", "undefined", "unknown", "unspecified"})
_FILLER = 65504.0  # the largest half: what an infinity stands for wherever light is computed

_MIDDLE = 0.032
_SCALE = 0.8 / float(np.arcsinh(1.0 / _MIDDLE))


@overload
def encode_net(linear: Float32) -> Float32: ...
@overload
def encode_net(linear: Tensor) -> Tensor: ...
def encode_net(linear: Any) -> Any:
    """Scene-linear light to the net encoding: a scaled inverse hyperbolic sine.

    Linear around black, logarithmic in the lights: 0 -> 0, 0.18 -> 0.470, 1 -> 0.8, 1000 -> 2.14; odd, monotone,
    unbounded.

    Args:
        linear: Any shape, float32, numpy or torch (the answer is of the same kind).

    Returns:
        Net values; `decode_net` gives `linear` back within a relative 1e-5 (an absolute 1e-7 near 0).
    """
    if isinstance(linear, np.ndarray):
        net = linear * np.float32(1.0 / _MIDDLE)
        np.arcsinh(net, out=net)
        net *= np.float32(_SCALE)
        return net
    return (linear * (1.0 / _MIDDLE)).asinh() * _SCALE


@overload
def decode_net(net: Float32) -> Float32: ...
@overload
def decode_net(net: Tensor) -> Tensor: ...
def decode_net(net: Any) -> Any:
    """The inverse of `encode_net`; beyond a net value of about 17 float32 ends and infinity begins."""
    if isinstance(net, np.ndarray):
        linear = net * np.float32(1.0 / _SCALE)
        with np.errstate(over="ignore"):
            np.sinh(linear, out=linear)
        linear *= np.float32(_MIDDLE)
        return linear
    return (net * (1.0 / _SCALE)).sinh() * _MIDDLE


class Colour:
    """Transforms between the codes of one format, scene-linear light and the net encoding; safe to share by threads.

    Codes that are not finite have no light: NaN counts as 0 and an infinity as +-65504 in linear and net, in its own
    sample only. Whoever composites keeps such codes by keeping the code where the matte is 0.
    """

    def __init__(self, format: Format, facts: dict[str, str], forward: Any, backward: Any) -> None:
        self._format = format
        self._facts = facts
        self._forward = forward
        self._backward = backward

    def describe(self) -> dict[str, str]:
        """Facts for the ledger: config, config_id, colourspace, chosen_by, working_space."""
        return dict(self._facts)

    def to_linear(self, codes: Codes) -> Float32:
        """Scene-linear light, shape (h, w, 3), of codes of shape (h, w, 1 or 3); one channel is repeated."""
        light = codes.astype(np.float32, order="C")
        if self._format.is_integer:
            light *= np.float32(1.0 / self._format.white)
        if light.shape[2] == 1:
            light = np.repeat(light, 3, axis=2)
        return self._apply(self._forward, light)

    def from_linear(self, linear: Float32) -> Codes:
        """Codes of the format, shape (h, w, 1 or 3 as the format's picture), rounded; integers clip at their ends.

        Halves hold at +-65504. One channel takes the mean of the three.
        """
        return self._store(self._values(linear))

    def to_net(self, codes: Codes) -> Float32:
        """Net encoding, shape (h, w, 3), of codes of shape (h, w, 1 or 3)."""
        return encode_net(self.to_linear(codes))

    def from_net(self, net: Float32) -> Codes:
        """Codes of the format for net values of shape (h, w, 3); see `from_linear`."""
        return self.from_linear(decode_net(net))

    def add(self, codes: Codes, change: Float32) -> Codes:
        """Codes moved by a change in net: where the change is 0 the code stays, bit for bit.

        The move is the difference of two transforms, so what a round trip through colour loses is lost from neither.

        Args:
            codes: Shape (h, w, 1 or 3).
            change: Net, shape (h, w, 3).
        """
        net = self.to_net(codes)
        moved = self._values(decode_net(net + change)) - self._values(decode_net(net))
        with np.errstate(invalid="ignore"):  # a signalling NaN among the codes
            values = codes + moved  # float32, or float64 for 32-bit integers
        kept = (change == 0).all(axis=2, keepdims=True)
        if not self._format.is_integer:
            kept = kept | ~np.isfinite(codes)
        result: Codes = np.where(kept, codes, self._store(values))
        return result

    def _values(self, linear: Float32) -> Float32:
        """Codes before rounding and clipping, float32."""
        values = self._apply(self._backward, np.array(linear, dtype=np.float32, order="C"))
        if len(self._format.picture) == 1:
            values = values.mean(axis=2, keepdims=True)
        if self._format.is_integer:
            values *= np.float32(self._format.white)
        return values

    def _store(self, values: Float32) -> Codes:
        dtype = np.dtype(self._format.dtype)
        if self._format.is_integer:
            # 2**32 - 1 is no float32: the ends are held in float64, where all integer codes are exact.
            wide = values.astype(np.float64) if dtype.itemsize == 4 else values
            wide = np.clip(np.rint(np.nan_to_num(wide)), 0, self._format.white)
        else:
            wide = np.clip(values, -_FILLER, _FILLER) if dtype == np.float16 else values
        codes: Codes = wide.astype(dtype)
        return codes

    def _apply(self, processor: Any, pixels: Float32) -> Float32:
        pixels = _finite(pixels)
        height, width, _ = pixels.shape
        if pixels.size:
            processor.apply(ocio.PackedImageDesc(pixels, width, height, 3))
        return _finite(pixels)


def open_colour(
    format: Format,
    *,
    colourspace: str | None = None,
    working_space: str = "scene_linear",
    config: str | None = None,
    path: Path | None = None,
) -> Colour:
    """The transforms of a shot.

    The colourspace is the first of: the setting, a file rule of the config that matches `path` (the catch-all rule
    does not count), what the file declares, the default of the container and depth (docs/colour.md).

    Args:
        colourspace: A name, alias or role of the config, or a friendly name of `ALIASES`.
        working_space: A scene-linear space or role.
        config: A path, "ocio://name" or None for $OCIO, else the built-in ACES studio config.
        path: The shot's file or pattern.

    Raises:
        ColourError: a config that cannot be loaded, or a space that it does not have.
    """
    if format.dtype not in ("uint8", "uint16", "uint32", "float16", "float32"):
        raise ColourError(f"codes are {format.dtype}: expected uint8, uint16, uint32, float16 or float32")
    source, loaded = _load(config)
    working = _working_space(loaded, working_space)
    space, chosen_by = _choose(loaded, format, colourspace, path)
    facts = {
        "config": source,
        "config_id": loaded.getCacheID(),
        "colourspace": space,
        "chosen_by": chosen_by,
        "working_space": working,
    }
    return Colour(format, facts, *_processors(loaded, space, working))


def find_colourspace(config: Any, name: str) -> str:
    """The config's own name of the space that `name` means: its name, alias or role, or a friendly name.

    Raises:
        ColourError: the config has no such space; names the closest it has.
    """
    if found := _canonical(config, name):
        return found
    key = _plain(name)
    for candidate in ALIASES.get(key, ()):
        if found := _canonical(config, candidate):
            return found
    if key in ("cineon", "kodaklog") and _canonical(config, ALIASES["linearrec709"][0]):
        return CINEON
    known = {_plain(word): word for word in _names(config)} | {key: key for key in ALIASES}
    close = [known[word] for word in difflib.get_close_matches(key, known, n=4, cutoff=0.5)]
    hint = f"close to it: {', '.join(close)}" if close else f"it has: {', '.join(config.getColorSpaceNames())}"
    raise ColourError(
        f"the OCIO config has no colourspace {name!r}; {hint}. Give one of its names with --colourspace, "
        "or another config with --ocio"
    )


def _load(config: str | None) -> tuple[str, Any]:
    """(what names the config, the config): the setting, else $OCIO, else the built-in one."""
    source = config or os.environ.get("OCIO") or BUILTIN_CONFIG
    try:
        changed = 0 if source.startswith("ocio://") else Path(source).stat().st_mtime_ns
        return source, _config(source, changed)
    except (OSError, ocio.Exception) as error:
        origin = "--ocio" if config else "$OCIO"
        raise ColourError(
            f"cannot load the OCIO config {source!r} ({origin}): {error}. "
            "Give the path of a .ocio or .ocioz file, or ocio://default for a built-in one"
        ) from error


@lru_cache(maxsize=8)
def _config(source: str, changed: int) -> Any:
    del changed  # a config that was edited is another config
    loaded = ocio.Config.CreateFromFile(source)
    loaded.validate()
    return loaded


def _choose(config: Any, format: Format, colourspace: str | None, path: Path | None) -> tuple[str, str]:
    """(space, which of the four ways chose it)."""
    if colourspace:
        return find_colourspace(config, colourspace), "setting"
    if path is not None:
        space, rule = config.getColorSpaceFromFilepath(str(path))
        if rule < config.getFileRules().getNumEntries() - 1:  # the last rule catches everything: it knows nothing
            return find_colourspace(config, space), f"file rule {config.getFileRules().getName(rule)}"
    declared = format.colourspace or ""
    if _plain(declared) not in _SILENT:
        try:
            return find_colourspace(config, DECLARED.get(_plain(declared), declared)), f"file declares {declared}"
        except ColourError:
            log.warning("the file declares the colourspace %r, which the OCIO config does not have", declared)
    name = _default(format)
    space = find_colourspace(config, name)
    log.warning(
        "no colourspace was given or declared: %s is taken as %s; --colourspace says otherwise", _kind(format), space
    )
    return space, f"default of {_kind(format)}"


def _default(format: Format) -> str:
    if not format.is_integer:
        return "scene_linear"
    if format.container == "dpx" and format.bits in (10, 12):
        return "cineon"
    return "rec709" if format.container == "movie" else "srgb"


def _kind(format: Format) -> str:
    return f"{format.bits}-bit {'' if format.is_integer else 'float '}{format.container}"


def _working_space(config: Any, name: str) -> str:
    space = find_colourspace(config, name)
    encoding = CINEON if space == CINEON else config.getColorSpace(space).getEncoding()
    if encoding not in ("", "scene-linear"):
        raise ColourError(f"the working space {name!r} is {encoding}: give a scene-linear one, such as ACEScg")
    return space


def _processors(config: Any, space: str, working: str) -> tuple[Any, Any]:
    """(to linear, from linear). Lossless: OCIO's fast approximations lose one code in 65536."""
    try:
        group = ocio.GroupTransform()
        if space == CINEON and not _canonical(config, CINEON):
            group.appendTransform(_cineon_to_linear())
            space = find_colourspace(config, "linear rec709")
        group.appendTransform(ocio.ColorSpaceTransform(src=space, dst=working))
        directions = (ocio.TRANSFORM_DIR_FORWARD, ocio.TRANSFORM_DIR_INVERSE)
        made = [config.getProcessor(group, direction) for direction in directions]
        forward, backward = (one.getOptimizedCPUProcessor(ocio.OPTIMIZATION_LOSSLESS) for one in made)
    except ocio.Exception as error:
        raise ColourError(f"the OCIO config cannot take {space!r} to {working!r} and back: {error}") from error
    return forward, backward


def _cineon_to_linear() -> Any:
    """Kodak's curve: 0.002 density a code, negative gamma 0.6, white 685, black 95.

    Source: Kodak, "Conversion of 10-bit log film data to 8-bit linear or video data for the Cineon digital film
    system" (1995).
    """
    black = 10.0 ** ((95 - 685) * 0.002 / 0.6)
    curve = ocio.LogAffineTransform(
        logSideSlope=[0.6 / 0.002 / 1023] * 3,
        logSideOffset=[685 / 1023] * 3,
        linSideSlope=[1.0 - black] * 3,
        linSideOffset=[black] * 3,
        direction=ocio.TRANSFORM_DIR_INVERSE,
    )
    curve.setBase(10.0)
    return curve


def _canonical(config: Any, name: str) -> str | None:
    space = config.getColorSpace(name)
    return cast(str, space.getName()) if space is not None else None


def _names(config: Any) -> list[str]:
    spaces = [config.getColorSpace(name) for name in config.getColorSpaceNames()]
    return [word for space in spaces for word in (space.getName(), *space.getAliases())]


def _plain(name: str) -> str:
    """Lower case without spaces and punctuation: "Printing density" and "printing_density" are one name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _finite(values: Float32) -> Float32:
    return values if np.isfinite(values).all() else np.nan_to_num(values, nan=0.0, posinf=_FILLER, neginf=-_FILLER)
