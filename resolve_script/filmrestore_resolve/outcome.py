"""What became of a run, in words for the user."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Outcome:
    """What became of the clips or tools.

    Attributes:
        done: Of each that is restored, where the result is.
        failed: Of each that is not, why.
        notes: What the user has to see to.
    """

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """All of it."""
        parts = [("Done", self.done), ("Not done", self.failed), ("Please look at", self.notes)]
        return "\n".join(f"{title}:\n" + "\n".join(f"  {line}" for line in lines) for title, lines in parts if lines)
