"""What decides a frame beside settings and weights: the digest by which a resumed run knows that it is done."""

from __future__ import annotations

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

    def digest(self, number: int, unit: Unit) -> str:
        """Of frame `number`, which `unit` restores; a repeat's own file counts, and no defect map of its own."""
        digest = xxhash.xxh3_128(repr((self._shared, unit.present, unit.numbers)).encode())
        for needed in sorted({*unit.sources, number}):
            digest.update(self._shot.facts(needed))
            digest.update(self._protect.facts(needed) if self._protect and needed == number else b"-")
            digest.update(self._map.facts(needed) if self._map and needed in unit.sources else b"-")
        return digest.hexdigest()
