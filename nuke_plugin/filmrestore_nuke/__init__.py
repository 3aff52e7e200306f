"""The FilmRestore nodes for Nuke: Python 3.9 and newer, the standard library, `nuke`, and filmrestore's client."""

from __future__ import annotations

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
"""The plug-in's folder: init.py, menu.py, render.py, and once installed engine.json and vendor."""


def _make_client_importable() -> None:
    """Puts the client beside the plug-in on the path; of a checkout, the engine's own."""
    for folder in (HOME / "vendor", HOME.parent / "engine"):
        if (folder / "filmrestore" / "client.py").is_file():
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
            return


_make_client_importable()
