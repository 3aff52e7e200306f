"""`nuke -t render.py SCRIPT.nk --node FilmRestore1 --frames=1001-1100 [--write Write1]`: a chunk of a farm."""

import os
import sys

# Nuke does not set __file__ in every version; the first word of the command is this file.
_FOLDER = os.path.dirname(os.path.abspath(globals().get("__file__") or sys.argv[0]))
if _FOLDER not in sys.path:
    sys.path.insert(0, _FOLDER)

from filmrestore_nuke.terminal import main  # noqa: E402 - the farm's Nuke may lack the plug-in's init.py

sys.exit(main(sys.argv[1:]))
