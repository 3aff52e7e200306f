"""What decides a frame beside settings and weights: the digest by which a resumed run knows that it is done."""

from __future__ import annotations

from collections.abc import Mapping

import xxhash

from ..frame import Box
from ..media import Shot
from .mask_input import MaskInput
from .windows import Unit


class Inputs:
    """Digests of all that a frame is made from: files by name, size and time, the rest by content.

    Args:
        shot: The scan.
        analysis: Digest of the reel's analysis.
        roi: Repair only here.
        protect, defect_map: The shot's masks.
    """

    def __init__(
        self,
        shot: Shot,
        analysis: str,
        *,
        roi: Box | None = None,
        protect: MaskInput | None = None,
        defect_map: MaskInput | None = None,
    ) -> None:
        self._shot, self._protect, self._map = shot, protect, defect_map
        self._shared = repr((analysis, roi))

    def rebuilt(self, number: int, units: Mapping[int, Unit]) -> str:
        """Of a frame that is made from two others: all that decides these, and its own file if there is one."""
        digest = xxhash.xxh3_128(repr((self._shared, number)).encode())
        digest.update(self._shot.facts(number) if number in self._shot else b"-")
        for neighbour, unit in sorted(units.items()):
            digest.update(f"{neighbour} {self.digest(neighbour, unit)}".encode())
        return digest.hexdigest()

    def digest(self, number: int, unit: Unit) -> str:
        """Of frame `number`, which `unit` restores; a repeat's own file counts, and no defect map of its own."""
        digest = xxhash.xxh3_128(repr((self._shared, unit.present, unit.numbers)).encode())
        for far in unit.far:
            digest.update(f"far {far} ".encode() + self._shot.facts(far))
        for needed in sorted({*unit.sources, number}):
            digest.update(self._shot.facts(needed))
            digest.update(self._protect.facts(needed) if self._protect and needed == number else b"-")
            digest.update(self._map.facts(needed) if self._map and needed in unit.sources else b"-")
        return digest.hexdigest()
