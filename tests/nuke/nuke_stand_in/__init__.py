"""A strict stand-in for Nuke: the calls of our own table, nodes enough to run a script from plate to written EXR."""

from .module import installed, pump

__all__ = ["installed", "pump"]
