"""The compiled OpenFX bundle, for the tests that compare hosts."""

from ofx.conftest import binary, shared_folder

__all__ = ["binary", "shared_folder"]
