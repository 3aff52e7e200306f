"""Fixes: what was changed, the ledger that records it, laying it over a scan again, and checking it."""

from .find import find_fixes, persistence
from .ledger import Ledger
from .merge import merge
from .model import Fix, FrameRecord, Header, Pixels, RecordedFix, codes_checksum, file_checksum, scan_facts
from .parts import FramePart
from .writer import LedgerWriter

__all__ = [
    "Fix",
    "FramePart",
    "FrameRecord",
    "Header",
    "Ledger",
    "LedgerWriter",
    "Pixels",
    "RecordedFix",
    "codes_checksum",
    "file_checksum",
    "find_fixes",
    "merge",
    "persistence",
    "scan_facts",
]
