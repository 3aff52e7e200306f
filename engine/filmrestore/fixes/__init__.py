"""Fixes: what was changed, the ledger that records it, laying it over a scan again, and checking it."""

from .find import find_fixes, persistence
from .ledger import FramePart, Ledger, LedgerWriter, merge
from .model import Fix, FrameRecord, Header, Pixels, RecordedFix, codes_checksum, file_checksum, scan_facts

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
