"""Fix, Pixels, FrameRecord and Header: what a ledger says of one change, one frame and one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from ..frame import Box, Codes, Format

FORMAT_VERSION = 2
"""Of what is written. Version 1, which had no frame-wide fixes, is read as well."""

READABLE = (1, 2)

Cause = Literal[
    "dust",
    "dirt",
    "hair",
    "gate_hair",
    "scratch",
    "blotch",
    "burn",
    "splice",
    "painted",
    "infrared",
    "blur",
    "lost_frame",
    "other",
]
"""What made the mark, from small to large; "painted" and "infrared" were marked by a person or a scanner.

"blur" and "lost_frame" are no marks: the picture itself was mended, or made from its neighbours, all over the frame.
"""

CAUSES: tuple[Cause, ...] = get_args(Cause)

ORIGINS = ("untouched", "recovered", "interpolated", "generated")
"""Words for `restorers.base.Origin`, by its value."""

OriginName = Literal["recovered", "interpolated", "generated"]
Polarity = Literal["dark", "light", "mixed"]
State = Literal["applied", "rejected"]


class Fix(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="fix"):
    """One connected defect of one frame, and what was done about it.

    Attributes:
        id: Frame number, a hyphen and ten hex digits of the hash of its box and pixels.
        frame: Source frame number.
        box: (x0, y0, x1, y1), half open, from the top left of the data window.
        area: Pixels that changed.
        cause: One of `CAUSES`.
        polarity: Whether the mark was darker or lighter than what replaced it.
        origin: Where most of its new pixels come from.
        shares: Share of its pixels that are recovered, interpolated, generated; sums to 1.
        confidence: Mean probability that a changed pixel was damaged, 0..1.
        change: Mean change of a changed pixel, as a share of the codes' full scale; -1 where that is not finite.
        model: Who made it, "frdm@0123456789ab".
        settings: Digest of the settings that it was made with; the header holds them.
        far: Frames of the shot beyond the window that show what stands in it now.
        note: Free words.
        state: "rejected" leaves the scan's pixels in place.
    """

    id: str
    frame: int
    box: tuple[int, int, int, int]
    area: int
    cause: Cause
    polarity: Polarity
    origin: OriginName
    shares: tuple[float, float, float]
    confidence: float
    change: float
    model: str
    settings: str
    far: tuple[int, ...] = ()
    note: str = ""
    state: State = "applied"

    @property
    def where(self) -> Box:
        """Its box."""
        return Box(x0=self.box[0], y0=self.box[1], x1=self.box[2], y1=self.box[3])


class FrameRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="frame"):
    """What a ledger says of one frame as a whole; a frame without fixes has one too.

    Attributes:
        frame: Source frame number.
        run: `Header.identity` of the run that wrote it; a record of another run is stale.
        source, result: Names of the files, without folders.
        scan_codes, result_codes: `codes_checksum` of all channels as read and as written.
        scan_file: `file_checksum` of the scan's file; "" for a frame of a movie.
        fixes: Number of fixes found, whatever an edit leaves of them.
        wide: The same of frame-wide fixes.
        pixels: Checksum of the frame's chunk of pixels; "" where there are no fixes.
        seconds: Time that the frame took.
        network_class: The class that its networks ran in (device kind, backend, precision ...).
        inputs: Digest of what decided the frame beside settings and weights (files by name, size and time, window,
            region, the reel's analysis): a resumed run's quick look.
        note: Free words.
    """

    frame: int
    run: str
    source: str
    result: str
    scan_codes: str
    result_codes: str
    scan_file: str = ""
    fixes: int = 0
    wide: int = 0
    pixels: str = ""
    seconds: float = 0.0
    network_class: str = ""
    inputs: str = ""
    note: str = ""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What all frames of a ledger share.

    Attributes:
        software: "filmrestore 1.2.3".
        method, weights: The restorer and the hash of its weights.
        settings, settings_digest: All settings of the node, and their digest.
        colour: `Colour.describe()`.
        scan: `scan_facts` of the shot.
        network_class: Class of the writer that began the ledger; every frame records its own.
        span: The span that this writer was asked for.
        why: The method was picked, where the job left that to the engine.
        format_version: Of the ledger's files.
    """

    software: str
    method: str
    weights: str
    settings: dict[str, Any]
    settings_digest: str
    colour: dict[str, Any]
    scan: dict[str, Any]
    network_class: dict[str, str] = {}
    span: str = ""
    why: str = ""
    format_version: int = FORMAT_VERSION

    def compared(self) -> dict[str, Any]:
        """What all writers of one ledger must agree on."""
        return {
            "format_version": self.format_version,
            "software": self.software,
            "method": self.method,
            "weights": self.weights,
            "settings": self.settings,
            "colour": self.colour,
            "scan": self.scan,
        }

    def identity(self) -> str:
        """Sixteen hex digits that name the run."""
        return xxhash.xxh3_64_hexdigest(msgspec.json.encode(self.compared(), order="deterministic"))


class Pixels(NamedTuple):
    """The pixels of one fix; n changed pixels in row order.

    Attributes:
        mask: Shape (h, w) of the fix's box, bool: which pixels changed.
        before, after: Shape (n, c), picture channels, the file's dtype.
        matte: Shape (n,), uint8: 0..1 as 0..255, never 0 for a matte above 0.
        origin: Shape (n,), uint8: an index of `ORIGINS`.
    """

    mask: NDArray[np.bool_]
    before: Codes
    after: Codes
    matte: NDArray[np.uint8]
    origin: NDArray[np.uint8]


class RecordedFix(NamedTuple):
    """A fix with its pixels."""

    fix: Fix
    pixels: Pixels


def scan_facts(format: Format) -> dict[str, Any]:
    """The facts of a scan that a ledger holds and later checks."""
    return {
        "width": format.width,
        "height": format.height,
        "channels": list(format.channels),
        "dtype": format.dtype,
        "bits": format.bits,
        "container": format.container,
        "colourspace": format.colourspace,
    }


def bit_pattern(codes: Codes) -> NDArray[Any]:
    """The codes as unsigned integers of the same width, so that NaN and -0.0 compare by their bits."""
    return codes.view(np.dtype(f"u{codes.dtype.itemsize}"))


def fix_id(frame: int, box: tuple[int, int, int, int], pixels: Pixels) -> str:
    """The stable name of a fix: the same pixels changed in the same way have the same id."""
    digest = xxhash.xxh3_64(np.asarray(box, "<i8").tobytes())
    digest.update(np.packbits(pixels.mask).tobytes())
    digest.update(little_endian(pixels.before))
    digest.update(little_endian(pixels.after))
    return f"{frame}-{digest.hexdigest()[:10]}"


def codes_checksum(codes: Codes) -> str:
    """xxh3_128 over the codes in rows, little endian: what a `FrameRecord` holds of scan and result."""
    stored = np.ascontiguousarray(codes.astype(codes.dtype.newbyteorder("<"), copy=False))
    return xxhash.xxh3_128_hexdigest(stored.data)


def file_checksum(path: Path) -> str:
    """xxh3_128 of a file's bytes."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def little_endian(codes: Codes) -> bytes:
    """The codes' bytes in row order, little endian on every machine."""
    return codes.astype(codes.dtype.newbyteorder("<"), copy=False).tobytes()
