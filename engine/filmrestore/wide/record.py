"""Flicker, Fade and Weave: what a ledger says of a change to a whole frame; parameters, no pixels."""

from __future__ import annotations

from typing import Literal

import msgspec
import xxhash

from ..errors import LedgerError

WIDE_CAUSES = ("flicker", "fade", "weave")
"""In the order in which they are undone."""

State = Literal["applied", "rejected"]
Law = Literal["gain", "offset"]
Row = tuple[float, ...]


class _Wide(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What all frame-wide fixes have.

    Attributes:
        id: Frame number, a hyphen and ten hex digits of the hash of what it does.
        frame: Source frame number.
        settings: Digest of the settings that it was made with; the header holds them.
        note: Free words.
        state: "rejected" leaves it out.
    """

    id: str = ""
    frame: int
    settings: str
    note: str = ""
    state: State = "applied"

    @property
    def cause(self) -> str:
        """One of `WIDE_CAUSES`."""
        return str(self.__struct_config__.tag)


class Flicker(_Wide, tag="flicker", frozen=True, kw_only=True):
    """The light of a frame brought to that of its neighbours: code * gain + offset, and a smooth field over the frame.

    Attributes:
        gain: A factor for each channel.
        offset: What is added to each channel, as a share of full scale.
        field: Rows of a grid over the frame; empty where the light is even.
        law: What the field does: "gain" is added to the factor, "offset" to the offset.
        ends: Share of full scale at the ends of integer codes over which the change fades out, so that white and
            black, where the scanner clipped, stay.
    """

    gain: Row
    offset: Row
    field: tuple[Row, ...] = ()
    law: Law = "gain"
    ends: float = 0.02


class Fade(_Wide, tag="fade", frozen=True, kw_only=True):
    """The curve of each channel that undoes the fading of its dye; the same for all frames of a reel or shot.

    Attributes:
        knots: Codes that rise, as shares of full scale.
        curves: What they become, a row for each channel; straight between knots and beyond the last.
    """

    knots: Row
    curves: tuple[Row, ...]


class Weave(_Wide, tag="weave", frozen=True, kw_only=True):
    """The frame moved to where it belongs in the gate.

    Attributes:
        matrix: (a, b, c, d, e, f): what stands at x, y is taken from a x + b y + c, d x + e y + f; px, from the centre
            of the top left pixel.
    """

    matrix: tuple[float, float, float, float, float, float]


Wide = Flicker | Fade | Weave


def named(wide: Wide) -> Wide:
    """The fix with its id."""
    return msgspec.structs.replace(wide, id=_id(wide))


def check_id(wide: Wide) -> Wide:
    """The fix, when its parameters are those that its id names.

    Raises:
        LedgerError: they were edited or damaged.
    """
    if wide.id != _id(wide):
        raise LedgerError(
            f"frame {wide.frame}: the parameters of {wide.cause} {wide.id} are not those that its id names "
            f"({_id(wide)}): undo the edit of this line, or restore the frame again"
        )
    return wide


def _id(wide: Wide) -> str:
    plain = msgspec.structs.replace(wide, id="", settings="", note="", state="applied")
    digest = xxhash.xxh3_64_hexdigest(msgspec.json.encode(plain, order="deterministic"))
    return f"{wide.frame}-{digest[:10]}"
