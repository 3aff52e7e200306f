"""A block of the report: markdown, and the figures that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class Block(msgspec.Struct, frozen=True):
    """One table and what belongs to it.

    Attributes:
        markdown: As it stands in methods.md.
        figures: As they stand in methods.json.
    """

    markdown: str
    figures: Any

    @classmethod
    def of(cls, paragraphs: Sequence[str], figures: Any) -> Block:
        """Paragraphs and tables, one below the other."""
        return cls("\n".join(text.rstrip("\n") + "\n" for text in paragraphs), figures)
