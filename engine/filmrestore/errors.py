"""The error tree: every failure that a user can meet, with the exit code of the command line.

FilmRestoreError                1
├── UsageError                  2   a setting, span or pattern that cannot be meant
│   └── ColourError             2   a colourspace or OCIO config that is not there
├── SomeFramesFailed            3   the run ended, some frames did not
├── InputError                  4   input that is missing or cannot be read
│   ├── MissingFrames           4
│   ├── CorruptFile             4
│   └── MixedFormats            4   frames of one shot that differ in size or depth
├── ResourceError               5   device or memory
├── OutputError                 1   a folder or disk that cannot be written
├── LedgerError                 1   a ledger that does not fit its scan
├── WeightsError                1   weights that are missing or damaged
├── InstallError                1   a host's adapter that is not there, not whole, or cannot be made
├── EngineError                 1   the engine's server: not there, not starting, broken off
│   └── ProtocolError           1   bytes that are not of the wire, or of another version
└── Cancelled                 130   the user stopped the run

A message says what failed, what was expected, what came, and what to do.
"""

from __future__ import annotations


class FilmRestoreError(Exception):
    """Base of every error that filmrestore raises on purpose."""

    exit_code = 1


class UsageError(FilmRestoreError):
    """A setting, span or pattern that cannot be meant."""

    exit_code = 2


class ColourError(UsageError):
    """A colourspace or OCIO config that is not there."""


class SomeFramesFailed(FilmRestoreError):
    """The run ended, but some frames did not come through."""

    exit_code = 3


class InputError(FilmRestoreError):
    """Input that is missing or cannot be read."""

    exit_code = 4


class MissingFrames(InputError):
    """Frames of the span that are not on disk."""


class CorruptFile(InputError):
    """A file that is truncated, empty or not what its name says."""


class MixedFormats(InputError):
    """Frames of one shot that differ in size, depth or channels."""


class ResourceError(FilmRestoreError):
    """A device that is missing or memory that ran out."""

    exit_code = 5


class OutputError(FilmRestoreError):
    """A folder or disk that cannot be written."""


class LedgerError(FilmRestoreError):
    """A ledger that cannot be read or does not fit its scan."""


class WeightsError(FilmRestoreError):
    """Weights that are missing or damaged."""


class InstallError(FilmRestoreError):
    """A host's adapter that is not there, not whole, or cannot be made."""


class EngineError(FilmRestoreError):
    """The engine's server cannot be reached, did not start, or broke off."""


class ProtocolError(EngineError):
    """Bytes that are not of the wire between hosts and server.

    Args:
        message: What came, and what was expected.
        code: Of the answer, see `protocol.CODES`.
        request: Id of the message at fault, where it could be read.
    """

    def __init__(self, message: str, *, code: str = "message", request: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.request = request


class Cancelled(FilmRestoreError):
    """The user stopped the run."""

    exit_code = 130
