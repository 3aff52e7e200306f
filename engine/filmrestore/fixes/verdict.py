"""What verify answers: failures, counts, and both in words."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["outside", "inside", "channel", "ledger", "checksum", "missing", "format", "window", "header"]

_SAID_IN_ALL = 1000


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it must be.

    Attributes:
        frame: Source frame number; None for the shot as a whole.
        kind: "outside" every fix, "inside" one, a "channel" that is never restored, "ledger", "checksum",
            "missing", "format", "window" or "header".
        text: In words.
        x, y: The pixel, from the top left of the data window.
        channel: Its name.
        scan, expected, result: The pixel's codes.
        fix: The fix that it belongs to.
    """

    frame: int | None
    kind: Kind
    text: str
    x: int | None = None
    y: int | None = None
    channel: str | None = None
    scan: float | None = None
    expected: float | None = None
    result: float | None = None
    fix: str | None = None


class VerifyReport(msgspec.Struct, kw_only=True):
    """The answer.

    Attributes:
        ok: Everything was proven: no failure, and the result's container keeps every code.
        provable: Whether the result's container keeps every code; a lossy one proves nothing.
        frames: Frames that were checked.
        pixels: Pixels of them.
        changed: Pixels that the applied fixes changed.
        wrong: Pixels of the result that are not as they must be.
        fixes, left_out: Fixes that were recorded, and those that must not be in the result.
        applied, wide: Fixes of marks and of whole frames that must be in it.
        failures: The first of them; `unsaid` more are counted only.
        notes: What is worth knowing and no failure.
    """

    ok: bool = False
    provable: bool = True
    frames: int = 0
    pixels: int = 0
    changed: int = 0
    wrong: int = 0
    fixes: int = 0
    applied: int = 0
    wide: int = 0
    left_out: int = 0
    failures: list[Failure] = msgspec.field(default_factory=list)
    unsaid: int = 0
    notes: list[str] = msgspec.field(default_factory=list)

    def add(self, failure: Failure) -> None:
        """Notes a failure."""
        if len(self.failures) < _SAID_IN_ALL:
            self.failures.append(failure)
        else:
            self.unsaid += 1

    def to_json(self) -> bytes:
        """The report for programs."""
        return msgspec.json.encode(self)

    def text(self) -> str:
        """The report for people."""
        verdict = "verified" if self.ok else "FAILED" if self.failures else "not provable"
        rest = (
            f"and {self.wide} fixes of whole frames say the rest" if self.wide else "every other one must be the scan's"
        )
        lines = [
            f"{verdict}: {self.frames} frames, {self.pixels} pixels",
            f"  {self.changed} pixels changed by {self.applied} fixes; {rest}",
            f"  {self.left_out} of {self.fixes} fixes left out",
        ]
        if self.wrong:
            lines.append(f"  {self.wrong} pixels are not as they must be")
        lines += [f"  {failure.text}" for failure in self.failures]
        if self.unsaid:
            lines.append(f"  ... and {self.unsaid} more")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])
