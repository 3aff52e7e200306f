"""`python -m nuke_stand_in -t SCRIPT.py WORDS`: runs a Python script as `nuke -t` does."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from nuke_stand_in import installed


def main() -> None:
    """Reads the plug-ins' init.py, then the script, without telling it its __file__."""
    words = sys.argv[1:]
    assert words[0] == "-t", words
    if re.fullmatch(r"\d+(-\d+)?(x\d+)?", words[-1]):  # Nuke takes a range at the end for itself
        words = words[:-1]
    nuke = installed()
    for folder in filter(None, os.environ.get("NUKE_PATH", "").split(os.pathsep)):
        nuke.pluginAddPath(folder)
        start = Path(folder) / "init.py"
        if start.is_file():
            exec(compile(start.read_text(), str(start), "exec"), {"__file__": str(start), "__name__": "init"})
    sys.argv = words[1:]
    source = Path(words[1])
    exec(compile(source.read_text(), str(source), "exec"), {"__name__": "__main__"})


main()
